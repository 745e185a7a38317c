// SPDX-License-Identifier: MPL-2.0
//! Every member of W3C's interfaces has its property, signal or action here, and every enum W3C's texts.
use crate::kit::until;
use crate::objects::{first, nick, pipes, trace};
use gst::glib;
use gst::prelude::*;

/// GType, properties, signals and action signals, of W3C webrtc-pc as §4 to §7 have them.
const MEMBERS: [(&str, &[&str], &[&str]); 8] = [
    (
        "GstRtcSession",
        &[
            "local-description",
            "local-description-type",
            "current-local-description",
            "current-local-description-type",
            "pending-local-description",
            "pending-local-description-type",
            "remote-description",
            "remote-description-type",
            "current-remote-description",
            "current-remote-description-type",
            "pending-remote-description",
            "pending-remote-description-type",
            "signaling-state",
            "ice-gathering-state",
            "ice-connection-state",
            "connection-state",
            "can-trickle-ice-candidates",
            "sctp",
            "senders",
            "receivers",
            "transceivers",
        ],
        &[
            "create-offer",
            "create-answer",
            "set-local-description",
            "set-remote-description",
            "add-ice-candidate",
            "restart-ice",
            "close",
            "get-stats",
            "get-stats-json",
            "add-transceiver",
            "create-data-channel",
            "on-negotiation-needed",
            "on-ice-candidate",
            "on-ice-candidate-error",
            "on-track",
            "on-data-channel",
        ],
    ),
    (
        "GstRtcTransceiver",
        &[
            "mid",
            "sender",
            "receiver",
            "direction",
            "current-direction",
        ],
        &["stop"],
    ),
    (
        "GstRtcSender",
        &["track", "transport", "dtmf"],
        &["get-parameters", "get-stats", "get-capabilities"],
    ),
    (
        "GstRtcReceiver",
        &["track", "transport"],
        &["get-parameters", "get-stats", "get-capabilities"],
    ),
    (
        "GstRtcDtlsTransport",
        &["ice-transport", "state"],
        &["get-remote-certificates", "on-error"],
    ),
    (
        "GstRtcIceTransport",
        &["role", "component", "state", "gathering-state"],
        &[
            "get-local-candidates",
            "get-remote-candidates",
            "get-selected-candidate-pair",
            "get-local-parameters",
            "get-remote-parameters",
            "on-selected-candidate-pair-change",
        ],
    ),
    (
        "GstRtcSctpTransport",
        &["transport", "state", "max-message-size", "max-channels"],
        &[],
    ),
    (
        "GstRtcDataChannel",
        &[
            "label",
            "ordered",
            "max-packet-life-time",
            "max-retransmits",
            "protocol",
            "negotiated",
            "id",
            "ready-state",
            "buffered-amount",
            "buffered-amount-low-threshold",
        ],
        &[
            "on-open",
            "on-buffered-amount-low",
            "on-error",
            "on-closing",
            "on-close",
            "on-message-data",
            "on-message-string",
            "send-data",
            "send-string",
            "close",
        ],
    ),
];

/// Members there are not yet; each that comes leaves this list, or the test fails.
const MISSING: [(&str, &[&str]); 3] = [
    (
        "GstRtcSession",
        &["add-track", "remove-track", "set-configuration"],
    ),
    (
        "GstRtcSender",
        &["set-parameters", "replace-track", "set-streams"],
    ),
    (
        "GstRtcReceiver",
        &["get-contributing-sources", "get-synchronization-sources"],
    ),
];

const ENUMS: [(&str, &str); 9] = [
    (
        "GstRtcSignalingState",
        "stable have-local-offer have-remote-offer have-local-pranswer have-remote-pranswer closed",
    ),
    ("GstRtcIceGatheringState", "new gathering complete"),
    (
        "GstRtcPeerConnectionState",
        "new connecting connected disconnected failed closed",
    ),
    (
        "GstRtcIceConnectionState",
        "new checking connected completed disconnected failed closed",
    ),
    (
        "GstRtcIceTransportState",
        "new checking connected completed disconnected failed closed",
    ),
    (
        "GstRtcDtlsTransportState",
        "new connecting connected closed failed",
    ),
    ("GstRtcSctpTransportState", "connecting connected closed"),
    (
        "GstRtcTransceiverDirection",
        "sendrecv sendonly recvonly inactive stopped null",
    ),
    ("GstRtcIceRole", "unknown controlling controlled"),
];

fn has_signal(of: glib::Type, name: &str) -> bool {
    glib::subclass::SignalId::lookup(name, of).is_some()
}

#[test]
fn every_member_of_w3c_s_interfaces_is_there() {
    let (sink, src) = pipes();
    let (_, sessions) = trace(&sink.get("s"));
    src.play();
    sink.play();
    // A call, so that all types are registered.
    let session = first(&sessions);
    until("a connection", || {
        nick(&session, "connection-state") == "connected"
    });
    let mut wrong = Vec::new();
    for (name, properties, signals) in MEMBERS {
        let of = glib::Type::from_name(name).unwrap_or_else(|| panic!("no type {name}"));
        let class = glib::object::ObjectClass::from_type(of).unwrap();
        let properties = properties
            .iter()
            .filter(|p| class.find_property(p).is_none());
        let signals = signals.iter().filter(|signal| !has_signal(of, signal));
        wrong.extend(
            properties
                .chain(signals)
                .map(|member| format!("{name}.{member}")),
        );
    }
    for (name, members) in MISSING {
        let of = glib::Type::from_name(name).unwrap();
        let there = members.iter().filter(|member| has_signal(of, member));
        wrong.extend(there.map(|member| format!("{name}.{member} is no more missing")));
    }
    assert_eq!(wrong, Vec::<String>::new());
    for (name, nicks) in ENUMS {
        let of = glib::Type::from_name(name).unwrap_or_else(|| panic!("no type {name}"));
        let class = glib::EnumClass::with_type(of).unwrap();
        let found: Vec<&str> = class.values().iter().map(|value| value.nick()).collect();
        assert_eq!(found.join(" "), nicks, "{name}");
    }
}
