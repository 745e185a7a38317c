// SPDX-License-Identifier: MPL-2.0
//! Sessions as Python has them.
use crate::view::system_python;
use rtc_tests::browser::result_of;
use rtc_tests::lab::{Lab, Program, repository};
use serde_json::{Value, json};

#[test]
fn python_negotiates_by_hand_and_walks_the_objects() {
    let both = system_python().and_then(|python| Ok((python, Lab::new()?)));
    let (python, lab) = match both {
        Ok(both) => both,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut command = lab.command(python);
    command.arg(repository().join("tests/interop/session_objects.py"));
    let seen = result_of(&mut Program::start(command));
    let states = [
        "sink have-local-offer",
        "src have-remote-offer",
        "src stable",
        "sink stable",
    ];
    let told = seen["states"].as_array().expect("a list");
    assert_eq!(
        told.get(..4),
        Some(&states.map(Value::from)[..]),
        "{seen:#}"
    );
    assert_eq!(seen["told"], 2, "close is told to nobody: {seen:#}");
    let refused = json!([["create-answer", "InvalidStateError", "rtc-error-quark"]]);
    assert_eq!(seen["errors"], refused, "{seen:#}");
    assert_eq!(seen["sessions"], json!(["one"]), "{seen:#}");
    assert_eq!(seen["same"], true, "{seen:#}");
    assert_eq!(
        seen["transceiver"],
        json!(["0", "video", "sendonly", "video_0"])
    );
    assert_eq!(seen["pair"], "host", "{seen:#}");
    assert_eq!(seen["role"], "controlling", "{seen:#}");
    assert_eq!(seen["dtls"], "connected", "{seen:#}");
    assert_eq!(seen["closed"], "closed", "{seen:#}");
    let has = |list: &str, item: &str| {
        seen[list]
            .as_array()
            .is_some_and(|l| l.iter().any(|i| i == item))
    };
    for kind in [
        "peer-connection",
        "transport",
        "candidate-pair",
        "outbound-rtp",
    ] {
        assert!(has("stats", kind), "no {kind}: {seen:#}");
    }
    for event in [
        "session signaling-state-change",
        "session negotiation-needed",
        "session ice-candidate",
        "ice-transport state-change",
        "dtls-transport state-change",
        "session connection-state-change",
    ] {
        assert!(has("bus", event), "no {event}: {seen:#}");
    }
}
