// SPDX-License-Identifier: MPL-2.0
//! One UDP socket: batched receive (GRO), whole trains in one send (GSO), a bounded queue behind it.
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use quinn_udp::{RecvMeta, UdpSocketState};
use rtc_session::{Datagram, Transmit, Transport};
use socket2::{Domain, Protocol, Socket as RawSocket, Type};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket as StdSocket};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A GRO train is at most one maximal UDP datagram.
const BUFFER_SIZE: usize = 65_535;
/// Trains taken by one system call.
pub(crate) const BATCH: usize = 8;
/// Bytes that may wait for a full kernel buffer, beyond which the newest are dropped: half a second of
/// 64 Mbit/s. Older ones are of less and less use to a peer.
const MAX_QUEUED: usize = 4 << 20;
/// Room asked of the kernel in each direction: a keyframe for a hundred viewers; it may give less.
const KERNEL_BUFFER: usize = 4 << 20;
/// What one sendmsg can carry: UDP_MAX_SEGMENTS of Linux, and a maximal IPv4 datagram.
const MAX_SEGMENTS: usize = 64;
const MAX_TRAIN: usize = 65_507;
/// What is said to have waited longer did not.
const MAX_LATE: Duration = Duration::from_secs(1);
/// How long single sends are used after segmentation offload failed.
const OFFLOAD_PAUSE: Duration = Duration::from_secs(60);

/// Offload is not asked for anew sooner after the last time.
const RENEWAL: Duration = Duration::from_secs(1);

/// Buffers for received trains, shared by the sockets of a driver.
pub(crate) struct Buffers {
    memory: Vec<u8>,
    meta: [RecvMeta; BATCH],
    /// The wall clock when they were filled.
    filled: Duration,
}

impl Buffers {
    pub(crate) fn new() -> Self {
        Self {
            memory: vec![0; BATCH * BUFFER_SIZE],
            meta: [RecvMeta::default(); BATCH],
            filled: Duration::ZERO,
        }
    }

    /// Every datagram of the first `trains` trains, with the IP address it arrived at, and how long before
    /// it was read the system received it.
    pub(crate) fn datagrams(
        &self,
        trains: usize,
        local: SocketAddr,
    ) -> impl Iterator<Item = (Datagram<'_>, Duration)> {
        let trains = self.memory.chunks(BUFFER_SIZE).zip(&self.meta).take(trains);
        trains.flat_map(move |(buffer, meta)| {
            let destination =
                SocketAddr::new(meta.dst_ip.unwrap_or_else(|| local.ip()), local.port());
            let train = buffer.get(..meta.len).unwrap_or(buffer);
            // A wall clock that is set meanwhile makes nonsense.
            let received = meta.timestamp.and_then(|at| self.filled.checked_sub(at));
            let late = received.filter(|late| *late < MAX_LATE).unwrap_or_default();
            train.chunks(meta.stride.max(1)).map(move |contents| {
                let datagram = Datagram {
                    transport: Transport::Udp,
                    source: plain(meta.addr),
                    destination,
                    contents,
                };
                (datagram, late)
            })
        })
    }
}

/// Counters of a socket.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SocketCounters {
    /// Trains dropped because too much waited.
    pub(crate) overflowed: u64,
    /// Sends the system refused.
    pub(crate) failed: u64,
}

pub(crate) struct Socket {
    io: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
    token: Token,
    /// Segments the kernel takes in one send; 1 without segmentation offload.
    segments: usize,
    /// Offload failed and is tried again from then.
    offload_from: Option<Instant>,
    /// When it was asked for anew last.
    renewed: Option<Instant>,
    queue: VecDeque<Waiting>,
    queued_bytes: usize,
    counters: SocketCounters,
}

struct Waiting {
    source: Option<IpAddr>,
    destination: SocketAddr,
    segment_size: Option<usize>,
    contents: Vec<u8>,
}

/// A train as the kernel takes it, borrowed from wherever it waits.
#[derive(Clone, Copy)]
struct Train<'a> {
    source: Option<IpAddr>,
    destination: SocketAddr,
    segment_size: Option<usize>,
    contents: &'a [u8],
}

impl Socket {
    /// Takes a socket that [`bind`] made into the poller.
    pub(crate) fn new(socket: StdSocket, registry: &Registry, token: Token) -> io::Result<Self> {
        let mut io = UdpSocket::from_std(socket);
        let state = UdpSocketState::new((&io).into())?;
        let local = io.local_addr()?;
        registry.register(&mut io, token, Interest::READABLE)?;
        Ok(Self {
            io,
            segments: state.max_gso_segments().min(MAX_SEGMENTS),
            state,
            local,
            token,
            offload_from: None,
            renewed: None,
            queue: VecDeque::new(),
            queued_bytes: 0,
            counters: SocketCounters::default(),
        })
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn counters(&self) -> SocketCounters {
        self.counters
    }

    /// Fills `buffers`; yields the number of trains, 0 when there is nothing more to read.
    pub(crate) fn receive(&self, buffers: &mut Buffers) -> usize {
        let mut chunks = buffers.memory.chunks_mut(BUFFER_SIZE);
        let mut slices: [IoSliceMut<'_>; BATCH] =
            std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        // Errors of earlier sends (ICMP) come up here; the next call reads on. A few in a row can
        // only be a socket that is broken: leave it till the next turn.
        for _ in 0..4 {
            match self
                .state
                .recv((&self.io).into(), &mut slices, &mut buffers.meta)
            {
                Ok(trains) => {
                    buffers.filled = SystemTime::now()
                        .duration_since(UNIX_EPOCH)
                        .unwrap_or_default();
                    return trains;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return 0,
                Err(error) => tracing::debug!(%error, "receive"),
            }
        }
        0
    }

    /// Sends, or queues behind what waits. Gives the buffer back unless it was queued.
    ///
    /// `source` is `None` where the kernel shall choose the address to send from.
    pub(crate) fn send(
        &mut self,
        transmit: Transmit,
        source: Option<IpAddr>,
        now: Instant,
        registry: &Registry,
    ) -> Option<Vec<u8>> {
        let train = Train {
            source,
            destination: transmit.destination,
            segment_size: transmit.segment_size.filter(|size| *size > 0),
            contents: &transmit.contents,
        };
        if !sendable(&train) {
            self.counters.failed += 1;
            return Some(transmit.contents);
        }
        let sent = match self.queue.is_empty() {
            true => self.send_train(train, now),
            false => 0,
        };
        if sent >= transmit.contents.len() {
            return Some(transmit.contents);
        }
        self.enqueue(transmit, source, sent, registry)
    }

    /// Sends what waited; to be called when the socket became writable.
    pub(crate) fn flush(&mut self, now: Instant, registry: &Registry) {
        while let Some(waiting) = self.queue.pop_front() {
            let train = Train {
                source: waiting.source,
                destination: waiting.destination,
                segment_size: waiting.segment_size,
                contents: &waiting.contents,
            };
            let sent = self.send_train(train, now);
            self.queued_bytes -= sent.min(waiting.contents.len());
            if sent < waiting.contents.len() {
                let contents = waiting.contents[sent..].to_vec();
                self.queue.push_front(Waiting {
                    contents,
                    ..waiting
                });
                return;
            }
        }
        self.watch(Interest::READABLE, registry);
    }

    /// Whether something waits for room in the kernel's buffer.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.queue.is_empty()
    }

    fn enqueue(
        &mut self,
        transmit: Transmit,
        source: Option<IpAddr>,
        sent: usize,
        registry: &Registry,
    ) -> Option<Vec<u8>> {
        let mut contents = transmit.contents;
        if self.queued_bytes + contents.len() - sent > MAX_QUEUED {
            self.counters.overflowed += 1;
            return Some(contents);
        }
        contents.drain(..sent);
        self.queued_bytes += contents.len();
        if self.queue.is_empty() {
            // Only while something waits: every packet that leaves the kernel would wake us else.
            self.watch(Interest::READABLE | Interest::WRITABLE, registry);
        }
        self.queue.push_back(Waiting {
            source,
            destination: transmit.destination,
            segment_size: transmit.segment_size.filter(|size| *size > 0),
            contents,
        });
        None
    }

    /// To be called before it is dropped.
    pub(crate) fn unwatch(&mut self, registry: &Registry) {
        if let Err(error) = registry.deregister(&mut self.io) {
            tracing::debug!(%error, "deregister");
        }
    }

    fn watch(&mut self, interest: Interest, registry: &Registry) {
        if let Err(error) = registry.reregister(&mut self.io, self.token, interest) {
            tracing::warn!(%error, "cannot watch the socket");
        }
    }

    /// Yields how many bytes are done with: sent, or refused for good. Fewer than all: would block.
    fn send_train(&mut self, train: Train<'_>, now: Instant) -> usize {
        let total = train.contents.len();
        let size = train.segment_size.unwrap_or(total).clamp(1, total.max(1));
        if self.offload_from.is_some_and(|from| from <= now) {
            self.renew_offload(now);
        }
        let mut done = 0;
        while done < total {
            let segments = match self.state.max_gso_segments() {
                0 | 1 => 1,
                _ => self.segments.min(MAX_TRAIN / size).max(1),
            };
            let end = (done + segments * size).min(total);
            let part = Train {
                segment_size: Some(size),
                contents: &train.contents[done..end],
                ..train
            };
            match self.send_part(part) {
                Ok(()) => done = end,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return done,
                Err(_) if end - done > size => match self.send_singly(part, now) {
                    sent if sent < end - done => return done + sent,
                    _ => done = end,
                },
                Err(error) => {
                    self.refused(&part, &error, now);
                    done = end;
                }
            }
        }
        total
    }

    /// A train the kernel refused, datagram by datagram; tells a missing offload from a bad address.
    fn send_singly(&mut self, train: Train<'_>, now: Instant) -> usize {
        let size = train.segment_size.unwrap_or(train.contents.len());
        let mut done = 0;
        let mut any = false;
        for contents in train.contents.chunks(size) {
            let single = Train {
                segment_size: None,
                contents,
                ..train
            };
            match self.send_part(single) {
                Ok(()) => any = true,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return done,
                Err(error) => self.refused(&single, &error, now),
            }
            done += contents.len();
        }
        if any {
            tracing::info!("segmentation offload failed, sending singly for a while");
            self.offload_from = Some(now + OFFLOAD_PAUSE);
        }
        done
    }

    fn send_part(&self, train: Train<'_>) -> io::Result<()> {
        let transmit = quinn_udp::Transmit {
            destination: train.destination,
            ecn: None,
            contents: train.contents,
            segment_size: train.segment_size,
            src_ip: train.source,
        };
        self.state.try_send((&self.io).into(), &transmit)
    }

    /// One datagram was refused. quinn-udp takes EINVAL for a lack of offload and would send singly
    /// ever after; but an address that has no route from `source` says EINVAL too.
    fn refused(&mut self, train: &Train<'_>, error: &io::Error, now: Instant) {
        self.counters.failed += 1;
        tracing::debug!(%error, destination = %train.destination, source = ?train.source, "send");
        if self.segments > 1 && self.offload_from.is_none() && self.state.max_gso_segments() <= 1 {
            match self.renewed.map(|at| at + RENEWAL) {
                // An address that has gone is sent to until that is known.
                Some(at) if now < at => self.offload_from = Some(at),
                _ => self.renew_offload(now),
            }
        }
    }

    fn renew_offload(&mut self, now: Instant) {
        self.renewed = Some(now);
        self.offload_from = None;
        match UdpSocketState::new((&self.io).into()) {
            Ok(state) => self.state = state,
            Err(error) => tracing::debug!(%error, "socket options"),
        }
    }
}

/// Binds the wildcard address of a family. The IPv6 one takes IPv6 only, so that the same port can be
/// had for both and addresses never come mapped.
pub(crate) fn bind(v6: bool, port: u16) -> io::Result<StdSocket> {
    let (domain, ip) = match v6 {
        true => (Domain::IPV6, IpAddr::from(Ipv6Addr::UNSPECIFIED)),
        false => (Domain::IPV4, IpAddr::from(Ipv4Addr::UNSPECIFIED)),
    };
    let raw = RawSocket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if v6 {
        raw.set_only_v6(true)?;
    }
    raw.set_nonblocking(true)?;
    raw.bind(&SocketAddr::new(ip, port).into())?;
    // The kernel's limits may be lower: what it gives is what there is.
    let _ = raw.set_recv_buffer_size(KERNEL_BUFFER);
    let _ = raw.set_send_buffer_size(KERNEL_BUFFER);
    Ok(raw.into())
}

/// What the kernel would refuse with EINVAL, or what nobody can have asked for in earnest: candidates
/// come from the network.
fn sendable(train: &Train<'_>) -> bool {
    let ip = train.destination.ip();
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    let scopeless = matches!(train.destination, SocketAddr::V6(to)
        if to.ip().is_unicast_link_local() && to.scope_id() == 0);
    train.destination.port() != 0
        && !ip.is_unspecified()
        && !ip.is_multicast()
        && !broadcast
        && !scopeless
}

/// Without flow label, which differs from packet to packet; the scope of link-local ones stays.
fn plain(mut address: SocketAddr) -> SocketAddr {
    if let SocketAddr::V6(address) = &mut address {
        address.set_flowinfo(0);
    }
    address
}

#[cfg(test)]
#[path = "socket_test.rs"]
mod tests;
