// SPDX-License-Identifier: MPL-2.0
//! Tests of a socket against real ones on the loopback interface.
use super::*;
use mio::{Events, Poll};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

struct Bench {
    poll: Poll,
    socket: Socket,
    peer: StdSocket,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let poll = Poll::new().unwrap();
        let socket = Socket::new(bind(false, 0).unwrap(), poll.registry(), Token(1)).unwrap();
        let peer = StdSocket::bind((LOCALHOST, 0)).unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        Self {
            poll,
            socket,
            peer,
            now: Instant::now(),
        }
    }

    fn send(&mut self, contents: Vec<u8>, segment_size: Option<usize>) -> Option<Vec<u8>> {
        let destination = self.peer.local_addr().unwrap();
        self.send_to(destination, contents, segment_size)
    }

    fn send_to(
        &mut self,
        destination: SocketAddr,
        contents: Vec<u8>,
        segment_size: Option<usize>,
    ) -> Option<Vec<u8>> {
        let transmit = Transmit {
            transport: Transport::Udp,
            source: SocketAddr::new(LOCALHOST, self.socket.local().port()),
            destination,
            contents,
            segment_size,
        };
        let registry = self.poll.registry();
        self.socket
            .send(transmit, Some(LOCALHOST), self.now, registry)
    }

    /// The next datagrams the peer got, as first byte and length.
    fn got(&self, count: usize) -> Vec<(u8, usize)> {
        let mut buffer = [0; 2048];
        let mut next = || {
            let (length, source) = self.peer.recv_from(&mut buffer).unwrap();
            assert_eq!(source.ip(), LOCALHOST);
            (buffer[0], length)
        };
        (0..count).map(|_| next()).collect()
    }
}

/// `count` segments, each of its own byte, the last one shorter.
fn train(count: u8, size: usize) -> Vec<u8> {
    let mut train: Vec<u8> = (0..count).flat_map(|n| vec![n; size]).collect();
    train.truncate(train.len() - size / 2);
    train
}

fn expected(count: u8, size: usize) -> Vec<(u8, usize)> {
    let length = |n| {
        if n + 1 == count {
            size - size / 2
        } else {
            size
        }
    };
    (0..count).map(|n| (n, length(n))).collect()
}

#[test]
fn a_train_arrives_as_its_segments_and_the_buffer_comes_back() {
    let mut bench = Bench::new();
    let buffer = bench.send(train(5, 1000), Some(1000));
    assert_eq!(buffer.map(|buffer| buffer.len()), Some(4500));
    assert_eq!(bench.got(5), expected(5, 1000));
}

#[test]
fn a_train_longer_than_one_send_can_carry_is_split() {
    let mut bench = Bench::new();
    bench.send(train(100, 200), Some(200));
    assert_eq!(bench.got(100), expected(100, 200));
}

#[test]
fn when_offload_fails_segments_go_out_singly_and_it_is_tried_again_later() {
    let mut bench = Bench::new();
    let most = bench.socket.state.max_gso_segments();
    // More than any kernel takes, as a driver without offload takes none: EINVAL.
    bench.socket.segments = 500;
    bench.send(train(200, 100), Some(100));
    assert_eq!(bench.got(200), expected(200, 100));
    assert_eq!(bench.socket.state.max_gso_segments(), 1);
    bench.socket.segments = most;
    bench.send(train(3, 100), Some(100));
    assert_eq!(bench.got(3), expected(3, 100));
    assert_eq!(bench.socket.state.max_gso_segments(), 1);
    bench.now += OFFLOAD_PAUSE;
    bench.send(train(3, 100), Some(100));
    assert_eq!(bench.got(3), expected(3, 100));
    assert_eq!(bench.socket.state.max_gso_segments(), most);
    assert_eq!(bench.socket.counters().failed, 0);
}

#[test]
fn a_refused_address_does_not_switch_offload_off() {
    let mut bench = Bench::new();
    let most = bench.socket.state.max_gso_segments();
    // From a loopback address there is no way out: EINVAL.
    let nowhere = SocketAddr::from(([203, 0, 113, 1], 9));
    for segment_size in [None, Some(500)] {
        assert!(
            bench
                .send_to(nowhere, vec![1; 1000], segment_size)
                .is_some()
        );
    }
    assert!(bench.socket.counters().failed >= 2);
    // Asked for anew at once the first time, then a second later.
    assert_eq!(bench.socket.offload_from, Some(bench.now + RENEWAL));
    bench.now += RENEWAL;
    bench.send(train(3, 100), Some(100));
    assert_eq!(bench.got(3), expected(3, 100));
    assert_eq!(bench.socket.state.max_gso_segments(), most);
    assert_eq!(bench.socket.offload_from, None);
}

#[test]
fn destinations_nobody_means_are_not_sent_to() {
    let mut bench = Bench::new();
    for destination in [
        "127.0.0.1:0",
        "0.0.0.0:9",
        "255.255.255.255:9",
        "224.0.0.251:5353",
    ] {
        bench.send_to(destination.parse().unwrap(), vec![1; 10], None);
    }
    assert_eq!(bench.socket.counters().failed, 4);
}

#[test]
fn what_the_kernel_has_no_room_for_waits_in_order_and_within_bounds() {
    let mut bench = Bench::new();
    bench.socket.queue.push_back(Waiting {
        source: Some(LOCALHOST),
        destination: bench.peer.local_addr().unwrap(),
        segment_size: None,
        contents: vec![0; 100],
    });
    bench.socket.queued_bytes = 100;
    assert!(
        bench.send(vec![1; 100], None).is_none(),
        "behind what waits"
    );
    assert!(bench.send(train(3, 200), Some(200)).is_none());
    while bench.send(vec![9; 60_000], None).is_none() {}
    assert_eq!(bench.socket.counters().overflowed, 1);
    assert!(bench.socket.queued_bytes <= MAX_QUEUED);
    bench.socket.queue.truncate(3);
    bench.socket.flush(bench.now, bench.poll.registry());
    assert!(!bench.socket.is_waiting());
    assert_eq!(bench.got(2), [(0, 100), (1, 100)]);
    assert_eq!(bench.got(3), expected(3, 200));
}

#[test]
fn received_datagrams_come_with_both_addresses() {
    let mut bench = Bench::new();
    let port = bench.socket.local().port();
    let begun = Instant::now();
    for n in 1..=3 {
        bench
            .peer
            .send_to(&vec![n; usize::from(n) * 100], (LOCALHOST, port))
            .unwrap();
    }
    let mut events = Events::with_capacity(4);
    bench
        .poll
        .poll(&mut events, Some(Duration::from_secs(5)))
        .unwrap();
    let mut buffers = Buffers::new();
    let mut lengths = Vec::new();
    loop {
        let trains = bench.socket.receive(&mut buffers);
        if trains == 0 {
            break;
        }
        for (datagram, late) in buffers.datagrams(trains, bench.socket.local()) {
            assert!(!late.is_zero() && late <= begun.elapsed(), "{late:?}");
            assert_eq!(datagram.source, bench.peer.local_addr().unwrap());
            assert_eq!(datagram.destination, SocketAddr::new(LOCALHOST, port));
            lengths.push(datagram.contents.len());
        }
    }
    assert_eq!(lengths, [100, 200, 300]);
}

#[test]
fn both_families_share_a_port() {
    let v4 = bind(false, 0).unwrap();
    let port = v4.local_addr().unwrap().port();
    let v6 = bind(true, port).unwrap();
    assert_eq!(v6.local_addr().unwrap().port(), port);
    let taken = bind(false, port).err().unwrap();
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);
}
