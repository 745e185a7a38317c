// SPDX-License-Identifier: MPL-2.0
//! Candidates of the peer that can't be used yet: their description has not come, or their name is
//! being resolved.
use crate::SessionError;
use std::net::IpAddr;

/// Candidates that wait, of both kinds together.
const MAX_WAITING: usize = 100;
/// Addresses used of one name.
const MAX_ADDRESSES: usize = 4;
/// The field of `candidate:foundation component transport priority address port typ …`.
const ADDRESS_FIELD: usize = 4;

/// Candidates that wait.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    held: Vec<String>,
    unresolved: Vec<(String, String)>,
}

impl Candidates {
    /// Keeps a candidate for a description to come.
    pub(crate) fn hold(&mut self, candidate: String) -> Result<(), SessionError> {
        self.check_room()?;
        self.held.push(candidate);
        Ok(())
    }

    /// Takes out the candidates that belong to the description with this username fragment; those of
    /// other descriptions stay.
    pub(crate) fn release(&mut self, ufrag: &str) -> Vec<String> {
        let belongs =
            |candidate: &mut String| candidate_ufrag(candidate).is_none_or(|named| named == ufrag);
        self.held.extract_if(.., belongs).collect()
    }

    /// Keeps a candidate until its name is resolved; says whether that must be asked for.
    pub(crate) fn resolve(&mut self, name: &str, candidate: String) -> Result<bool, SessionError> {
        self.check_room()?;
        let asked = self.unresolved.iter().any(|(other, _)| other == name);
        self.unresolved.push((name.to_owned(), candidate));
        Ok(!asked)
    }

    /// Takes out the candidates with this name, written with each of its addresses.
    pub(crate) fn resolved(&mut self, name: &str, addresses: &[IpAddr]) -> Vec<String> {
        let matches = |(other, _): &mut (String, String)| other.eq_ignore_ascii_case(name);
        let found: Vec<_> = self.unresolved.extract_if(.., matches).collect();
        let written = |(_, candidate): &(String, String)| {
            let candidate = candidate.clone();
            addresses
                .iter()
                .take(MAX_ADDRESSES)
                .map(move |address| with_address(&candidate, &address.to_string()))
                .collect::<Vec<_>>()
        };
        found.iter().flat_map(written).collect()
    }

    fn check_room(&self) -> Result<(), SessionError> {
        if self.held.len() + self.unresolved.len() < MAX_WAITING {
            return Ok(());
        }
        Err(SessionError::Candidate {
            reason: format!("{MAX_WAITING} are waiting already"),
        })
    }
}

/// The `.local` name in the place of the address, if there is one (draft-ietf-mmusic-mdns-ice-candidates).
pub(crate) fn local_name(candidate: &str) -> Option<&str> {
    let address = candidate.split(' ').nth(ADDRESS_FIELD)?;
    address
        .to_ascii_lowercase()
        .ends_with(".local")
        .then_some(address)
}

/// Whether an address means nothing without the interface it is of.
pub(crate) fn is_scoped(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

/// The username fragment a candidate belongs to, if it says so (RFC 8839 §5.1 extension).
pub(crate) fn candidate_ufrag(candidate: &str) -> Option<&str> {
    let mut fields = candidate.split(' ').skip_while(|field| *field != "ufrag");
    fields.nth(1)
}

/// The candidate with that address, or name, in the place of its own.
pub(crate) fn with_address(candidate: &str, address: &str) -> String {
    let fields: Vec<&str> = candidate
        .split(' ')
        .enumerate()
        .map(|(at, field)| if at == ADDRESS_FIELD { address } else { field })
        .collect();
    fields.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMED: &str = "candidate:1 1 udp 2113937151 0f2c-77.local 5000 typ host ufrag abcd";

    #[test]
    fn a_name_is_asked_for_once_and_replaced_by_its_addresses() {
        let mut candidates = Candidates::default();
        assert_eq!(local_name(NAMED), Some("0f2c-77.local"));
        assert!(candidates.resolve("0f2c-77.local", NAMED.into()).unwrap());
        assert!(
            !candidates
                .resolve("0f2c-77.local", NAMED.replace("5000", "5001"))
                .unwrap()
        );
        let addresses = ["10.0.0.1".parse().unwrap(), "fe80::1".parse().unwrap()];
        let written = candidates.resolved("0F2C-77.local", &addresses);
        assert_eq!(written.len(), 4);
        assert_eq!(written[0], NAMED.replace("0f2c-77.local", "10.0.0.1"));
        assert!(candidates.resolved("0f2c-77.local", &addresses).is_empty());
    }

    #[test]
    fn held_candidates_come_out_with_their_description() {
        let mut candidates = Candidates::default();
        candidates.hold(NAMED.into()).unwrap();
        candidates.hold(NAMED.replace("abcd", "efgh")).unwrap();
        candidates.hold(NAMED.replace(" ufrag abcd", "")).unwrap();
        assert_eq!(candidates.release("abcd").len(), 2);
        assert_eq!(candidates.release("abcd").len(), 0);
        assert_eq!(candidates.release("efgh").len(), 1);
    }

    #[test]
    fn no_more_than_a_hundred_wait() {
        let mut candidates = Candidates::default();
        for at in 0..100 {
            let result = if at % 2 == 0 {
                candidates.hold(NAMED.into())
            } else {
                candidates.resolve("a.local", NAMED.into()).map(|_| ())
            };
            result.unwrap();
        }
        assert!(candidates.hold(NAMED.into()).is_err());
        assert!(candidates.resolve("b.local", NAMED.into()).is_err());
    }
}
