// SPDX-License-Identifier: MPL-2.0
//! A robot that is watched and driven from a page: picture, telemetry in step with it, and the way back.
//!
//! `cargo run -p rtc-examples --example robot-telemetry`, then open the address it prints: the ring on the page is
//! drawn from the telemetry of the very frame below it. Click where the robot shall go, or use the arrow keys.
use gst::prelude::*;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/robot-telemetry");
const WIDTH: i32 = 640;
const HEIGHT: i32 = 360;
const SIZE: i32 = 24;
/// A step of an arrow key, and the way of a frame, in pixels.
const STEP: f64 = 40.0;
const SPEED: f64 = 6.0;
/// The frame's number stands at the bottom in so many cells, a bit each, so that a page can read it.
const BITS: i32 = 16;
const CELLS: i32 = 24;

/// Where it is and where it shall be.
#[derive(Clone, Copy, Debug)]
struct Robot {
    at: (f64, f64),
    goal: (f64, f64),
    frame: u32,
}

type Shared = Arc<Mutex<Robot>>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    gst::init()?;
    // sync-to: each message goes with the frame of its time. The control channel is off unless asked for.
    let pipeline = gst::parse::launch(&format!(
        "rtcsink name=out signaller::directory=\"{PAGE}\" enable-control-data-channel=true \
         data_0::label=telemetry data_0::sync-to=video_0 \
         videotestsrc is-live=true pattern=black ! \
         video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate=30/1 ! \
         identity name=camera ! out.video_0 \
         appsrc name=sensors is-live=true format=time caps=application/x-json ! out.data_0"
    ))?;
    let bin = pipeline.downcast_ref::<gst::Bin>().ok_or("not a bin")?;
    let camera = bin.by_name("camera").ok_or("no camera")?;
    let sensors = bin.by_name("sensors").ok_or("no sensors")?;
    let middle = (f64::from(WIDTH) / 2.0, f64::from(HEIGHT) / 2.0);
    let robot = Shared::new(Mutex::new(Robot {
        at: middle,
        goal: middle,
        frame: 0,
    }));
    let pad = camera.static_pad("src").ok_or("no pad")?;
    see(&pad, &sensors, &robot);
    obey(&pad, &robot);
    pipeline.set_state(gst::State::Playing)?;
    let bus = pipeline.bus().ok_or("no bus")?;
    for message in bus.iter_timed(gst::ClockTime::NONE) {
        match message.view() {
            gst::MessageView::Eos(_) => break,
            gst::MessageView::Error(error) => return Err(error.error().into()),
            _ => {}
        }
    }
    pipeline.set_state(gst::State::Null)?;
    Ok(())
}

fn lock(robot: &Shared) -> MutexGuard<'_, Robot> {
    robot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every frame: the robot moves, is drawn, and tells of itself with the frame's own time.
fn see(camera: &gst::Pad, sensors: &gst::Element, robot: &Shared) {
    let (sensors, robot) = (sensors.clone(), Arc::clone(robot));
    camera.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let Some(frame) = info.buffer_mut().map(gst::Buffer::make_mut) else {
            return gst::PadProbeReturn::Ok;
        };
        let now = step(&mut lock(&robot));
        if let Ok(mut picture) = frame.map_writable() {
            draw(&mut picture, &now);
        }
        let Robot { at, frame: n, .. } = now;
        let text = format!(r#"{{"frame":{n},"x":{:.1},"y":{:.1}}}"#, at.0, at.1);
        let mut message = gst::Buffer::from_slice(text.into_bytes());
        if let Some(message) = message.get_mut() {
            message.set_pts(frame.pts());
        }
        let _ended: gst::FlowReturn = sensors.emit_by_name("push-buffer", &[&message]);
        gst::PadProbeReturn::Ok
    });
}

/// What the page does comes up the pipeline as navigation events.
fn obey(camera: &gst::Pad, robot: &Shared) {
    let robot = Arc::clone(robot);
    camera.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
        let event = info
            .event()
            .filter(|e| e.type_() == gst::EventType::Navigation);
        if let Some(fields) = event.and_then(|event| event.structure())
            && command(&mut lock(&robot), fields).is_some()
        {
            println!("{fields}");
            // Taken: the page is told so.
            return gst::PadProbeReturn::Handled;
        }
        gst::PadProbeReturn::Ok
    });
}

/// A new goal, if the event gives one.
fn command(robot: &mut Robot, event: &gst::StructureRef) -> Option<()> {
    let (x, y) = robot.goal;
    robot.goal = match event.get::<&str>("event").ok()? {
        "mouse-button-press" => (event.get("pointer_x").ok()?, event.get("pointer_y").ok()?),
        "key-press" => match event.get::<&str>("key").ok()? {
            "Left" => (x - STEP, y),
            "Right" => (x + STEP, y),
            "Up" => (x, y - STEP),
            "Down" => (x, y + STEP),
            _ => return None,
        },
        _ => return None,
    };
    Some(())
}

fn step(robot: &mut Robot) -> Robot {
    let inside = |at: f64, size: i32| at.clamp(0.0, f64::from(size));
    let goal = (inside(robot.goal.0, WIDTH), inside(robot.goal.1, HEIGHT));
    let (x, y) = robot.at;
    let towards = |at: f64, goal: f64| at + (goal - at).clamp(-SPEED, SPEED);
    robot.goal = goal;
    robot.at = (towards(x, goal.0), towards(y, goal.1));
    robot.frame += 1;
    *robot
}

/// The robot as a bright square in the luma plane, and the frame's number below.
fn draw(picture: &mut [u8], robot: &Robot) {
    let mut fill = |left: i32, top: i32, width: i32, height: i32, luma: u8| {
        for y in top.max(0)..(top + height).min(HEIGHT) {
            for x in left.max(0)..(left + width).min(WIDTH) {
                if let Some(pixel) = picture.get_mut((y * WIDTH + x) as usize) {
                    *pixel = luma;
                }
            }
        }
    };
    let (x, y) = (robot.at.0 as i32, robot.at.1 as i32);
    fill(x - SIZE / 2, y - SIZE / 2, SIZE, SIZE, 200);
    let cell = WIDTH / BITS;
    for bit in 0..BITS {
        let luma = if robot.frame >> bit & 1 == 1 { 235 } else { 16 };
        fill(bit * cell, HEIGHT - CELLS, cell, CELLS, luma);
    }
}
