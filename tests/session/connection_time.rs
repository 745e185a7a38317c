// SPDX-License-Identifier: MPL-2.0
//! How long it takes from the end of signalling to `connected`, against what no protocol can undercut.
use rtc_session::{ConnectionState, DtlsVersion};
use rtc_tests::link::LinkConfig;
use rtc_tests::pair::{Pair, PairConfig};
use std::time::Duration;

/// What timers may add where nothing takes time to travel.
const TIMERS: Duration = Duration::from_millis(60);

/// From when the offerer has the answer until both are connected.
fn connection_time(version: DtlsVersion, rtt: Duration) -> Duration {
    let pair = Pair::connected(PairConfig {
        link: LinkConfig {
            delay: rtt / 2,
            ..LinkConfig::default()
        },
        signalling: rtt / 2,
        versions: [version, DtlsVersion::Auto],
        ..PairConfig::default()
    });
    let begun = pair.peers[0].ice[0].0;
    let connected =
        |peer: &rtc_tests::pair::Peer| peer.when(ConnectionState::Connected).expect("connected");
    let end = pair.peers.iter().map(connected).max().expect("two peers");
    end - begun
}

#[test]
fn a_connection_takes_at_most_one_and_a_half_round_trips_more_than_the_least() {
    // A check and its answer, then the handshake; the last flight of 1.3 goes one way.
    for (version, name, least) in [
        (DtlsVersion::Auto, "1.3", 2.5),
        (DtlsVersion::V12, "1.2", 3.0),
    ] {
        for milliseconds in [0, 20, 100] {
            let rtt = Duration::from_millis(milliseconds);
            let took = connection_time(version, rtt);
            let least = rtt.mul_f64(least);
            let beyond = took.saturating_sub(least);
            let trips = beyond.as_secs_f64() / rtt.as_secs_f64().max(f64::MIN_POSITIVE);
            let trips = (milliseconds > 0).then(|| format!(" = {trips:.2} round trips"));
            println!(
                "RTT {milliseconds} ms, DTLS {name}: connected after {took:.1?}, the least is {least:.1?}, \
                 beyond it {beyond:.1?}{}",
                trips.unwrap_or_default()
            );
            assert!(beyond <= rtt.mul_f64(1.5).max(TIMERS), "{beyond:?}");
        }
    }
}
