// SPDX-License-Identifier: MPL-2.0
//! A client of one TURN server (RFC 8656): one allocation, its permissions and channels.
//!
//! Messages and long-term credentials are those of `stun-proto` and `turn-types`. Their own client is
//! not used: it does not say why an allocation failed, follows no ALTERNATE-SERVER, and does not pad
//! ChannelData on streams (RFC 8656 §12.5), which servers need.
mod auth;
mod peers;
mod wire;

use self::auth::{Auth, Verdict};
use self::wire::{Received, StreamBuffer};
use crate::server::Login;
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use stun_proto::types::AddressFamily;
use stun_proto::types::attribute::{AlternateServer, ErrorCode, Nonce};
use stun_proto::types::message::{
    Message, MessageClass, MessageWriteExt, MessageWriteVec, Method, TransactionId,
};
use turn_types::attribute::{
    AdditionalAddressFamily, ChannelNumber, Lifetime, RequestedAddressFamily, RequestedTransport,
    XorPeerAddress, XorRelayedAddress,
};
use turn_types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH};

/// RFC 8489 §6.2.1: 500 ms, doubled each time; five sends and the last wait come to 9.5 s, for who
/// waits longer for candidates has no use for them.
pub(crate) const FIRST_WAIT: Duration = Duration::from_millis(500);
pub(crate) const SENDS: u32 = 5;
pub(crate) const LAST_WAIT: Duration = Duration::from_secs(2);
pub(crate) const STREAM_WAIT: Duration = Duration::from_millis(9500);
/// Asked of the server, s (RFC 8656 §3.2).
const LIFETIME: u32 = 600;
/// Permissions last 300 s (RFC 8656 §9), and a channel's renewal renews its permission.
const RENEWAL: Duration = Duration::from_secs(240);
/// Peers kept: more than there are candidates.
const MAX_PEERS: usize = 128;
/// Datagrams that wait for a permission.
const MAX_WAITING: usize = 16;
/// Times a request is sent anew because of its credentials or nonce.
const MAX_TRIES: u8 = 4;
const FIRST_CHANNEL: u16 = 0x4000;

/// What became of the allocation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TurnEvent {
    /// It stands: the addresses that peers see, one a family.
    Allocated(Vec<SocketAddr>),
    /// There will be none, or no more. The code is the server's, or 701; `authority` is the server's
    /// name for those who give out access tokens, if it takes them.
    Failed {
        code: u16,
        text: String,
        authority: Option<String>,
    },
    /// It still stands, but the server takes our login no more: another is needed before it runs out.
    LoginRefused {
        code: u16,
        text: String,
        authority: Option<String>,
    },
    /// The server sends us to another (RFC 8489 §10).
    Redirected(SocketAddr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Allocate,
    Refresh,
    Permit(IpAddr),
    Bind(SocketAddr),
}

#[derive(Debug)]
struct Transaction {
    id: TransactionId,
    purpose: Purpose,
    message: Vec<u8>,
    sends: u32,
    next: Instant,
    tries: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Permission {
    Asked,
    Granted,
    Denied,
}

#[derive(Debug)]
struct Peer {
    channel: Option<u16>,
    bound: bool,
    waiting: VecDeque<Vec<u8>>,
    used: bool,
    renew_at: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Allocating,
    Allocated,
    Over,
}

/// A client of one TURN server.
#[derive(Debug)]
pub(crate) struct Turn {
    auth: Auth,
    /// Over TCP or TLS.
    stream: Option<StreamBuffer>,
    /// Families wanted: IPv6 beside what the server gives by itself.
    wants_v6: bool,
    v6_only: bool,
    state: State,
    refresh_at: Option<Instant>,
    expires_at: Option<Instant>,
    transactions: Vec<Transaction>,
    permissions: HashMap<IpAddr, Permission>,
    peers: HashMap<SocketAddr, Peer>,
    channels: HashMap<u16, SocketAddr>,
    out: VecDeque<(Vec<u8>, Option<usize>)>,
    events: VecDeque<TurnEvent>,
}

impl Turn {
    /// A client that begins to allocate at once. `v6_only` asks for an IPv6 address alone, `wants_v6`
    /// for one beside.
    pub(crate) fn new(login: &Login, stream: bool, v6: (bool, bool), now: Instant) -> Self {
        let (wants_v6, v6_only) = v6;
        let mut turn = Self {
            auth: Auth::new(login),
            stream: stream.then(StreamBuffer::default),
            wants_v6,
            v6_only,
            state: State::Allocating,
            refresh_at: None,
            expires_at: None,
            transactions: Vec::new(),
            permissions: HashMap::new(),
            peers: HashMap::new(),
            channels: HashMap::new(),
            out: VecDeque::new(),
            events: VecDeque::new(),
        };
        turn.request(Purpose::Allocate, 0, now);
        turn
    }

    /// Goes on with another login; false if there is no allocation to go on with.
    pub(crate) fn set_login(&mut self, login: &Login, now: Instant) -> bool {
        if self.state != State::Allocated {
            return false;
        }
        self.auth = Auth::new(login);
        self.permissions
            .retain(|_, permission| *permission != Permission::Denied);
        self.request(Purpose::Refresh, 0, now);
        true
    }

    pub(crate) fn is_allocated(&self) -> bool {
        self.state == State::Allocated
    }

    /// Takes a datagram of the server: what a peer sent, if it is that.
    pub(crate) fn handle_datagram<'a>(
        &mut self,
        contents: &'a [u8],
        now: Instant,
    ) -> Option<(SocketAddr, &'a [u8])> {
        match Received::parse(contents)? {
            Received::Channel(number, data) => {
                let peer = self.channels.get(&number)?;
                Some((*peer, data))
            }
            Received::Data(peer, data) => Some((peer, data)),
            Received::Stun(message) => {
                self.response(&message, now);
                None
            }
        }
    }

    /// Takes bytes of the server's stream; what is complete then comes from [`Self::next_message`].
    /// False: this is no TURN.
    pub(crate) fn push_stream(&mut self, bytes: &[u8]) -> bool {
        self.stream
            .as_mut()
            .is_some_and(|stream| stream.push(bytes))
    }

    /// The next whole message of the stream.
    pub(crate) fn next_message(&mut self) -> Option<Vec<u8>> {
        self.stream.as_mut()?.next_message()
    }

    /// What is to be sent to the server.
    pub(crate) fn poll_transmit(&mut self) -> Option<(Vec<u8>, Option<usize>)> {
        self.out.pop_front()
    }

    pub(crate) fn poll_event(&mut self) -> Option<TurnEvent> {
        self.events.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let transactions = self.transactions.iter().map(|one| one.next);
        let renewals = self
            .peers
            .iter()
            .filter(|(ip, _)| self.permissions.get(&ip.ip()) == Some(&Permission::Granted))
            .map(|(_, peer)| peer.renew_at);
        let own = [self.refresh_at, self.expires_at];
        transactions
            .chain(renewals)
            .chain(own.into_iter().flatten())
            .min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.expires_at.is_some_and(|at| at <= now) {
            return self.fail(701, "the allocation ran out before the server renewed it");
        }
        for at in (0..self.transactions.len()).rev() {
            if self.transactions[at].next > now {
                continue;
            }
            let last = if self.stream.is_some() { 1 } else { SENDS };
            if self.transactions[at].sends >= last {
                let transaction = self.transactions.swap_remove(at);
                self.unanswered(transaction.purpose, now);
            } else {
                let transaction = &mut self.transactions[at];
                transaction.next = now + wait(transaction.sends + 1);
                transaction.sends += 1;
                let message = transaction.message.clone();
                self.out.push_back((message, None));
            }
        }
        if self.refresh_at.is_some_and(|at| at <= now) {
            self.refresh_at = None;
            self.request(Purpose::Refresh, 0, now);
        }
        self.renew(now);
    }

    /// Gives the allocation back; the answer is not waited for.
    pub(crate) fn release(&mut self) {
        if self.state == State::Allocated {
            let message = self
                .message(Purpose::Refresh, Some(0))
                .map(|(_, bytes)| bytes);
            self.out.extend(message.map(|message| (message, None)));
        }
        self.end();
    }

    /// The stream to the server broke.
    pub(crate) fn lost(&mut self, text: &str) {
        if self.state != State::Over {
            self.fail(701, text);
        }
    }

    fn request(&mut self, purpose: Purpose, tries: u8, now: Instant) {
        let Some((id, message)) = self.message(purpose, None) else {
            return;
        };
        self.out.push_back((message.clone(), None));
        let next = match self.stream {
            Some(_) => now + STREAM_WAIT,
            None => now + wait(1),
        };
        self.transactions.push(Transaction {
            id,
            purpose,
            message,
            sends: 1,
            next,
            tries,
        });
    }

    /// A request, signed as far as the server's realm and nonce are known.
    fn message(
        &mut self,
        purpose: Purpose,
        lifetime: Option<u32>,
    ) -> Option<(TransactionId, Vec<u8>)> {
        let method: Method = match purpose {
            Purpose::Allocate => ALLOCATE,
            Purpose::Refresh => REFRESH,
            Purpose::Permit(_) => CREATE_PERMISSION,
            Purpose::Bind(_) => CHANNEL_BIND,
        };
        let mut message = Message::builder_request(method, MessageWriteVec::new());
        let id = message.transaction_id();
        let lifetime = Lifetime::new(lifetime.unwrap_or(LIFETIME));
        let written = match purpose {
            Purpose::Allocate => message
                .add_attribute(&RequestedTransport::new(RequestedTransport::UDP))
                .and_then(|()| message.add_attribute(&lifetime))
                .and_then(|()| match (self.v6_only, self.wants_v6) {
                    (true, _) => {
                        message.add_attribute(&RequestedAddressFamily::new(AddressFamily::IPV6))
                    }
                    (_, true) => {
                        message.add_attribute(&AdditionalAddressFamily::new(AddressFamily::IPV6))
                    }
                    _ => Ok(()),
                }),
            Purpose::Refresh => message.add_attribute(&lifetime),
            Purpose::Permit(ip) => {
                message.add_attribute(&XorPeerAddress::new(SocketAddr::new(ip, 0), id))
            }
            Purpose::Bind(peer) => {
                let number = self.peers.get(&peer)?.channel?;
                message
                    .add_attribute(&ChannelNumber::new(number))
                    .and_then(|()| message.add_attribute(&XorPeerAddress::new(peer, id)))
            }
        };
        match written.and_then(|()| self.auth.sign(message)) {
            Ok(message) => Some((id, message)),
            Err(error) => {
                // A user name of more than 508 bytes, say.
                self.fail(400, &format!("no request can be written: {error}"));
                None
            }
        }
    }

    fn response(&mut self, message: &Message<'_>, now: Instant) {
        let id = message.transaction_id();
        let position = self.transactions.iter().position(|one| one.id == id);
        let Some(at) = position.filter(|_| message.is_response()) else {
            return;
        };
        // The parser of nonces takes them apart by bytes.
        let odd_nonce = message
            .attribute::<Nonce>()
            .is_ok_and(|nonce| !nonce.nonce().is_ascii());
        if odd_nonce {
            return;
        }
        let verdict = self.auth.judge(message);
        let is_error = message.has_class(MessageClass::Error);
        let purpose = self.transactions[at].purpose;
        let trusted = match verdict {
            Verdict::Resend => {
                let transaction = self.transactions.swap_remove(at);
                if transaction.tries < MAX_TRIES {
                    return self.request(purpose, transaction.tries + 1, now);
                }
                return self.refused(purpose, message, now);
            }
            Verdict::Trusted => true,
            // Servers do not sign what they refuse for want of a credential.
            Verdict::Untrusted => is_error && self.state == State::Allocating,
        };
        if !trusted {
            // An unsigned 401 later on, as when the credential has run out.
            if is_error
                && message
                    .attribute::<ErrorCode>()
                    .is_ok_and(|e| e.code() == 401)
            {
                self.transactions.swap_remove(at);
                self.refused(purpose, message, now);
            }
            return;
        }
        self.transactions.swap_remove(at);
        if is_error {
            self.refused(purpose, message, now);
        } else {
            self.granted(purpose, message, now);
        }
    }

    fn granted(&mut self, purpose: Purpose, message: &Message<'_>, now: Instant) {
        match purpose {
            Purpose::Allocate => {
                let id = message.transaction_id();
                let relayed: Vec<SocketAddr> = (0..2)
                    .filter_map(|n| message.nth_attribute::<XorRelayedAddress>(n).ok())
                    .map(|address| address.addr(id))
                    .collect();
                if relayed.is_empty() {
                    return self.fail(400, "the server named no relayed address");
                }
                self.state = State::Allocated;
                self.note_lifetime(message, now);
                self.events.push_back(TurnEvent::Allocated(relayed));
            }
            Purpose::Refresh => self.note_lifetime(message, now),
            Purpose::Permit(ip) => self.permitted(ip),
            Purpose::Bind(peer) => {
                if let Some(known) = self.peers.get_mut(&peer) {
                    known.bound = true;
                }
                self.permitted(peer.ip());
            }
        }
    }

    fn note_lifetime(&mut self, message: &Message<'_>, now: Instant) {
        let granted = message
            .attribute::<Lifetime>()
            .map_or(LIFETIME, |l| l.seconds());
        let lifetime = Duration::from_secs(u64::from(granted.clamp(2, 3600)));
        // A minute before its end, or at half of a short one: a lost answer must not end it.
        let margin = Duration::from_secs(60).min(lifetime / 2);
        self.refresh_at = Some(now + lifetime - margin);
        self.expires_at = Some(now + lifetime);
    }

    fn refused(&mut self, purpose: Purpose, message: &Message<'_>, now: Instant) {
        let (code, text) = match message.attribute::<ErrorCode>() {
            Ok(error) => {
                let reason = match error.reason() {
                    "" => ErrorCode::default_reason_for_code(error.code()),
                    reason => reason,
                };
                // Some servers count the padding in.
                let reason = reason.trim_matches(char::is_control);
                (error.code(), reason.to_owned())
            }
            Err(_) => (400, "the server refused without a code".to_owned()),
        };
        tracing::debug!(?purpose, code, text, "TURN");
        match purpose {
            Purpose::Allocate if code == ErrorCode::TRY_ALTERNATE => {
                match message.attribute::<AlternateServer>() {
                    Ok(server) => {
                        self.end();
                        self.events
                            .push_back(TurnEvent::Redirected(server.server()));
                    }
                    Err(_) => self.fail(code, &text),
                }
            }
            Purpose::Allocate => self.fail(code, &text),
            // Another try before it runs out, unless the server has forgotten it.
            Purpose::Refresh if code == 437 => self.fail(code, &text),
            Purpose::Refresh if code == 401 || code == 403 || code == 441 => {
                self.events.push_back(TurnEvent::LoginRefused {
                    code,
                    text,
                    authority: self.auth.authority().map(str::to_owned),
                });
            }
            Purpose::Refresh => self.unanswered(purpose, now),
            Purpose::Permit(ip) => self.denied(ip),
            Purpose::Bind(peer) => self.unbind(peer),
        }
    }

    fn unanswered(&mut self, purpose: Purpose, now: Instant) {
        match purpose {
            Purpose::Allocate => self.fail(701, "the server did not answer"),
            Purpose::Refresh => {
                let before_end = self.expires_at.is_some_and(|at| at > now + FIRST_WAIT);
                self.refresh_at = before_end.then_some(now + FIRST_WAIT);
            }
            Purpose::Permit(ip) => {
                self.permissions.remove(&ip);
                for (_, peer) in self.peers.iter_mut().filter(|(at, _)| at.ip() == ip) {
                    peer.waiting.clear();
                }
            }
            Purpose::Bind(peer) => self.unbind(peer),
        }
    }

    fn fail(&mut self, code: u16, text: &str) {
        if self.state == State::Over {
            return;
        }
        self.end();
        self.events.push_back(TurnEvent::Failed {
            code,
            text: text.to_owned(),
            authority: self.auth.authority().map(str::to_owned),
        });
    }

    fn end(&mut self) {
        self.state = State::Over;
        self.transactions.clear();
        self.peers.clear();
        self.refresh_at = None;
        self.expires_at = None;
    }
}

/// How long to wait for an answer to the nth send.
pub(crate) fn wait(sends: u32) -> Duration {
    match sends >= SENDS {
        true => LAST_WAIT,
        false => FIRST_WAIT * 2_u32.pow(sends.saturating_sub(1)),
    }
}

#[cfg(test)]
#[path = "turn_test.rs"]
mod tests;
