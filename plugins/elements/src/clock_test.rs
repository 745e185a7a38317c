// SPDX-License-Identifier: MPL-2.0
//! Tests of the time lines, on fake time.
use super::*;
use gst::ClockTime;

const MS: u64 = 1_000_000;
const VIDEO: u32 = 90_000;

/// A sender whose clock runs `ppm` parts per million fast, over a path with a delay per frame.
struct Sender {
    clock: StreamClock,
    rate: u32,
    first_rtp: u64,
    ppm: i64,
}

impl Sender {
    fn new(session: &SessionClock, rate: u32) -> Self {
        Self {
            clock: session.stream(rate),
            rate,
            first_rtp: 4_294_960_000,
            ppm: 0,
        }
    }

    /// Captures at true time `at` (ms), arrives after `delay` (ms); returns the presentation in ms.
    fn frame(&mut self, at: f64, delay: f64, wall: bool) -> f64 {
        let media = at * (1.0 + self.ppm as f64 / 1e6);
        let rtp = self.first_rtp + (media * f64::from(self.rate) / 1000.0).round() as u64;
        let arrived = ClockTime::from_nseconds(((at + delay) * 1e6) as u64);
        let ntp = wall.then(|| ((4_000_000_000.0 + at / 1000.0) * 4_294_967_296.0) as u64);
        let presentation = self.clock.present(rtp, arrived, ntp);
        presentation.pts.nseconds() as f64 / 1e6
    }
}

fn is_near(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance
}

#[test]
fn rtp_time_wraps_and_loses_no_tick() {
    let hour = ClockTime::from_seconds(3600);
    assert_eq!(rtp_from_running(hour, VIDEO, 0), 324_000_000);
    assert_eq!(
        rtp_from_running(ClockTime::from_seconds(1), VIDEO, u32::MAX),
        89_999
    );
    let days = ClockTime::from_seconds(86_400 * 365);
    let ticks = 86_400u64 * 365 * 48_000;
    assert_eq!(rtp_from_running(days, 48_000, 0), ticks as u32);
}

#[test]
fn ntp_becomes_unix_time() {
    assert_eq!(
        unix_from_ntp(NTP_TO_UNIX << 32 | 0x8000_0000),
        Some(500_000_000)
    );
    assert_eq!(unix_from_ntp(0), None);
    assert_eq!(ntp_nanos(1 << 32), 1_000_000_000);
}

#[test]
fn the_first_frame_is_presented_at_its_arrival() {
    let mut sender = Sender::new(&SessionClock::default(), VIDEO);
    assert_eq!(sender.frame(100.0, 20.0, false), 120.0);
}

#[test]
fn jitter_is_taken_out_and_time_never_falls_back() {
    let mut sender = Sender::new(&SessionClock::default(), VIDEO);
    let mut last = -1.0;
    for i in 0..300 {
        let at = f64::from(i) * 33.333;
        let jitter = f64::from((i * 7919) % 40);
        let pts = sender.frame(at, 20.0 + jitter, false);
        assert!(pts > last, "frame {i}: {pts} after {last}");
        if i > 60 {
            assert!(is_near(pts, at + 20.0, 1.0), "frame {i}: {pts}");
        }
        last = pts;
    }
}

#[test]
fn a_late_first_frame_is_caught_up_by_a_tenth() {
    let mut sender = Sender::new(&SessionClock::default(), VIDEO);
    assert_eq!(sender.frame(0.0, 120.0, false), 120.0);
    let after_half_a_second = (1..=15)
        .map(|i| sender.frame(f64::from(i) * 100.0 / 3.0, 20.0, false))
        .last();
    assert!(is_near(after_half_a_second.unwrap(), 500.0 + 70.0, 1.0));
    let after_two = (16..=60)
        .map(|i| sender.frame(f64::from(i) * 100.0 / 3.0, 20.0, false))
        .last();
    assert!(is_near(after_two.unwrap(), 2000.0 + 20.0, 0.5));
}

#[test]
fn drift_is_followed_for_an_hour() {
    for ppm in [-200, 200] {
        let mut sender = Sender::new(&SessionClock::default(), 48_000);
        sender.ppm = ppm;
        let mut last = -1.0;
        for i in 0..180_000 {
            let at = f64::from(i) * 20.0;
            let pts = sender.frame(at, 20.0, false);
            assert!(pts > last);
            // A window is four seconds at most: 0.8 ms of drift.
            assert!(is_near(pts, at + 20.0, 1.0), "{ppm} ppm at {at}: {pts}");
            last = pts;
        }
    }
}

#[test]
fn a_wrap_of_the_32_bit_counter_is_no_event() {
    let mut sender = Sender::new(&SessionClock::default(), VIDEO);
    for i in 0..10 {
        let at = f64::from(i) * 33.0;
        assert!(is_near(sender.frame(at, 5.0, false), at + 5.0, 0.1));
    }
}

#[test]
fn a_frame_out_of_order_does_not_turn_time_back() {
    let mut sender = Sender::new(&SessionClock::default(), VIDEO);
    sender.frame(0.0, 5.0, false);
    let third = sender.frame(66.0, 5.0, false);
    let second = sender.frame(33.0, 40.0, false);
    assert!(second > third && second < third + 1.0);
    assert!(is_near(sender.frame(99.0, 5.0, false), 104.0, 0.1));
}

#[test]
fn a_jump_of_the_senders_clock_restarts_the_line_once() {
    let mut clock = SessionClock::default().stream(VIDEO);
    let at = |ms: u64| ClockTime::from_nseconds(ms * MS);
    assert!(!clock.present(1000, at(100), None).jumped);
    let jump = clock.present(1000 + 90_000 * 3600, at(133), None);
    assert_eq!((jump.pts, jump.jumped), (at(133), true));
    let next = clock.present(1000 + 90_000 * 3600 + 2970, at(166), None);
    assert_eq!((next.pts, next.jumped), (at(166), false));
}

#[test]
fn a_pause_of_the_senders_clock_is_one_jump_forward() {
    let mut sender = Sender::new(&SessionClock::default(), VIDEO);
    for i in 0..100 {
        sender.frame(f64::from(i) * 33.0, 5.0, false);
    }
    // Three seconds without a tick: everything is late by three seconds from now on.
    let mut pts = 0.0;
    for i in 100..300 {
        pts = sender.frame(f64::from(i) * 33.0, 3005.0, false);
    }
    assert!(is_near(pts, 299.0 * 33.0 + 3005.0, 1.0), "{pts}");
}

#[test]
fn audio_and_video_meet_on_the_senders_wall_clock() {
    let session = SessionClock::default();
    let (mut audio, mut video) = (Sender::new(&session, 48_000), Sender::new(&session, VIDEO));
    let mut apart = f64::MAX;
    for i in 0..200 {
        let at = f64::from(i) * 20.0;
        let reports = i > 50;
        // The picture takes 70 ms longer: its encoder looks ahead.
        let sound = audio.frame(at, 10.0, reports);
        let picture = video.frame(at, 80.0, reports);
        apart = picture - sound;
    }
    assert!(is_near(apart, 0.0, 1.0), "{apart} ms apart");
}

#[test]
fn without_reports_of_both_each_follows_its_own_arrival() {
    let session = SessionClock::default();
    let (mut audio, mut video) = (Sender::new(&session, 48_000), Sender::new(&session, VIDEO));
    for i in 0..100 {
        let at = f64::from(i) * 20.0;
        assert!(is_near(audio.frame(at, 10.0, true), at + 10.0, 0.1));
        assert!(is_near(video.frame(at, 80.0, false), at + 80.0, 0.1));
    }
}

#[test]
fn a_lying_report_moves_nothing_far() {
    let session = SessionClock::default();
    let mut honest = session.stream(VIDEO);
    let mut liar = session.stream(48_000);
    for i in 0..500u64 {
        let arrived = ClockTime::from_nseconds(i * 20 * MS);
        liar.present(i * 960, arrived, Some(i));
        let pts = honest.present(i * 1800, arrived, Some(u64::MAX - i)).pts;
        assert!(pts.absdiff(arrived) < ClockTime::from_mseconds(600));
    }
}

#[test]
fn a_stream_that_left_holds_nobody_back() {
    let session = SessionClock::default();
    let mut audio = Sender::new(&session, 48_000);
    {
        let mut video = Sender::new(&session, VIDEO);
        for i in 0..10 {
            video.frame(f64::from(i) * 20.0, 100.0, true);
            audio.frame(f64::from(i) * 20.0, 10.0, true);
        }
    }
    let mut pts = 0.0;
    for i in 10..200 {
        pts = audio.frame(f64::from(i) * 20.0, 10.0, true);
    }
    assert!(is_near(pts, 199.0 * 20.0 + 10.0, 0.5));
}

#[test]
fn another_clock_rate_goes_on_where_the_old_one_stopped() {
    let mut clock = SessionClock::default().stream(48_000);
    let at = |ms: u64| ClockTime::from_nseconds(ms * MS);
    clock.present(0, at(100), None);
    clock.set_clock_rate(8_000);
    let pts = clock.present(160, at(120), None).pts;
    assert_eq!(pts, at(120));
    assert_eq!(clock.present(320, at(140), None).pts, at(140));
}

#[test]
fn hostile_times_neither_panic_nor_fall_back() {
    let mut clock = SessionClock::default().stream(VIDEO);
    let mut last = ClockTime::ZERO;
    for rtp in [u64::MAX, 0, u64::MAX / 2, 1, u64::MAX - 1, 90_000] {
        for ntp in [None, Some(u64::MAX), Some(0)] {
            let pts = clock.present(rtp, ClockTime::from_seconds(5), ntp).pts;
            assert!(pts >= last);
            last = pts;
        }
    }
}
