// SPDX-License-Identifier: MPL-2.0
//! A viewer of an input with several encodings: what it gets, when it switches, what it asks for.
use crate::kit_test::*;
use crate::{Ladder, Media, MediaEvent, PacketBlock, Packetizer, ReceivedFrame, SrtpProfile};
use bytes::Bytes;
use rtc_payload::{Codec, EncodedFrame, FrameInfo, TrackId, picture_numbers};
use std::sync::Arc;
use std::time::Duration;

const GCM: SrtpProfile = SrtpProfile::AeadAes128Gcm;
const FRAME: Duration = Duration::from_micros(33_333);
/// Bytes of a frame of each layer: 840, 480 and 144 kbit/s.
const SIZES: [usize; 3] = [3500, 2000, 600];

/// Encoders of three layers, run as the viewer asks.
struct Layers {
    packetizers: Vec<Packetizer>,
    ladder: Arc<Ladder>,
    /// Frames each layer's encoder is behind the input.
    lag: [u32; 3],
    key: [bool; 3],
    /// (sent, wanted) as told.
    told: Vec<(Option<u8>, u8)>,
    /// Keyframes asked of each layer.
    asked: [u32; 3],
    frame: u32,
}

impl Layers {
    fn new(codec: Codec) -> Self {
        let ladder = Arc::new(Ladder::default());
        ladder.set_floors(&[650_000, 400_000, 100_000]);
        let packetizer =
            |layer| Packetizer::new(TrackId(1), codec, 1200).with_layer(layer, Arc::clone(&ladder));
        let mut packetizers: Vec<_> = (0..3).map(packetizer).collect();
        // Encoders that ran for unlike times: their numbers have nothing in common.
        for (at, packetizer) in packetizers.iter_mut().enumerate() {
            for number in 0..at as u32 * 77 {
                let frame = frame(codec, number * 5, false, 300);
                packetizer.block(&frame, std::time::Instant::now()).unwrap();
            }
        }
        Self {
            packetizers,
            ladder,
            lag: [0; 3],
            key: [true; 3],
            told: Vec::new(),
            asked: [0; 3],
            frame: 100,
        }
    }

    fn hear(&mut self, events: &mut std::collections::VecDeque<MediaEvent>) {
        for event in events.drain(..) {
            match event {
                MediaEvent::Layer { sent, wanted, .. } => self.told.push((sent, wanted)),
                MediaEvent::KeyframeWanted { layer, .. } => {
                    let layer = usize::from(layer.unwrap_or(0));
                    self.asked[layer] += 1;
                    self.key[layer] = true;
                }
                _ => {}
            }
        }
    }

    /// One frame of each layer that is taken, as the endpoint would have it.
    fn blocks(&mut self, codec: Codec, now: std::time::Instant) -> Vec<Arc<PacketBlock>> {
        self.frame += 1;
        let (sent, wanted) = self.told.last().copied().unwrap_or((None, 0));
        (0..3u8)
            .filter(|layer| self.told.is_empty() || sent == Some(*layer) || wanted == *layer)
            .map(|layer| {
                let at = usize::from(layer);
                let key = std::mem::replace(&mut self.key[at], false);
                let number = self.frame - self.lag[at];
                let frame = frame(codec, number, key, SIZES[at]);
                Arc::new(self.packetizers[at].block(&frame, now).unwrap())
            })
            .collect()
    }
}

fn frame(codec: Codec, number: u32, keyframe: bool, len: usize) -> EncodedFrame {
    match codec {
        Codec::Vp8 => vp8(number, keyframe, len),
        _ => EncodedFrame {
            codec,
            data: Bytes::from(vec![0x5a; len]),
            rtp_time: number.wrapping_mul(3000),
            info: FrameInfo {
                keyframe,
                ..FrameInfo::default()
            },
        },
    }
}

fn pair(codec_: Codec, capacity: f64, start: u64) -> Pair {
    let mut pair = Pair::bare(GCM, ms(20), 7);
    let mut config = config(pair.now);
    config.start_bitrate = start;
    let keys: Vec<u8> = (0..GCM.keying_material_len() as u8).collect();
    pair.a = Media::new(config, pair.now);
    pair.a.set_keys(GCM, &keys, true).unwrap();
    let params = codec(codec_, 96, true);
    pair.a
        .configure(vec![sender("0", 1, params.clone())], vec![], pair.now);
    pair.b
        .configure(vec![], vec![receiver("0", params)], pair.now);
    pair.ab.capacity = Some(capacity);
    pair.drain();
    pair
}

fn run(pair: &mut Pair, layers: &mut Layers, codec: Codec, seconds: f64) {
    for _ in 0..(seconds * 30.0) as u32 {
        layers.hear(&mut pair.a_events);
        for block in layers.blocks(codec, pair.now) {
            pair.a.send_block(&block, pair.now);
            pair.drain();
        }
        pair.run(FRAME);
    }
    layers.hear(&mut pair.a_events);
}

/// Makes a layer the largest that a share of 1 Mbit/s pays for.
fn costs(ladder: &Ladder, layer: u8) {
    let costs = [[800, 400, 100], [9_000, 400, 100], [9_000, 8_000, 100]];
    ladder.set_floors(&costs[usize::from(layer)].map(|kilo| kilo * 1000));
}

/// Runs until a layer is sent: steps up that did not last make the next one slow.
fn until(pair: &mut Pair, layers: &mut Layers, codec: Codec, wanted: u8) {
    for _ in 0..140 {
        run(pair, layers, codec, 0.5);
        if layers.told.last() == Some(&(Some(wanted), wanted)) {
            return;
        }
    }
    panic!("no layer {wanted}: {:?}", layers.told);
}

/// The layer a received frame is of.
fn layer_of(frame: &ReceivedFrame) -> usize {
    let len = frame.data.len();
    SIZES.iter().position(|size| *size == len).unwrap()
}

fn layers_seen(pair: &Pair) -> Vec<usize> {
    let mut seen: Vec<_> = pair
        .frames
        .iter()
        .map(|(_, frame)| layer_of(frame))
        .collect();
    seen.dedup();
    seen
}

/// Every frame follows its predecessor, and a change of layers is a keyframe.
fn assert_one_stream(pair: &Pair) {
    for pair in pair.frames.windows(2) {
        let [(_, before), (_, after)] = pair else {
            unreachable!()
        };
        assert!(after.rtp_time > before.rtp_time);
        if layer_of(before) != layer_of(after) {
            assert!(after.info.keyframe);
        }
    }
}

#[test]
fn a_viewer_starts_with_what_its_estimate_affords_and_follows_the_path_down_and_up() {
    let mut pair = pair(Codec::Vp8, 3e6, 1_000_000);
    let mut layers = Layers::new(Codec::Vp8);
    run(&mut pair, &mut layers, Codec::Vp8, 5.0);
    assert_eq!(layers_seen(&pair), [0]);
    pair.ab.capacity = Some(700e3);
    run(&mut pair, &mut layers, Codec::Vp8, 10.0);
    assert_eq!(
        layer_of(&pair.frames.last().unwrap().1),
        1,
        "{:?}",
        layers.told
    );
    pair.ab.capacity = Some(3e6);
    run(&mut pair, &mut layers, Codec::Vp8, 40.0);
    assert_eq!(
        layer_of(&pair.frames.last().unwrap().1),
        0,
        "{:?}",
        layers.told
    );
    assert_one_stream(&pair);
    assert_eq!(pair.a.stats().send[0].layer, Some(0));
    // No storm: a switch costs a keyframe or two, a loss as many.
    let asked: u32 = layers.asked.iter().sum();
    assert!(asked <= 24, "{:?} in 55 s; {:?}", layers.asked, layers.told);
}

#[test]
fn the_encodings_make_one_stream_to_the_bit() {
    for (codec, lag) in [
        (Codec::Vp8, [0, 0, 0]),
        (Codec::Vp8, [0, 3, 1]),
        (Codec::Vp9, [2, 0, 0]),
        (Codec::Vp9, [0, 1, 4]),
    ] {
        let mut pair = pair(codec, 50e6, 1_000_000);
        let mut layers = Layers::new(codec);
        layers.lag = lag;
        pair.a.config.congestion_control = false;
        for round in 0..9u8 {
            let wanted = round % 3;
            costs(&layers.ladder, wanted);
            let before = pair.frames.len();
            until(&mut pair, &mut layers, codec, wanted);
            run(&mut pair, &mut layers, codec, 1.0);
            let lost = pair.frames[before..].iter();
            assert_eq!(lost.filter(|(_, frame)| frame.discontinuity).count(), 0);
        }
        assert_eq!(layers_seen(&pair), [0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2]);
        assert_one_stream(&pair);
        let all = layers.frame - 100;
        assert!(pair.frames.len() as u32 >= all - 30, "{all}");
    }
}

#[test]
fn picture_numbers_have_no_gap_over_a_switch() {
    let mut pair = pair(Codec::Vp8, 50e6, 1_000_000);
    let mut layers = Layers::new(Codec::Vp8);
    pair.a.config.congestion_control = false;
    pair.tape = Some(Vec::new());
    for wanted in [0, 1, 0, 2, 0] {
        costs(&layers.ladder, wanted);
        until(&mut pair, &mut layers, Codec::Vp8, wanted);
    }
    let tape = pair.tape.take().unwrap();
    let mut numbers: Vec<_> = tape.iter().filter_map(|packet| opened(packet)).collect();
    numbers.dedup();
    for pair in numbers.windows(2) {
        assert_eq!((pair[0] + 1) & 0x7fff, pair[1]);
    }
    assert!(numbers.len() > 100);
}

/// The picture id of a packet of media.
fn opened(packet: &[u8]) -> Option<u16> {
    let keys: Vec<u8> = (0..GCM.keying_material_len() as u8).collect();
    let (ours, _) = crate::keys::split(GCM, &keys, true).unwrap();
    let mut opener = crate::srtp::Opener::new(GCM, &ours).unwrap();
    let mut packet = packet.to_vec();
    if packet[1] & 0x7f != 96 {
        return None;
    }
    let len = crate::header::header_len(&packet).unwrap();
    let now = std::time::Instant::now();
    opener.open_rtp(&mut packet, len, now).unwrap();
    let numbers = picture_numbers(Codec::Vp8, &packet[len..]);
    Some(numbers.unwrap().picture)
}

#[test]
fn a_viewer_that_goes_down_is_not_held_up_by_what_waits() {
    let mut pair = pair(Codec::Vp8, 3e6, 1_000_000);
    let mut layers = Layers::new(Codec::Vp8);
    run(&mut pair, &mut layers, Codec::Vp8, 5.0);
    pair.ab.capacity = Some(250e3);
    run(&mut pair, &mut layers, Codec::Vp8, 6.0);
    let change = pair.now;
    run(&mut pair, &mut layers, Codec::Vp8, 10.0);
    let small = pair
        .frames
        .iter()
        .filter(|(at, frame)| *at > change && layer_of(frame) == 2);
    // 30 a second would be 300; a bottleneck's queue of 250 ms may cost a few.
    assert!(small.count() > 240, "{:?}", layers.told);
}

#[test]
fn an_input_with_one_encoding_tells_nothing_of_layers() {
    let mut pair = Pair::new(GCM, ms(20), 3, true);
    for number in 0..30 {
        let keyframe = pair.keyframe_wanted();
        pair.send(&vp8(number, keyframe, 900));
        pair.run(FRAME);
    }
    assert!(pair.frames.len() > 25 && pair.a.stats().send[0].layer.is_none());
    let layer = |event: &MediaEvent| matches!(event, MediaEvent::Layer { .. });
    assert!(!pair.a_events.iter().any(layer));
}

#[test]
fn a_viewer_on_a_thin_path_gets_half_the_pictures_in_time() {
    let [with, without] = [true, false].map(|drops| {
        let mut pair = pair(Codec::Vp8, 450e3, 700_000);
        let mut packetizer = Packetizer::new(TrackId(1), Codec::Vp8, 1200);
        let mut keyframe = true;
        for number in 0..600 {
            // 720 kbit/s; every other frame is referred to by none.
            let mut frame = vp8(number, keyframe, if number % 2 == 0 { 2600 } else { 3400 });
            frame.info.discardable = drops && number % 2 == 1;
            let block = Arc::new(packetizer.block(&frame, pair.now).unwrap());
            pair.a.send_block(&block, pair.now);
            pair.drain();
            pair.run(FRAME);
            keyframe = pair.keyframe_wanted();
        }
        let from = pair.start + Duration::from_secs(5);
        let late = pair.frames.iter().filter(|(at, _)| *at > from);
        let late: Vec<_> = late.map(|(_, frame)| frame.discontinuity).collect();
        if drops {
            assert!(!late.contains(&true));
        }
        late.len()
    });
    assert!(
        with > 200 && with > without * 3 / 2,
        "{with}, not {without}"
    );
}
