// SPDX-License-Identifier: MPL-2.0
//! Our tones as a peer we did not write decrypts them: RFC 4733 to the letter, and read by `rtpdtmfdepay`.
use crate::view::python;
use gst::prelude::*;
use rtc_tests::browser::result_of;
use rtc_tests::lab::{Lab, Program, repository};

const EVERY_TONE: &str = "0123456789*#ABCD";
const SIP_GEAR: &str = "telephone-event/8000";

/// One packet; the payload of tones alone.
#[derive(Debug)]
struct Packet {
    bytes: Vec<u8>,
    pt: u8,
    marker: bool,
    seq: u16,
    rtp_time: u32,
    ssrc: u32,
}

impl Packet {
    fn parse(head: &str, rest: &str) -> Self {
        let text = format!("{head}{rest}");
        let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
        let bytes: Vec<u8> = (0..text.len()).step_by(2).map(byte).collect();
        let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four"));
        Self {
            pt: bytes[1] & 0x7f,
            marker: bytes[1] & 0x80 != 0,
            seq: u16::from_be_bytes([bytes[2], bytes[3]]),
            rtp_time: number(4),
            ssrc: number(8),
            bytes,
        }
    }

    /// Event, whether it is the end, volume, duration.
    fn event(&self) -> (u8, bool, u8, u16) {
        let extension = self.bytes[0] & 0x10 != 0;
        let words =
            |at: usize| usize::from(u16::from_be_bytes([self.bytes[at], self.bytes[at + 1]]));
        let start = if extension { 16 + 4 * words(14) } else { 12 };
        let payload = &self.bytes[start..];
        assert_eq!(payload.len(), 4, "{self:?}");
        assert_eq!(payload[1] & 0x40, 0, "the reserved bit");
        let duration = u16::from_be_bytes([payload[2], payload[3]]);
        (
            payload[0],
            payload[1] & 0x80 != 0,
            payload[1] & 0x3f,
            duration,
        )
    }
}

/// What aiortc decrypts of a dialled series; `None` where it can't be had.
fn capture() -> Option<Vec<Packet>> {
    let both = python().and_then(|python| Ok((python, Lab::new()?)));
    let (python, lab) = match both {
        Ok(both) => both,
        Err(why) => {
            println!("skipped: {why}");
            return None;
        }
    };
    let mut launch = lab.launch(&format!(
        "rtcsink name=s audiotestsrc is-live=true volume=0.1 ! s.audio_0 \
         rtcdtmfsrc tones={EVERY_TONE}, ! s.dtmf_0"
    ));
    let url = format!("{}/whep", launch.wait_listening());
    let mut command = lab.command(python);
    command
        .arg(repository().join("tests/interop/dtmf_aiortc.py"))
        .args([&url, "6"]);
    let result = result_of(&mut Program::start(command));
    let answer = result["answer"].as_str().unwrap_or_default();
    assert!(
        answer.contains(&format!("a=rtpmap:101 {SIP_GEAR}")),
        "{answer}"
    );
    let packets = result["packets"].as_array().expect("a list").iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    Some(
        packets
            .map(|packet| Packet::parse(&text(&packet["head"]), &text(&packet["rest"])))
            .collect(),
    )
}

/// Packets of one timestamp.
fn assert_to_the_letter(tone: &[&Packet], event: u8) {
    let facts: Vec<_> = tone.iter().map(|packet| packet.event()).collect();
    let markers: Vec<_> = tone.iter().map(|packet| packet.marker).collect();
    assert!(
        markers[0] && !markers[1..].contains(&true),
        "the first alone: {markers:?}"
    );
    assert!(
        facts
            .iter()
            .all(|(of, _, volume, _)| (*of, *volume) == (event, 10)),
        "{facts:?}"
    );
    let (updates, ends) = facts.split_at(facts.len().saturating_sub(3));
    assert!(
        !updates.is_empty() && updates.iter().all(|fact| !fact.1),
        "{facts:?}"
    );
    let of_end = (event, true, 10, 800);
    assert_eq!(ends, [of_end; 3], "100 ms, told three times");
    let rises = facts
        .windows(2)
        .all(|pair| pair[0].3 < pair[1].3 || pair[1].1);
    assert!(rises, "{facts:?}");
}

/// The digits that GStreamer's own depayloader tells of these packets.
fn depayloaded(packets: &[&Packet]) -> Vec<i32> {
    gst::init().expect("GStreamer starts");
    let pipeline = gst::parse::launch(
        "appsrc name=in format=time is-live=true \
         caps=application/x-rtp,media=audio,payload=101,clock-rate=8000,encoding-name=TELEPHONE-EVENT ! \
         rtpdtmfdepay ! fakesink sync=false async=false",
    )
    .expect("the good and bad plugins are installed");
    let bin = pipeline
        .downcast_ref::<gst::Bin>()
        .expect("several elements");
    let input = bin
        .by_name("in")
        .and_downcast::<gst_app::AppSrc>()
        .expect("an appsrc");
    pipeline.set_state(gst::State::Playing).expect("it plays");
    for (at, packet) in packets.iter().enumerate() {
        let mut buffer = gst::Buffer::from_slice(packet.bytes.clone());
        let time = gst::ClockTime::from_mseconds(at as u64 * 20);
        buffer.get_mut().expect("new").set_pts(time);
        input.push_buffer(buffer).expect("it flows");
    }
    input.end_of_stream().expect("it ends");
    let bus = pipeline.bus().expect("a pipeline has one");
    let mut digits = Vec::new();
    for message in bus.iter_timed(gst::ClockTime::from_seconds(10)) {
        match message.view() {
            gst::MessageView::Eos(_) => break,
            gst::MessageView::Error(error) => panic!("{}", error.error()),
            gst::MessageView::Element(element) => {
                let fields = element.structure().filter(|s| s.name() == "dtmf-event");
                digits.extend(fields.and_then(|fields| fields.get::<i32>("number").ok()));
            }
            _ => {}
        }
    }
    let _ = pipeline.set_state(gst::State::Null);
    digits
}

#[test]
fn every_tone_is_rfc_4733_to_the_letter_and_read_by_gstreamer() {
    let Some(packets) = capture() else {
        return;
    };
    let ssrc = packets[0].ssrc;
    assert!(
        packets.iter().all(|packet| packet.ssrc == ssrc),
        "one stream"
    );
    let steps = packets
        .windows(2)
        .map(|pair| pair[1].seq.wrapping_sub(pair[0].seq));
    assert!(
        steps.clone().all(|step| step == 1),
        "{:?}",
        steps.collect::<Vec<_>>()
    );
    assert!(
        packets.iter().any(|packet| packet.pt == 0),
        "audio goes along"
    );
    let tones: Vec<&Packet> = packets.iter().filter(|packet| packet.pt == 101).collect();
    let each: Vec<&[&Packet]> = tones.chunk_by(|a, b| a.rtp_time == b.rtp_time).collect();
    assert_eq!(each.len(), EVERY_TONE.len(), "{tones:?}");
    for (event, tone) in each.iter().enumerate() {
        assert_to_the_letter(tone, event as u8);
    }
    for pair in each.windows(2) {
        let apart = pair[1][0].rtp_time.wrapping_sub(pair[0][0].rtp_time);
        // 100 ms and a gap of 70, and what a late timer adds; never less.
        assert!((1359..1600).contains(&apart), "{apart}");
    }
    let wanted: Vec<i32> = (0..16).collect();
    assert_eq!(depayloaded(&tones), wanted);
}
