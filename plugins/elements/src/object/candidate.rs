// SPDX-License-Identifier: MPL-2.0
//! Candidates as structures with the members of W3C's RTCIceCandidate (W3C webrtc-pc §4.8.1).
use rtc_session::CandidateError;

/// The members of RTCIceCandidate. What can't be read of the line is left out (IF-01), and so is the
/// address of a candidate that the peer never named (IF-02).
pub(crate) fn structure(line: &str, mid: Option<&str>, index: Option<u16>) -> gst::Structure {
    let mut made = gst::Structure::builder("rtc-ice-candidate")
        .field("candidate", line)
        .build();
    made.set_if_some("sdp-mid", mid);
    made.set_if_some("sdp-mline-index", index.map(u32::from));
    if fill(&mut made, line).is_none() {
        for name in READ {
            made.remove_field(name);
        }
    }
    made
}

/// Members that are read of the line.
const READ: [&str; 11] = [
    "foundation",
    "component",
    "protocol",
    "priority",
    "address",
    "port",
    "type",
    "related-address",
    "related-port",
    "tcp-type",
    "username-fragment",
];

/// `candidate:foundation component protocol priority address port typ type [name value]…` (RFC 8839 §5.1).
fn fill(made: &mut gst::Structure, line: &str) -> Option<()> {
    let mut words = line.strip_prefix("candidate:")?.split(' ');
    made.set("foundation", words.next()?);
    made.set(
        "component",
        match words.next()? {
            "1" => "rtp",
            "2" => "rtcp",
            _ => return None,
        },
    );
    made.set("protocol", words.next()?.to_ascii_lowercase());
    made.set("priority", words.next()?.parse::<u32>().ok()?);
    let (address, port) = (words.next()?, words.next()?.parse::<u16>().ok()?);
    (words.next()? == "typ").then_some(())?;
    let kind = words.next()?;
    made.set("type", kind);
    if kind != "prflx" {
        made.set("address", address);
    }
    made.set("port", u32::from(port));
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        match name {
            "raddr" => made.set("related-address", value),
            "rport" => made.set("related-port", value.parse::<u32>().ok()?),
            "tcptype" => made.set("tcp-type", value),
            "ufrag" => made.set("username-fragment", value),
            _ => {}
        }
    }
    Some(())
}

/// Several candidates: a field for each, in their order.
pub(crate) fn list<'a>(candidates: impl Iterator<Item = &'a gst::Structure>) -> gst::Structure {
    let mut made = gst::Structure::new_empty("rtc-ice-candidates");
    for (at, candidate) in candidates.enumerate() {
        made.set(format!("candidate-{at}"), candidate);
    }
    made
}

/// The members of RTCPeerConnectionIceErrorEvent (W3C webrtc-pc §4.8.3).
pub(crate) fn error(error: &CandidateError) -> gst::Structure {
    let mut made = gst::Structure::builder("rtc-ice-candidate-error")
        .field("url", &error.url)
        .field("error-code", u32::from(error.code))
        .field("error-text", &error.text)
        .build();
    made.set_if_some("address", error.address.map(|address| address.to_string()));
    made.set_if_some("port", error.port.map(u32::from));
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(made: &gst::Structure, names: &[&str]) -> Vec<Option<String>> {
        names.iter().map(|name| made.get(*name).ok()).collect()
    }

    #[test]
    fn every_member_is_read_from_the_line() {
        gst::init().unwrap();
        let line = "candidate:842163049 1 tcp 1677729535 2001:db8::7 9 typ srflx raddr :: rport 50123 \
                    tcptype active generation 0 ufrag aB+/ network-cost 999";
        let made = structure(line, Some("0"), Some(0));
        let names = [
            "candidate",
            "foundation",
            "component",
            "protocol",
            "address",
            "type",
            "related-address",
            "tcp-type",
            "username-fragment",
            "sdp-mid",
        ];
        let expected = [
            line,
            "842163049",
            "rtp",
            "tcp",
            "2001:db8::7",
            "srflx",
            "::",
            "active",
            "aB+/",
            "0",
        ];
        let expected = expected.map(|text| Some(text.to_owned()));
        assert_eq!(texts(&made, &names), expected);
        let numbers = ["priority", "port", "related-port", "sdp-mline-index"];
        let numbers = numbers.map(|name| made.get::<u32>(name).unwrap());
        assert_eq!(numbers, [1_677_729_535, 9, 50123, 0]);
    }

    #[test]
    fn a_line_that_makes_no_sense_is_kept_and_nothing_read_of_it() {
        gst::init().unwrap();
        for line in [
            "",
            "candidate:1 1 udp",
            "candidate:1 1 udp x 1.2.3.4 5 typ host",
        ] {
            let made = structure(line, None, None);
            assert_eq!(made.n_fields(), 1, "{made}");
            assert_eq!(made.get::<&str>("candidate"), Ok(line));
        }
    }

    #[test]
    fn an_address_the_peer_never_named_is_not_told() {
        gst::init().unwrap();
        let made = structure("candidate:1 1 udp 7 10.0.0.1 5 typ prflx", None, None);
        assert!(!made.has_field("address") && made.has_field("port"));
    }
}
