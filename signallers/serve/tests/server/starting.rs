// SPDX-License-Identifier: MPL-2.0
//! Starting and stopping, and what a user is told.
use crate::kit::{Bench, OFFER, Script};
use rtc_signaller::SignallerExt;
use rtc_signaller_serve::ServeSignaller;
use std::net::{TcpListener, TcpStream};

fn start(web_address: &str) -> Result<(), String> {
    gst::init().unwrap();
    let signaller = ServeSignaller::default();
    signaller.set_web_address(web_address);
    signaller.start()
}

#[test]
fn a_port_taken_is_named_with_what_to_write_instead() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = start(&address.to_string()).unwrap_err();
    let next = address.port().checked_add(1).unwrap_or(8080);
    assert!(
        error.contains(&format!("web-address={address} is taken")),
        "{error}"
    );
    assert!(
        error.contains(&format!("write web-address=127.0.0.1:{next}")),
        "{error}"
    );
}

#[test]
fn an_address_that_is_none_is_refused_with_an_example() {
    for wrong in ["", "8080", "127.0.0.1", "127.0.0.1:99999", "192.0.2.1:0"] {
        let error = start(wrong).unwrap_err();
        assert!(
            error.contains("web-address=127.0.0.1:8080"),
            "{wrong}: {error}"
        );
    }
}

#[test]
fn a_stop_frees_the_port_and_a_start_takes_it_again() {
    let bench = Bench::new(Script::Answer);
    bench.signaller.set_web_address(bench.address.to_string());
    for _ in 0..5 {
        assert_eq!(bench.post("/whep", OFFER).status, 201);
        bench.signaller.stop();
        assert!(TcpStream::connect(bench.address).is_err());
        bench.signaller.start().unwrap();
    }
    assert!(
        bench
            .signaller
            .start()
            .unwrap_err()
            .contains("running already")
    );
}

#[test]
fn a_signaller_dropped_without_a_stop_stops() {
    let bench = Bench::new(Script::Answer);
    let address = bench.address;
    let held = TcpStream::connect(address).unwrap();
    drop(bench);
    let free = (0..1000).any(|_| {
        TcpListener::bind(address).is_ok() || {
            std::thread::yield_now();
            false
        }
    });
    assert!(free);
    drop(held);
}

#[test]
fn the_empty_uri_is_served() {
    rtc_signaller_serve::register();
    gst::init().unwrap();
    let signaller = rtc_signaller::registry::from_uri("").unwrap();
    assert_eq!(
        gst::glib::prelude::ObjectExt::type_(&signaller).name(),
        "GstRtcServeSignaller"
    );
}
