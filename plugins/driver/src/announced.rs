// SPDX-License-Identifier: MPL-2.0
//! Addresses that are offered though the machine does not have them: given, or found by their names.
use crate::{DriverConfig, DriverError};
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};

/// Addresses taken of one name.
const MAX_ADDRESSES: usize = 8;

/// Shared by the handles and the io thread.
#[derive(Clone, Debug)]
pub(crate) struct Announced(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    fixed: Vec<IpAddr>,
    named: Mutex<Vec<(String, Vec<IpAddr>)>>,
}

impl Announced {
    /// Looks the names up, which may take seconds.
    pub(crate) fn new(config: &DriverConfig) -> Result<Self, DriverError> {
        let find = |name: &String| match (name.as_str(), 0).to_socket_addrs() {
            Ok(found) => {
                let found = found.map(|at| at.ip()).take(MAX_ADDRESSES).collect();
                Ok((name.clone(), found))
            }
            Err(source) => Err(DriverError::UnknownName {
                name: name.clone(),
                source,
            }),
        };
        let named = config.announced_names.iter().map(find);
        let named = named.collect::<Result<_, _>>()?;
        Ok(Self(Arc::new(Inner {
            fixed: config.announced.clone(),
            named: Mutex::new(named),
        })))
    }

    /// All of them.
    pub(crate) fn addresses(&self) -> Vec<IpAddr> {
        let named = self.0.named.lock().unwrap_or_else(PoisonError::into_inner);
        let found = named.iter().flat_map(|(_, found)| found);
        let mut all = self.0.fixed.clone();
        all.extend(found.copied());
        all
    }

    /// The names there are.
    pub(crate) fn names(&self) -> Vec<String> {
        let named = self.0.named.lock().unwrap_or_else(PoisonError::into_inner);
        named.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Notes what a name stands for now; a name that is unknown for the moment keeps what it had.
    pub(crate) fn note(&self, name: &str, addresses: Vec<IpAddr>) {
        let mut named = self.0.named.lock().unwrap_or_else(PoisonError::into_inner);
        let known = named.iter_mut().find(|(known, _)| known == name);
        if let Some((_, known)) = known.filter(|_| !addresses.is_empty()) {
            *known = addresses;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_beside_addresses_and_may_change() {
        let given: IpAddr = "203.0.113.7".parse().unwrap();
        let config = DriverConfig {
            announced: vec![given],
            announced_names: vec!["localhost".into()],
            ..DriverConfig::default()
        };
        let announced = Announced::new(&config).unwrap();
        let all = announced.addresses();
        assert!(
            all.contains(&given) && all.iter().any(IpAddr::is_loopback),
            "{all:?}"
        );
        let other: IpAddr = "203.0.113.8".parse().unwrap();
        announced.note("localhost", vec![other]);
        announced.note("localhost", Vec::new());
        assert_eq!(announced.addresses(), [given, other]);
    }

    #[test]
    fn an_unknown_name_is_told() {
        let config = DriverConfig {
            announced_names: vec!["no such name".into()],
            ..DriverConfig::default()
        };
        let error = Announced::new(&config).unwrap_err().to_string();
        assert!(error.contains("`no such name`"), "{error}");
    }
}
