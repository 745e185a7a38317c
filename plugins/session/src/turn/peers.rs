// SPDX-License-Identifier: MPL-2.0
//! The peers of an allocation: permissions, channels, and what waits for them.
use super::wire::{channel_data, send_indication};
use super::{
    FIRST_CHANNEL, MAX_PEERS, MAX_WAITING, Peer, Permission, Purpose, RENEWAL, State, Turn,
};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

impl Turn {
    /// Sends a datagram, or a train of equal ones, to a peer. `lasting`: more will follow, so that a
    /// channel is worth it.
    pub(crate) fn send(
        &mut self,
        peer: SocketAddr,
        contents: &[u8],
        segment_size: Option<usize>,
        lasting: bool,
        now: Instant,
    ) {
        if self.state != State::Allocated {
            return;
        }
        match self.permissions.get(&peer.ip()) {
            None if self.permissions.len() >= MAX_PEERS => return,
            None => {
                self.permissions.insert(peer.ip(), Permission::Asked);
                self.request(Purpose::Permit(peer.ip()), 0, now);
            }
            Some(Permission::Denied) => return,
            Some(_) => {}
        }
        let granted = self.permissions.get(&peer.ip()) == Some(&Permission::Granted);
        let Some(known) = self.peer(peer, now) else {
            return;
        };
        known.used = true;
        let size = segment_size.unwrap_or(contents.len()).max(1);
        if !granted {
            for part in contents.chunks(size).take(MAX_WAITING) {
                if known.waiting.len() < MAX_WAITING {
                    known.waiting.push_back(part.to_vec());
                }
            }
            return;
        }
        if lasting && known.channel.is_none() {
            self.bind(peer, now);
        }
        self.frame(peer, contents, size);
    }

    pub(super) fn peer(&mut self, address: SocketAddr, now: Instant) -> Option<&mut Peer> {
        if !self.peers.contains_key(&address) && self.peers.len() >= MAX_PEERS {
            return None;
        }
        Some(self.peers.entry(address).or_insert_with(|| Peer {
            channel: None,
            bound: false,
            waiting: VecDeque::new(),
            used: true,
            renew_at: now + RENEWAL,
        }))
    }

    pub(super) fn bind(&mut self, peer: SocketAddr, now: Instant) {
        // MAX_PEERS are far fewer than channels.
        let number = FIRST_CHANNEL + self.channels.len() as u16;
        self.channels.insert(number, peer);
        if let Some(known) = self.peers.get_mut(&peer) {
            known.channel = Some(number);
        }
        self.request(Purpose::Bind(peer), 0, now);
    }

    pub(super) fn frame(&mut self, peer: SocketAddr, contents: &[u8], size: usize) {
        let channel = self
            .peers
            .get(&peer)
            .and_then(|known| known.channel.filter(|_| known.bound));
        let stream = self.stream.is_some();
        match channel {
            Some(number) => {
                let (framed, step) = channel_data(number, contents, size, stream);
                let train = !stream && contents.len() > size;
                self.out.push_back((framed, train.then_some(step)));
            }
            None => {
                for part in contents.chunks(size) {
                    if let Some(message) = send_indication(peer, part) {
                        self.out.push_back((message, None));
                    }
                }
            }
        }
    }

    pub(super) fn renew(&mut self, now: Instant) {
        if self.state != State::Allocated {
            return;
        }
        let due: Vec<SocketAddr> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.renew_at <= now)
            .map(|(address, _)| *address)
            .collect();
        for address in due {
            let Some(peer) = self.peers.get_mut(&address) else {
                continue;
            };
            peer.renew_at = now + RENEWAL;
            let bound = peer.channel.is_some();
            let used = std::mem::take(&mut peer.used);
            if bound {
                self.request(Purpose::Bind(address), 0, now);
            } else if used {
                self.request(Purpose::Permit(address.ip()), 0, now);
            } else {
                self.peers.remove(&address);
                if !self.peers.keys().any(|other| other.ip() == address.ip()) {
                    self.permissions.remove(&address.ip());
                }
            }
        }
    }

    pub(super) fn permitted(&mut self, ip: IpAddr) {
        self.permissions.insert(ip, Permission::Granted);
        let waiting: Vec<(SocketAddr, Vec<u8>)> = self
            .peers
            .iter_mut()
            .filter(|(address, _)| address.ip() == ip)
            .flat_map(|(address, peer)| peer.waiting.drain(..).map(move |data| (*address, data)))
            .collect();
        for (peer, contents) in waiting {
            self.frame(peer, &contents, contents.len().max(1));
        }
    }

    /// Without a channel data goes by indications, which cost 36 bytes more each. The number stays
    /// reserved, for a server keeps it for five minutes.
    pub(super) fn unbind(&mut self, peer: SocketAddr) {
        if let Some(known) = self.peers.get_mut(&peer) {
            known.bound = false;
        }
    }

    pub(super) fn denied(&mut self, ip: IpAddr) {
        self.permissions.insert(ip, Permission::Denied);
        self.peers.retain(|address, _| address.ip() != ip);
    }
}
