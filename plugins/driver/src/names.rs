// SPDX-License-Identifier: MPL-2.0
//! Names of STUN and TURN servers to addresses, by the system's resolver, which blocks: each question
//! has a thread of its own, few at once.
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Questions at once; what is beyond counts as unknown.
const MAX_QUESTIONS: usize = 16;
/// Addresses taken of one name.
const MAX_ADDRESSES: usize = 8;

#[derive(Debug, Default)]
pub(crate) struct Names {
    open: Arc<AtomicUsize>,
}

impl Names {
    /// Asks for a name; `tell` is called on another thread, with no addresses if there are none.
    pub(crate) fn ask(&self, name: &str, tell: impl FnOnce(Vec<IpAddr>) + Send + 'static) {
        if self.open.fetch_add(1, Ordering::Relaxed) >= MAX_QUESTIONS {
            self.open.fetch_sub(1, Ordering::Relaxed);
            tracing::warn!(name, "too many names are being looked up");
            return tell(Vec::new());
        }
        let (name, open) = (name.to_owned(), self.open.clone());
        let asked = thread::Builder::new()
            .name("rtc-dns".into())
            .spawn(move || {
                let found = (name.as_str(), 0).to_socket_addrs();
                open.fetch_sub(1, Ordering::Relaxed);
                let addresses = match found {
                    Ok(found) => found.map(|at| at.ip()).take(MAX_ADDRESSES).collect(),
                    Err(error) => {
                        tracing::debug!(name, %error, "no address");
                        Vec::new()
                    }
                };
                tell(addresses);
            });
        if let Err(error) = asked {
            self.open.fetch_sub(1, Ordering::Relaxed);
            tracing::warn!(%error, "no thread to look up a name");
        }
    }
}
