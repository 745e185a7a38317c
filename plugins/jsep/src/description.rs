// SPDX-License-Identifier: MPL-2.0
//! A description as typed data: what is left of an SDP text when everything we do not use is dropped.
use crate::{Direction, NegotiatedExtensions, Setup};
use rtc_payload::{Codec, MediaKind, Mid, Pt, Ssrc};

/// An offer or answer, ours or the peer's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Description {
    /// `o=` session id and version; those of the peer are of no use and stay 0.
    pub(crate) origin: (u64, u64),
    /// `a=group:BUNDLE` lines.
    pub(crate) bundles: Vec<Vec<Mid>>,
    /// `a=ice-lite`
    pub(crate) ice_lite: bool,
    /// Whether `a=ice-options` named trickle; `None` without such a line.
    pub(crate) trickle: Option<bool>,
    /// The m-lines.
    pub(crate) sections: Vec<Section>,
}

/// One m-line with its attributes, session-level ones inherited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) media: String,
    pub(crate) port: u16,
    pub(crate) proto: String,
    /// The formats of the m-line as written.
    pub(crate) formats: Vec<String>,
    pub(crate) mid: Option<Mid>,
    pub(crate) direction: Direction,
    pub(crate) ice: Option<Ice>,
    /// The ICE attributes stand in the m-line, not at session level.
    pub(crate) own_ice: bool,
    /// Lower-case hash, upper-case digest.
    pub(crate) fingerprints: Vec<(String, String)>,
    pub(crate) setup: Option<Setup>,
    pub(crate) candidates: Vec<String>,
    pub(crate) end_of_candidates: bool,
    pub(crate) rtcp_mux: bool,
    pub(crate) rtcp_rsize: bool,
    pub(crate) bundle_only: bool,
    pub(crate) codecs: Vec<Format>,
    pub(crate) extensions: NegotiatedExtensions,
    /// Bit n is set if extension id n (1-14) is taken by any URI.
    pub(crate) extension_ids: u16,
    /// MediaStream ids of `a=msid`, `-` for none.
    pub(crate) streams: Vec<String>,
    pub(crate) ssrcs: Vec<Ssrc>,
    /// `a=ssrc-group:FID`: media and its retransmissions.
    pub(crate) fid: Vec<(Ssrc, Ssrc)>,
    /// Of our own sections; the peer's is of no use.
    pub(crate) cname: String,
    /// `a=sctp-port` of a data section (RFC 8841 §5).
    pub(crate) sctp_port: Option<u16>,
    /// `a=max-message-size` of a data section, bytes (RFC 8841 §6).
    pub(crate) max_message_size: Option<u64>,
}

/// ICE credentials (RFC 8839 §5.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ice {
    pub(crate) ufrag: String,
    pub(crate) pwd: String,
}

/// One RTP format of an m-line: rtpmap, fmtp and rtcp-fb together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) pt: Pt,
    pub(crate) name: String,
    pub(crate) clock_rate: u32,
    /// 0 where not written.
    pub(crate) channels: u8,
    pub(crate) fmtp: String,
    pub(crate) feedback: Feedback,
}

/// The feedback messages we know (RFC 4585 §4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Feedback {
    pub(crate) nack: bool,
    pub(crate) pli: bool,
    pub(crate) fir: bool,
    pub(crate) transport_cc: bool,
    pub(crate) remb: bool,
}

impl Description {
    /// The BUNDLE group that names `mid`.
    pub(crate) fn bundle_of(&self, mid: &Mid) -> Option<&[Mid]> {
        self.bundles
            .iter()
            .find(|group| group.contains(mid))
            .map(Vec::as_slice)
    }

    /// Where the transport attributes of section `index` stand: in itself, or, left out there, in the
    /// first section of its BUNDLE group (RFC 9143 §7.1.3).
    pub(crate) fn transport_of(&self, index: usize) -> Option<&Section> {
        let section = self.sections.get(index)?;
        if section.ice.is_some() {
            return Some(section);
        }
        let tagged = self.bundle_of(section.mid.as_ref()?)?.first()?;
        self.sections
            .iter()
            .find(|other| other.mid.as_ref() == Some(tagged) && other.ice.is_some())
    }
}

impl Section {
    /// A section with nothing but its m-line.
    pub(crate) fn new(media: &str, proto: &str) -> Self {
        Self {
            media: media.to_owned(),
            port: PLACEHOLDER_PORT,
            proto: proto.to_owned(),
            formats: Vec::new(),
            mid: None,
            direction: Direction::SendRecv,
            ice: None,
            own_ice: false,
            fingerprints: Vec::new(),
            setup: None,
            candidates: Vec::new(),
            end_of_candidates: false,
            rtcp_mux: false,
            rtcp_rsize: false,
            bundle_only: false,
            codecs: Vec::new(),
            extensions: NegotiatedExtensions::default(),
            extension_ids: 0,
            streams: Vec::new(),
            ssrcs: Vec::new(),
            fid: Vec::new(),
            cname: String::new(),
            sctp_port: None,
            max_message_size: None,
        }
    }

    /// The rejection of an m-line, or the repetition of a rejected one (RFC 3264 §6).
    pub(crate) fn rejected(like: &Self) -> Self {
        Self {
            port: 0,
            formats: like.formats.clone(),
            mid: like.mid.clone(),
            direction: Direction::Inactive,
            ..Self::new(&like.media, &like.proto)
        }
    }

    /// Audio or video over a profile we speak (RFC 9429 §5.1.2); `None` for data and the rest.
    pub(crate) fn kind(&self) -> Option<MediaKind> {
        let kind = [MediaKind::Audio, MediaKind::Video]
            .into_iter()
            .find(|kind| kind.as_str() == self.media)?;
        PROFILES.contains(&self.proto.as_str()).then_some(kind)
    }

    /// Data channels over a transport we speak (RFC 8841 §4).
    pub(crate) fn is_data(&self) -> bool {
        self.media == DATA
            && DATA_PROFILES.contains(&self.proto.as_str())
            && self.formats.iter().any(|format| format == DATA_FORMAT)
    }

    /// Port 0 without `a=bundle-only` (RFC 9143 §6).
    pub(crate) fn is_rejected(&self) -> bool {
        self.port == 0 && !self.bundle_only
    }

    /// The retransmission format of `pt` (RFC 4588 §8.1).
    pub(crate) fn rtx_of(&self, pt: Pt) -> Option<&Format> {
        self.codecs.iter().find(|format| format.apt() == Some(pt))
    }
}

impl Format {
    /// The codec it names, if clock rate and channels fit (RFC 8866 §6.6).
    pub(crate) fn codec(&self) -> Option<Codec> {
        let codec = Codec::from_name(&self.name)?;
        let channels = match (codec.kind(), self.channels) {
            (MediaKind::Audio, 0) => 1,
            (_, channels) => channels,
        };
        (codec.clock_rate() == self.clock_rate && codec.channels() == channels).then_some(codec)
    }

    /// The payload type it retransmits, if it is RTX.
    pub(crate) fn apt(&self) -> Option<Pt> {
        if !self.name.eq_ignore_ascii_case("rtx") {
            return None;
        }
        crate::fmtp::value(&self.fmtp, "apt")?.parse().ok().map(Pt)
    }
}

impl Feedback {
    /// What both sides named.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            nack: self.nack && other.nack,
            pli: self.pli && other.pli,
            fir: self.fir && other.fir,
            transport_cc: self.transport_cc && other.transport_cc,
            remb: self.remb && other.remb,
        }
    }

    /// What either named.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            nack: self.nack || other.nack,
            pli: self.pli || other.pli,
            fir: self.fir || other.fir,
            transport_cc: self.transport_cc || other.transport_cc,
            remb: self.remb || other.remb,
        }
    }

    /// Notes one `a=rtcp-fb` value; unknown ones are let go.
    pub(crate) fn add(&mut self, value: &str) {
        match value {
            "nack" => self.nack = true,
            "nack pli" => self.pli = true,
            "ccm fir" => self.fir = true,
            "transport-cc" => self.transport_cc = true,
            "goog-remb" => self.remb = true,
            _ => (),
        }
    }

    /// The `a=rtcp-fb` values, in the browsers' order.
    pub(crate) fn values(self) -> impl Iterator<Item = &'static str> {
        [
            (self.remb, "goog-remb"),
            (self.transport_cc, "transport-cc"),
            (self.fir, "ccm fir"),
            (self.nack, "nack"),
            (self.pli, "nack pli"),
        ]
        .into_iter()
        .filter_map(|(on, value)| on.then_some(value))
    }
}

/// Port of an m-line whose candidates say the real one (RFC 9429 §5.2.1).
pub(crate) const PLACEHOLDER_PORT: u16 = 9;

/// The profile of our own m-lines.
pub(crate) const PROFILE: &str = "UDP/TLS/RTP/SAVPF";

/// The media of an m-line of data channels.
pub(crate) const DATA: &str = "application";
/// The profile of our own m-line of data channels.
pub(crate) const DATA_PROFILE: &str = "UDP/DTLS/SCTP";
/// Its format (RFC 8841 §4.3).
pub(crate) const DATA_FORMAT: &str = "webrtc-datachannel";

/// All mean SCTP over DTLS here, and are echoed (JS-12).
const DATA_PROFILES: [&str; 3] = [DATA_PROFILE, "DTLS/SCTP", "TCP/DTLS/SCTP"];

/// RFC 9429 §5.1.2: all mean SRTP with feedback here, and are echoed.
const PROFILES: [&str; 8] = [
    "RTP/AVP",
    "RTP/AVPF",
    "RTP/SAVP",
    "RTP/SAVPF",
    "UDP/TLS/RTP/SAVP",
    PROFILE,
    "TCP/DTLS/RTP/SAVP",
    "TCP/DTLS/RTP/SAVPF",
];
