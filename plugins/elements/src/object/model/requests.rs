// SPDX-License-Identifier: MPL-2.0
//! Answers to what an application asked.
use super::Model;
use crate::data::DataChannel;
use crate::object::error::{no_channel, refused};
use crate::object::link::Selected;
use crate::object::stats;
use gst::prelude::*;
use rtc_payload::Mid;
use rtc_session::{
    ChannelError, ChannelKey, DescriptionKind, Refusal, Reply, RequestId, SessionStats,
};

impl Model {
    pub(super) fn on_reply(&self, request: RequestId, result: &Result<Reply, Refusal>) {
        let mut answer = gst::Structure::new_empty("rtc-reply");
        match result {
            Ok(Reply::Description { kind, sdp }) => {
                answer.set("type", kind.as_str());
                answer.set("sdp", sdp.as_str());
            }
            Ok(Reply::Transceiver(id)) => {
                if let Some(transceiver) = self.transceiver(*id) {
                    answer.set("transceiver", transceiver);
                }
            }
            Ok(_) => {}
            Err(refusal) => answer = refused(refusal),
        }
        self.link.answer(request, answer);
    }

    /// A data channel was asked for.
    pub(crate) fn expect_channel(&mut self, key: ChannelKey, request: RequestId) {
        self.opening.insert(key, request);
    }

    /// A data channel is open; whoever asked for it gets it.
    pub(crate) fn answer_channel(&mut self, key: ChannelKey, channel: &DataChannel) {
        if let Some(request) = self.opening.remove(&key) {
            let answer = gst::Structure::builder("rtc-reply")
                .field("channel", channel)
                .build();
            self.link.answer(request, answer);
        }
    }

    /// A data channel could not be opened.
    pub(crate) fn refuse_channel(&mut self, key: ChannelKey, error: Option<&ChannelError>) {
        if let Some(request) = self.opening.remove(&key) {
            let error = error.unwrap_or(&ChannelError::NotOpen);
            self.link.answer(request, no_channel(error));
        }
    }

    /// Figures that were asked for.
    pub(crate) fn answer_stats(
        &self,
        request: RequestId,
        selected: &Selected,
        json: bool,
        figures: &SessionStats,
    ) {
        let answer = stats::answer(&self.session, figures, selected, json);
        self.link.answer(request, answer);
    }

    /// What the signaller brought of the peer, for an application that negotiates itself.
    pub(crate) fn tell_description(&self, kind: DescriptionKind, sdp: &str) {
        self.session
            .emit_by_name::<()>("on-remote-description", &[&kind.as_str(), &sdp]);
    }

    /// What the signaller brought of the peer, for an application that negotiates itself.
    pub(crate) fn tell_remote_candidate(&self, line: &str, mid: Option<&Mid>, index: Option<u16>) {
        let mid = mid.map(Mid::as_str);
        let candidate = crate::object::candidate::structure(line, mid, index);
        self.session
            .emit_by_name::<()>("on-remote-candidate", &[&candidate]);
    }
}
