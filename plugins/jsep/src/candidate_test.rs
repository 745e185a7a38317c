// SPDX-License-Identifier: MPL-2.0
//! Candidate lines, good and bad.
use super::check_candidate;

#[test]
fn real_candidates_pass() {
    for text in [
        "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 192.168.1.2 rport 46154 generation 0 ufrag 7Pqv network-cost 999",
        "candidate:0 1 UDP 2122252543 2001:db8::7 40678 typ host",
        "a=candidate:1 1 UDP 2130706431 fe80::1 5000 typ host",
        "candidate:4 1 TCP 2105524479 192.168.1.2 9 typ host tcptype active",
        "candidate:4 1 tcp 2105524479 192.168.1.2 8189 typ host tcptype passive",
        "candidate:a/+9 2 udp 1 127.0.0.1 1 typ relay raddr 0.0.0.0 rport 0",
        "candidate:1 1 udp 1 3f2a6d70-7b1c-4a4e-9a55-0c9d5a3c6a1b.local 5000 typ host",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ host \r\n",
    ] {
        assert!(
            check_candidate(text).is_ok(),
            "{text}: {:?}",
            check_candidate(text)
        );
    }
    assert_eq!(
        check_candidate("a=candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\n"),
        Ok("candidate:1 1 udp 1 192.0.2.1 5000 typ host"),
    );
}

#[test]
fn unusable_candidates_are_refused() {
    for text in [
        "",
        "candidate:",
        "candidate",
        "cand:1 1 udp 1 192.0.2.1 5000 typ host",
        "candidate:1 1 udp 1 192.0.2.1 5000",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ other",
        "candidate:1 1 udp 1 192.0.2.1 5000 type host",
        "candidate:1 0 udp 1 192.0.2.1 5000 typ host",
        "candidate:1 257 udp 1 192.0.2.1 5000 typ host",
        "candidate:1 1 udp -1 192.0.2.1 5000 typ host",
        "candidate:1 1 udp 4294967296 192.0.2.1 5000 typ host",
        "candidate:1 1 udp +1 192.0.2.1 5000 typ host",
        "candidate:1-2 1 udp 1 192.0.2.1 5000 typ host",
        "candidate:123456789012345678901234567890123 1 udp 1 192.0.2.1 5000 typ host",
        "candidate:1 1 udp 1 192.0.2.1 0 typ host",
        "candidate:1 1 udp 1 192.0.2.1 9 typ host",
        "candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype passive",
        "candidate:1 1 udp 1 192.0.2.1 65536 typ host",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ host generation",
        "candidate:1 1 udp 1 192.0.2.256 5000 typ host",
        "candidate:1 1 udp 1 example.com 5000 typ host",
        "candidate:1 1 udp 1 .local 5000 typ host",
        "candidate:1 1 udp 1 a\u{e9}.local 5000 typ host",
        "candidate:1 1 udp 1 0.0.0.0 5000 typ host",
        "candidate:1 1 udp 1 0.1.2.3 5000 typ host",
        "candidate:1 1 udp 1 224.0.0.251 5000 typ host",
        "candidate:1 1 udp 1 255.255.255.255 5000 typ host",
        "candidate:1 1 udp 1 :: 5000 typ host",
        "candidate:1 1 udp 1 ff02::fb 5000 typ host",
        "candidate:1 1 udp 1 ::ffff:224.0.0.1 5000 typ host",
        "candidate:1  1 udp 1 192.0.2.1 5000 typ host",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ host\0 a b",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\na=mid:0",
    ] {
        assert!(check_candidate(text).is_err(), "{text:?}");
    }
    let long = format!(
        "candidate:1 1 udp 1 192.0.2.1 5000 typ host {}",
        "a b ".repeat(200)
    );
    assert!(check_candidate(&long).is_err());
}
