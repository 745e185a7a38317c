// SPDX-License-Identifier: MPL-2.0
//! The peer's bound on what we send: temporary maximum media bit rate (RFC 5104 §4.2.1, §4.2.2).
use crate::media::Media;
use crate::rtcp;
use rtcp_types::{FciFeedbackPacketType, FciParser, RtcpParseError};

/// Bytes of one entry: SSRC, and exponent (6 bits), mantissa (17), overhead (9).
const ENTRY: usize = 8;
/// Requesters whose bounds are kept; a session has one peer, with few sources that would ask.
const MAX_REQUESTERS: usize = 8;
/// Packet type of transport feedback, and the format of the notification (RFC 5104 §4.2.2.1).
const PT_RTPFB: u8 = 205;
const FMT_TMMBN: u8 = 4;

/// A request: entries of SSRC asked and the bound's 32 bits as they stand on the wire.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tmmbr<'a>(&'a [u8]);

impl<'a> FciParser<'a> for Tmmbr<'a> {
    const PACKET_TYPE: FciFeedbackPacketType = FciFeedbackPacketType::TRANSPORT;
    const FCI_FORMAT: u8 = 3;

    fn parse(data: &'a [u8]) -> Result<Self, RtcpParseError> {
        match data.len() {
            actual if actual < ENTRY => Err(RtcpParseError::Truncated {
                expected: ENTRY,
                actual,
            }),
            _ => Ok(Self(data)),
        }
    }
}

impl<'a> Tmmbr<'a> {
    /// SSRC asked and bound of each entry.
    fn entries(self) -> impl Iterator<Item = (u32, u32)> + 'a {
        let entries = self.0.chunks_exact(ENTRY);
        entries.filter_map(|entry| {
            let ssrc = entry.first_chunk().copied().map(u32::from_be_bytes)?;
            let bound = entry.last_chunk().copied().map(u32::from_be_bytes)?;
            Some((ssrc, bound))
        })
    }
}

/// Bits per second of a bound.
fn bits_per_second(bound: u32) -> u64 {
    let mantissa = u64::from(bound >> 9 & 0x1_ffff);
    let exponent = bound >> 26;
    match mantissa.leading_zeros() < exponent {
        true => u64::MAX,
        false => mantissa << exponent,
    }
}

impl Media {
    /// Obeys a request and tells who bounds us now. `requester` is the SSRC of whoever asks.
    pub(crate) fn take_bound(&mut self, requester: u32, request: Tmmbr<'_>) {
        let ours = |ssrc: u32| self.senders.iter().any(|s| s.params.ssrc.0 == ssrc);
        let Some((ssrc, bound)) = request.entries().find(|(ssrc, _)| ours(*ssrc)) else {
            return;
        };
        self.bounds.retain(|(of, _)| *of != requester);
        if self.bounds.len() < MAX_REQUESTERS {
            self.bounds.push((requester, bound));
        }
        let tightest = self.bounds.iter().copied();
        let Some((owner, bound)) = tightest.min_by_key(|(_, bound)| bits_per_second(*bound)) else {
            return;
        };
        self.estimator.set_bound(bits_per_second(bound));
        self.tell_estimate();
        let mut packet = vec![0x80 | FMT_TMMBN, PT_RTPFB, 0, 4];
        for word in [ssrc, 0, owner, bound] {
            packet.extend_from_slice(&word.to_be_bytes());
        }
        self.control(rtcp::with(ssrc, &packet, &self.config.cname));
    }
}

#[cfg(test)]
mod tests {
    use crate::SrtpProfile;
    use crate::kit_test::*;

    /// A bound of `mantissa << exponent` bit/s on the kit's sender, from SSRC 7.
    fn request(exponent: u32, mantissa: u32) -> Vec<u8> {
        let mut packet = vec![0x83, 205, 0, 4];
        for word in [7, 0, 1001, exponent << 26 | mantissa << 9 | 40] {
            packet.extend_from_slice(&word.to_be_bytes());
        }
        packet
    }

    #[test]
    fn a_bound_is_obeyed_and_told_and_may_be_raised() {
        let mut pair = Pair::new(SrtpProfile::AeadAes128Gcm, ms(10), 1, true);
        for i in 0..60 {
            pair.send(&vp8(i, i == 0, 12_000));
            pair.run(ms(33));
        }
        assert!(pair.a.stats().estimate > 1_000_000);
        for (exponent, mantissa, bound) in [(3, 50_000, 400_000), (4, 50_000, 800_000)] {
            pair.a
                .take_rtcp(&request(exponent, mantissa), pair.now)
                .unwrap();
            assert_eq!(pair.a.stats().estimate, bound);
            let told = pair.a.control.back().unwrap();
            assert!(told.len() > 20);
            pair.drain();
        }
    }

    #[test]
    fn requests_that_are_cut_or_wild_do_no_harm() {
        let mut pair = Pair::new(SrtpProfile::AeadAes128Gcm, ms(10), 1, true);
        for len in 0..20 {
            let mut packet = request(63, 0x1_ffff);
            packet.truncate(len);
            let _ = pair.a.take_rtcp(&packet, pair.now);
        }
        pair.a.take_rtcp(&request(63, 0x1_ffff), pair.now).unwrap();
        pair.a.take_rtcp(&request(0, 0), pair.now).unwrap();
        assert_eq!(pair.a.bounds.len(), 1);
    }
}
