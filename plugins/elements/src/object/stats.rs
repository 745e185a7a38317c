// SPDX-License-Identifier: MPL-2.0
//! W3C's statistics report (webrtc-pc §8, webrtc-stats) of a session: as a structure, and as JSON.
//!
//! A member that is not known is left out (ST-04). Names are W3C's in JSON and, written as properties
//! are, in structures.
use super::link::Selected;
use super::session::Session;
use gst::glib;
use gst::prelude::*;
use rtc_payload::{Codec, MediaKind, Mid};
use rtc_rtp::{RecvStats, SendStats};
use rtc_session::{MediaState, SessionStats};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

/// What is known besides the counters.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Makes ids that tell nothing of other sessions (ST-01).
    salt: RandomState,
    pub(super) lines: Vec<MediaState>,
    pub(super) opened: u32,
    pub(super) closed: u32,
    pub(super) pair_changes: u32,
    /// Ours, DER.
    pub(super) certificate: Vec<u8>,
}

/// The answer to `get-stats` and `get-stats-json`.
pub(crate) fn answer(
    session: &Session,
    stats: &SessionStats,
    selected: &Selected,
    as_json: bool,
) -> gst::Structure {
    let objects = select(report(session, stats), selected);
    if as_json {
        return gst::Structure::builder("rtc-reply")
            .field("stats", Value::Object(objects).to_string())
            .build();
    }
    let mut made = gst::Structure::new_empty("rtc-stats");
    for (id, object) in &objects {
        made.set(id.as_str(), structure(object));
    }
    made
}

fn report(session: &Session, stats: &SessionStats) -> Map<String, Value> {
    let known = session.known();
    let mut report = Report {
        known: &known,
        // Microseconds since 1970, in milliseconds (ST-02).
        timestamp: glib::real_time() as f64 / 1000.0,
        objects: Map::new(),
    };
    let (opened, closed) = (known.opened, known.closed);
    report.add(
        "peer-connection",
        "",
        json!({"dataChannelsOpened": opened, "dataChannelsClosed": closed}),
    );
    report.transport(session, stats);
    for line in &known.lines {
        report.codecs(line);
    }
    for stream in &stats.media.send {
        report.outbound(session, stream, stats);
    }
    for stream in &stats.media.recv {
        report.inbound(session, stream);
    }
    for channel in session.channels().iter() {
        let text = |name: &str| channel.property::<String>(name);
        let id = channel.property::<i32>("id");
        let state = channel.property_value("ready-state");
        let state = glib::EnumValue::from_value(&state).map(|(_, value)| value.nick().to_owned());
        let channel = json!({
            "label": text("label"),
            "protocol": text("protocol"),
            "dataChannelIdentifier": u16::try_from(id).ok(),
            "state": state,
        });
        report.add("data-channel", &id.to_string(), channel);
    }
    report.objects
}

struct Report<'a> {
    known: &'a Known,
    timestamp: f64,
    objects: Map<String, Value>,
}

impl Report<'_> {
    fn id(&self, kind: &str, key: &str) -> String {
        format!(
            "{kind}-{:08x}",
            self.known.salt.hash_one((kind, key)) as u32
        )
    }

    /// Adds an object; members that are null are left out.
    fn add(&mut self, kind: &str, key: &str, members: Value) -> String {
        let id = self.id(kind, key);
        let Value::Object(mut object) = members else {
            return id;
        };
        object.retain(|_, value| !value.is_null());
        object.insert("id".into(), json!(id));
        object.insert("type".into(), json!(kind));
        object.insert("timestamp".into(), json!(self.timestamp));
        self.objects.insert(id.clone(), Value::Object(object));
        id
    }

    /// The transport with its certificates, candidates and the pair in use.
    fn transport(&mut self, session: &Session, stats: &SessionStats) {
        let (ice, dtls) = (session.ice_transport(), session.dtls_transport());
        let (Some(ice), Some(dtls)) = (ice, dtls) else {
            return;
        };
        let of_peer = dtls.remote_certificate();
        let remote = of_peer.map(|der| self.certificate(&der));
        let known = self.known;
        let local = self.certificate(&known.certificate);
        let transport = self.id("transport", "");
        let (locals, remotes) = ice.candidates();
        for (kind, list) in [("local-candidate", &locals), ("remote-candidate", &remotes)] {
            for candidate in list {
                self.candidate(kind, candidate, &transport);
            }
        }
        let pair = self.pair(&ice, stats, &transport);
        let role = match stats.dtls.client {
            None => "unknown",
            Some(true) => "client",
            Some(false) => "server",
        };
        let version = stats.dtls.version.map(|version| match version {
            "1.3" => "FEFC",
            _ => "FEFD",
        });
        let members = json!({
            "dtlsState": stats.dtls.state.as_str(),
            "iceState": stats.ice.as_str(),
            "iceRole": nick(&ice, "role"),
            "iceLocalUsernameFragment": ice.local_ufrag(),
            "dtlsRole": role,
            "tlsVersion": version,
            "srtpCipher": stats.dtls.srtp_profile,
            "localCertificateId": local,
            "remoteCertificateId": remote,
            "selectedCandidatePairId": pair,
            "selectedCandidatePairChanges": self.known.pair_changes,
        });
        self.add("transport", "", members);
    }

    fn certificate(&mut self, der: &[u8]) -> String {
        let digest = glib::compute_checksum_for_data(glib::ChecksumType::Sha256, der);
        let digest = digest.map(|text| text.to_uppercase()).unwrap_or_default();
        let pairs: Vec<&str> = (0..digest.len() / 2)
            .filter_map(|at| digest.get(2 * at..2 * at + 2))
            .collect();
        let members = json!({
            "fingerprint": pairs.join(":"),
            "fingerprintAlgorithm": "sha-256",
            "base64Certificate": glib::base64_encode(der).as_str(),
        });
        self.add("certificate", &digest, members)
    }

    fn candidate(&mut self, kind: &str, candidate: &gst::StructureRef, transport: &str) {
        let text = |name: &str| candidate.get::<String>(name).ok();
        let number = |name: &str| candidate.get::<u32>(name).ok();
        let members = json!({
            "transportId": transport,
            "address": text("address"),
            "port": number("port"),
            "protocol": text("protocol"),
            "candidateType": text("type"),
            "priority": number("priority"),
            "foundation": text("foundation"),
            "relatedAddress": text("related-address"),
            "relatedPort": number("related-port"),
            "usernameFragment": text("username-fragment"),
            "tcpType": text("tcp-type"),
        });
        self.add(kind, &key(candidate), members);
    }

    fn pair(
        &mut self,
        ice: &super::ice_transport::IceTransport,
        stats: &SessionStats,
        transport: &str,
    ) -> Option<String> {
        let (pair, counted) = (ice.pair()?, stats.pair.as_ref()?);
        let side = |name: &str| pair.get::<gst::Structure>(name).ok();
        let (local, remote) = (side("local")?, side("remote")?);
        // One that was found by a check is in no list.
        self.candidate("local-candidate", &local, transport);
        self.candidate("remote-candidate", &remote, transport);
        let estimate = stats.media.estimate;
        let members = json!({
            "transportId": transport,
            "localCandidateId": self.id("local-candidate", &key(&local)),
            "remoteCandidateId": self.id("remote-candidate", &key(&remote)),
            "state": "succeeded",
            "nominated": true,
            "currentRoundTripTime": counted.rtt.map(|rtt| rtt.as_secs_f64()),
            "responsesReceived": counted.responses,
            "availableOutgoingBitrate": (estimate > 0).then_some(estimate),
        });
        let both = format!("{} {}", key(&local), key(&remote));
        Some(self.add("candidate-pair", &both, members))
    }

    fn codecs(&mut self, line: &MediaState) {
        let sent = line.sending.iter().map(|(_, params)| ("s", params));
        let received = line.receiving.iter().map(|params| ("r", params));
        for (way, params) in sent.chain(received).collect::<Vec<_>>() {
            let channels = params.codec.channels();
            let audio = params.codec.kind() == MediaKind::Audio;
            let members = json!({
                "payloadType": params.pt.0,
                "mimeType": params.codec.mime(),
                "clockRate": params.codec.clock_rate(),
                "channels": audio.then_some(channels),
                "sdpFmtpLine": (!params.fmtp.is_empty()).then_some(&params.fmtp),
                "transportId": self.id("transport", ""),
            });
            self.add("codec", &codec_key(way, &line.mid, params.codec), members);
        }
    }

    fn codec_id(&self, way: &str, mid: &Mid, codec: Codec) -> Option<String> {
        let id = self.id("codec", &codec_key(way, mid, codec));
        self.objects.contains_key(&id).then_some(id)
    }

    fn outbound(&mut self, session: &Session, stream: &SendStats, stats: &SessionStats) {
        let kind = stream.codec.kind().as_str();
        let ssrc = stream.ssrc.0.to_string();
        let codec = self.codec_id("s", &stream.mid, stream.codec);
        let transport = self.id("transport", "");
        let remote = json!({
            "ssrc": stream.ssrc.0,
            "kind": kind,
            "transportId": transport,
            "codecId": codec,
            "localId": self.id("outbound-rtp", &ssrc),
            "packetsLost": stream.remote_lost,
            "fractionLost": stream.remote_fraction_lost,
            "jitter": stream.remote_jitter.map(|jitter| jitter.as_secs_f64()),
            "roundTripTime": stats.media.rtt.map(|rtt| rtt.as_secs_f64()),
        });
        // Of what no report has come for there is none.
        let remote = stream
            .remote_jitter
            .map(|_| self.add("remote-inbound-rtp", &ssrc, remote));
        let track = session.pad_of(stream.mid.as_str(), true);
        let source = track.map(|pad| {
            let members = json!({"trackIdentifier": pad.as_str(), "kind": kind});
            self.add("media-source", &pad, members)
        });
        let video = stream.codec.kind() == MediaKind::Video;
        let size = stream.size.filter(|_| video);
        let members = json!({
            "ssrc": stream.ssrc.0,
            "kind": kind,
            "mid": stream.mid.as_str(),
            "transportId": transport,
            "codecId": codec,
            "remoteId": remote,
            "mediaSourceId": source,
            "packetsSent": stream.packets,
            "bytesSent": stream.bytes,
            "retransmittedPacketsSent": stream.retransmitted_packets,
            "retransmittedBytesSent": stream.retransmitted_bytes,
            "nackCount": stream.nacks,
            "framesSent": video.then_some(stream.frames),
            "framesEncoded": video.then_some(stream.frames),
            "keyFramesEncoded": video.then_some(stream.keyframes),
            "frameWidth": size.map(|size| size.0),
            "frameHeight": size.map(|size| size.1),
            "pliCount": video.then_some(stream.plis),
            "firCount": video.then_some(stream.firs),
        });
        self.add("outbound-rtp", &ssrc, members);
    }

    fn inbound(&mut self, session: &Session, stream: &RecvStats) {
        let video = stream.codec.kind() == MediaKind::Video;
        let members = json!({
            "ssrc": stream.ssrc.0,
            "kind": stream.codec.kind().as_str(),
            "mid": stream.mid.as_str(),
            "transportId": self.id("transport", ""),
            "codecId": self.codec_id("r", &stream.mid, stream.codec),
            "trackIdentifier": session.pad_of(stream.mid.as_str(), false),
            "packetsReceived": stream.packets,
            "bytesReceived": stream.bytes,
            "packetsLost": stream.lost,
            "jitter": stream.jitter.as_secs_f64(),
            "retransmittedPacketsReceived": stream.retransmitted_packets,
            "nackCount": stream.nacks,
            "framesReceived": video.then_some(stream.frames),
            "framesDropped": video.then_some(stream.dropped_frames),
            "pliCount": video.then_some(stream.plis),
            "firCount": video.then_some(stream.firs),
        });
        self.add("inbound-rtp", &stream.ssrc.0.to_string(), members);
    }
}

/// The objects of the m-line that was selected, and what they refer to (ST-06).
fn select(mut objects: Map<String, Value>, selected: &Selected) -> Map<String, Value> {
    let (kind, mid) = match selected {
        Selected::All => return objects,
        Selected::Sent(mid) => ("outbound-rtp", mid),
        Selected::Received(mid) => ("inbound-rtp", mid),
    };
    let is_wanted = |object: &Value| object["type"] == kind && object["mid"] == mid.as_str();
    let wanted = objects.iter().filter(|(_, object)| is_wanted(object));
    let mut open: Vec<String> = wanted.map(|(id, _)| id.clone()).collect();
    let mut kept: BTreeSet<String> = BTreeSet::new();
    while let Some(id) = open.pop() {
        let members = objects.get(&id).and_then(Value::as_object);
        let references = members.into_iter().flatten();
        let references = references.filter(|(name, _)| name.ends_with("Id"));
        let references = references.filter_map(|(_, value)| Some(value.as_str()?.to_owned()));
        if kept.insert(id.clone()) {
            open.extend(references.filter(|id| objects.contains_key(id)));
        }
    }
    objects.retain(|id, _| kept.contains(id));
    objects
}

fn structure(object: &Value) -> gst::Structure {
    let members = object.as_object().into_iter().flatten();
    let kind = object["type"].as_str().unwrap_or("stats");
    let mut made = gst::Structure::new_empty(kind);
    for (name, value) in members {
        let name = kebab(name);
        match value {
            Value::String(text) => made.set(name, text.as_str()),
            Value::Bool(flag) => made.set(name, *flag),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => made.set(name, number),
                (None, Some(number)) => made.set(name, number),
                (None, None) => made.set(name, number.as_f64().unwrap_or_default()),
            },
            _ => {}
        }
    }
    made
}

/// `framesSent` as `frames-sent`.
fn kebab(name: &str) -> String {
    let mut made = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            made.push('-');
        }
        made.push(letter.to_ascii_lowercase());
    }
    made
}

fn codec_key(way: &str, mid: &Mid, codec: Codec) -> String {
    format!("{way} {mid} {}", codec.name())
}

/// The same for a candidate of the lists and of the pair.
fn key(candidate: &gst::StructureRef) -> String {
    let text = |name: &str| candidate.get::<String>(name).unwrap_or_default();
    let port = candidate.get::<u32>("port").unwrap_or_default();
    let (protocol, kind, tcp) = (text("protocol"), text("type"), text("tcp-type"));
    format!("{protocol} {} {port} {kind} {tcp}", text("address"))
}

fn nick(object: &impl IsA<glib::Object>, name: &str) -> Option<String> {
    let value = object.property_value(name);
    let (_, value) = glib::EnumValue::from_value(&value)?;
    Some(value.nick().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_properties_are() {
        assert_eq!(
            kebab("selectedCandidatePairId"),
            "selected-candidate-pair-id"
        );
        assert_eq!(kebab("ssrc"), "ssrc");
    }

    #[test]
    fn a_selection_keeps_what_it_refers_to() {
        let all = json!({
            "o": {"type": "outbound-rtp", "mid": "0", "codecId": "c", "transportId": "t"},
            "p": {"type": "outbound-rtp", "mid": "1", "codecId": "d"},
            "i": {"type": "inbound-rtp", "mid": "0"},
            "c": {"type": "codec"},
            "d": {"type": "codec"},
            "t": {"type": "transport", "localCertificateId": "x"},
            "x": {"type": "certificate", "issuerCertificateId": "nowhere"},
        });
        let Value::Object(all) = all else {
            unreachable!()
        };
        let kept = select(all, &Selected::Sent("0".into()));
        assert_eq!(kept.keys().collect::<Vec<_>>(), ["c", "o", "t", "x"]);
    }
}
