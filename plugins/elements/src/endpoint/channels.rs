// SPDX-License-Identifier: MPL-2.0
//! The control thread's part for data channels: who wants them, and what applications are told of them.
use super::AttachmentId;
use super::attachment::Attachment;
use super::control::{CAT, Control};
use crate::data::{Channel, ChannelFault, DataChannel, Message, error_detail};
use gst::glib::prelude::*;
use rtc_payload::SessionId;
use rtc_session::{ChannelError, ChannelEvent, ChannelInit, ChannelKey, Command};
use rtc_signaller::{Role, Wish};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What the thread knows of data channels.
#[derive(Default)]
pub(super) struct Channels {
    /// Those that every session shall have.
    wanted: Vec<(AttachmentId, ChannelInit)>,
    open: HashMap<(SessionId, ChannelKey), Open>,
}

struct Open {
    channel: Arc<Channel>,
    object: DataChannel,
}

impl Control {
    /// Whether sessions shall have data channels even if a peer asks for none.
    pub(super) fn wants_data(&self) -> bool {
        let mut attached = self.attachments.values();
        !self.channels.wanted.is_empty() || attached.any(|a| a.attachment.wants_data())
    }

    /// A session has been opened, nothing was asked of it yet.
    pub(super) fn begin_channels(&self, id: SessionId, name: &str, role: Role) {
        let handle = &self.setup.handle;
        self.setup.hub.add_session(id, name, handle);
        if role == Role::Offer && self.wants_data() {
            handle.command(id, Command::OfferData);
        }
        for (_, init) in &self.channels.wanted {
            handle.command(id, Command::OpenChannel(init.clone()));
        }
    }

    /// An element came: it hears of the channels that are open, and if it wants data, sessions without
    /// get it.
    pub(super) fn offer_data(&mut self, to: &dyn Attachment) {
        for open in self.channels.open.values() {
            to.channel_opened(&open.channel, &open.object);
        }
        if !self.wants_data() {
            return;
        }
        let lacking = self.peers.values().filter(|peer| !peer.data);
        let lacking = lacking.filter(|peer| peer.may_offer && peer.wish != Wish::Publish);
        for id in lacking.map(|peer| peer.id).collect::<Vec<_>>() {
            self.setup.handle.command(id, Command::OfferData);
            self.renegotiate(id);
        }
    }

    pub(super) fn add_channel(&mut self, owner: AttachmentId, init: ChannelInit) {
        self.channels.wanted.push((owner, init.clone()));
        for id in self.peers.keys().copied().collect::<Vec<_>>() {
            self.open_channel(id, init.clone());
        }
        self.start_pending(std::time::Instant::now());
    }

    /// Opens a channel in one session.
    pub(super) fn open_channel(&mut self, id: SessionId, init: ChannelInit) {
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        let needs_line = !peer.data && (peer.may_offer || peer.wish == Wish::Any);
        self.setup.handle.command(id, Command::OpenChannel(init));
        if needs_line {
            self.renegotiate(id);
        }
    }

    pub(super) fn remove_channel(&mut self, key: ChannelKey) {
        self.channels.wanted.retain(|(_, init)| init.key != key);
        self.setup.hub.remove_lane(key);
        for id in self.peers.keys() {
            match self.setup.hub.find(*id, key) {
                Some(channel) => channel.close(),
                // It may be on its way.
                None => {
                    let close = Command::CloseChannel(key);
                    self.setup.handle.command(*id, close);
                }
            }
        }
    }

    /// Closes the channels of an element that is being detached.
    pub(super) fn drop_channels(&mut self, owner: AttachmentId) {
        let keys: Vec<_> = self
            .channels
            .wanted
            .iter()
            .filter(|(by, _)| *by == owner)
            .map(|(_, init)| init.key)
            .collect();
        for key in keys {
            self.remove_channel(key);
        }
    }

    pub(super) fn on_channel(&mut self, id: SessionId, event: ChannelEvent) {
        match event {
            ChannelEvent::Opened { key, .. } => self.on_opened(id, key),
            ChannelEvent::Message { key, data, text } => {
                if let Some(open) = self.channels.open.get(&(id, key)) {
                    let size = data.len();
                    open.object.emit_message(&data, text);
                    drop(data);
                    open.channel.signalled(size);
                }
            }
            ChannelEvent::BufferedAmountLow { key } => {
                if let Some(open) = self.channels.open.get(&(id, key)) {
                    open.object.emit_low();
                }
            }
            ChannelEvent::Closing { key } => {
                if let Some(open) = self.channels.open.get(&(id, key)) {
                    let by_us = open.channel.closed_by_us.load(Ordering::Relaxed);
                    open.object.emit_closing(by_us);
                }
            }
            ChannelEvent::Closed { key, error } => self.on_channel_closed(id, key, error),
            ChannelEvent::Refused { key, error, .. } => {
                if let Some(open) = self.channels.open.get(&(id, key)) {
                    open.object.emit_error(&error);
                    self.report(&open.channel, &error);
                }
            }
            other => gst::debug!(CAT, "session {id}: {other:?}"),
        }
    }

    fn on_opened(&mut self, id: SessionId, key: ChannelKey) {
        // Not there if it has been closed meanwhile.
        let Some(channel) = self.setup.hub.find(id, key) else {
            return;
        };
        gst::info!(
            CAT,
            "session {}: data channel `{}` is open",
            channel.session_name,
            channel.init.label
        );
        let object = DataChannel::new(&channel);
        let (open, weak) = (object.clone(), object.downgrade());
        let open = Open {
            channel: Arc::clone(&channel),
            object: open,
        };
        self.channels.open.insert((id, key), open);
        let _ = channel.object.set(weak);
        self.to_all(|attachment| attachment.channel_opened(&channel, &object));
        self.show(id, |model, _, mirror| model.on_channel(&object, mirror));
        object.emit_open();
        self.show(id, |model, _, mirror| {
            model.tell_channel(&object, "open", mirror);
            model.answer_channel(key, &object);
        });
        channel.settle(|message: &Message| object.emit_message(&message.data, message.text));
    }

    fn on_channel_closed(&mut self, id: SessionId, key: ChannelKey, error: Option<ChannelError>) {
        let Some(open) = self.channels.open.remove(&(id, key)) else {
            self.show(id, |model, _, _| model.refuse_channel(key, error.as_ref()));
            if let Some(error) = error {
                self.report_unopened(id, key, &error);
            }
            return;
        };
        // At the end of a session channels close with it, which is no fault of theirs.
        if let Some(error) = error
            .as_ref()
            .filter(|e| !matches!(e, ChannelError::Sctp { .. }))
        {
            self.report(&open.channel, error);
        }
        open.object.emit_close(error.as_ref());
        self.show(id, |model, _, mirror| {
            model.on_channel_closed(&open.object, mirror)
        });
    }

    /// A session is over.
    pub(super) fn end_channels(&mut self, id: SessionId) {
        for channel in self.setup.hub.remove_session(id) {
            self.on_channel_closed(id, channel.init.key, None);
        }
        // What is left here was opened and closed before it could be announced.
        self.channels.open.retain(|(session, _), _| *session != id);
    }

    fn report(&self, channel: &Channel, error: &ChannelError) {
        let fault = ChannelFault {
            session: channel.session_name.clone(),
            label: channel.init.label.clone(),
            code: error_detail(error),
            text: error.to_string(),
        };
        self.report_channel(&fault);
    }

    fn report_unopened(&self, id: SessionId, key: ChannelKey, error: &ChannelError) {
        let wanted = self
            .channels
            .wanted
            .iter()
            .find(|(_, init)| init.key == key);
        let (Some((_, init)), Some(peer)) = (wanted, self.peers.get(&id)) else {
            return;
        };
        let fault = ChannelFault {
            session: peer.session.clone(),
            label: init.label.clone(),
            code: error_detail(error),
            text: error.to_string(),
        };
        self.report_channel(&fault);
    }

    fn report_channel(&self, fault: &ChannelFault) {
        gst::warning!(
            CAT,
            "session {}: data channel `{}`: {}",
            fault.session,
            fault.label,
            fault.text
        );
        self.to_all(|attachment| attachment.channel_failed(fault));
    }
}
