// SPDX-License-Identifier: MPL-2.0
//! The client against a server made of the same codec, on simulated time.
use super::*;
use stun_proto::types::attribute::{Realm, XorMappedAddress};
use stun_proto::types::message::{
    IntegrityAlgorithm, IntegrityKey, LongTermKeyCredentials, MessageWrite,
};
use turn_types::attribute::Data;
use turn_types::message::DATA;

const REALM: &str = "lab.example";

fn peer() -> SocketAddr {
    "192.0.2.9:4000".parse().unwrap()
}

fn relayed() -> SocketAddr {
    "198.51.100.1:50000".parse().unwrap()
}

/// A server with one user, and what it saw.
struct Server {
    nonce: &'static str,
    /// The only code it answers with, if any.
    refuses: Option<u16>,
    silent: bool,
    lifetime: u32,
    key: IntegrityKey,
    requests: Vec<Method>,
    lifetimes: Vec<u32>,
    /// Datagrams for the peer, and whether by a channel.
    relayed: Vec<(Vec<u8>, bool)>,
}

impl Server {
    fn new() -> Self {
        let credentials = LongTermKeyCredentials::new("u".into(), "p".into(), REALM.into());
        Self {
            nonce: "n1",
            refuses: None,
            silent: false,
            lifetime: 600,
            key: credentials.make_key(IntegrityAlgorithm::Sha1),
            requests: Vec::new(),
            lifetimes: Vec::new(),
            relayed: Vec::new(),
        }
    }

    fn set_password(&mut self, password: &str) {
        let credentials = LongTermKeyCredentials::new("u".into(), password.into(), REALM.into());
        self.key = credentials.make_key(IntegrityAlgorithm::Sha1);
    }

    fn answer(&mut self, datagram: &[u8]) -> Option<Vec<u8>> {
        let message = match Received::parse(datagram).unwrap() {
            Received::Channel(_, data) => {
                self.relayed.push((data.to_vec(), true));
                return None;
            }
            Received::Data(..) => panic!("a client sends no Data indication"),
            Received::Stun(message) => message,
        };
        if let Ok(data) = message.attribute::<Data<'_>>() {
            self.relayed.push((data.data().to_vec(), false));
            return None;
        }
        self.requests.push(message.method());
        if self.silent {
            return None;
        }
        let nonce = message.attribute::<Nonce>().ok();
        match nonce.as_ref().map(|nonce| nonce.nonce() == self.nonce) {
            None => return Some(self.error(&message, 401, false)),
            Some(false) => return Some(self.error(&message, 438, false)),
            Some(true) if message.validate_integrity_with_key(&self.key).is_err() => {
                return Some(self.error(&message, 401, false));
            }
            Some(true) => {}
        }
        if let Some(code) = self.refuses {
            return Some(self.error(&message, code, true));
        }
        let mut reply = Message::builder_success(&message, MessageWriteVec::new());
        let id = message.transaction_id();
        if let Ok(lifetime) = message.attribute::<Lifetime>() {
            self.lifetimes.push(lifetime.seconds());
            reply.add_attribute(&Lifetime::new(self.lifetime)).unwrap();
        }
        if message.has_method(ALLOCATE) {
            reply
                .add_attribute(&XorRelayedAddress::new(relayed(), id))
                .unwrap();
            reply
                .add_attribute(&XorMappedAddress::new(peer(), id))
                .unwrap();
        }
        reply
            .add_message_integrity_with_key(&self.key, IntegrityAlgorithm::Sha1)
            .unwrap();
        Some(reply.finish())
    }

    fn error(&self, message: &Message<'_>, code: u16, signed: bool) -> Vec<u8> {
        let mut reply = Message::builder_error(message, MessageWriteVec::new());
        let error = ErrorCode::builder(code).build().unwrap();
        reply.add_attribute(&error).unwrap();
        if code == 300 {
            reply.add_attribute(&AlternateServer::new(peer())).unwrap();
        }
        if !signed {
            reply
                .add_attribute(&Nonce::new(self.nonce).unwrap())
                .unwrap();
            reply.add_attribute(&Realm::new(REALM).unwrap()).unwrap();
        } else {
            reply
                .add_message_integrity_with_key(&self.key, IntegrityAlgorithm::Sha1)
                .unwrap();
        }
        reply.finish()
    }
}

fn login(password: &str) -> Login {
    Login::with_password("u", password).unwrap()
}

struct World {
    turn: Turn,
    server: Server,
    now: Instant,
}

impl World {
    fn new(password: &str) -> Self {
        let now = Instant::now();
        Self {
            turn: Turn::new(&login(password), false, (false, false), now),
            server: Server::new(),
            now,
        }
    }

    fn allocated() -> Self {
        let mut world = Self::new("p");
        world.settle();
        let event = world.turn.poll_event();
        assert_eq!(event, Some(TurnEvent::Allocated(vec![relayed()])));
        world
    }

    /// Carries messages until neither side has any.
    fn settle(&mut self) {
        while let Some((contents, segment_size)) = self.turn.poll_transmit() {
            for datagram in contents.chunks(segment_size.unwrap_or(contents.len())) {
                if let Some(answer) = self.server.answer(datagram) {
                    assert_eq!(self.turn.handle_datagram(&answer, self.now), None);
                }
            }
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        self.settle();
        while let Some(at) = self.turn.poll_timeout().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.turn.handle_timeout(self.now);
            self.settle();
        }
        self.now = end;
    }

    fn send(&mut self, contents: &[u8], segment_size: Option<usize>, lasting: bool) {
        self.turn
            .send(peer(), contents, segment_size, lasting, self.now);
        self.settle();
    }
}

#[test]
fn a_silent_server_is_given_up_after_five_sends() {
    let mut world = World::new("p");
    world.server.silent = true;
    world.run(Duration::from_millis(9400));
    assert_eq!(world.turn.poll_event(), None);
    assert_eq!(world.server.requests.len(), 5);
    world.run(Duration::from_millis(200));
    let event = world.turn.poll_event();
    assert!(matches!(event, Some(TurnEvent::Failed { code: 701, .. })));
    assert_eq!(world.turn.poll_timeout(), None);
}

#[test]
fn a_wrong_password_fails_with_401_after_one_try() {
    let mut world = World::new("wrong");
    world.settle();
    let event = world.turn.poll_event();
    assert!(
        matches!(event, Some(TurnEvent::Failed { code: 401, .. })),
        "{event:?}"
    );
    assert_eq!(world.server.requests.len(), 2);
}

#[test]
fn a_server_may_refuse_or_send_us_elsewhere() {
    let mut world = World::new("p");
    world.server.refuses = Some(486);
    world.settle();
    let event = world.turn.poll_event();
    assert!(
        matches!(event, Some(TurnEvent::Failed { code: 486, ref text, .. }) if !text.is_empty())
    );
    let mut world = World::new("p");
    world.server.refuses = Some(300);
    world.settle();
    assert_eq!(world.turn.poll_event(), Some(TurnEvent::Redirected(peer())));
}

#[test]
fn an_allocation_is_renewed_for_ever_whatever_becomes_of_the_nonce() {
    let mut world = World::allocated();
    for nonce in ["n2", "n3", "n4", "n5"] {
        world.server.nonce = nonce;
        world.run(Duration::from_secs(3600));
        assert_eq!(world.turn.poll_event(), None);
    }
    let refreshes = world.server.lifetimes.len();
    assert!((4 * 6..=4 * 7).contains(&refreshes), "{refreshes}");
}

#[test]
fn an_allocation_that_cannot_be_renewed_is_told_lost() {
    let mut world = World::allocated();
    world.server.silent = true;
    world.run(Duration::from_secs(601));
    assert!(matches!(
        world.turn.poll_event(),
        Some(TurnEvent::Failed { code: 701, .. })
    ));
    // The credential has run out: the server says so itself, at the first renewal.
    let mut world = World::allocated();
    world.server.refuses = Some(401);
    world.run(Duration::from_secs(541));
    let event = world.turn.poll_event();
    assert!(
        matches!(event, Some(TurnEvent::LoginRefused { code: 401, .. })),
        "{event:?}"
    );
    world.run(Duration::from_secs(60));
    let event = world.turn.poll_event();
    assert!(
        matches!(event, Some(TurnEvent::Failed { code: 701, .. })),
        "{event:?}"
    );
}

#[test]
fn another_login_in_time_saves_the_allocation() {
    let mut world = World::allocated();
    world.server.set_password("other");
    world.run(Duration::from_secs(541));
    let event = world.turn.poll_event();
    assert!(
        matches!(event, Some(TurnEvent::LoginRefused { code: 401, .. })),
        "{event:?}"
    );
    assert!(world.turn.set_login(&login("other"), world.now));
    world.run(Duration::from_secs(3600));
    assert_eq!(world.turn.poll_event(), None);
    world.send(b"check", None, false);
    assert_eq!(world.server.relayed, [(b"check".to_vec(), false)]);
}

#[test]
fn the_first_datagrams_wait_for_the_permission_and_then_a_channel_carries_them() {
    let mut world = World::allocated();
    world.send(b"check", None, false);
    assert_eq!(world.server.relayed, [(b"check".to_vec(), false)]);
    world.send(b"hello", None, true);
    assert_eq!(
        world.server.requests[2..],
        [CREATE_PERMISSION, CHANNEL_BIND]
    );
    world.send(&[7; 25], Some(10), true);
    let sizes: Vec<_> = world.server.relayed[2..]
        .iter()
        .map(|(data, channel)| (data.len(), *channel))
        .collect();
    assert_eq!(sizes, [(10, true), (10, true), (5, true)]);
    // Channel and permission are renewed before they run out.
    world.run(Duration::from_secs(250));
    assert_eq!(world.server.requests[4..], [CHANNEL_BIND]);
}

#[test]
fn what_a_peer_sends_comes_out_by_channel_and_by_indication() {
    let mut world = World::allocated();
    world.send(b"check", None, false);
    world.send(b"hello", None, true);
    let (framed, _) = wire::channel_data(FIRST_CHANNEL, b"one", 3, false);
    let expected = Some((peer(), &b"one"[..]));
    assert_eq!(world.turn.handle_datagram(&framed, world.now), expected);
    let mut message = Message::builder_indication(DATA, MessageWriteVec::new());
    let id = message.transaction_id();
    message
        .add_attribute(&XorPeerAddress::new(peer(), id))
        .unwrap();
    message.add_attribute(&Data::new(b"two")).unwrap();
    let indication = message.finish();
    let expected = Some((peer(), &b"two"[..]));
    assert_eq!(world.turn.handle_datagram(&indication, world.now), expected);
    // Nobody has that channel.
    let (framed, _) = wire::channel_data(FIRST_CHANNEL + 1, b"one", 3, false);
    assert_eq!(world.turn.handle_datagram(&framed, world.now), None);
}

#[test]
fn a_peer_the_server_forbids_is_sent_nothing_and_keeps_nothing_waiting() {
    let mut world = World::allocated();
    world.server.refuses = Some(403);
    world.send(b"check", None, false);
    world.server.refuses = None;
    world.send(b"check", None, false);
    assert_eq!(world.server.relayed, []);
    assert_eq!(world.turn.poll_event(), None);
    assert_eq!(world.server.requests.len(), 3);
}

#[test]
fn released_it_gives_the_allocation_back_and_is_silent() {
    let mut world = World::allocated();
    world.turn.release();
    world.settle();
    assert_eq!(world.server.lifetimes, [LIFETIME, 0]);
    assert_eq!(world.turn.poll_timeout(), None);
    world.send(b"late", None, false);
    assert_eq!(world.server.relayed, []);
}

#[test]
fn answers_of_strangers_and_damaged_ones_change_nothing() {
    let mut world = World::new("p");
    let (request, _) = world.turn.poll_transmit().unwrap();
    let challenge = world.server.answer(&request).unwrap();
    for at in 0..challenge.len() {
        for value in [0, 0x7f, 0xff] {
            let mut damaged = challenge.clone();
            damaged[at] = value;
            let mut turn = Turn::new(&login("p"), false, (false, false), world.now);
            turn.handle_datagram(&damaged, world.now);
        }
        world.turn.handle_datagram(&challenge[..at], world.now);
    }
    world.turn.handle_datagram(&challenge, world.now);
    let (signed, _) = world.turn.poll_transmit().unwrap();
    // A success that is not signed by the server's key.
    world.server.key = LongTermKeyCredentials::new("u".into(), "other".into(), REALM.into())
        .make_key(IntegrityAlgorithm::Sha1);
    let message = Message::from_bytes(&signed).unwrap();
    let mut forged = Message::builder_success(&message, MessageWriteVec::new());
    let id = message.transaction_id();
    forged
        .add_attribute(&XorRelayedAddress::new(peer(), id))
        .unwrap();
    forged
        .add_message_integrity_with_key(&world.server.key, IntegrityAlgorithm::Sha1)
        .unwrap();
    world.turn.handle_datagram(&forged.finish(), world.now);
    assert!(!world.turn.is_allocated());
    world.server = Server::new();
    let answer = world.server.answer(&signed).unwrap();
    world.turn.handle_datagram(&answer, world.now);
    assert!(world.turn.is_allocated());
}
