// SPDX-License-Identifier: MPL-2.0
//! Encoders by turns: the first that starts is used, and one that fails as it runs gives way to the next.
use super::branches::Output;
use super::stream::{Running, Stream};
use crate::encode::table::{self, Choice};
use crate::encode::{Branch, shield::Failed};
use crate::fault;
use gst::glib;
use gst::prelude::*;
use rtc_payload::Codec;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The encoders that failed since the element started, by factory.
#[derive(Debug, Default)]
pub(super) struct Failures(BTreeMap<String, Failure>);

#[derive(Debug)]
struct Failure {
    reason: String,
    /// The application knows.
    told: bool,
}

impl Failures {
    /// The first reason counts: what follows comes of it.
    fn note(&mut self, factory: &str, reason: &str) {
        self.0.entry(factory.into()).or_insert_with(|| Failure {
            reason: reason.into(),
            told: false,
        });
    }

    fn contain(&self, factory: &str) -> bool {
        self.0.contains_key(factory)
    }

    fn take_untold(&mut self) -> Vec<(String, String)> {
        let untold = self.0.iter_mut().filter(|(_, failure)| !failure.told);
        untold
            .map(|(factory, failure)| {
                failure.told = true;
                (factory.clone(), failure.reason.clone())
            })
            .collect()
    }
}

impl Stream {
    /// Puts up a branch with the first encoder that starts.
    pub(super) fn build(
        self: &Arc<Self>,
        running: &Running,
        output: Output,
        bitrate: u64,
    ) -> Result<(), glib::BoolError> {
        let caps = self.pad.current_caps();
        for choice in table::candidates(output.codec, caps.as_deref()) {
            let name = choice.name();
            if self.state().failures.contain(&name) {
                continue;
            }
            let choice = choice.tuned(running.tuning);
            let built = self.build_with(running, output, bitrate, &choice);
            if let Err(error) = &built {
                self.state().failures.note(&name, &error.message);
            }
            // It may have failed at its first frame.
            if !self.state().failures.contain(&name) {
                self.tell_failures(&name);
                return Ok(());
            }
            self.drop_branch(output);
        }
        let failures = self.state().failures.take_untold();
        let reasons = failures
            .iter()
            .map(|(name, reason)| format!("{name}: {reason}"));
        match failures.is_empty() {
            // Not installed means not offered, so not negotiated.
            true => Err(glib::bool_error!("no encoder")),
            false => {
                let reasons: Vec<_> = reasons.collect();
                Err(glib::bool_error!(
                    "no encoder starts ({})",
                    reasons.join("; ")
                ))
            }
        }
    }

    fn build_with(
        self: &Arc<Self>,
        running: &Running,
        output: Output,
        bitrate: u64,
        choice: &Choice,
    ) -> Result<(), glib::BoolError> {
        let config = self.tap_config(running, output);
        let caps = self.pad.current_caps();
        let failed = self.on_failure(output, choice.name().into());
        let branch = Branch::encoding(config, caps.as_deref(), choice, bitrate, failed)?;
        branch.tap().set_active(true);
        self.put_up(output, branch).map(drop)
    }

    /// Called on whatever thread the encoder failed on; a branch can't be taken down on one of its own.
    fn on_failure(self: &Arc<Self>, output: Output, factory: String) -> Failed {
        let weak = Arc::downgrade(self);
        Box::new(move |reason| {
            let Some(stream) = weak.upgrade() else {
                return;
            };
            stream.state().failures.note(&factory, reason);
            let (weak, factory) = (weak.clone(), factory.clone());
            if let Some(element) = stream.element.upgrade() {
                element.call_async(move |_| {
                    if let Some(stream) = weak.upgrade() {
                        stream.replace(output, &factory);
                    }
                });
            }
        })
    }

    /// The next encoder takes over, unless that has happened already.
    fn replace(self: &Arc<Self>, output: Output, factory: &str) {
        let branch = self.branch(output);
        let encoder = branch.as_ref().and_then(|branch| branch.encoder());
        let made_by = encoder.and_then(|encoder| encoder.factory());
        if made_by.is_some_and(|made_by| made_by.name() == factory) {
            self.drop_branch(output);
            self.encode(output);
        }
    }

    /// An encoder that ran on without viewers is not needed beside one that has some.
    pub(super) fn drop_idle(&self, codec: Codec) {
        let idle: Vec<_> = {
            let state = self.state();
            let outputs = state.branches.keys().filter(|output| output.codec == codec);
            let idle = outputs.filter(|output| !state.wanted.contains_key(output));
            idle.copied().collect()
        };
        idle.into_iter().for_each(|output| self.drop_branch(output));
    }

    fn drop_branch(&self, output: Output) {
        let attached = self.state().branches.remove(&output);
        if let Some(attached) = attached {
            self.take_down(&attached);
        }
    }

    fn tell_failures(&self, next: &str) {
        let failures = self.state().failures.take_untold();
        let Some(element) = self.element.upgrade() else {
            return;
        };
        for (factory, reason) in failures {
            fault::warn_encoder(&element, &self.pad.name(), (&factory, &reason), next);
        }
    }
}
