// SPDX-License-Identifier: MPL-2.0
//! Snapshots of sessions as a `GstStructure`; names are W3C's, written as properties are.
use rtc_rtp::{RecvStats, SendStats};
use rtc_session::{CandidateError, SctpStats, SessionStats};

/// A server that was of no use, for the bus (W3C RTCPeerConnectionIceErrorEvent).
pub(crate) fn server_error(session: &str, error: &CandidateError) -> gst::Structure {
    let mut report = gst::Structure::builder("rtc-ice-candidate-error")
        .field("session", session)
        .field("url", &error.url)
        .field("code", u32::from(error.code))
        .field("text", &error.text)
        .build();
    report.set_if_some("address", error.address.map(|address| address.to_string()));
    report.set_if_some("port", error.port.map(u32::from));
    report
}

/// One structure, with a field of structure type for every session, named as signalling names it.
pub(crate) fn sessions(list: Vec<(String, String, SessionStats)>) -> gst::Structure {
    let mut report = gst::Structure::new_empty("rtc-stats");
    for (session, peer, stats) in list {
        report.set(session, session_report(&peer, &stats));
    }
    report
}

fn session_report(peer: &str, stats: &SessionStats) -> gst::Structure {
    let mut report = gst::Structure::builder("rtc-session-stats")
        .field("peer", peer)
        .field("connection-state", stats.connection.as_str())
        .field("ice-connection-state", stats.ice.as_str())
        .field("dropped-datagrams", stats.dropped_datagrams)
        .build();
    report.set_if_some("dtls-version", stats.dtls.version);
    report.set_if_some("srtp-profile", stats.dtls.srtp_profile);
    if let Some(pair) = &stats.pair {
        report.set("local-address", pair.local.to_string());
        report.set("remote-address", pair.remote.to_string());
        // Seconds, as W3C's currentRoundTripTime.
        report.set_if_some("round-trip-time", pair.rtt.map(|rtt| rtt.as_secs_f64()));
    }
    if stats.media.estimate > 0 {
        // Bit/s.
        report.set("available-outgoing-bitrate", stats.media.estimate);
    }
    report.set_if_some("sctp", stats.sctp.as_ref().map(sctp));
    for stream in &stats.media.send {
        report.set(format!("outbound-{}", stream.mid), outbound(stream));
    }
    for stream in &stats.media.recv {
        report.set(
            format!("inbound-{}-{}", stream.mid, stream.ssrc),
            inbound(stream),
        );
    }
    report
}

/// The data channels together: bytes, messages, packets, and round-trip time in seconds.
fn sctp(stats: &SctpStats) -> gst::Structure {
    let transport = &stats.transport;
    gst::Structure::builder("sctp-transport")
        .field("state", stats.state.as_str())
        .field("data-channels", stats.channels as u64)
        .field("buffered-amount", stats.buffered)
        .field("messages-sent", stats.messages_sent)
        .field("messages-received", stats.messages_received)
        .field("smoothed-round-trip-time", transport.rtt.as_secs_f64())
        .field("congestion-window", transport.window)
        .field("receiver-window", transport.peer_window)
        .field("packets-sent", transport.packets_sent)
        .field("packets-received", transport.packets_received)
        .field("packets-retransmitted", transport.packets_repeated)
        .build()
}

fn outbound(stats: &SendStats) -> gst::Structure {
    let mut report = gst::Structure::builder("outbound-rtp")
        .field("mid", stats.mid.as_str())
        .field("ssrc", stats.ssrc.0)
        .field("mime-type", stats.codec.mime())
        .field("packets-sent", stats.packets)
        .field("bytes-sent", stats.bytes)
        .field("frames-sent", stats.frames)
        .field("key-frames-sent", stats.keyframes)
        .field("frames-dropped", stats.dropped_frames)
        .field("retransmitted-packets-sent", stats.retransmitted_packets)
        .field("retransmitted-bytes-sent", stats.retransmitted_bytes)
        .field("nack-count", stats.nacks)
        .field("pli-count", stats.plis)
        .field("fir-count", stats.firs)
        .field("remote-packets-lost", stats.remote_lost)
        .field("remote-fraction-lost", stats.remote_fraction_lost)
        .build();
    let jitter = stats.remote_jitter.map(|jitter| jitter.as_secs_f64());
    report.set_if_some("remote-jitter", jitter);
    report.set_if_some("layer", stats.layer.map(u32::from));
    report.set_if_some("frame-width", stats.size.map(|size| u32::from(size.0)));
    report.set_if_some("frame-height", stats.size.map(|size| u32::from(size.1)));
    report
}

fn inbound(stats: &RecvStats) -> gst::Structure {
    gst::Structure::builder("inbound-rtp")
        .field("mid", stats.mid.as_str())
        .field("ssrc", stats.ssrc.0)
        .field("mime-type", stats.codec.mime())
        .field("packets-received", stats.packets)
        .field("bytes-received", stats.bytes)
        .field("packets-lost", stats.lost)
        .field("jitter", stats.jitter.as_secs_f64())
        .field("frames-received", stats.frames)
        .field("key-frames-received", stats.keyframes)
        .field("frames-dropped", stats.dropped_frames)
        .field(
            "retransmitted-packets-received",
            stats.retransmitted_packets,
        )
        .field("nack-count", stats.nacks)
        .field("pli-count", stats.plis)
        .field("fir-count", stats.firs)
        .build()
}
