// SPDX-License-Identifier: MPL-2.0
//! All streams of one session: the public face of this crate.
use crate::budget::RepeatRate;
use crate::demux::Demux;
use crate::estimate::{Estimator, FeedbackReader, Limits, SentLog};
use crate::keys::{SrtpProfile, split};
use crate::pacer::Pacer;
use crate::receive::RecvStream;
use crate::send::SendStream;
use crate::srtp::{Opener, Sealer};
use crate::tone_receive::ToneReceiver;
use crate::twcc::FeedbackLog;
use crate::{
    ExtensionIds, MediaEvent, PacketBlock, RecvParams, RtpError, SendParams, Train, WallClock,
};
use rtc_payload::{Mid, Ssrc};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Buffers of trains kept for reuse at most.
const MAX_SPARE: usize = 8;

/// SSRCs remembered after their stream ended; a session makes one a track.
const MAX_USED: usize = 4096;

/// What the media part of a session is made with.
#[derive(Clone, Debug)]
pub struct MediaConfig {
    /// Estimate to start with, bit/s.
    pub start_bitrate: u64,
    /// Never estimate below, bit/s.
    pub min_bitrate: u64,
    /// Never estimate above, bit/s.
    pub max_bitrate: u64,
    /// Whether the estimator and the pacer are on.
    pub congestion_control: bool,
    /// The longest a receiver waits for a missing packet.
    pub max_latency: Duration,
    /// The wall clock, for reports.
    pub wall: WallClock,
    /// Canonical name of our streams (RFC 7022), at most 255 bytes.
    pub cname: String,
    /// Largest RTP packet with SRTP tag, bytes.
    pub max_packet: usize,
}

pub(crate) struct Keys {
    pub(crate) sealer: Sealer,
    pub(crate) opener: Opener,
    pub(crate) tag_len: usize,
}

/// All RTP streams of one session, both ways.
///
/// After every input, [`Self::poll_transmit`] and [`Self::poll_event`] are to be drained, and then
/// [`Self::poll_timeout`] asked for the next deadline.
pub struct Media {
    pub(crate) config: MediaConfig,
    pub(crate) keys: Option<Keys>,
    pub(crate) senders: Vec<SendStream>,
    /// The next index of every SSRC that was sent under these keys and is no more.
    used: HashMap<Ssrc, u64>,
    pub(crate) receivers: Vec<RecvStream>,
    pub(crate) demux: Demux,
    /// The tones of the peer's SSRCs that send any.
    pub(crate) tones: Vec<ToneReceiver>,
    /// Extensions of all m-lines: one mapping holds for a whole BUNDLE group (RFC 9143 §9.2).
    pub(crate) extensions: ExtensionIds,
    pub(crate) log: SentLog,
    pub(crate) reader: FeedbackReader,
    pub(crate) estimator: Estimator,
    pub(crate) told_estimate: u64,
    pub(crate) pacer: Pacer,
    /// Repeats and new frames leave by turns.
    pub(crate) repeats_next: bool,
    pub(crate) repeats: RepeatRate,
    /// Who bounds what we send, and by what, as on the wire (RFC 5104 §4.2.1).
    pub(crate) bounds: Vec<(u32, u32)>,
    /// When a stream was last dropped for lack of room.
    pub(crate) last_stale: Option<Instant>,
    pub(crate) feedback: FeedbackLog,
    /// RTCP packets, sealed.
    pub(crate) control: VecDeque<Vec<u8>>,
    /// Buffers of trains, and of received packets.
    pub(crate) spare: Vec<Vec<u8>>,
    pub(crate) pool: Vec<Vec<u8>>,
    pub(crate) events: VecDeque<MediaEvent>,
    pub(crate) next_report: Option<Instant>,
    pub(crate) rtt: Option<Duration>,
    pub(crate) refused: u64,
    /// How long ago the system received the packet at hand.
    pub(crate) late: Duration,
    /// The newest time seen.
    pub(crate) now: Instant,
}

impl std::fmt::Debug for Media {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Media")
            .field("senders", &self.senders.len())
            .field("receivers", &self.receivers.len())
            .finish_non_exhaustive()
    }
}

impl Media {
    /// No streams, no keys.
    pub fn new(config: MediaConfig, now: Instant) -> Self {
        let limits = Limits {
            start: config.start_bitrate,
            min: config.min_bitrate,
            max: config.max_bitrate,
        };
        Self {
            keys: None,
            senders: Vec::new(),
            used: HashMap::new(),
            receivers: Vec::new(),
            demux: Demux::default(),
            tones: Vec::new(),
            extensions: ExtensionIds::default(),
            log: SentLog::default(),
            reader: FeedbackReader::default(),
            estimator: Estimator::new(limits, now),
            told_estimate: 0,
            pacer: Pacer::new(now),
            repeats_next: false,
            repeats: RepeatRate::default(),
            bounds: Vec::new(),
            last_stale: None,
            feedback: FeedbackLog::new(now),
            control: VecDeque::new(),
            spare: Vec::new(),
            pool: Vec::new(),
            events: VecDeque::new(),
            next_report: None,
            rtt: None,
            refused: 0,
            late: Duration::ZERO,
            now,
            config,
        }
    }

    /// Takes the keying material of the DTLS handshake: client key, server key, client salt, server
    /// salt (RFC 5764 §4.2). `client` tells whether we were the DTLS client. Sending starts with it.
    ///
    /// # Errors
    /// The material has the wrong length for the profile; the keys stay as they were.
    pub fn set_keys(
        &mut self,
        profile: SrtpProfile,
        keying_material: &[u8],
        client: bool,
    ) -> Result<(), RtpError> {
        let (ours, theirs) = split(profile, keying_material, client)?;
        let keys = Keys {
            sealer: Sealer::new(profile, &ours)?,
            opener: Opener::new(profile, &theirs)?,
            tag_len: profile.tag_len(),
        };
        if self.keys.replace(keys).is_some() {
            self.used.clear();
            self.senders.iter_mut().for_each(SendStream::rekey);
            self.receivers.clear();
        }
        self.want_first_keyframes(self.now);
        Ok(())
    }

    /// Takes the whole state after a negotiation; streams that stay (by mid) go on.
    pub fn configure(&mut self, send: Vec<SendParams>, recv: Vec<RecvParams>, now: Instant) {
        self.now = now;
        let mut old = std::mem::take(&mut self.senders);
        for params in send {
            let kept = old.iter().position(|stream| {
                stream.params.mid == params.mid && stream.params.ssrc == params.ssrc
            });
            let stream = match kept {
                Some(at) => {
                    let mut stream = old.swap_remove(at);
                    stream.reconfigure(params, &mut self.events);
                    stream
                }
                None => {
                    let [first, first_rtx] = [params.ssrc, params.rtx_ssrc].map(|ssrc| {
                        let fresh = || u64::from(rand::random::<u16>() >> 1);
                        self.used.get(&ssrc).copied().unwrap_or_else(fresh)
                    });
                    SendStream::new(params, first, first_rtx)
                }
            };
            self.senders.push(stream);
        }
        for mut stream in old {
            stream.cancel_tones(&mut self.events);
            let [media, rtx] = stream.next_indices();
            self.retire(stream.params.ssrc, media);
            self.retire(stream.params.rtx_ssrc, rtx);
        }
        self.silence_doubles();
        self.configure_receivers(recv);
        self.want_first_keyframes(now);
    }

    /// An SSRC that comes back under the same keys must go on where it ended: an index sealed with twice
    /// would give the authentication key away (RFC 7714 §8.1).
    fn retire(&mut self, ssrc: Ssrc, next: u64) {
        if self.used.len() < MAX_USED || self.used.contains_key(&ssrc) {
            self.used.insert(ssrc, next);
        } else {
            tracing::warn!("too many SSRCs used under one key");
        }
    }

    /// Two streams of one SSRC would seal with the same indices: only the first may send.
    fn silence_doubles(&mut self) {
        let mut seen = HashSet::new();
        for stream in &mut self.senders {
            let params = &stream.params;
            let repeats = params.codec.rtx_pt.is_some();
            if !seen.insert(params.ssrc) || repeats && !seen.insert(params.rtx_ssrc) {
                tracing::warn!(mid = %params.mid, "SSRC given twice");
                let mut params = params.clone();
                params.active = false;
                stream.reconfigure(params, &mut self.events);
            }
        }
    }

    fn configure_receivers(&mut self, recv: Vec<RecvParams>) {
        self.receivers.retain_mut(|stream| {
            let Some(line) = recv
                .iter()
                .find(|line| line.mid == stream.mid && line.active)
            else {
                return false;
            };
            stream.feedback_ssrc = line.feedback_ssrc;
            line.codecs.iter().any(|codec| codec.pt == stream.codec.pt)
        });
        self.tones
            .retain(|tones| recv.iter().any(|line| line.active && line.mid == tones.mid));
        let id = |pick: fn(&ExtensionIds) -> Option<u8>| {
            recv.iter().find_map(|line| pick(&line.extensions))
        };
        self.extensions = ExtensionIds {
            mid: id(|ids| ids.mid),
            rid: id(|ids| ids.rid),
            repaired_rid: id(|ids| ids.repaired_rid),
            transport_cc: id(|ids| ids.transport_cc),
            abs_send_time: id(|ids| ids.abs_send_time),
            audio_level: id(|ids| ids.audio_level),
            playout_delay: id(|ids| ids.playout_delay),
        };
        self.demux.configure(recv);
    }

    /// A keyframe that came before there were keys would be lost, so it is asked for with both.
    fn want_first_keyframes(&mut self, now: Instant) {
        if self.keys.is_none() {
            return;
        }
        for stream in &mut self.senders {
            if stream.wants_keyframe() {
                stream.want_keyframe(now);
            }
        }
        self.tell_wishes(now);
    }

    /// Whether a block is for any sender: of an input with several encodings each takes one.
    pub fn takes(&self, block: &PacketBlock) -> bool {
        self.senders.iter().any(|stream| stream.takes(block))
    }

    /// Sends a block on every active sender whose track and codec are the block's. Video that starts
    /// or recovers waits for a keyframe and asks for one.
    pub fn send_block(&mut self, block: &Arc<PacketBlock>, now: Instant) {
        self.now = now;
        if self.keys.is_none() {
            return;
        }
        let takers = self.senders.iter_mut().filter(|stream| stream.takes(block));
        // All of them, so not any().
        if takers
            .filter_map(|stream| stream.meet(block).then_some(()))
            .count()
            > 0
        {
            self.choose_layers(now);
        }
        // A keyframe may end a change of layers.
        let mut news = block.ladder.is_some() && block.info.keyframe;
        for stream in &mut self.senders {
            if stream.takes(block) && !stream.enqueue(block, now) {
                stream.want_keyframe(now);
                news = true;
            }
        }
        if news {
            self.tell_wishes(now);
        }
    }

    /// Takes an SRTP or SRTCP packet (told apart by RFC 5761 §4).
    ///
    /// # Errors
    /// The packet was dropped; nothing else changed.
    pub fn handle_packet(&mut self, packet: &[u8], now: Instant) -> Result<(), RtpError> {
        self.now = now;
        let handled = match packet.get(1) {
            Some(192..=223) => self.handle_rtcp(packet, now),
            Some(_) => self.handle_rtp(packet, now),
            None => Err(RtpError::Malformed("no header")),
        };
        if handled.is_err() {
            self.refused += 1;
        }
        handled
    }

    /// Says how long ago the system received the packets taken from now on: a thread that waits for the
    /// processor is not to be told the peer as a slow path.
    pub fn set_late(&mut self, late: Duration) {
        self.late = late;
    }

    /// Asks the peer for a keyframe of what it sends on an m-line; merged with earlier wishes.
    pub fn request_keyframe(&mut self, mid: &Mid, now: Instant) {
        self.now = now;
        for stream in self
            .receivers
            .iter_mut()
            .filter(|stream| stream.mid == *mid)
        {
            stream.want_keyframe(now, self.rtt);
        }
        self.send_requests(now);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.choose_layers(now);
        for stream in &mut self.receivers {
            stream.process(now, self.rtt, &mut self.pool, &mut self.events);
        }
        self.send_requests(now);
        if self.feedback.deadline().is_some_and(|due| due <= now) {
            self.send_feedback();
        }
        if self.next_report.is_some_and(|due| due <= now) {
            self.send_reports(now);
        }
        self.advance_tones(now);
        self.drop_stale(now);
    }

    /// The next packets to send, to be asked until there are none.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Train> {
        self.now = now;
        if let Some(contents) = self.control.pop_front() {
            return Some(Train {
                contents,
                segment_size: None,
            });
        }
        self.next_train(now)
    }

    /// The next event, to be asked until there is none.
    pub fn poll_event(&mut self) -> Option<MediaEvent> {
        self.events.pop_front()
    }

    /// When [`Self::handle_timeout`], and then [`Self::poll_transmit`], are wanted next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.keys.as_ref()?;
        let queued = self.senders.iter().any(SendStream::has_work);
        let senders = self.senders.iter().filter_map(SendStream::deadline);
        let receivers = self.receivers.iter().filter_map(RecvStream::deadline);
        let tones = self.tones.iter().filter_map(ToneReceiver::deadline);
        let own = [
            self.next_report,
            self.feedback.deadline(),
            (queued || self.estimator.prober.sending().is_some()).then(|| self.pacer.next()),
        ];
        senders
            .chain(receivers)
            .chain(tones)
            .chain(own.into_iter().flatten())
            .min()
    }

    /// Gives the buffer of a [`Train`] back for reuse.
    pub fn recycle(&mut self, buffer: Vec<u8>) {
        if self.spare.len() < MAX_SPARE {
            self.spare.push(buffer);
        }
    }

    /// Says goodbye: queues an RTCP BYE for all our streams.
    pub fn close(&mut self, now: Instant) {
        self.now = now;
        self.send_bye();
        self.configure(Vec::new(), Vec::new(), now);
        self.next_report = None;
    }
}
