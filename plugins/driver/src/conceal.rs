// SPDX-License-Identifier: MPL-2.0
//! Names that stand for our addresses in candidates (draft-ietf-mmusic-mdns-ice-candidates), and the
//! answers to those who ask for them by multicast DNS.
use mdns_sd::{ServiceDaemon, ServiceInfo};
use rtc_payload::SessionId;
use std::collections::HashMap;
use std::net::IpAddr;

/// mDNS knows addresses as those of services; nobody looks for this one.
const SERVICE: &str = "_rtc-ice._udp.local.";

/// A name for an address, good for one session: a version 4 UUID (RFC 9562 §5.4).
pub(crate) fn new_name() -> String {
    let version = 0x4 << 76;
    let variant = 0x2 << 62;
    let bits = rand::random::<u128>() & !(0xf << 76) & !(0x3 << 62) | version | variant;
    let hex = format!("{bits:032x}");
    let (a, rest) = hex.split_at(8);
    let (b, rest) = rest.split_at(4);
    let (c, rest) = rest.split_at(4);
    let (d, e) = rest.split_at(4);
    format!("{a}-{b}-{c}-{d}-{e}.local")
}

/// Answers for the names of sessions. Its daemon exists only while there are any.
#[derive(Default)]
pub(crate) struct Concealer {
    daemon: Option<ServiceDaemon>,
    /// The services that bear the names.
    services: HashMap<SessionId, Vec<String>>,
}

impl Concealer {
    /// Answers for these names from now on, as long as the session lives.
    pub(crate) fn add(
        &mut self,
        session: SessionId,
        names: &[(IpAddr, Option<String>)],
        port: u16,
    ) {
        for (ip, name) in names {
            let Some(name) = name else {
                continue;
            };
            match self.register(*ip, name, port) {
                Ok(service) => self.services.entry(session).or_default().push(service),
                Err(error) => tracing::warn!(%error, name, "nobody can look the name up"),
            }
        }
    }

    fn register(&mut self, ip: IpAddr, name: &str, port: u16) -> mdns_sd::Result<String> {
        let label = name.trim_end_matches(".local");
        let mut info = ServiceInfo::new(SERVICE, label, &format!("{name}."), ip, port, None)?;
        // Nobody else can have the name: it need not be asked for first.
        info.set_requires_probe(false);
        let service = info.get_fullname().to_owned();
        let daemon = match self.daemon.take() {
            Some(daemon) => daemon,
            None => ServiceDaemon::new()?,
        };
        self.daemon.insert(daemon).register(info)?;
        Ok(service)
    }

    /// The session is over.
    pub(crate) fn forget(&mut self, session: SessionId) {
        let services = self.services.remove(&session).unwrap_or_default();
        let Some(daemon) = &self.daemon else {
            return;
        };
        for service in services {
            if let Err(error) = daemon.unregister(&service) {
                tracing::debug!(%error, service, "unregister");
            }
        }
        if self.services.is_empty() {
            self.shut_down();
        }
    }

    fn shut_down(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            let _ = daemon.shutdown();
        }
    }
}

impl Drop for Concealer {
    fn drop(&mut self) {
        self.shut_down();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_version_4_uuids_and_differ() {
        let name = new_name();
        let fields: Vec<&str> = name.trim_end_matches(".local").split('-').collect();
        let lengths: Vec<usize> = fields.iter().map(|field| field.len()).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{name}");
        assert!(fields[2].starts_with('4'), "{name}");
        assert!(fields[3].starts_with(['8', '9', 'a', 'b']), "{name}");
        assert_ne!(name, new_name());
    }
}
