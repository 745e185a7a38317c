// SPDX-License-Identifier: MPL-2.0
//! Statistics of a session, with W3C's names, while it runs and after.
use crate::kit::until;
use crate::objects::{first, nick, pipes, trace};
use crate::objects_by_hand::ask;
use gst::prelude::*;
use serde_json::Value;

const NO_PAD: Option<gst::Pad> = None;

fn json(session: &gst::Object, pad: &Option<gst::Pad>) -> Value {
    let reply = ask(session, "get-stats-json", &[pad]);
    let text: String = reply.get("stats").unwrap_or_else(|_| panic!("{reply}"));
    serde_json::from_str(&text).unwrap()
}

/// The only object of a type.
fn one<'a>(report: &'a Value, kind: &str) -> &'a Value {
    let objects = report.as_object().unwrap().values();
    let found: Vec<_> = objects.filter(|object| object["type"] == kind).collect();
    assert_eq!(found.len(), 1, "{kind} in {report:#}");
    found[0]
}

/// What W3C demands (webrtc-pc §8.6), of what these objects can have.
const DEMANDED: [(&str, &[&str]); 7] = [
    ("codec", &["payloadType", "mimeType", "clockRate"]),
    (
        "outbound-rtp",
        &[
            "ssrc",
            "kind",
            "transportId",
            "codecId",
            "packetsSent",
            "bytesSent",
            "framesEncoded",
            "framesSent",
            "nackCount",
        ],
    ),
    ("media-source", &["trackIdentifier", "kind"]),
    (
        "peer-connection",
        &["dataChannelsOpened", "dataChannelsClosed"],
    ),
    (
        "transport",
        &[
            "selectedCandidatePairId",
            "localCertificateId",
            "remoteCertificateId",
            "dtlsState",
        ],
    ),
    (
        "candidate-pair",
        &[
            "transportId",
            "localCandidateId",
            "remoteCandidateId",
            "state",
            "nominated",
        ],
    ),
    (
        "certificate",
        &["fingerprint", "fingerprintAlgorithm", "base64Certificate"],
    ),
];

#[test]
#[expect(clippy::too_many_lines, reason = "one step behind another")]
fn a_report_has_what_w3c_demands_and_outlives_the_session() {
    let (sink, src) = pipes();
    let (_, sessions) = trace(&sink.get("s"));
    let (_, receivers) = trace(&src.get("s"));
    src.play();
    sink.play();
    let (session, peer) = (first(&sessions), first(&receivers));
    until("frames", || {
        let connected = nick(&session, "connection-state") == "connected";
        connected && one(&json(&session, &NO_PAD), "outbound-rtp")["framesSent"].as_u64() > Some(3)
    });
    let report = json(&session, &NO_PAD);
    for (kind, members) in DEMANDED {
        let objects = report.as_object().unwrap().values();
        let of_kind: Vec<_> = objects.filter(|object| object["type"] == kind).collect();
        assert!(!of_kind.is_empty(), "no {kind} in {report:#}");
        for (object, member) in of_kind
            .iter()
            .flat_map(|o| members.iter().map(move |m| (o, m)))
        {
            assert!(
                !object[*member].is_null(),
                "{kind} lacks {member}: {object:#}"
            );
        }
    }
    for (id, object) in report.as_object().unwrap() {
        assert_eq!(object["id"], id.as_str());
        let references = object.as_object().unwrap().iter();
        for (name, to) in references.filter(|(name, _)| name.ends_with("Id")) {
            let to = to.as_str().unwrap();
            assert!(
                !report[to].is_null(),
                "{name} of {id} leads nowhere: {report:#}"
            );
        }
    }
    // Both sides tell the same certificates, each in its own view.
    let other = json(&peer, &NO_PAD);
    let prints = |report: &Value, which: &str| {
        let id = one(report, "transport")[which].as_str().unwrap().to_owned();
        report[&id]["fingerprint"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        prints(&report, "localCertificateId"),
        prints(&other, "remoteCertificateId")
    );
    assert_eq!(
        prints(&report, "remoteCertificateId"),
        prints(&other, "localCertificateId")
    );
    let ours = session
        .property::<Option<String>>("local-description")
        .unwrap();
    assert!(
        ours.contains(&prints(&report, "localCertificateId")),
        "{ours}"
    );
    // The same as a structure, and of one pad alone.
    let reply = ask(&session, "get-stats", &[&NO_PAD]);
    let outbound = one(&report, "outbound-rtp")["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let outbound: gst::Structure = reply.get(outbound.as_str()).unwrap();
    assert!(
        outbound.get::<u64>("packets-sent").unwrap() > 0,
        "{outbound}"
    );
    let pad = sink.get("s").static_pad("video_0");
    let of_pad = json(&session, &pad);
    one(&of_pad, "outbound-rtp");
    assert!(
        of_pad
            .as_object()
            .unwrap()
            .values()
            .all(|o| o["type"] != "peer-connection")
    );
    let foreign = gst::Pad::builder(gst::PadDirection::Sink).build();
    let refused = ask(&session, "get-stats", &[&Some(foreign)]);
    assert_eq!(refused.get::<&str>("error-name"), Ok("InvalidAccessError"));
    // ST-05
    session.emit_by_name::<()>("close", &[]);
    until("the last figures", || {
        let reply = ask(&session, "get-stats-json", &[&NO_PAD]);
        reply.has_field("stats")
    });
    let last = json(&session, &NO_PAD);
    assert_eq!(
        one(&last, "outbound-rtp")["id"],
        one(&report, "outbound-rtp")["id"]
    );
    assert_eq!(one(&last, "transport")["dtlsState"], "closed");
}
