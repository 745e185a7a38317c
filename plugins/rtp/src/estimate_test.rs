// SPDX-License-Identifier: MPL-2.0
//! The estimator, pacer and feedback together over bottlenecks, held to what issue after issue asks of them.
use crate::SrtpProfile;
use crate::emulate_test::*;
use crate::kit_test::*;
use std::time::Duration;

/// One-way delays: round trips of 20, 50, 100 and 200 ms.
const DELAYS: [u64; 4] = [10, 25, 50, 100];

fn each_delay(scenario: fn() -> Scenario, check: impl Fn(&Scenario, &Outcome)) {
    for delay in DELAYS {
        let scenario = Scenario {
            delay: ms(delay),
            ..scenario()
        };
        print!("RTT {} ms ", 2 * delay);
        let outcome = run(&scenario, delay);
        check(&scenario, &outcome);
    }
}

#[test]
fn a_constant_link_of_2_mbit_is_used_without_a_standing_queue() {
    let scenario = || Scenario {
        name: "2 Mbit/s",
        ..Scenario::default()
    };
    each_delay(scenario, |_, outcome| {
        assert!(outcome.until_80 < 8.0 && outcome.used > 0.85);
        assert!(outcome.queue < 0.150 && outcome.dropped < 0.005);
    });
}

#[test]
fn a_link_that_narrows_and_widens_is_followed() {
    let scenario = || Scenario {
        name: "4-1-4 Mbit/s",
        capacity: |t| if (20.0..40.0).contains(&t) { 1e6 } else { 4e6 },
        ..Scenario::default()
    };
    each_delay(scenario, |scenario, outcome| {
        let clear = outcome.clear_after(20.0);
        let widened = until(&outcome.bins, 40.0, |t| scenario.available(t));
        println!("   queue clear after {clear:.1} s, 80 % {widened:.1} s after the rise");
        assert!(outcome.used > 0.85 && outcome.dropped < 0.03);
        assert!(outcome.queue < 0.150 && clear < 2.0 && outcome.frames > 0.95);
        assert!(widened < 5.0);
    });
}

#[test]
fn light_random_loss_is_no_reason_to_slow_down() {
    let scenario = || Scenario {
        name: "4 Mbit/s, 2 % loss",
        capacity: |_| 4e6,
        loss: 0.02,
        ..Scenario::default()
    };
    each_delay(scenario, |_, outcome| {
        assert!(outcome.until_80 < 8.0 && outcome.used > 0.85);
        assert!(outcome.queue < 0.150 && outcome.dropped < 0.03);
    });
}

#[test]
fn jitter_of_10_ms_is_no_queue() {
    let scenario = || Scenario {
        name: "4 Mbit/s, 10 ms jitter",
        capacity: |_| 4e6,
        jitter: ms(10),
        ..Scenario::default()
    };
    each_delay(scenario, |_, outcome| {
        assert!(outcome.until_80 < 8.0 && outcome.used > 0.85);
        assert!(outcome.queue < 0.150);
    });
}

#[test]
fn packets_in_clumps_as_wireless_has_them_are_no_queue() {
    let scenario = || Scenario {
        name: "4 Mbit/s, wireless",
        capacity: |_| 4e6,
        clumps: true,
        ..Scenario::default()
    };
    each_delay(scenario, |_, outcome| {
        assert!(outcome.until_80 < 8.0 && outcome.used > 0.85);
        assert!(outcome.queue < 0.150);
    });
}

#[test]
fn a_thin_link_is_not_flooded() {
    let scenario = || Scenario {
        name: "500 kbit/s",
        capacity: |_| 500e3,
        ..Scenario::default()
    };
    each_delay(scenario, |_, outcome| {
        assert!(outcome.used > 0.85 && outcome.queue < 0.150 && outcome.dropped < 0.02);
    });
}

#[test]
fn more_is_given_soon_after_an_application_asks_for_more() {
    let scenario = || Scenario {
        name: "500k then 5M at 6 Mbit/s",
        capacity: |_| 6e6,
        demand: |t| if t < 30.0 { 500e3 } else { 5e6 },
        from: 30.0,
        ..Scenario::default()
    };
    each_delay(scenario, |_, outcome| {
        assert!(outcome.until_80 < 8.0 && outcome.used > 0.85);
        assert!(outcome.queue < 0.150);
    });
}

#[test]
fn a_wide_link_is_ramped_up_to() {
    let scenario = || Scenario {
        name: "6 Mbit/s",
        capacity: |_| 6e6,
        ..Scenario::default()
    };
    each_delay(scenario, |_, outcome| {
        assert!(outcome.until_80 < 8.0 && outcome.used > 0.85);
        assert!(outcome.queue < 0.150);
    });
}

#[test]
fn queues_short_and_long_that_drop_their_tail_are_not_filled() {
    for queue in [50, 100, 500] {
        let scenario = Scenario {
            name: "2 Mbit/s, queue",
            queue: ms(queue),
            ..Scenario::default()
        };
        print!("{queue} ms of ");
        let outcome = run(&scenario, queue);
        assert!(outcome.until_80 < 8.0 && outcome.used > 0.85);
        assert!(outcome.queue < 0.150 && outcome.dropped < 0.02);
    }
}

#[test]
fn a_policer_that_drops_what_exceeds_its_rate_is_lived_with() {
    let scenario = || Scenario {
        name: "2 Mbit/s policed",
        policer: Some(30e3),
        ..Scenario::default()
    };
    each_delay(scenario, |_, outcome| {
        assert!(outcome.until_80 < 12.0 && outcome.used > 0.65);
        assert!(outcome.dropped < 0.30 && outcome.frames > 0.75);
    });
}

#[test]
fn feedback_that_gets_lost_does_not_stop_anything() {
    let scenario = || Scenario {
        name: "2 Mbit/s, 10 % of the feedback lost",
        feedback_loss: 0.1,
        ..Scenario::default()
    };
    each_delay(scenario, |_, outcome| {
        assert!(outcome.until_80 < 8.0 && outcome.used > 0.85);
        assert!(outcome.queue < 0.150);
    });
}

/// A machine so busy that the thread stands still half of the time, for up to 120 ms.
#[test]
fn a_thread_that_waits_for_the_processor_is_not_taken_for_a_full_path() {
    let scenario = || Scenario {
        name: "starved, 3 of 20 Mbit/s",
        capacity: |_| 20e6,
        demand: |_| 3e6,
        starved: Starved::new(ms(20), ms(120)),
        ..Scenario::default()
    };
    each_delay(scenario, |_, outcome| {
        assert!(outcome.frames > 0.997, "{}", outcome.frames);
        assert!(outcome.until_80 < 8.0 && outcome.used > 0.90);
    });
}

/// The same where there is no room to spare.
#[test]
fn a_starved_thread_fills_a_narrow_path_all_the_same() {
    let scenario = || Scenario {
        name: "starved, 2 Mbit/s",
        starved: Starved::new(ms(20), ms(60)),
        ..Scenario::default()
    };
    each_delay(scenario, |_, outcome| {
        assert!(outcome.until_80 < 8.0 && outcome.used > 0.75);
        assert!(outcome.queue < 0.200 && outcome.frames > 0.96);
    });
}

#[test]
fn two_flows_share_a_link() {
    let scenario = Scenario {
        name: "half of 4 Mbit/s",
        capacity: |_| 4e6,
        demand: |_| 8e6,
        seconds: 90,
        ..Scenario::default()
    };
    let mut calls = [Call::new(&scenario, 1), Call::new(&scenario, 2)];
    calls[1].pair.ab.bottleneck = calls[0].pair.ab.bottleneck.clone();
    let start = calls[0].pair.start;
    // The second comes after ten seconds, when the first has all.
    calls[1].pair.start = start + ms(10_017);
    let mut at = start;
    while at < start + Duration::from_secs(100) {
        at += ms(1);
        for call in calls.iter_mut().filter(|call| call.pair.start < at) {
            call.pair.run_until(at);
            if call.next() <= at {
                call.frame(&scenario);
            }
        }
    }
    let [one, two] = calls.map(|call| call.outcome(&scenario));
    one.show("first");
    two.show("second");
    let rate = |outcome: &Outcome| outcome.bins[450..].iter().sum::<f64>() / 45.0;
    let (one_rate, two_rate) = (rate(&one), rate(&two));
    println!("   {one_rate:.0} and {two_rate:.0} bit/s");
    assert!(one_rate + two_rate > 0.80 * 4e6);
    assert!(one_rate < 3.0 * two_rate && two_rate < 3.0 * one_rate);
    assert!(one.queue < 0.150 && two.queue < 0.150);
}

/// A stream that does not follow the estimate, as one passed through already encoded.
#[test]
fn a_viewer_whose_path_is_too_thin_gets_whole_pictures_now_and_then() {
    let mut pair = Pair::new(SrtpProfile::AeadAes128Gcm, ms(25), 1, true);
    pair.ab.capacity = Some(1e6);
    let mut wished = 0;
    for i in 0..1800u32 {
        let keyframe = pair.keyframe_wanted();
        wished += u32::from(keyframe);
        pair.a_events.clear();
        let len = if keyframe { 40_000 } else { 8_000 };
        pair.send(&vp8(i, keyframe, len));
        let next = pair.start + Duration::from_secs_f64(f64::from(i + 1) / 30.0);
        pair.run_until(next);
    }
    let late = pair.frames.iter().map(|(at, frame)| {
        let sent = pair.start + Duration::from_secs_f64(f64::from(number(frame)) / 30.0);
        at.saturating_duration_since(sent)
    });
    let latest = late.max().unwrap();
    println!(
        "{} frames, {wished} wishes, latest {latest:?}",
        pair.frames.len()
    );
    assert!(pair.frames.len() > 150, "{}", pair.frames.len());
    assert!(
        wished < 40,
        "{wished} keyframes in a minute, for all viewers"
    );
    assert!(latest < ms(3000), "{latest:?}");
}

#[test]
fn on_a_wide_path_frames_leave_whole() {
    let mut pair = Pair::new(SrtpProfile::AeadAes128Gcm, ms(5), 1, true);
    for i in 0..300u32 {
        let keyframe = pair.keyframe_wanted();
        pair.a_events.clear();
        if i == 150 {
            pair.trains = 0;
        }
        pair.send(&vp8(i, keyframe, 8_000));
        pair.run(Duration::from_micros(33_333));
    }
    // 150 frames, and some RTCP.
    assert!(pair.trains < 170, "{} sends for 150 frames", pair.trains);
}
