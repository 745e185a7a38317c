// SPDX-License-Identifier: MPL-2.0
//! Tones on simulated time: to the letter of RFC 4733, by W3C's queue, over loss.
use crate::kit_test::*;
use crate::tone::TonePayload;
use crate::tone_receive::ToneReceiver;
use crate::tone_send::{ToneClock, TonePacket, ToneSender};
use crate::{MediaEvent, Packetizer, ReceivedTone, SrtpProfile, ToneError, ToneFormat, ToneTiming};
use bytes::Bytes;
use rtc_payload::{Codec, EncodedFrame, FrameInfo, Mid, Pt, Ssrc, TrackId};
use std::sync::Arc;
use std::time::{Duration, Instant};

const EVERY_TONE: &str = "0123456789*#ABCD";

fn format(clock_rate: u32) -> ToneFormat {
    ToneFormat {
        pt: Pt(110),
        clock_rate,
        events: u16::MAX,
    }
}

fn timing(duration_ms: u32, gap_ms: u32) -> ToneTiming {
    ToneTiming {
        duration_ms,
        gap_ms,
        ..ToneTiming::default()
    }
}

/// A sender alone, woken when it asks to be, `late` after that.
struct Alone {
    tones: ToneSender,
    clock: ToneClock,
    start: Instant,
    now: Instant,
    late: Duration,
    packets: Vec<(u64, TonePacket)>,
    changes: Vec<(u64, String, String)>,
}

impl Alone {
    fn new(rate: u32, clock_rate: u32) -> Self {
        let start = Instant::now();
        Self {
            tones: ToneSender::default(),
            clock: ToneClock {
                at: (1000, start),
                rate,
                format: format(clock_rate),
            },
            start,
            now: start,
            late: Duration::ZERO,
            packets: Vec::new(),
            changes: Vec::new(),
        }
    }

    fn insert(&mut self, tones: &str, duration_ms: u32, gap_ms: u32) {
        let timing = timing(duration_ms, gap_ms);
        let inserted = self.tones.insert(tones, timing, u16::MAX, self.now);
        inserted.unwrap();
    }

    fn run(&mut self, until_ms: u64) {
        let until = self.start + ms(until_ms);
        while let Some(due) = self.tones.deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due + self.late);
            let at = (self.now - self.start).as_millis() as u64;
            let changes = &mut self.changes;
            self.tones.advance(&self.clock, self.now, |tone, buffer| {
                changes.push((at, tone, buffer));
            });
            while let Some(packet) = self.tones.packet() {
                self.packets.push((at, packet));
            }
        }
        self.now = self.now.max(until);
    }

    fn trace(&self) -> Vec<(u64, &str)> {
        let changes = self.changes.iter();
        changes.map(|(at, tone, _)| (*at, tone.as_str())).collect()
    }
}

fn packet(marker: bool, rtp_time: u32, event: u8, end: bool, duration: u16) -> TonePacket {
    let payload = TonePayload {
        event,
        end,
        volume: 10,
        duration,
    };
    TonePacket {
        marker,
        rtp_time,
        payload,
    }
}

#[test]
fn a_tone_is_updates_of_one_timestamp_and_three_ends() {
    let mut alone = Alone::new(8_000, 8_000);
    alone.insert("5", 70, 70);
    alone.run(1000);
    let expected = [
        (20, packet(true, 1000, 5, false, 160)),
        (40, packet(false, 1000, 5, false, 320)),
        (60, packet(false, 1000, 5, false, 480)),
        (70, packet(false, 1000, 5, true, 560)),
        (90, packet(false, 1000, 5, true, 560)),
        (110, packet(false, 1000, 5, true, 560)),
    ];
    assert_eq!(alone.packets, expected);
    assert_eq!(alone.trace(), [(0, "5"), (140, "")]);
}

#[test]
fn durations_count_in_the_format_s_clock_and_timestamps_in_the_audio_s() {
    let mut alone = Alone::new(48_000, 8_000);
    alone.insert("12", 40, 60);
    alone.run(500);
    let (at, second) = alone.packets[4];
    assert_eq!(
        (at, second.rtp_time, second.payload.duration),
        (120, 1000 + 4800, 160)
    );
}

#[test]
fn a_tone_longer_than_its_field_goes_on_in_segments() {
    let mut alone = Alone::new(48_000, 48_000);
    alone.insert("D", 6000, 100);
    alone.run(7000);
    let marked: Vec<_> = alone.packets.iter().filter(|(_, p)| p.marker).collect();
    assert_eq!(marked.len(), 1);
    let mut starts: Vec<u32> = alone.packets.iter().map(|(_, p)| p.rtp_time).collect();
    starts.sort_unstable();
    starts.dedup();
    let expected: Vec<u32> = (0..5).map(|i| 1000 + i * 0xffff).collect();
    assert_eq!(starts, expected);
    for start in &starts[..4] {
        let full = |p: &TonePacket| p.rtp_time == *start && p.payload.duration == 0xffff;
        assert_eq!(alone.packets.iter().filter(|(_, p)| full(p)).count(), 3);
    }
    let ends: Vec<_> = alone
        .packets
        .iter()
        .filter(|(_, p)| p.payload.end)
        .collect();
    assert_eq!(ends.len(), 3);
    let (at, end) = ends[0];
    let ticks = end.rtp_time - 1000 + u32::from(end.payload.duration);
    assert_eq!((*at, ticks), (6000, 288_000));
}

#[test]
fn the_trace_of_tonechange_is_w3c_s() {
    let mut alone = Alone::new(48_000, 48_000);
    alone.insert("1,a", 10, 5);
    assert_eq!(alone.tones.buffer(), "1,A");
    alone.run(3000);
    assert_eq!(
        alone.trace(),
        [(0, "1"), (70, ","), (2070, "A"), (2140, "")],
        "durations below 40 and gaps below 30 ms are raised"
    );
    let buffers: Vec<_> = alone.changes.iter().map(|(.., b)| b.as_str()).collect();
    assert_eq!(buffers, [",A", "A", "", ""]);
}

#[test]
fn an_insertion_replaces_what_waits_and_an_empty_one_ends_it() {
    let mut alone = Alone::new(48_000, 48_000);
    alone.insert("123", 100, 50);
    alone.run(20);
    alone.insert("9", 40, 30);
    alone.run(1000);
    assert_eq!(alone.trace(), [(0, "1"), (150, "9"), (220, "")]);
    alone.insert("45", 100, 50);
    alone.run(1010);
    alone.insert("", 100, 50);
    alone.run(2000);
    assert_eq!(alone.trace()[3..], [(1000, "4"), (1150, "")]);
    let lasted = alone.packets.last().unwrap().1.payload;
    assert_eq!(
        (lasted.event, lasted.duration),
        (4, 4800),
        "it sounds to its end"
    );
    alone.insert("", 100, 50);
    alone.run(3000);
    assert_eq!(alone.changes.len(), 5, "nothing to end, nothing to tell");
}

#[test]
fn wrong_characters_change_nothing() {
    let mut alone = Alone::new(48_000, 48_000);
    alone.insert("1", 100, 50);
    let insert = |tones: &mut ToneSender, text: &str, events| {
        tones.insert(text, ToneTiming::default(), events, Instant::now())
    };
    for (text, wrong) in [("2x", 'x'), ("e", 'e'), ("1 2", ' '), ("٣", '٣')] {
        let refused = insert(&mut alone.tones, text, u16::MAX);
        assert_eq!(refused, Err(ToneError::InvalidCharacter(wrong)));
    }
    let only_digits = 0x3ff;
    let refused = insert(&mut alone.tones, "1#", only_digits);
    assert_eq!(refused, Err(ToneError::InvalidCharacter('#')));
    let refused = insert(&mut alone.tones, &"1".repeat(5000), u16::MAX);
    assert_eq!(refused, Err(ToneError::TooMany));
    assert_eq!(alone.tones.buffer(), "1");
}

#[test]
fn a_tone_that_was_started_lasts_until_it_is_stopped() {
    let mut alone = Alone::new(8_000, 8_000);
    alone.tones.start('7', 20, u16::MAX, alone.now).unwrap();
    alone.run(333);
    alone.tones.stop(alone.now);
    alone.run(1000);
    let ends: Vec<_> = alone
        .packets
        .iter()
        .filter(|(_, p)| p.payload.end)
        .collect();
    assert_eq!(ends.len(), 3);
    assert_eq!(ends[0].1.payload.duration, 8 * 333);
    assert_eq!(ends[0].1.payload.volume, 20);
    alone.tones.start('8', 20, u16::MAX, alone.now).unwrap();
    alone.tones.stop(alone.now);
    alone.run(2000);
    assert_eq!(alone.packets.last().unwrap().1.payload.duration, 8 * 40);
    alone.tones.start('9', 20, u16::MAX, alone.now).unwrap();
    alone.run(20_000);
    let last = alone.packets.last().unwrap().1.payload;
    assert!(
        last.end && last.duration == 48_000,
        "six seconds are enough: {last:?}"
    );
}

#[test]
fn late_timers_shorten_no_tone() {
    let mut alone = Alone::new(8_000, 8_000);
    alone.late = ms(37);
    alone.insert("12", 100, 70);
    alone.run(2000);
    let ends: Vec<_> = alone
        .packets
        .iter()
        .filter(|(_, p)| p.payload.end)
        .map(|(_, p)| (p.payload.event, p.payload.duration))
        .collect();
    assert_eq!(
        ends,
        [(1, 800), (1, 800), (1, 800), (2, 800), (2, 800), (2, 800)]
    );
}

/// Two sides with an Opus stream of 20 ms frames and tones.
struct Call {
    pair: Pair,
    packetizer: Packetizer,
    frame: u32,
}

impl Call {
    fn new(seed: u64, clock_rate: u32) -> Self {
        let mut pair = Pair::bare(SrtpProfile::AeadAes128Gcm, ms(20), seed);
        let mut opus = codec(Codec::Opus, 111, false);
        opus.nack = false;
        let mut send = sender("0", 1, opus.clone());
        send.tone = Some(format(clock_rate));
        let mut recv = receiver("0", opus);
        recv.tones = vec![format(clock_rate)];
        let now = pair.now;
        pair.a.configure(vec![send], vec![], now);
        pair.b.configure(vec![], vec![recv], now);
        Self {
            pair,
            packetizer: Packetizer::new(TrackId(1), Codec::Opus, 1200),
            frame: 0,
        }
    }

    fn run(&mut self, time_ms: u32) {
        for _ in 0..time_ms / 20 {
            let frame = EncodedFrame {
                codec: Codec::Opus,
                data: Bytes::from(vec![0xfc; 60]),
                rtp_time: self.frame.wrapping_mul(960),
                info: FrameInfo {
                    keyframe: true,
                    ..FrameInfo::default()
                },
            };
            self.frame += 1;
            let now = self.pair.now;
            let block = Arc::new(self.packetizer.block(&frame, now).unwrap());
            self.pair.a.send_block(&block, now);
            self.pair.drain();
            self.pair.run(ms(20));
        }
    }

    fn insert(&mut self, tones: &str) {
        let now = self.pair.now;
        let timing = ToneTiming::default();
        self.pair
            .a
            .insert_tones(TrackId(1), tones, timing, now)
            .unwrap();
        self.pair.drain();
    }

    fn tones(&self) -> Vec<ReceivedTone> {
        let tone = |event: &MediaEvent| match event {
            MediaEvent::Tone(tone) => Some(tone.clone()),
            _ => None,
        };
        self.pair.b_events.iter().filter_map(tone).collect()
    }
}

fn text(tones: &[ReceivedTone]) -> String {
    tones.iter().map(ReceivedTone::character).collect()
}

#[test]
fn every_tone_arrives_once_whatever_is_lost() {
    for (loss, jitter, seeds) in [(0.0, 0, 1), (0.1, 15, 20), (0.3, 15, 20)] {
        let (mut sent, mut exact) = (0, 0);
        for seed in 1..=seeds {
            let mut call = Call::new(seed, 48_000);
            call.run(200);
            call.pair.ab.loss = loss;
            call.pair.ab.jitter = ms(jitter);
            call.insert(&format!("{EVERY_TONE},"));
            call.run(16 * 170 + 2600);
            let tones = call.tones();
            assert_eq!(text(&tones), EVERY_TONE, "loss {loss} seed {seed}");
            sent += tones.len();
            exact += tones
                .iter()
                .filter(|tone| tone.duration.abs_diff(ms(100)) <= ms(20))
                .count();
            let changes = |event: &&MediaEvent| matches!(event, MediaEvent::ToneChange { .. });
            assert_eq!(call.pair.a_events.iter().filter(changes).count(), 18);
        }
        // All three ends and the update before them are lost with 0.3^4.
        let missed = loss * loss * loss * loss * sent as f64;
        assert!(
            (sent - exact) as f64 <= missed * 3.0,
            "loss {loss}: {exact} of {sent} have the right length"
        );
    }
}

#[test]
fn audio_is_silent_while_a_tone_sounds_and_goes_on_behind_it() {
    let mut call = Call::new(7, 48_000);
    call.run(400);
    call.insert("12");
    call.run(1000);
    let tones = call.tones();
    assert_eq!(text(&tones), "12");
    let frames: Vec<u64> = call.pair.frames.iter().map(|(_, f)| f.rtp_time).collect();
    for tone in &tones {
        let begin = u64::from(tone.rtp_time);
        let end = begin + 4800;
        assert!(
            frames.iter().all(|time| !(begin..end).contains(time)),
            "{begin} {frames:?}"
        );
    }
    let between = frames
        .windows(2)
        .filter(|pair| pair[1] - pair[0] > 960)
        .count();
    assert_eq!(
        between, 2,
        "two holes, and in between and behind them audio: {frames:?}"
    );
    assert!(
        call.pair
            .frames
            .iter()
            .all(|(_, frame)| !frame.discontinuity)
    );
    let stats = call.pair.b.stats();
    let sent = call.pair.a.stats().send[0].packets;
    assert_eq!((stats.recv[0].lost, stats.recv[0].packets), (0, sent));
    assert!(stats.recv[0].jitter < ms(2), "{:?}", stats.recv[0].jitter);
}

#[test]
fn tones_and_audio_are_one_stream_on_the_wire() {
    let mut call = Call::new(7, 48_000);
    call.run(100);
    call.pair.tape = Some(Vec::new());
    call.insert("12");
    call.run(600);
    let tape = call.pair.tape.take().unwrap();
    // Headers are in the clear under SRTP: payload type, sequence number, timestamp, SSRC.
    let number = |bytes: &[u8]| bytes.iter().fold(0u32, |n, byte| n << 8 | u32::from(*byte));
    let packets: Vec<&[u8]> = tape
        .iter()
        .map(Vec::as_slice)
        .filter(|packet| [110, 111].contains(&(packet[1] & 0x7f)))
        .collect();
    for pair in packets.windows(2) {
        let [before, after] = [number(&pair[0][2..4]), number(&pair[1][2..4])];
        assert_eq!(after, (before + 1) & 0xffff);
        let step = number(&pair[1][4..8]).wrapping_sub(number(&pair[0][4..8]));
        assert!(step < 48_000, "timestamps never go back: {step}");
    }
    assert!(packets.iter().all(|packet| number(&packet[8..12]) == 1001));
    let tones = packets.iter().filter(|packet| packet[1] & 0x7f == 110);
    let tones: Vec<(bool, u32)> = tones
        .map(|packet| (packet[1] & 0x80 != 0, number(&packet[4..8])))
        .collect();
    // Four updates and three ends each.
    assert_eq!(tones.len(), 14);
    for (at, (marker, rtp_time)) in tones.iter().enumerate() {
        assert_eq!((*marker, *rtp_time), (at % 7 == 0, tones[at / 7 * 7].1));
    }
    assert!((tones[7].1 - tones[0].1).abs_diff(170 * 48) <= 1);
}

#[test]
fn tones_before_the_first_audio_go_on_with_its_timestamps_or_without_it() {
    let mut call = Call::new(7, 48_000);
    call.insert("1");
    call.pair.run(ms(100));
    call.run(400);
    let tones = call.tones();
    assert_eq!(text(&tones), "1");
    assert!(tones[0].rtp_time < 48_000, "{tones:?}");
    let mut call = Call::new(7, 48_000);
    call.insert("23");
    call.pair.run(ms(1200));
    assert_eq!(text(&call.tones()), "23");
}

#[test]
fn a_long_tone_is_put_together_from_its_segments() {
    for (clock_rate, loss) in [(48_000, 0.0), (48_000, 0.2), (8_000, 0.2)] {
        let mut call = Call::new(3, clock_rate);
        call.run(100);
        call.pair.ab.loss = loss;
        let timing = timing(5000, 100);
        let now = call.pair.now;
        call.pair
            .a
            .insert_tones(TrackId(1), "#5", timing, now)
            .unwrap();
        call.run(11_000);
        let tones = call.tones();
        assert_eq!(text(&tones), "#5");
        for tone in tones {
            let off = tone.duration.abs_diff(ms(5000));
            assert!(off <= ms(20), "{clock_rate} {loss}: {:?}", tone.duration);
        }
    }
}

#[test]
fn tones_without_a_format_or_a_track_are_refused() {
    let mut call = Call::new(1, 8_000);
    let (now, timing) = (call.pair.now, ToneTiming::default());
    let none = call.pair.a.insert_tones(TrackId(9), "1", timing, now);
    assert_eq!(none, Err(ToneError::InvalidState));
    let opus = codec(Codec::Opus, 111, false);
    call.pair
        .a
        .configure(vec![sender("0", 1, opus)], vec![], now);
    let none = call.pair.a.insert_tones(TrackId(1), "1", timing, now);
    assert_eq!(none, Err(ToneError::InvalidState));
}

#[test]
fn a_stream_that_is_stopped_ends_its_tones() {
    let mut call = Call::new(1, 8_000);
    call.run(100);
    call.insert("123");
    call.run(60);
    let now = call.pair.now;
    call.pair.a.configure(vec![], vec![], now);
    call.run(500);
    assert_eq!(text(&call.tones()), "1", "what was sent of it is told");
    let last = call
        .pair
        .a_events
        .iter()
        .rev()
        .find_map(|event| match event {
            MediaEvent::ToneChange { tone, buffer, .. } => Some((tone.as_str(), buffer.as_str())),
            _ => None,
        });
    assert_eq!(last, Some(("", "")));
}

/// A receiver alone, with the packets of another sender.
fn received(packets: &[(u64, u32, u8, bool, u16)], until_ms: u64) -> Vec<(char, u64)> {
    let start = Instant::now();
    let mut receiver = ToneReceiver::new(Ssrc(1), Mid::from("0"), start);
    let mut tones = Vec::new();
    for (at, rtp_time, event, end, duration) in packets {
        let now = start + ms(*at);
        if receiver.deadline().is_some_and(|due| due <= now) {
            tones.extend(receiver.handle_timeout(now));
        }
        let payload = packet(false, 0, *event, *end, *duration).payload;
        let got = receiver.packet(payload, *rtp_time, format(8_000), now);
        tones.extend(got.into_iter().flatten());
    }
    tones.extend(receiver.handle_timeout(start + ms(until_ms)));
    let of = |tone: ReceivedTone| (tone.character(), tone.duration.as_millis() as u64);
    tones.into_iter().map(of).collect()
}

#[test]
fn packets_repeated_and_reordered_make_one_tone() {
    let tones = received(
        &[
            (0, 500, 3, false, 400),
            (50, 500, 3, true, 1200),
            (55, 500, 3, false, 800),
            (60, 500, 3, true, 1200),
            (4000, 500, 3, true, 1200),
        ],
        5000,
    );
    assert_eq!(tones, [('3', 150)]);
}

#[test]
fn a_tone_whose_end_is_lost_ends_by_time_or_by_the_next() {
    let lost_end = [(0, 500, 3, false, 400), (50, 500, 3, false, 800)];
    assert_eq!(received(&lost_end, 200), []);
    assert_eq!(received(&lost_end, 250), [('3', 100)]);
    let next = [(0, 500, 3, false, 400), (150, 1700, 3, true, 800)];
    assert_eq!(received(&next, 150), [('3', 50), ('3', 100)]);
}

#[test]
fn the_end_alone_is_a_tone_even_behind_a_later_one() {
    let only = [
        (0, 1700, 4, false, 160),
        (5, 500, 3, true, 800),
        (9, 500, 3, true, 800),
        (20, 1700, 4, true, 320),
    ];
    assert_eq!(received(&only, 30), [('3', 100), ('4', 40)]);
}

#[test]
fn a_flood_of_tones_and_events_that_are_none_are_let_go() {
    let flood: Vec<_> = (0..1000)
        .map(|i| (i / 2, i as u32 * 160, 1, true, 160))
        .collect();
    assert!(received(&flood, 1000).len() <= 60);
    assert_eq!(
        received(&[(0, 0, 16, true, 800), (1, 9, 255, true, 1)], 500),
        []
    );
}
