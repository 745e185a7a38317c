// SPDX-License-Identifier: MPL-2.0
//! What an element tells of its endpoint, alike for every element: bus messages and the line at start.
use super::{Listening, SessionFault};
use gst::prelude::*;

/// Posts an element message.
pub(crate) fn post(element: &impl IsA<gst::Element>, structure: gst::Structure) {
    let element = element.upcast_ref();
    let message = gst::message::Element::builder(structure)
        .src(element)
        .build();
    // Without a bus nobody wants to know.
    let _ = element.post_message(message);
}

pub(super) fn session_failed(element: &gst::Element, fault: &SessionFault) {
    post_fault(element, "rtc-session-error", fault);
}

pub(super) fn identity_refused(element: &gst::Element, fault: &SessionFault) {
    post_fault(element, "rtc-identity-error", fault);
}

fn post_fault(element: &gst::Element, name: &str, fault: &SessionFault) {
    let structure = gst::Structure::builder(name)
        .field("session", &fault.session)
        .field("peer", &fault.peer)
        .field("code", fault.code)
        .field("text", &fault.text)
        .build();
    post(element, structure);
}

/// The message, and unless the element is quiet the one line for the user.
pub(super) fn listening(
    element: &gst::Element,
    listening: &Listening,
    place: &dyn Fn(&str) -> String,
) {
    let text = line(&element.name(), listening, place);
    let structure = gst::Structure::builder("rtc-listening")
        .field("uri", &listening.web_uri)
        .field("udp-port", u32::from(listening.udp_port))
        .field("text", &text)
        .build();
    post(element, structure);
    if !element.property::<bool>("quiet") {
        eprintln!("{text}");
    }
}

pub(super) fn signaller_failed(element: &gst::Element, text: &str) {
    gst::element_warning!(element, gst::ResourceError::Failed, ("signalling: {text}"));
}

pub(super) fn signaller_closed(element: &gst::Element, text: &str) {
    gst::element_error!(element, gst::ResourceError::Failed, ("signalling: {text}"));
}

fn line(name: &str, listening: &Listening, place: &dyn Fn(&str) -> String) -> String {
    let Listening {
        web_uri,
        text,
        udp_port,
    } = listening;
    if web_uri.is_empty() {
        return format!("{name}: {text}  (ICE udp {udp_port})");
    }
    let base = web_uri.trim_end_matches('/');
    let lan = match base.rsplit_once(':') {
        Some((host, port)) if host.ends_with("127.0.0.1") || host.ends_with("localhost") => {
            format!("; set web-address=0.0.0.0:{port} for the LAN")
        }
        _ => String::new(),
    };
    format!("{name}: {}, ICE udp {udp_port}{lan})", place(base))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(base: &str) -> String {
        format!("watch at {base}/  (WHEP {base}/whep")
    }

    #[test]
    fn the_line_names_page_whep_port_and_the_way_to_the_lan() {
        let mut listening = Listening {
            web_uri: "http://127.0.0.1:8080/".into(),
            text: String::new(),
            udp_port: 8189,
        };
        assert_eq!(
            line("rtcsink0", &listening, &place),
            "rtcsink0: watch at http://127.0.0.1:8080/  (WHEP http://127.0.0.1:8080/whep, ICE udp 8189; \
             set web-address=0.0.0.0:8080 for the LAN)"
        );
        listening.web_uri = "https://10.0.0.5:8443".into();
        assert_eq!(
            line("s", &listening, &place),
            "s: watch at https://10.0.0.5:8443/  (WHEP https://10.0.0.5:8443/whep, ICE udp 8189)"
        );
    }

    #[test]
    fn a_signaller_without_pages_is_told_in_its_own_words() {
        let listening = Listening {
            web_uri: String::new(),
            text: "waits at loopback:a".into(),
            udp_port: 8190,
        };
        assert_eq!(
            line("rtcsrc0", &listening, &place),
            "rtcsrc0: waits at loopback:a  (ICE udp 8190)"
        );
    }
}
