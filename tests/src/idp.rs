// SPDX-License-Identifier: MPL-2.0
//! A local identity provider by HTTPS, `tests/interop/identity_provider.py`.
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A running provider; ended on drop.
#[derive(Debug)]
pub struct IdentityServer {
    child: Child,
    folder: PathBuf,
    port: u16,
}

impl IdentityServer {
    /// Starts one that vouches for `user` to whoever has `token`; the error says why it can't be.
    pub fn start(user: &str, token: Option<&str>) -> Result<Self, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("rtc-idp-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let [certificate, key] = ["cert.pem", "key.pem"].map(|name| folder.join(name));
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
            ])
            .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
            .args([
                "-addext",
                "subjectAltName=DNS:localhost,IP:127.0.0.1",
                "-addext",
                "basicConstraints=critical,CA:FALSE",
                "-keyout",
            ])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .map_err(|error| format!("openssl: {error}"))?;
        if !made.status.success() {
            return Err(format!(
                "openssl: {}",
                String::from_utf8_lossy(&made.stderr)
            ));
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/identity_provider.py");
        let mut child = Command::new("python3")
            .arg(script)
            .args([&certificate, &key])
            .arg(user)
            .args(token)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("python3: {error}"))?;
        let mut line = String::new();
        let output = child.stdout.take().ok_or("no output")?;
        let read = BufReader::new(output).read_line(&mut line);
        let port = read.ok().and_then(|_| line.trim().parse().ok());
        match port {
            Some(port) => Ok(Self {
                child,
                folder,
                port,
            }),
            None => {
                let _ = child.kill();
                Err(format!("the identity provider does not start: {line:?}"))
            }
        }
    }

    /// `localhost:PORT`
    pub fn domain(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// The certificate that verifies it.
    pub fn ca(&self) -> PathBuf {
        self.folder.join("cert.pem")
    }
}

impl Drop for IdentityServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
