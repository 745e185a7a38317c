// SPDX-License-Identifier: MPL-2.0
//! Peculiarities of peers that must not stop a negotiation, and offers that must be declined well.
use crate::kit::*;
use DescriptionKind::{Answer, Offer};
use rtc_jsep::*;
use rtc_payload::{Codec, Pt, Ssrc};

const FINGERPRINT: &str = "a=fingerprint:sha-256 72:01:F9:BE:6B:1F:CB:B2:C4:18:FE:C2:D4:93:49:C0:\
4C:51:47:3D:47:45:77:75:2D:15:96:2D:13:13:30:72\r\n";
const ICE: &str = "a=ice-ufrag:7Pqv\r\na=ice-pwd:s+USe/OfOequ10F1rA5oROXo\r\n";

/// An offer of one H.264 m-line with everything at session level and no mid.
fn terse(extra: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n{ICE}{FINGERPRINT}a=setup:active\r\n\
         m=video 9 UDP/TLS/RTP/SAVPF 106 107\r\nc=IN IP4 0.0.0.0\r\na=sendonly\r\na=rtcp-mux\r\n\
         a=rtpmap:106 H264/90000\r\n\
         a=fmtp:106 packetization-mode=1;profile-level-id=42c01f\r\n\
         a=rtpmap:107 rtx/90000\r\na=fmtp:107 apt=106\r\n{extra}"
    )
}

fn answer_of(negotiator: &mut Negotiator, offer: &str) -> String {
    negotiator.apply_remote(Offer, offer).unwrap();
    negotiator
        .create_answer(&transport("ufrag"), Setup::Passive)
        .unwrap()
}

#[test]
fn session_level_attributes_are_inherited_and_no_mid_is_echoed() {
    let mut source = receiver();
    let applied = source
        .apply_remote(Offer, &terse(""))
        .unwrap()
        .transport
        .unwrap();
    assert_eq!(
        (applied.ufrag.as_str(), applied.setup),
        ("7Pqv", Setup::Active)
    );
    let answer = source
        .create_answer(&transport("ufrag"), Setup::Active)
        .unwrap();
    assert!(!answer.contains("a=mid") && !answer.contains("BUNDLE"));
    assert!(answer.contains("a=setup:passive\r\n") && answer.contains("profile-level-id=42c01f"));
    assert_eq!(source.media().recv[0].codecs[0].rtx_pt, Some(Pt(107)));
    assert_eq!(source.transport_line().unwrap().1, 0);
}

#[test]
fn a_group_without_ssrc_lines_still_names_the_retransmissions() {
    let mut source = receiver();
    answer_of(
        &mut source,
        &terse("a=ssrc:11 cname:x\r\na=ssrc-group:FID 11 12\r\n"),
    );
    assert_eq!(source.media().recv[0].ssrcs, [(Ssrc(11), Some(Ssrc(12)))]);
    let mut source = receiver();
    answer_of(&mut source, &terse("a=ssrc-group:FID 11 12\r\n"));
    assert_eq!(source.media().recv[0].ssrcs, [(Ssrc(11), Some(Ssrc(12)))]);
}

#[test]
fn every_profile_is_echoed() {
    for profile in [
        "RTP/AVP",
        "RTP/AVPF",
        "RTP/SAVP",
        "RTP/SAVPF",
        "UDP/TLS/RTP/SAVP",
        "TCP/DTLS/RTP/SAVP",
        "TCP/DTLS/RTP/SAVPF",
    ] {
        let mut source = receiver();
        let answer = answer_of(
            &mut source,
            &terse("").replace("UDP/TLS/RTP/SAVPF", profile),
        );
        assert!(
            answer.contains(&format!("m=video 9 {profile} 106 107")),
            "{profile}"
        );
    }
}

#[test]
fn a_bundled_m_line_may_leave_its_transport_to_the_first() {
    // As RFC 9143 has it: attributes of the transport in the tagged m-line alone.
    let (head, tail) = CHROMIUM.split_once("m=video").unwrap();
    let bare: String = tail
        .lines()
        .filter(|line| {
            !["a=ice", "a=fing", "a=setup", "a=rtcp-mux"]
                .iter()
                .any(|p| line.starts_with(p))
        })
        .map(|line| format!("{line}\r\n"))
        .collect();
    let mut source = receiver();
    let answer = answer_of(&mut source, &format!("{head}m=video{bare}"));
    assert!(answer.contains("m=video 9 "));
    assert_eq!(answer.matches("a=ice-ufrag:ufrag").count(), 3);
}

#[test]
fn bundle_only_with_port_0_is_no_rejection() {
    let offer = CHROMIUM
        .replace("m=video 9", "m=video 0")
        .replace("a=mid:1", "a=bundle-only\r\na=mid:1");
    let mut source = receiver();
    assert!(answer_of(&mut source, &offer).contains("m=video 9 "));
}

#[test]
fn unbundled_m_lines_are_rejected_but_the_first() {
    let mut source = receiver();
    let answer = answer_of(
        &mut source,
        &CHROMIUM.replace("a=group:BUNDLE 0 1 2\r\n", ""),
    );
    assert!(answer.contains("m=audio 9 ") && answer.contains("m=video 0 "));
    assert!(!answer.contains("BUNDLE"));
    let mut source = receiver();
    let answer = answer_of(&mut source, &CHROMIUM.replace("BUNDLE 0 1 2", "BUNDLE 1 2"));
    assert!(answer.contains("m=audio 9 ") && answer.contains("m=video 0 "));
}

#[test]
fn the_first_usable_m_line_carries_the_transport() {
    let mut source = peer(&[Codec::Vp8]);
    let candidate = "a=candidate:1 1 udp 1 192.0.2.7 4000 typ host\r\na=end-of-candidates\r\n";
    let offer = CHROMIUM.replace("a=mid:1\r\n", &format!("a=mid:1\r\n{candidate}"));
    let transport = source
        .apply_remote(Offer, &offer)
        .unwrap()
        .transport
        .unwrap();
    assert_eq!(transport.candidates[0].mid.as_str(), "1");
    assert_eq!(transport.candidates[0].index, 1);
    assert!(transport.end_of_candidates);
    let answer = source
        .create_answer(&crate::kit::transport("ufrag"), Setup::Passive)
        .unwrap();
    assert!(answer.contains("m=audio 0 ") && answer.contains("a=group:BUNDLE 1 2\r\n"));
    assert_eq!(source.transport_line().unwrap().0.as_str(), "1");
}

#[test]
fn a_browser_without_a_common_codec_is_told_so() {
    let mut sink = peer(&[]);
    sink.add_transceiver(track(1, &[Codec::H264], Direction::SendOnly));
    let error = sink.apply_remote(Offer, FIREFOX).unwrap_err();
    let JsepError::NotAcceptable(reasons) = &error else {
        panic!("{error}");
    };
    assert!(reasons.contains("video has no common codec: the peer offers VP8, rtx, VP9"));
    assert!(reasons.contains("we have H264"));
    assert_eq!(sink.signaling_state(), SignalingState::Stable);
    assert!(
        sink.negotiation_needed(),
        "the track is still there for an offer of ours"
    );
}

#[test]
fn one_common_m_line_is_enough() {
    let mut sink = peer(&[]);
    sink.add_transceiver(track(1, &[Codec::H264], Direction::SendOnly));
    sink.add_transceiver(track(2, &[Codec::Opus], Direction::SendOnly));
    let answer = answer_of(&mut sink, FIREFOX);
    assert!(answer.contains("m=video 0 ") && answer.contains("m=audio 9 "));
    assert!(!sink.negotiation_needed());
}

#[test]
fn a_viewer_s_audio_m_line_without_input_lives_inactive() {
    let mut sink = peer(&[]);
    sink.add_transceiver(track(1, &[Codec::Vp8], Direction::SendOnly));
    let answer = answer_of(&mut sink, &CHROMIUM.replace("a=sendrecv", "a=recvonly"));
    assert!(answer.contains("m=audio 9 ") && answer.contains("a=inactive\r\n"));
    assert!(!sink.negotiation_needed());
    sink.add_transceiver(track(2, &[Codec::Opus], Direction::SendOnly));
    assert!(sink.negotiation_needed());
    let offer = sink.create_offer(&transport("ufrag")).unwrap();
    assert_eq!(
        offer.matches("m=audio 9 ").count(),
        1,
        "on the m-line that is there"
    );
    assert!(
        offer.contains("a=rtpmap:111 opus/48000/2"),
        "the peer's numbers are kept"
    );
}

#[test]
fn re_offers_keep_the_peer_s_numbers_and_ids() {
    let mut sink = peer(&[]);
    sink.add_transceiver(track(1, &[Codec::Opus], Direction::SendOnly));
    sink.add_transceiver(track(2, &[Codec::Vp8, Codec::H264], Direction::SendOnly));
    answer_of(&mut sink, FIREFOX);
    sink.add_transceiver(track(3, &[Codec::Vp8, Codec::Av1], Direction::SendOnly));
    let offer = sink.create_offer(&transport("ufrag")).unwrap();
    assert_eq!(offer.matches("a=rtpmap:120 VP8/90000").count(), 2);
    assert_eq!(offer.matches("a=fmtp:124 apt=120").count(), 2);
    assert!(offer.contains("a=rtpmap:99 AV1/90000"));
    let h264 = offer
        .lines()
        .find(|line| line.ends_with("H264/90000"))
        .unwrap();
    assert!(
        !["109", "119", "121", "122", "123"]
            .iter()
            .any(|pt| h264.contains(pt)),
        "{h264}"
    );
    assert_eq!(
        offer
            .matches("a=extmap:7 http://www.ietf.org/id/draft-holmer")
            .count(),
        3
    );
    assert_eq!(
        offer
            .matches("a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid")
            .count(),
        3
    );
    assert!(
        offer.contains("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"),
        "the m-line of data keeps its place"
    )
}

#[test]
fn a_peer_that_numbers_codecs_otherwise_is_sent_its_own_numbers() {
    let mut sink = peer(&[]);
    sink.add_transceiver(track(1, &[Codec::Vp8], Direction::SendRecv));
    let offer = sink.create_offer(&transport("aaaa")).unwrap();
    let mut viewer = receiver();
    viewer.apply_remote(Offer, &offer).unwrap();
    let answer = viewer
        .create_answer(&transport("bbbb"), Setup::Active)
        .unwrap();
    let answer = answer.replace("SAVPF 96 97", "SAVPF 120 121");
    let answer = answer
        .replace(":96 ", ":120 ")
        .replace(":97 ", ":121 ")
        .replace("apt=96", "apt=120");
    sink.apply_remote(Answer, &answer).unwrap();
    let send = &sink.media().send[0];
    assert_eq!((send.codec.pt, send.codec.rtx_pt), (Pt(120), Some(Pt(121))));
}

#[test]
fn h264_of_mode_0_is_received_but_never_sent() {
    let offer = terse("").replace("packetization-mode=1", "packetization-mode=0");
    let mut source = receiver();
    assert!(answer_of(&mut source, &offer).contains("packetization-mode=0"));
    let mut sink = peer(&[]);
    sink.add_transceiver(track(1, &[Codec::H264], Direction::SendOnly));
    let error = sink
        .apply_remote(Offer, &offer.replace("sendonly", "recvonly"))
        .unwrap_err();
    assert!(matches!(error, JsepError::NotAcceptable(_)));
}

#[test]
fn unknown_attributes_and_weak_second_fingerprints_do_no_harm() {
    let extra =
        "a=fingerprint:md5 00:11\r\na=tls-id:abc\r\na=x-google-flag:conference\r\nb=AS:500\r\n";
    let offer = CHROMIUM.replace("a=mid:0\r\n", &format!("a=mid:0\r\n{extra}"));
    let applied = receiver()
        .apply_remote(Offer, &offer)
        .unwrap()
        .transport
        .unwrap();
    assert_eq!(applied.fingerprints.len(), 1);
}

#[test]
fn unusable_candidates_in_a_description_are_let_go() {
    let lines = "a=candidate:1 1 udp 1 192.0.2.7 0 typ host\r\n\
                 a=candidate:2 1 udp 1 224.0.0.1 4000 typ host\r\n\
                 a=candidate:garbage\r\n\
                 a=candidate:3 1 udp 1 192.0.2.7 4000 typ host\r\n";
    let offer = CHROMIUM.replace("a=mid:0\r\n", &format!("a=mid:0\r\n{lines}"));
    let applied = receiver()
        .apply_remote(Offer, &offer)
        .unwrap()
        .transport
        .unwrap();
    assert_eq!(applied.candidates.len(), 1);
    assert!(applied.candidates[0].candidate.starts_with("candidate:3 "));
}

#[test]
fn a_second_track_of_a_kind_waits_for_an_offer_of_ours() {
    let mut sink = peer(&[]);
    sink.add_transceiver(track(1, &[Codec::H264], Direction::SendOnly));
    sink.add_transceiver(track(2, &[Codec::Vp8], Direction::SendOnly));
    let answer = answer_of(&mut sink, FIREFOX);
    assert!(answer.contains("m=video 9 "));
    let media = sink.media();
    assert_eq!(media.send[0].track.0, 2, "the one the peer can play");
    assert_eq!(
        media.lines.iter().filter(|line| line.kind == Video).count(),
        1
    );
    assert!(sink.negotiation_needed());
}

#[test]
fn h264_without_parameters_is_sent_and_received() {
    // As GStreamer's webrtcbin offers it from caps without profile.
    let bare = terse("").replace(
        "a=fmtp:106 packetization-mode=1;profile-level-id=42c01f\r\n",
        "",
    );
    let mut sink = peer(&[]);
    let mut init = track(1, &[Codec::H264], Direction::SendOnly);
    init.codecs = vec![offer(
        Codec::H264,
        "profile-level-id=640028;packetization-mode=1",
    )];
    sink.add_transceiver(init);
    let answer = answer_of(&mut sink, &bare.replace("sendonly", "recvonly"));
    assert!(
        answer.contains("packetization-mode=1;profile-level-id=640028"),
        "{answer}"
    );
    assert_eq!(sink.media().send[0].codec.pt, Pt(106));
    let mut source = receiver();
    let answer = answer_of(&mut source, &bare);
    assert!(answer.contains("m=video 9 UDP/TLS/RTP/SAVPF 106 107\r\n"));
    assert_eq!(source.media().recv[0].codecs[0].codec, Codec::H264);
}
