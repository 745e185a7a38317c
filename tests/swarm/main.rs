// SPDX-License-Identifier: MPL-2.0
//! `viewer-swarm URL VIEWERS SECONDS [ROUNDS [PACE]]`: viewers come (one each PACE ms), watch, say goodbye; one line of JSON a round.
use rtc_tests::swarm::Swarm;
use serde_json::json;
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, url, viewers, seconds, rest @ ..] = arguments.as_slice() else {
        return Err("usage: viewer-swarm URL VIEWERS SECONDS [ROUNDS [PACE]]".into());
    };
    let (viewers, seconds): (usize, f64) = (viewers.parse()?, seconds.parse()?);
    let rounds: usize = rest.first().map_or(Ok(1), |text| text.parse())?;
    let pace: u64 = rest.get(1).map_or(Ok(0), |text| text.parse())?;
    let mut swarm = Swarm::new(url)?;
    for round in 0..rounds {
        swarm.come(viewers, Duration::from_millis(pace));
        println!("ports: {:?}", swarm.ports());
        println!("watching");
        let mut report = swarm.watch(Duration::from_secs_f64(seconds));
        report["round"] = round.into();
        println!("round: {report}");
        swarm.go();
    }
    println!(
        "{}",
        json!({"ok": swarm.errors.is_empty(), "errors": swarm.errors})
    );
    Ok(())
}
