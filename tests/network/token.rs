// SPDX-License-Identifier: MPL-2.0
//! Access tokens (RFC 7635), sealed by coturn's own tool and taken by coturn; logins that come later.
use crate::call::{Call, Setup};
use crate::net::{Host, Nat, Net, SERVER};
use crate::turn::Coturn;
use base64::prelude::{BASE64_STANDARD, Engine};
use rtc_session::{Command, IceServer, IceTransportPolicy, Login, LoginWanted};
use std::path::Path;
use std::process;
use std::time::{Duration, SystemTime};

const LIMIT: Duration = Duration::from_secs(10);
const NAME: &str = "turn.lab.example";
const KEY_ID: &str = "north";
const SEALING_KEY: &[u8; 32] = b"01234567890123456789012345678901";
/// 160 bits (RFC 7635 §9), one of them not of a text.
const MAC_KEY: &[u8; 20] = b"\x80123456789012345678\x01";

struct World {
    _net: Net,
    turn: Coturn,
    hosts: [Host; 2],
}

fn world() -> Option<World> {
    let tool = process::Command::new("turnutils_oauth")
        .arg("--help")
        .output();
    if tool.is_err()
        || process::Command::new("sqlite3")
            .arg("-version")
            .output()
            .is_err()
    {
        println!("skipped: turnutils_oauth (coturn) or sqlite3 is not installed");
        return None;
    }
    let skipped = |why: &String| println!("skipped: {why}");
    let mut net = Net::new().inspect_err(skipped).ok()?;
    let server = net.server();
    let options = ["--oauth", "--server-name", NAME];
    let turn = Coturn::start(&server, &options).inspect_err(skipped).ok()?;
    let hosts = ["a", "b"].map(|name| net.host(name, Nat::None));
    teach(&turn.database());
    Some(World {
        _net: net,
        turn,
        hosts,
    })
}

/// Tells coturn the key by which it opens tokens.
fn teach(database: &Path) {
    let key = BASE64_STANDARD.encode(SEALING_KEY);
    let row = format!(
        "insert into oauth_key (kid,ikm_key,timestamp,lifetime,as_rs_alg,realm) \
         values('{KEY_ID}','{key}',0,0,'A256GCM','');"
    );
    let done = process::Command::new("sqlite3")
        .arg(database)
        .arg(row)
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// A token made `age` seconds ago for `lifetime` seconds.
fn token(age: u64, lifetime: u32) -> Vec<u8> {
    let encoded = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
    let now = now().to_string();
    let lifetime = lifetime.to_string();
    let made = ((self::now() - age) << 16).to_string();
    let output = process::Command::new("turnutils_oauth")
        .args(["-e", "-v", "--server-name", NAME, "--auth-key-id", KEY_ID])
        .args([
            "--auth-key",
            &encoded(SEALING_KEY),
            "--auth-key-timestamp",
            &now,
        ])
        .args([
            "--auth-key-lifetime",
            "86400",
            "--auth-key-as-rs-alg",
            "A256GCM",
        ])
        .args([
            "--token-nonce",
            &encoded(b"123456789012"),
            "--token-mac-key",
            &encoded(MAC_KEY),
        ])
        .args(["--token-timestamp", &made, "--token-lifetime", &lifetime])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (_, rest) = text
        .split_once("\"access_token\":\"")
        .unwrap_or_else(|| panic!("{output:?}"));
    BASE64_STANDARD
        .decode(rest.split('"').next().unwrap())
        .unwrap()
}

fn relay_only(host: &Host, login: Login) -> Setup<'_> {
    let mut setup = Setup::new(host);
    let url = format!("turn:{SERVER}");
    setup.options.ice_servers = vec![IceServer::with_login(&[url], Some(login)).unwrap()];
    setup.options.ice_transport_policy = IceTransportPolicy::Relay;
    setup
}

fn login(token: &[u8], mac_key: &[u8]) -> Login {
    Login::with_token(KEY_ID, token, mac_key).unwrap()
}

#[test]
fn an_access_token_opens_the_server() {
    let Some(world) = world() else {
        return;
    };
    let [one, other] = &world.hosts;
    let ours = relay_only(one, login(&token(0, 3600), MAC_KEY));
    let mut call = Call::new([ours, Setup::new(other)]);
    assert!(
        call.connects(LIMIT),
        "{:#?} {:#?}",
        call.seen(0),
        world.turn.lines("")
    );
    call.frames(30);
    let pair = call.stats(0).pair.unwrap();
    assert_eq!(pair.local.ip().to_string(), SERVER);
}

#[test]
fn tokens_that_do_not_open_it_are_told_and_another_one_is_asked_for() {
    let Some(world) = world() else {
        return;
    };
    let [one, other] = &world.hosts;
    for wrong in [
        login(&token(0, 3600), &[1; 20]),
        login(&token(7200, 60), MAC_KEY),
        login(&[7; 80], MAC_KEY),
    ] {
        let ours = relay_only(one, wrong.clone());
        let mut call = Call::new([ours, Setup::new(other)]);
        let url = format!("turn:{SERVER}");
        let asked = |call: &Call| !call.seen(0).logins.is_empty();
        assert!(call.until(LIMIT, asked), "{wrong:?} {:#?}", call.seen(0));
        let wanted = LoginWanted {
            url: url.clone(),
            code: 401,
            authority: Some(NAME.into()),
        };
        assert_eq!(call.seen(0).logins, [wanted], "{wrong:?}");
        assert!(call.until(LIMIT, |call| !call.seen(0).errors.is_empty()));
        assert_eq!(call.seen(0).errors[0].code, 401);
        let login = login(&token(0, 3600), MAC_KEY);
        call.command(0, Command::SetLogin { url, login });
        assert!(call.connects(LIMIT), "{wrong:?} {:#?}", call.seen(0));
    }
}
