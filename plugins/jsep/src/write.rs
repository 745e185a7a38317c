// SPDX-License-Identifier: MPL-2.0
//! [`Description`] to SDP text (RFC 9429 §5.2.1, §5.3.1).
use crate::description::{Description, Section};
use sdp_types::{Attribute, Connection, Media, Origin, Session, Time};

/// The text of one of our descriptions.
pub(crate) fn write(description: &Description) -> String {
    let session = Session {
        origin: Origin {
            username: None,
            sess_id: description.origin.0.to_string(),
            sess_version: description.origin.1,
            nettype: "IN".into(),
            addrtype: "IP4".into(),
            unicast_address: "127.0.0.1".into(),
        },
        session_name: "-".into(),
        session_description: None,
        uri: None,
        emails: Vec::new(),
        phones: Vec::new(),
        connection: None,
        bandwidths: Vec::new(),
        times: vec![Time {
            start_time: 0,
            stop_time: 0,
            repeats: Vec::new(),
        }],
        time_zones: Vec::new(),
        key: None,
        attributes: session_attributes(description),
        medias: description.sections.iter().map(media).collect(),
    };
    let mut text = Vec::new();
    // Writing into a Vec does not fail; text built of &str stays UTF-8.
    let _ = session.write(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn session_attributes(description: &Description) -> Vec<Attribute> {
    let mut list = List::default();
    for group in &description.bundles {
        let mids: Vec<&str> = group.iter().map(|mid| mid.as_str()).collect();
        list.value("group", format!("BUNDLE {}", mids.join(" ")));
    }
    if description.trickle == Some(true) {
        list.value("ice-options", "trickle");
    }
    list.value("msid-semantic", " WMS *");
    list.0
}

fn media(section: &Section) -> Media {
    let mut list = List::default();
    match section.port {
        0 => rejected(section, &mut list),
        _ if section.is_data() => data(section, &mut list),
        _ => {
            transport(section, &mut list);
            formats(section, &mut list);
            sources(section, &mut list);
        }
    }
    Media {
        media: section.media.clone(),
        port: section.port,
        num_ports: None,
        proto: section.proto.clone(),
        fmt: section.formats.join(" "),
        media_title: None,
        connections: vec![Connection {
            nettype: "IN".into(),
            addrtype: "IP4".into(),
            connection_address: "0.0.0.0".into(),
        }],
        bandwidths: Vec::new(),
        key: None,
        attributes: list.0,
    }
}

fn rejected(section: &Section, list: &mut List) {
    if let Some(mid) = &section.mid {
        list.value("mid", mid);
    }
    list.flag(section.direction.as_str());
}

/// An m-line of data channels (RFC 8841): no RTP, so no direction and no rtcp-mux.
fn data(section: &Section, list: &mut List) {
    identity(section, list);
    if let Some(port) = section.sctp_port {
        list.value("sctp-port", port);
    }
    if let Some(size) = section.max_message_size {
        list.value("max-message-size", size);
    }
    candidates(section, list);
}

/// Repeated in every m-line though JSEP would have it once: Firefox and Chromium want it so.
fn identity(section: &Section, list: &mut List) {
    if let Some(ice) = &section.ice {
        list.value("ice-ufrag", &ice.ufrag);
        list.value("ice-pwd", &ice.pwd);
    }
    for (hash, digest) in &section.fingerprints {
        list.value("fingerprint", format!("{hash} {digest}"));
    }
    if let Some(setup) = section.setup {
        list.value("setup", setup.as_str());
    }
    if let Some(mid) = &section.mid {
        list.value("mid", mid);
    }
}

fn transport(section: &Section, list: &mut List) {
    list.value("rtcp", "9 IN IP4 0.0.0.0");
    identity(section, list);
    for (uri, id) in section.extensions.entries() {
        list.value("extmap", format!("{id} {uri}"));
    }
    list.flag(section.direction.as_str());
    for stream in &section.streams {
        list.value("msid", stream);
    }
    if section.rtcp_mux {
        list.flag("rtcp-mux");
    }
    if section.rtcp_rsize {
        list.flag("rtcp-rsize");
    }
}

fn formats(section: &Section, list: &mut List) {
    for format in &section.codecs {
        let (pt, name, rate) = (format.pt, &format.name, format.clock_rate);
        match format.channels {
            0 | 1 => list.value("rtpmap", format!("{pt} {name}/{rate}")),
            channels => list.value("rtpmap", format!("{pt} {name}/{rate}/{channels}")),
        }
        for value in format.feedback.values() {
            list.value("rtcp-fb", format!("{pt} {value}"));
        }
        if !format.fmtp.is_empty() {
            list.value("fmtp", format!("{pt} {}", format.fmtp));
        }
    }
}

fn sources(section: &Section, list: &mut List) {
    for (media, rtx) in &section.fid {
        list.value("ssrc-group", format!("FID {media} {rtx}"));
    }
    for ssrc in &section.ssrcs {
        list.value("ssrc", format!("{ssrc} cname:{}", section.cname));
    }
    candidates(section, list);
}

fn candidates(section: &Section, list: &mut List) {
    for candidate in &section.candidates {
        let value = candidate.strip_prefix("candidate:").unwrap_or(candidate);
        list.value("candidate", value);
    }
    if section.end_of_candidates {
        list.flag("end-of-candidates");
    }
}

/// Attributes in the order written.
#[derive(Default)]
struct List(Vec<Attribute>);

impl List {
    fn value(&mut self, name: &str, value: impl ToString) {
        self.0.push(Attribute::with_value(name, value));
    }

    fn flag(&mut self, name: &str) {
        self.0.push(Attribute::new(name));
    }
}
