// SPDX-License-Identifier: MPL-2.0
//! Tones as part of a session's streams: asked for by track, written under the audio's SSRC, received.
use crate::extension::Once;
use crate::header::{HeaderTemplate, PerPacket};
use crate::media::Media;
use crate::send::{Contents, Outgoing, SendStream, extension_ids};
use crate::tone::TonePayload;
use crate::tone_receive::ToneReceiver;
use crate::tone_send::ToneClock;
use crate::train::{Coupling, Train};
use crate::{MediaEvent, SendParams, ToneError, ToneFormat, ToneTiming};
use rtc_payload::{Mid, Ssrc, TrackId};
use std::collections::VecDeque;
use std::time::Instant;

/// SSRCs with tones at a time at most; the others' tones are passed over.
const MAX_RECEIVERS: usize = 16;

impl Media {
    /// Sends tones on the audio of a track, in place of those that still wait (W3C webrtc-pc §7.2); none
    /// ends the series after the tone that sounds. `,` is a pause of two seconds. Told by
    /// [`MediaEvent::ToneChange`].
    ///
    /// # Errors
    /// They can't be sent; what is being sent goes on.
    pub fn insert_tones(
        &mut self,
        track: TrackId,
        tones: &str,
        timing: ToneTiming,
        now: Instant,
    ) -> Result<(), ToneError> {
        self.now = now;
        let stream = self.tone_sender(track).ok_or(ToneError::InvalidState)?;
        stream.insert_tones(tones, timing, now)?;
        self.advance_tones(now);
        Ok(())
    }

    /// Begins a tone that lasts until [`Self::stop_tone`], six seconds at most; after what still waits.
    ///
    /// # Errors
    /// It can't be sent.
    pub fn start_tone(
        &mut self,
        track: TrackId,
        tone: char,
        volume: u8,
        now: Instant,
    ) -> Result<(), ToneError> {
        self.now = now;
        let stream = self.tone_sender(track).ok_or(ToneError::InvalidState)?;
        stream.start_tone(tone, volume, now)?;
        self.advance_tones(now);
        Ok(())
    }

    /// Ends the tone that [`Self::start_tone`] began; 40 ms it lasts at the least.
    pub fn stop_tone(&mut self, track: TrackId, now: Instant) {
        self.now = now;
        if let Some(stream) = self.tone_sender(track) {
            stream.stop_tone(now);
        }
        self.advance_tones(now);
    }

    fn tone_sender(&mut self, track: TrackId) -> Option<&mut SendStream> {
        self.keys.as_ref()?;
        let takes = |stream: &&mut SendStream| {
            stream.params.track == track && stream.params.active && stream.params.tone.is_some()
        };
        self.senders.iter_mut().find(takes)
    }

    /// Lets happen what is due of tones sent and received.
    pub(crate) fn advance_tones(&mut self, now: Instant) {
        for stream in &mut self.senders {
            stream.advance_tones(now, &mut self.events);
        }
        for tones in &mut self.tones {
            if let Some(tone) = tones.handle_timeout(now) {
                self.events.push_back(MediaEvent::Tone(tone));
            }
        }
        self.tones.retain(|tones| !tones.is_idle(now));
    }

    /// Takes the payload of a packet of tones.
    pub(crate) fn take_tone(
        &mut self,
        (ssrc, mid, format): (Ssrc, Mid, ToneFormat),
        payload: &[u8],
        rtp_time: u32,
        now: Instant,
    ) {
        let Some(payload) = TonePayload::parse(payload) else {
            return;
        };
        let known = self.tones.iter().position(|tones| tones.ssrc == ssrc);
        let at = known.unwrap_or(self.tones.len());
        if known.is_none() {
            if at >= MAX_RECEIVERS {
                return;
            }
            self.tones.push(ToneReceiver::new(ssrc, mid, now));
        }
        let tones = self.tones[at].packet(payload, rtp_time, format, now);
        let tones = tones.into_iter().flatten();
        self.events.extend(tones.map(MediaEvent::Tone));
    }
}

/// Tones (RFC 4733): part of the audio, under a payload type of their own.
impl SendStream {
    pub(crate) fn insert_tones(
        &mut self,
        tones: &str,
        timing: ToneTiming,
        now: Instant,
    ) -> Result<(), ToneError> {
        let format = self.params.tone.ok_or(ToneError::InvalidState)?;
        self.tones.insert(tones, timing, format.events, now)
    }

    pub(crate) fn start_tone(
        &mut self,
        tone: char,
        volume: u8,
        now: Instant,
    ) -> Result<(), ToneError> {
        let format = self.params.tone.ok_or(ToneError::InvalidState)?;
        self.tones.start(tone, volume, format.events, now)
    }

    pub(crate) fn stop_tone(&mut self, now: Instant) {
        self.tones.stop(now);
    }

    /// Lets happen what is due of a series of tones.
    pub(crate) fn advance_tones(&mut self, now: Instant, events: &mut VecDeque<MediaEvent>) {
        if self.tones.deadline().is_none_or(|due| due > now) {
            return;
        }
        let Some(format) = self.params.tone else {
            return self.cancel_tones(events);
        };
        if self.newest.is_none() && self.tones.waits_for_audio(now) {
            return;
        }
        let clock = ToneClock {
            at: self.newest.unwrap_or_else(|| self.tones.base(now)),
            rate: self.params.codec.codec.clock_rate(),
            format,
        };
        let params = &self.params;
        self.tones.advance(&clock, now, |tone, buffer| {
            events.push_back(tone_change(params, tone, buffer));
        });
    }

    /// Ends a series at once, as its stream is over or another one now.
    pub(crate) fn cancel_tones(&mut self, events: &mut VecDeque<MediaEvent>) {
        if self.tones.cancel() {
            events.push_back(tone_change(&self.params, String::new(), String::new()));
        }
    }

    pub(crate) fn has_tones(&self) -> bool {
        self.tones.has_packets()
    }

    /// Writes the packets of tones that wait: all have the same size.
    pub(crate) fn write_tones(&mut self, mut out: Outgoing<'_>) -> Option<Train> {
        let mut train = Coupling::default();
        let header = self.tone_header.clone()?;
        let len = header.len() + TonePayload::LEN + out.tag_len;
        while self.tones.has_packets() && train.join(len) {
            let tone = self.tones.packet()?;
            let packet = PerPacket {
                marker: tone.marker,
                seq: self.next as u16,
                rtp_time: tone.rtp_time,
                transport_cc: out.number(&header, len),
                abs_send_time: out.abs_send_time,
            };
            let nonce = (self.params.ssrc.0, self.next);
            self.next += 1;
            let payload = tone.payload.bytes();
            let contents = Contents::plain(self.params.codec.codec, &payload);
            out.packet(&header, &packet, None, contents, nonce).ok()?;
            self.counters.packets += 1;
            self.counters.octets += payload.len() as u64;
        }
        train.finish(out.buffer)
    }
}

fn tone_change(params: &SendParams, tone: String, buffer: String) -> MediaEvent {
    MediaEvent::ToneChange {
        mid: params.mid.clone(),
        track: params.track,
        tone,
        buffer,
    }
}

/// The header of the packets of tones.
pub(crate) fn tone_template(params: &SendParams, mid_known: bool) -> Option<HeaderTemplate> {
    let once = Once {
        mid: (!mid_known).then(|| params.mid.as_str()),
        playout_delay: None,
    };
    let format = params.tone?;
    Some(HeaderTemplate::new(
        format.pt,
        params.ssrc,
        &extension_ids(params),
        once,
    ))
}
