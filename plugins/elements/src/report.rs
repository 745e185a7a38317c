// SPDX-License-Identifier: MPL-2.0
//! Snapshots of sessions as a `GstStructure`.
use rtc_session::SessionStats;

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
    report
}
