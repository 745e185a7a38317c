// SPDX-License-Identifier: MPL-2.0
//! Too much, too many, too little authority.
use crate::kit::{Bench, OFFER, Script};
use std::io::{Read, Write};
use std::net::TcpStream;

#[test]
fn a_body_of_ten_mebibytes_is_refused_with_a_reason() {
    let bench = Bench::new(Script::Answer);
    let large = format!("{OFFER}{}", "a=x\r\n".repeat(2 * 1024 * 1024));
    assert!(large.len() > 10 * 1024 * 1024);
    for path in ["/whip", "/whep"] {
        let reply = bench.post(path, &large);
        assert_eq!(reply.status, 413);
        assert!(
            reply.body.contains("larger than 131072 bytes"),
            "{}",
            reply.body
        );
    }
    assert!(bench.no_report());
    assert_eq!(bench.post("/whip", OFFER).status, 201, "others go on");
}

#[test]
fn a_body_just_within_the_limit_is_taken() {
    let bench = Bench::new(Script::Answer);
    let fill = |size: usize| format!("{OFFER}{}", "x".repeat(size - OFFER.len()));
    assert_eq!(bench.post("/whip", &fill(128 * 1024)).status, 201);
    assert_eq!(bench.post("/whip", &fill(128 * 1024 + 1)).status, 413);
}

#[test]
fn sessions_beyond_the_limit_are_told_to_come_later() {
    let bench = Bench::with(Script::Answer, |signaller| signaller.set_max_sessions(2));
    let first = bench.post("/whep", OFFER);
    assert_eq!(
        (first.status, bench.post("/whep", OFFER).status),
        (201, 201)
    );
    let refused = bench.post("/whep", OFFER);
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some());
    assert_eq!(
        bench
            .ask("DELETE", first.header("location").unwrap(), &[], b"")
            .status,
        200
    );
    assert_eq!(
        bench.post("/whep", OFFER).status,
        201,
        "one went, one may come"
    );
}

#[test]
fn without_the_token_nothing_is_signalled() {
    let bench = Bench::with(Script::Answer, |signaller| {
        signaller.set_auth_token("s3cret")
    });
    let reply = bench.post("/whip", OFFER);
    assert_eq!(
        (reply.status, reply.header("www-authenticate")),
        (401, Some("Bearer"))
    );
    assert_eq!(bench.post("/whip?token=s3cre", OFFER).status, 401);
    assert_eq!(bench.ask("GET", "/ws", &[], b"").status, 401);
    assert!(bench.no_report());
    assert_eq!(
        bench.ask("GET", "/", &[], b"").status,
        200,
        "the pages hold no secret"
    );
    let reply = bench.post("/whip?token=s3cret", OFFER);
    assert_eq!(reply.status, 201);
    let bearer = [
        ("Content-Type", "application/sdp"),
        ("Authorization", "Bearer s3cret"),
    ];
    assert_eq!(
        bench.ask("POST", "/whep", &bearer, OFFER.as_bytes()).status,
        201
    );
    let location = reply.header("location").unwrap();
    assert_eq!(
        bench.ask("DELETE", location, &[], b"").status,
        200,
        "its address is its token"
    );
}

#[test]
fn a_request_given_up_before_the_answer_ends_its_session() {
    let bench = Bench::new(Script::Silent);
    let mut stream = TcpStream::connect(bench.address).unwrap();
    let head = format!(
        "POST /whep HTTP/1.1\r\nHost: {}\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{OFFER}",
        bench.address,
        OFFER.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    assert_eq!(bench.report(), "requested Answer View");
    assert_eq!(bench.report(), format!("offer {}", OFFER.len()));
    drop(stream);
    assert_eq!(
        bench.report(),
        "ended bye: the peer did not wait for the answer"
    );
}

#[test]
fn garbage_instead_of_http_is_answered_or_cut_and_others_go_on() {
    let bench = Bench::new(Script::Answer);
    let header_bomb = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(1024 * 1024));
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        header_bomb.as_bytes(),
    ] {
        let mut stream = TcpStream::connect(bench.address).unwrap();
        stream.set_read_timeout(Some(crate::kit::DEADLINE)).unwrap();
        // The server may hang up in the middle of it.
        let _cut = stream
            .write_all(garbage)
            .and_then(|()| stream.shutdown(std::net::Shutdown::Write));
        let mut answer = Vec::new();
        let _cut = stream.read_to_end(&mut answer);
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"),
            "{answer:?}"
        );
    }
    assert_eq!(bench.post("/whip", OFFER).status, 201);
}

#[test]
fn connections_beyond_the_limit_are_refused_until_others_go() {
    let bench = Bench::with(Script::Answer, |signaller| signaller.set_max_sessions(1));
    // The server's limit: max-sessions and 256 to spare.
    let mut held: Vec<TcpStream> = (0..257)
        .map(|_| TcpStream::connect(bench.address).unwrap())
        .collect();
    let mut refused = TcpStream::connect(bench.address).unwrap();
    refused
        .set_read_timeout(Some(crate::kit::DEADLINE))
        .unwrap();
    let mut answer = String::new();
    refused.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    held.truncate(200);
    let served = (0..10_000).any(|_| {
        let mut stream = TcpStream::connect(bench.address).unwrap();
        // One refused may be gone before it is written to.
        let _refused = stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        read.is_ok() && answer.starts_with("HTTP/1.1 200")
    });
    assert!(served, "places are free again");
}
