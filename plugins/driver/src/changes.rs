// SPDX-License-Identifier: MPL-2.0
//! Tells when the machine's addresses change: the system says so on Linux, elsewhere we look.
use crate::DriverConfig;
use crate::interfaces::host_addresses;
use mio::{Registry, Token};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Token of the system's notices, below those of streams.
pub(crate) const TOKEN: Token = Token((1 << 24) - 1);
/// One change comes as many notices: they are waited for.
const SETTLE: Duration = Duration::from_millis(100);
/// How often we look where the system tells nothing.
const INTERVAL: Duration = Duration::from_secs(3);

/// The machine's addresses as last seen.
pub(crate) struct Changes {
    config: DriverConfig,
    notices: Option<notices::Notices>,
    known: Vec<IpAddr>,
    look_at: Option<Instant>,
}

impl Changes {
    pub(crate) fn new(config: DriverConfig, known: Vec<IpAddr>, registry: &Registry) -> Self {
        let notices = notices::Notices::new(registry)
            .inspect_err(|error| tracing::debug!(%error, "changes of addresses are looked for"))
            .ok();
        let look_at = notices.is_none().then(|| Instant::now() + INTERVAL);
        Self {
            config,
            notices,
            known,
            look_at,
        }
    }

    /// The system gave notice of something.
    pub(crate) fn ready(&mut self, now: Instant) {
        if let Some(notices) = &self.notices {
            notices.drain();
            self.look_at.get_or_insert(now + SETTLE);
        }
    }

    /// When to call [`Self::poll`] next.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        self.look_at
    }

    /// The machine's addresses, if they are others than before.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<&[IpAddr]> {
        if self.look_at.is_none_or(|at| at > now) {
            return None;
        }
        self.look_at = self.notices.is_none().then_some(now + INTERVAL);
        let found = host_addresses(&self.config)
            .inspect_err(|error| tracing::warn!(%error, "cannot list the network interfaces"))
            .ok()?;
        if found == self.known {
            return None;
        }
        tracing::info!(before = ?self.known, now = ?found, "the machine's addresses changed");
        self.known = found;
        Some(&self.known)
    }

    /// The machine's addresses as last seen.
    pub(crate) fn known(&self) -> &[IpAddr] {
        &self.known
    }
}

#[cfg(target_os = "linux")]
mod notices {
    use super::TOKEN;
    use mio::unix::SourceFd;
    use mio::{Interest, Registry};
    use rustix::net::netlink::SocketAddrNetlink;
    use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};
    use std::io;
    use std::os::fd::{AsRawFd, OwnedFd};

    /// RTMGRP_IPV4_IFADDR and RTMGRP_IPV6_IFADDR of linux/rtnetlink.h, and RTMGRP_LINK: an interface
    /// that goes down keeps its addresses.
    const GROUPS: u32 = 0x10 | 0x100 | 0x1;
    /// Messages read a turn.
    const MOST: usize = 64;

    pub(crate) struct Notices(OwnedFd);

    impl Notices {
        pub(crate) fn new(registry: &Registry) -> io::Result<Self> {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            // No protocol: NETLINK_ROUTE.
            let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
            bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
            let raw = socket.as_raw_fd();
            registry.register(&mut SourceFd(&raw), TOKEN, Interest::READABLE)?;
            Ok(Self(socket))
        }

        /// Empties it: what a notice says is looked up anyway. Errors too mean that something came.
        pub(crate) fn drain(&self) {
            let mut buffer = [0_u8; 8192];
            for _ in 0..MOST {
                match recv(&self.0, &mut buffer, RecvFlags::empty()) {
                    Ok(_) => {}
                    Err(rustix::io::Errno::WOULDBLOCK) => return,
                    Err(error) => tracing::debug!(%error, "notices of addresses"),
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod notices {
    use mio::Registry;
    use std::io;

    pub(crate) struct Notices;

    impl Notices {
        pub(crate) fn new(_: &Registry) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(crate) fn drain(&self) {}
    }
}
