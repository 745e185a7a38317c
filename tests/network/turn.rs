// SPDX-License-Identifier: MPL-2.0
//! coturn on the test network's server.
use crate::net::{Host, SERVER};
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) const USER: &str = "u1";
pub(crate) const PASSWORD: &str = "p1";

/// A running server; ended on drop.
pub(crate) struct Coturn {
    child: Child,
    folder: PathBuf,
    log: Arc<Mutex<Vec<String>>>,
}

impl Coturn {
    /// Starts it, or says why it can't be; `more` are further options.
    pub(crate) fn start(host: &Host, more: &[&str]) -> Result<Self, String> {
        let folder = std::env::temp_dir().join(&host.name);
        std::fs::create_dir_all(&folder).unwrap();
        let names = vec![SERVER.to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let pem = |tag: &str, der: &[u8]| pem::encode(&pem::Pem::new(tag, der));
        let certificate = folder.join("cert.pem");
        std::fs::write(&certificate, pem("CERTIFICATE", made.cert.der())).unwrap();
        let key = folder.join("key.pem");
        std::fs::write(&key, pem("PRIVATE KEY", &made.signing_key.serialize_der())).unwrap();
        let mut command = host.command("turnserver");
        command
            .args(["-n", "--log-file", "stdout"])
            .args(["--simple-log", "--no-cli", "-v"])
            .args(["--fingerprint", "--realm", "lab.example"])
            .args(["--listening-ip", SERVER, "--relay-ip", SERVER])
            .args(["--listening-port", "3478"])
            .args(["--min-port", "50000", "--max-port", "50999"])
            .arg("--cert")
            .arg(&certificate)
            .arg("--pkey")
            .arg(&key)
            .arg("--userdb")
            .arg(folder.join("db"))
            .arg("--pidfile")
            .arg(folder.join("pid"))
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if !more.contains(&"--use-auth-secret") {
            command.args(["--lt-cred-mech", "--user", "u1:p1"]);
        }
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let log = Arc::new(Mutex::new(Vec::new()));
        let (lines, kept) = (child.stdout.take().unwrap(), log.clone());
        thread::spawn(move || {
            for line in BufReader::new(lines).lines().map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        let mut server = Self { child, folder, log };
        let end = Instant::now() + Duration::from_secs(10);
        let tls = more
            .iter()
            .find_map(|option| option.strip_prefix("--tls-listening-port="));
        let tls = tls.map_or(5349, |port| port.parse().unwrap());
        let answers = |port| host.run(move || TcpStream::connect((SERVER, port)).is_ok());
        while !answers(tls) || !answers(3478) {
            if let Ok(Some(status)) = server.child.try_wait() {
                return Err(format!("turnserver: {status}"));
            }
            assert!(Instant::now() < end, "{:#?}", server.log.lock().unwrap());
            thread::yield_now();
        }
        Ok(server)
    }

    /// The certificate that verifies it.
    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.join("cert.pem")
    }

    /// The file of its users and keys.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.join("db")
    }

    /// Lines of its log with a word in them.
    pub(crate) fn lines(&self, word: &str) -> Vec<String> {
        let log = self.log.lock().unwrap();
        log.iter()
            .filter(|line| line.contains(word))
            .cloned()
            .collect()
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
