// SPDX-License-Identifier: MPL-2.0
//! What we can send and receive on an m-line, as a list in order of preference, and what a peer's
//! formats have in common with it.
use crate::description::{Feedback, Format, Section};
use crate::fmtp::{CodecKey, H264Profile, Variant, value};
use crate::{CodecOffer, Direction};
use rtc_payload::{Codec, MediaKind};

/// One variant of a codec we can handle, in one direction or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Capability {
    pub(crate) key: CodecKey,
    /// Our `a=fmtp`.
    pub(crate) fmtp: String,
    pub(crate) send: bool,
    pub(crate) receive: bool,
}

/// The codecs of an m-line that goes in `direction`: first those both sent and received, in the order of
/// `sends`, then those only received, then those only sent. An inactive m-line names every codec.
pub(crate) fn capabilities(
    kind: MediaKind,
    direction: Direction,
    sends: &[CodecOffer],
    receives: &[Codec],
    answering: bool,
) -> Vec<Capability> {
    let mut list = Vec::new();
    if direction.sends() {
        add_sends(kind, sends, &mut list);
    }
    if direction.receives() {
        add_receives(kind, receives, answering && !direction.sends(), &mut list);
    }
    if list.is_empty() && !direction.sends() {
        // Nothing flows, or nothing is configured that could: name all, so that the m-line lives.
        let all: Vec<Codec> = Codec::all().collect();
        add_receives(kind, &all, answering, &mut list);
    }
    // Stable: keeps the order within each group.
    list.sort_by_key(|entry| match (entry.send, entry.receive) {
        (true, true) => 0,
        (false, true) => 1,
        _ => 2,
    });
    if !(direction.sends() && direction.receives()) {
        return list;
    }
    for entry in &mut list {
        entry.fmtp = fmtp_of(entry.key, &entry.fmtp, true);
    }
    list
}

fn add_sends(kind: MediaKind, offers: &[CodecOffer], list: &mut Vec<Capability>) {
    let usual: Vec<CodecOffer>;
    let offers = match offers.is_empty() {
        false => offers,
        true => {
            let plain = |codec| CodecOffer {
                codec,
                fmtp: String::new(),
            };
            usual = Codec::all().map(plain).collect();
            &usual
        }
    };
    for offer in offers.iter().filter(|offer| offer.codec.kind() == kind) {
        let Some(key) = send_key(offer) else {
            tracing::warn!(fmtp = offer.fmtp, "an input's fmtp can't be offered");
            continue;
        };
        if list.iter().all(|entry| entry.key != key) {
            list.push(Capability {
                key,
                fmtp: fmtp_of(key, &offer.fmtp, false),
                send: true,
                receive: false,
            });
        }
    }
}

/// `lenient` takes H.264 in packetization-mode 0 too, which we understand but never send.
fn add_receives(kind: MediaKind, codecs: &[Codec], lenient: bool, list: &mut Vec<Capability>) {
    for codec in codecs.iter().filter(|codec| codec.kind() == kind) {
        for variant in receive_variants(*codec, lenient) {
            let key = CodecKey {
                codec: *codec,
                variant,
            };
            match list.iter_mut().find(|entry| entry.key == key) {
                Some(entry) => entry.receive = true,
                None => list.push(Capability {
                    key,
                    fmtp: fmtp_of(key, "", true),
                    send: false,
                    receive: true,
                }),
            }
        }
    }
}

/// The key an input's stream has on the wire: H.264 always goes out in packetization-mode 1.
pub(crate) fn send_key(offer: &CodecOffer) -> Option<CodecKey> {
    let mut key = CodecKey::new(offer.codec, &offer.fmtp)?;
    if let Variant::H264(profile, mode) = &mut key.variant {
        *mode = 1;
        if *profile == H264Profile::Unstated {
            *profile = H264Profile::ConstrainedBaseline;
        }
    }
    Some(key)
}

fn receive_variants(codec: Codec, lenient: bool) -> Vec<Variant> {
    use H264Profile::{Baseline, ConstrainedBaseline, High, Main};
    match codec {
        Codec::H264 => {
            let modes: &[u8] = if lenient { &[1, 0] } else { &[1] };
            let profiles = [ConstrainedBaseline, Baseline, Main, High];
            let of = |mode: &u8| profiles.map(|profile| Variant::H264(profile, *mode));
            modes.iter().flat_map(of).collect()
        }
        Codec::Vp9 | Codec::Av1 => vec![Variant::Profile(0)],
        _ => vec![Variant::Plain],
    }
}

/// Our parameters for a variant; `given` are those of the real stream, if known.
fn fmtp_of(key: CodecKey, given: &str, receive: bool) -> String {
    match (key.codec, key.variant) {
        (_, Variant::H264(profile, mode)) => {
            let level =
                value(given, "profile-level-id").unwrap_or_else(|| profile_level_id(profile));
            // No sprop-parameter-sets: they go in band (RFC 7742 §6.2).
            format!("level-asymmetry-allowed=1;packetization-mode={mode};profile-level-id={level}")
        }
        (Codec::Opus, _) if receive && value(given, "stereo").is_none() => {
            let given = if given.is_empty() { OPUS } else { given };
            format!("{given};stereo=1")
        }
        (Codec::Opus, _) if given.is_empty() => OPUS.to_owned(),
        (Codec::Vp9, Variant::Profile(profile)) if given.is_empty() => {
            format!("profile-id={profile}")
        }
        (Codec::Av1, Variant::Profile(profile)) if given.is_empty() => {
            format!("level-idx=5;profile={profile};tier=0")
        }
        _ => given.to_owned(),
    }
}

/// Level 3.1, as browsers say; levels are not matched.
fn profile_level_id(profile: H264Profile) -> &'static str {
    match profile {
        H264Profile::Baseline => "42001f",
        H264Profile::Main => "4d001f",
        H264Profile::High => "64001f",
        H264Profile::ConstrainedHigh => "640c1f",
        _ => "42e01f",
    }
}

/// A format the peer named together with what we can do with it.
#[derive(Clone, Debug)]
pub(crate) struct Common<'a> {
    pub(crate) ours: &'a Capability,
    pub(crate) theirs: &'a Format,
}

/// What both sides can, in our order; variants of a codec that is only received in the peer's. An exact
/// H.264 profile goes before one that merely contains ours.
pub(crate) fn common<'a>(ours: &'a [Capability], theirs: &'a Section) -> Vec<Common<'a>> {
    let mut list: Vec<Common<'a>> = Vec::new();
    for capability in ours {
        let free = |list: &[Common<'a>], format: &Format| {
            list.iter().all(|entry| entry.theirs.pt != format.pt)
        };
        let find = |fits: &dyn Fn(CodecKey) -> bool, list: &[Common<'a>]| {
            theirs
                .codecs
                .iter()
                .find(|format| CodecKey::of(format).is_some_and(fits) && free(list, format))
        };
        let exact = find(&|key| key == capability.key, &list);
        let near =
            |key: CodecKey| capability.key.plays_as(key) && (capability.send || key.is_unstated());
        let found = exact.or_else(|| find(&near, &list));
        if let Some(format) = found {
            list.push(Common {
                ours: capability,
                theirs: format,
            });
        }
    }
    let rank = |entry: &Common<'_>| {
        let codec = entry.ours.key.codec;
        let same = |other: &Common<'_>| other.ours.key.codec == codec && !other.ours.send;
        let place = |pt| theirs.codecs.iter().position(|format| format.pt == pt);
        match entry.ours.send {
            true => (
                list.iter()
                    .position(|other| other.theirs.pt == entry.theirs.pt),
                None,
            ),
            false => (list.iter().position(same), place(entry.theirs.pt)),
        }
    };
    let mut ranked: Vec<_> = list
        .iter()
        .map(|entry| (rank(entry), entry.clone()))
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, entry)| entry).collect()
}

/// The feedback we speak, by kind (RFC 4585 §4.2).
pub(crate) fn feedback(kind: MediaKind, retransmission: bool) -> Feedback {
    let video = kind == MediaKind::Video;
    Feedback {
        nack: video && retransmission,
        pli: video,
        fir: video,
        transport_cc: true,
        remb: video,
    }
}

/// `H264, VP8` for an error text; each codec once.
pub(crate) fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut list: Vec<&str> = Vec::new();
    for name in names {
        if !list.contains(&name) && list.len() < 16 {
            list.push(name);
        }
    }
    match list.is_empty() {
        true => "nothing".to_owned(),
        false => list.join(", "),
    }
}

const OPUS: &str = "minptime=10;useinbandfec=1";
