// SPDX-License-Identifier: MPL-2.0
//! Who talks to whom: a capture of a host's packets.
use crate::net::Host;
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::BTreeSet;
use std::io::Read;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// ETH_P_ALL, in network order as the socket wants it.
const ALL: i32 = 0x0003_u16.to_be() as i32;
const IPV4: [u8; 2] = [8, 0];

/// A running capture.
pub(crate) struct Watch {
    done: Arc<AtomicBool>,
    thread: JoinHandle<BTreeSet<Ipv4Addr>>,
}

impl Watch {
    /// Begins; what is sent from now on is seen.
    pub(crate) fn start(host: &Host) -> Self {
        let mut socket = host.run(|| {
            let protocol = Some(Protocol::from(ALL));
            Socket::new(Domain::PACKET, Type::RAW, protocol).unwrap()
        });
        let wait = Duration::from_millis(50);
        socket.set_read_timeout(Some(wait)).unwrap();
        let done = Arc::new(AtomicBool::new(false));
        let ended = done.clone();
        let thread = thread::spawn(move || {
            let mut peers = BTreeSet::new();
            let mut frame = [0; 65_536];
            loop {
                match socket.read(&mut frame) {
                    Ok(length) => peers.extend(addresses(&frame[..length])),
                    Err(_) if ended.load(Ordering::Acquire) => return peers,
                    Err(_) => {}
                }
            }
        });
        Self { done, thread }
    }

    /// Every address that was source or destination of an IPv4 packet.
    pub(crate) fn stop(self) -> BTreeSet<Ipv4Addr> {
        self.done.store(true, Ordering::Release);
        self.thread.join().unwrap()
    }
}

fn addresses(frame: &[u8]) -> Vec<Ipv4Addr> {
    if frame.get(12..14) != Some(&IPV4) {
        return Vec::new();
    }
    let at = |from: usize| {
        let octets: [u8; 4] = frame.get(from..from + 4)?.try_into().ok()?;
        Some(Ipv4Addr::from(octets))
    };
    [at(26), at(30)].into_iter().flatten().collect()
}
