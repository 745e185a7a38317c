// SPDX-License-Identifier: MPL-2.0
//! What applications may ask of a session: the action signals of `GstRtcSession` (W3C webrtc-pc §4.4.2).
use super::Session;
use crate::data::new_key;
use crate::object::error::{RtcError, failure};
use crate::object::link::{Ask, CLOSED, Link, Selected};
use crate::object::transceiver::Transceiver;
use crate::object::{slot, stats};
use gst::glib;
use gst::glib::subclass::{Signal, SignalType};
use gst::prelude::*;
use gst::subclass::prelude::*;
use rtc_payload::{MediaKind, Mid};
use rtc_session::{ChannelInit, Command, DescriptionKind, Direction, Request};
use std::sync::Arc;

/// The promise is the last argument of all of them, and may be NULL.
type Act = fn(&Session, &[glib::Value], Option<gst::Promise>);

pub(super) fn all() -> Vec<Signal> {
    let (text, structure) = (String::static_type(), gst::Structure::static_type());
    vec![
        // (options {ice-restart}, promise) -> {type, sdp}. As all of these but where it says otherwise it
        // needs manual-negotiation, and its promise is answered with `error`, a GError of rtc-error-quark,
        // where it fails. NULL for the options means none, NULL for the promise that nobody waits.
        action("create-offer", &[structure], |session, values, promise| {
            let options = options(values, 1);
            let restart = options.and_then(|options| options.get::<bool>("ice-restart").ok());
            let ice_restart = restart.unwrap_or(false);
            session.by_hand(Request::CreateOffer { ice_restart }, promise);
        }),
        // (options, promise) -> {type, sdp}
        action("create-answer", &[structure], |session, _, promise| {
            session.by_hand(Request::CreateAnswer, promise);
        }),
        // (type, sdp, promise): offer, pranswer, answer or rollback, with the text that was made last. NULL
        // as type: what the signaling state calls for; NULL or "" as sdp: what was made last, or is made
        // now. The signaller carries it to the peer.
        action("set-local-description", &[text, text], set_local),
        // (type, sdp, promise)
        action("set-remote-description", &[text, text], set_remote),
        // (candidate {candidate, sdp-mid, sdp-mline-index, username-fragment}, promise): NULL or an empty
        // candidate: there are no more. Works without manual-negotiation, too.
        action("add-ice-candidate", &[structure], add_candidate),
        // (kind, options {direction, stream}, promise) -> {transceiver}: kind is audio or video, direction
        // one of its nicks. Works without manual-negotiation, too.
        action("add-transceiver", &[text, structure], add_transceiver),
        // (label, options {ordered, max-packet-life-time, max-retransmits, protocol, negotiated, id},
        // promise) -> {channel}, once it is open. Works without manual-negotiation, too.
        action("create-data-channel", &[text, structure], create_channel),
        // (pad or NULL, promise) -> rtc-stats: a structure for each of W3C's objects, by id. Works without
        // manual-negotiation and, of what was counted last, after the end, too.
        action(
            "get-stats",
            &[gst::Pad::static_type()],
            |session, values, promise| {
                session.get_stats(values, false, promise);
            },
        ),
        // (pad or NULL, promise) -> {stats}: the same as JSON with W3C's names.
        action(
            "get-stats-json",
            &[gst::Pad::static_type()],
            |session, values, promise| {
                session.get_stats(values, true, promise);
            },
        ),
        // W3C's restartIce(): works without manual-negotiation, too.
        plain("restart-ice", |session| {
            if let Some(link) = session.imp().link.get() {
                link.command(Command::RestartIce);
            }
        }),
        // W3C's close(): nothing is told of it by this session's objects.
        plain("close", |session| session.imp().close()),
    ]
}

fn action(name: &'static str, arguments: &[glib::Type], act: Act) -> Signal {
    let types = arguments.iter().copied();
    let types = types.chain([gst::Promise::static_type()]);
    Signal::builder(name)
        .param_types(types.map(SignalType::from))
        .action()
        .class_handler(move |values| {
            let session = values[0].get::<Session>().ok()?;
            let promise = values.last()?.get::<Option<gst::Promise>>().ok()?;
            act(&session, values, promise);
            None
        })
        .build()
}

fn plain(name: &'static str, act: fn(&Session)) -> Signal {
    Signal::builder(name)
        .action()
        .class_handler(move |values| {
            act(&values[0].get::<Session>().ok()?);
            None
        })
        .build()
}

fn text(values: &[glib::Value], at: usize) -> Option<String> {
    values.get(at)?.get::<Option<String>>().ok()?
}

fn options(values: &[glib::Value], at: usize) -> Option<gst::Structure> {
    values.get(at)?.get::<Option<gst::Structure>>().ok()?
}

/// A number that languages write as they like.
fn number(options: &gst::StructureRef, name: &str) -> Option<i64> {
    let signed = options.get::<i32>(name).ok().map(i64::from);
    let unsigned = || options.get::<u32>(name).ok().map(i64::from);
    signed.or_else(unsigned).or_else(|| options.get(name).ok())
}

fn refuse(promise: Option<gst::Promise>, kind: RtcError, text: &str) {
    if let Some(promise) = promise {
        promise.reply(Some(failure(kind, text)));
    }
}

fn set_local(session: &Session, values: &[glib::Value], promise: Option<gst::Promise>) {
    let name = text(values, 1);
    let kind = name.as_deref().map(DescriptionKind::from_text);
    if kind == Some(None) {
        return refuse(promise, RtcError::TypeError, WRONG_KIND);
    }
    let request = Request::SetLocalDescription {
        kind: kind.flatten(),
        sdp: text(values, 2).unwrap_or_default(),
    };
    session.by_hand(request, promise);
}

fn set_remote(session: &Session, values: &[glib::Value], promise: Option<gst::Promise>) {
    let kind = text(values, 1).and_then(|kind| DescriptionKind::from_text(&kind));
    let Some(kind) = kind else {
        return refuse(promise, RtcError::TypeError, WRONG_KIND);
    };
    let sdp = text(values, 2).unwrap_or_default();
    session.by_hand(Request::SetRemoteDescription { kind, sdp }, promise);
}

fn add_candidate(session: &Session, values: &[glib::Value], promise: Option<gst::Promise>) {
    let given = options(values, 1);
    let given = given.unwrap_or_else(|| gst::Structure::new_empty("rtc-ice-candidate"));
    let text = |name: &str| given.get::<Option<String>>(name).ok().flatten();
    let mid = text("sdp-mid");
    let index = number(&given, "sdp-mline-index");
    let candidate = text("candidate").unwrap_or_default();
    let request = Request::AddIceCandidate {
        candidate: candidate.clone(),
        mid: mid.as_deref().map(Mid::from),
        // An index that can't be is that of no m-line.
        index: index.map(|index| u16::try_from(index).unwrap_or(u16::MAX)),
        ufrag: text("username-fragment"),
    };
    session.open(promise, |link, promise| {
        session.note_remote_candidate(&candidate, mid.as_deref(), index);
        link.request(request, promise);
    });
}

fn add_transceiver(session: &Session, values: &[glib::Value], promise: Option<gst::Promise>) {
    let kind = match text(values, 1).as_deref() {
        Some("audio") => MediaKind::Audio,
        Some("video") => MediaKind::Video,
        _ => return refuse(promise, RtcError::TypeError, "the kind is audio or video"),
    };
    let options = options(values, 2);
    let of = |name: &str| options.as_ref()?.get::<String>(name).ok();
    let direction = match of("direction").as_deref() {
        None | Some("sendrecv") => Direction::SendRecv,
        Some("sendonly") => Direction::SendOnly,
        Some("recvonly") => Direction::RecvOnly,
        Some("inactive") => Direction::Inactive,
        Some(_) => {
            let text = "the direction is sendrecv, sendonly, recvonly or inactive";
            return refuse(promise, RtcError::TypeError, text);
        }
    };
    let stream = of("stream").unwrap_or_default();
    session.open(promise, |link, promise| {
        link.ask(promise, |request| Ask::AddTransceiver {
            request,
            kind,
            direction,
            stream,
        });
    });
}

fn create_channel(session: &Session, values: &[glib::Value], promise: Option<gst::Promise>) {
    let label = text(values, 1).unwrap_or_default();
    let options = options(values, 2);
    let options = options.unwrap_or_else(|| gst::Structure::new_empty("options"));
    let flag = |name: &str, default| options.get::<bool>(name).unwrap_or(default);
    // Over-large limits are clamped (DC-01), an id that can't be is refused by the session.
    let limit = |name: &str| {
        let value = number(&options, name).filter(|value| *value >= 0);
        value.map(|value| u16::try_from(value).unwrap_or(u16::MAX))
    };
    let mut init = ChannelInit::new(new_key(), label);
    init.ordered = flag("ordered", true);
    init.negotiated = flag("negotiated", false);
    init.protocol = options.get::<String>("protocol").unwrap_or_default();
    init.max_retransmits = limit("max-retransmits");
    init.max_packet_lifetime_ms = limit("max-packet-life-time");
    init.id = limit("id");
    session.open(promise, |link, promise| {
        link.ask(promise, |request| Ask::OpenChannel { request, init });
    });
}

impl Session {
    /// A request of an application that negotiates itself.
    fn by_hand(&self, request: Request, promise: Option<gst::Promise>) {
        if !slot::read(&self.imp().manual_negotiation) && !self.imp().is_closed() {
            return refuse(promise, RtcError::InvalidStateError, AUTOMATIC);
        }
        self.open(promise, |link, promise| link.request(request, promise));
    }

    /// Does something with a session that is not closed.
    fn open(
        &self,
        promise: Option<gst::Promise>,
        act: impl FnOnce(&Arc<Link>, Option<gst::Promise>),
    ) {
        match self.imp().link.get() {
            Some(link) if !self.imp().is_closed() => act(link, promise),
            _ => refuse(promise, RtcError::InvalidStateError, CLOSED),
        }
    }

    fn get_stats(&self, values: &[glib::Value], json: bool, promise: Option<gst::Promise>) {
        let pad = values
            .get(1)
            .and_then(|pad| pad.get::<Option<gst::Pad>>().ok());
        match self.selected(pad.flatten().as_ref()) {
            Some(selected) => self.stats_of(selected, json, promise),
            None => {
                let text = "the pad belongs to no sender and no receiver of this session";
                refuse(promise, RtcError::InvalidAccessError, text);
            }
        }
    }

    /// Statistics of one sender or receiver.
    pub(crate) fn stats_of_line(&self, mid: String, sends: bool, promise: Option<gst::Promise>) {
        let selected = match sends {
            true => Selected::Sent(mid),
            false => Selected::Received(mid),
        };
        self.stats_of(selected, false, promise);
    }

    fn stats_of(&self, selected: Selected, json: bool, promise: Option<gst::Promise>) {
        let Some(link) = self.imp().link.get().filter(|_| !self.imp().is_closed()) else {
            // ST-05
            let last = slot::read(&self.imp().last_stats);
            if let Some(promise) = promise {
                promise.reply(Some(match last {
                    Some(last) => stats::answer(self, &last, &selected, json),
                    None => failure(RtcError::InvalidStateError, CLOSED),
                }));
            }
            return;
        };
        link.ask(promise, |request| Ask::Stats {
            request,
            selected,
            json,
        });
    }

    /// The m-line of a pad; `None` if it is not one of this session.
    fn selected(&self, pad: Option<&gst::Pad>) -> Option<Selected> {
        let Some(pad) = pad else {
            return Some(Selected::All);
        };
        let all = self.held().clone();
        let sends = |t: &&Transceiver| t.sender().and_then(|s| s.track()).as_ref() == Some(pad);
        let takes = |t: &&Transceiver| t.receiver().and_then(|r| r.track()).as_ref() == Some(pad);
        match (all.iter().find(sends), all.iter().find(takes)) {
            (Some(sender), _) => Some(Selected::Sent(sender.mid()?)),
            (None, Some(receiver)) => Some(Selected::Received(receiver.mid()?)),
            (None, None) => None,
        }
    }
}

const WRONG_KIND: &str = "the type is offer, pranswer, answer or rollback";
const AUTOMATIC: &str = "this session negotiates by itself; set manual-negotiation=true on the element \
                         before it begins";
