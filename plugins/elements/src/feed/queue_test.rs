// SPDX-License-Identifier: MPL-2.0
//! Tests of the queue.
use super::*;
use bytes::Bytes;
use rtc_payload::{Codec, FrameInfo, Mid, Pt, Ssrc};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn frame(kind: MediaKind, number: u64, keyframe: bool, size: usize, at: Instant) -> ReceivedFrame {
    ReceivedFrame {
        mid: Mid::from("0"),
        rid: None,
        ssrc: Ssrc(1),
        pt: Pt(96),
        codec: match kind {
            MediaKind::Video => Codec::Vp8,
            MediaKind::Audio => Codec::Opus,
        },
        data: Bytes::from(vec![0; size]),
        rtp_time: number,
        info: FrameInfo {
            keyframe,
            ..FrameInfo::default()
        },
        arrived: at,
        ntp: None,
        discontinuity: false,
        audio_level: None,
    }
}

fn queue(kind: MediaKind) -> (Queue, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let want = Box::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
    });
    (Queue::new(kind, want), asked)
}

fn drain(queue: &Queue) -> Vec<ReceivedFrame> {
    std::iter::from_fn(|| match queue.next(Duration::ZERO) {
        Next::Frame(frame) => Some(frame),
        _ => None,
    })
    .collect()
}

#[test]
fn video_starts_at_a_keyframe_and_asks_for_it_twice_a_second() {
    let (queue, asked) = queue(MediaKind::Video);
    let start = Instant::now();
    for i in 0..30 {
        let at = start + Duration::from_millis(i * 33);
        queue.frame(frame(MediaKind::Video, i, false, 10, at));
    }
    assert!(matches!(queue.next(Duration::ZERO), Next::Idle));
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    queue.frame(frame(MediaKind::Video, 30, true, 10, start));
    let got = drain(&queue);
    assert_eq!((got.len(), got[0].rtp_time), (1, 30));
    assert!(got[0].discontinuity);
    assert_eq!(queue.dropped(), 30);
}

#[test]
fn a_full_queue_keeps_the_newest_keyframe_and_what_follows() {
    let (queue, asked) = queue(MediaKind::Video);
    let now = Instant::now();
    for i in 0..=MAX_FRAMES as u64 {
        queue.frame(frame(MediaKind::Video, i, i % 50 == 0, 10, now));
    }
    let got = drain(&queue);
    assert_eq!(got[0].rtp_time, 100);
    assert!(got[0].discontinuity && got[0].info.keyframe);
    assert_eq!(got.len(), 21);
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[test]
fn a_full_queue_without_a_later_keyframe_is_emptied_and_asks_for_one() {
    let (queue, asked) = queue(MediaKind::Video);
    let now = Instant::now();
    for i in 0..=MAX_FRAMES as u64 {
        queue.frame(frame(MediaKind::Video, i, i == 0, 10, now));
    }
    assert!(drain(&queue).is_empty());
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert_eq!(queue.dropped(), MAX_FRAMES as u64 + 1);
    queue.frame(frame(MediaKind::Video, 900, true, 10, now));
    assert!(drain(&queue)[0].discontinuity);
}

#[test]
fn the_bytes_of_a_queue_are_bounded_too() {
    let (queue, _) = queue(MediaKind::Video);
    let now = Instant::now();
    for i in 0..40 {
        queue.frame(frame(MediaKind::Video, i, i == 0, 1 << 20, now));
    }
    let held: usize = drain(&queue).iter().map(|frame| frame.data.len()).sum();
    assert!(held <= MAX_BYTES);
}

#[test]
fn audio_drops_the_oldest_and_asks_for_nothing() {
    let (queue, asked) = queue(MediaKind::Audio);
    let now = Instant::now();
    for i in 0..MAX_FRAMES as u64 + 3 {
        queue.frame(frame(MediaKind::Audio, i, true, 10, now));
    }
    let got = drain(&queue);
    assert_eq!((got[0].rtp_time, got.len()), (3, MAX_FRAMES));
    assert!(got[0].discontinuity && !got[1].discontinuity);
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[test]
fn an_unwanted_stream_is_dropped_in_silence_and_starts_again_with_a_request() {
    let (queue, asked) = queue(MediaKind::Video);
    let now = Instant::now();
    queue.frame(frame(MediaKind::Video, 0, true, 10, now));
    queue.set_unwanted(true, now);
    for i in 1..10 {
        queue.frame(frame(MediaKind::Video, i, i == 5, 10, now));
    }
    assert!(drain(&queue).is_empty());
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    queue.set_unwanted(false, now);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    queue.frame(frame(MediaKind::Video, 10, false, 10, now));
    queue.frame(frame(MediaKind::Video, 11, true, 10, now));
    let got = drain(&queue);
    assert_eq!((got.len(), got[0].rtp_time), (1, 11));
    assert!(got[0].discontinuity);
    assert_eq!(queue.dropped(), 11);
}

#[test]
fn what_was_queued_comes_before_the_end_and_nothing_after() {
    let (queue, _) = queue(MediaKind::Audio);
    queue.frame(frame(MediaKind::Audio, 1, true, 1, Instant::now()));
    queue.ended();
    queue.frame(frame(MediaKind::Audio, 2, true, 1, Instant::now()));
    assert_eq!(drain(&queue).len(), 1);
    assert!(matches!(queue.next(Duration::from_secs(60)), Next::Ended));
}

#[test]
fn a_waiting_feed_is_woken_by_a_flush_and_by_a_frame() {
    let queue = Arc::new(queue(MediaKind::Audio).0);
    queue.set_flushing(true);
    assert!(matches!(
        queue.next(Duration::from_secs(60)),
        Next::Flushing
    ));
    queue.set_flushing(false);
    let waiting = Arc::clone(&queue);
    let thread = std::thread::spawn(move || waiting.next(Duration::from_secs(60)));
    queue.frame(frame(MediaKind::Audio, 1, true, 1, Instant::now()));
    assert!(matches!(thread.join().unwrap(), Next::Frame(_)));
}
