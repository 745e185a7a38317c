// SPDX-License-Identifier: MPL-2.0
//! Signals and action signals of `GstRtcSession`.
use super::actions;
use crate::data::DataChannel;
use crate::object::receiver::Receiver;
use crate::object::transceiver::Transceiver;
use gst::glib::subclass::Signal;
use gst::prelude::*;

pub(super) fn all() -> Vec<Signal> {
    let mut signals = events();
    signals.extend(actions::all());
    signals
}

/// What happens.
fn events() -> Vec<Signal> {
    let structure = gst::Structure::static_type();
    let text = String::static_type();
    vec![
        // (candidate, url): a rtc-ice-candidate, with an empty candidate at the end of a generation; NULL
        // once all are found. The url of the server it came from, or NULL.
        Signal::builder("on-ice-candidate")
            .param_types([structure, text])
            .build(),
        // (rtc-ice-candidate-error: address, port, url, error-code, error-text)
        Signal::builder("on-ice-candidate-error")
            .param_types([structure])
            .build(),
        Signal::builder("on-negotiation-needed").build(),
        // (receiver, pad, stream-ids, transceiver): the peer sends on it from now on; the pad of rtcsrc,
        // or NULL while there is none.
        Signal::builder("on-track")
            .param_types([
                Receiver::static_type(),
                gst::Pad::static_type(),
                Vec::<String>::static_type(),
                Transceiver::static_type(),
            ])
            .build(),
        // (channel): open; its own on-open comes after.
        Signal::builder("on-data-channel")
            .param_types([DataChannel::static_type()])
            .build(),
        // (type, sdp): with manual-negotiation, what the signaller brought of the peer, for
        // set-remote-description.
        Signal::builder("on-remote-description")
            .param_types([text, text])
            .build(),
        // (rtc-ice-candidate): with manual-negotiation, what the signaller brought of the peer, for
        // add-ice-candidate.
        Signal::builder("on-remote-candidate")
            .param_types([structure])
            .build(),
        // (rtc-session-error: name, message): the session ended by a fault.
        Signal::builder("on-session-error")
            .param_types([structure])
            .build(),
    ]
}
