// SPDX-License-Identifier: MPL-2.0
//! All streams of one session: the public face of this crate.
use crate::estimate::SentLog;
use crate::keys::{SrtpProfile, split};
use crate::send::{Outgoing, SendStream};
use crate::srtp::{Opener, Sealer};
use crate::{
    MediaEvent, MediaStats, PacketBlock, RecvParams, RtpError, SendParams, Train, WallClock,
};
use rtc_payload::{MediaKind, Mid};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Buffers kept for reuse at most.
const MAX_SPARE: usize = 8;

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

struct Keys {
    sealer: Sealer,
    opener: Opener,
    tag_len: usize,
}

/// All RTP streams of one session, both ways.
pub struct Media {
    config: MediaConfig,
    keys: Option<Keys>,
    senders: Vec<SendStream>,
    log: SentLog,
    spare: Vec<Vec<u8>>,
    events: VecDeque<MediaEvent>,
    refused: u64,
}

impl std::fmt::Debug for Media {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Media").finish_non_exhaustive()
    }
}

impl Media {
    /// No streams, no keys.
    pub fn new(config: MediaConfig, _now: Instant) -> Self {
        Self {
            config,
            keys: None,
            senders: Vec::new(),
            log: SentLog::default(),
            spare: Vec::new(),
            events: VecDeque::new(),
            refused: 0,
        }
    }

    /// Takes the keying material of the DTLS handshake: client key, server key, client salt, server
    /// salt (RFC 5764 §4.2). `client` tells whether we were the DTLS client.
    pub fn set_keys(
        &mut self,
        profile: SrtpProfile,
        keying_material: &[u8],
        client: bool,
    ) -> Result<(), RtpError> {
        let (ours, theirs) = split(profile, keying_material, client)?;
        self.keys = Some(Keys {
            sealer: Sealer::new(profile, &ours)?,
            opener: Opener::new(profile, &theirs)?,
            tag_len: profile.tag_len(),
        });
        Ok(())
    }

    /// Takes the whole state after a negotiation; streams that stay (by mid) go on.
    pub fn configure(&mut self, send: Vec<SendParams>, _recv: Vec<RecvParams>, now: Instant) {
        let mut old = std::mem::take(&mut self.senders);
        for params in send {
            let kept = old
                .iter()
                .position(|s| s.params.mid == params.mid && s.params.ssrc == params.ssrc);
            let mut stream = match kept {
                Some(at) => {
                    let mut stream = old.swap_remove(at);
                    stream.reconfigure(params);
                    stream
                }
                None => SendStream::new(
                    params,
                    rand::random::<u16>() >> 1,
                    rand::random::<u16>() >> 1,
                ),
            };
            if stream.wants_keyframe() {
                stream.want_keyframe(now);
            }
            self.senders.push(stream);
        }
        self.tell_wishes(now);
    }

    /// Sends a block on every active sender whose track and codec are the block's. Video that starts
    /// or recovers waits for a keyframe and asks for one.
    pub fn send_block(&mut self, block: &Arc<PacketBlock>, now: Instant) {
        if self.keys.is_none() {
            return;
        }
        for stream in &mut self.senders {
            let params = &stream.params;
            if params.active && params.track == block.track && params.codec.codec == block.codec {
                if !stream.enqueue(block) {
                    stream.want_keyframe(now);
                }
            }
        }
        self.tell_wishes(now);
    }

    /// Takes an SRTP or SRTCP packet (told apart by RFC 5761 §4).
    pub fn handle_packet(&mut self, _packet: &[u8], _now: Instant) -> Result<(), RtpError> {
        Ok(())
    }

    /// Asks the peer for a keyframe of what it sends on an m-line.
    pub fn request_keyframe(&mut self, _mid: &Mid, _now: Instant) {}

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.tell_wishes(now);
    }

    /// The next packets to send.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Train> {
        let keys = self.keys.as_ref()?;
        for kind in [MediaKind::Audio, MediaKind::Video] {
            for stream in &mut self.senders {
                if stream.params.kind != kind {
                    continue;
                }
                let mut buffer = self.spare.pop().unwrap_or_default();
                buffer.clear();
                let out = Outgoing {
                    sealer: &keys.sealer,
                    tag_len: keys.tag_len,
                    now,
                    abs_send_time: self.config.wall.abs_send_time(now),
                    log: &mut self.log,
                    buffer,
                };
                if let Some(train) = stream.write(out, usize::MAX) {
                    return Some(train);
                }
            }
        }
        None
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<MediaEvent> {
        self.events.pop_front()
    }

    /// When [`Self::handle_timeout`] and [`Self::poll_transmit`] are wanted next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.senders
            .iter()
            .filter_map(SendStream::keyframe_due)
            .min()
    }

    /// Gives the buffer of a [`Train`] back for reuse.
    pub fn recycle(&mut self, buffer: Vec<u8>) {
        if self.spare.len() < MAX_SPARE {
            self.spare.push(buffer);
        }
    }

    /// Says goodbye: queues an RTCP BYE for all our streams.
    pub fn close(&mut self, _now: Instant) {}

    /// Counters of all streams.
    pub fn stats(&self) -> MediaStats {
        MediaStats::default()
    }

    fn tell_wishes(&mut self, now: Instant) {
        for stream in &mut self.senders {
            if stream.take_keyframe_wish(now) {
                self.events.push_back(MediaEvent::KeyframeWanted {
                    mid: stream.params.mid.clone(),
                    track: stream.params.track,
                    codec: stream.params.codec.codec,
                });
            }
        }
    }
}
