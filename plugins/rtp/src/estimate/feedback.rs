// SPDX-License-Identifier: MPL-2.0
//! Transport-wide feedback read: reference times unwrapped, arrivals on one time line.
use rtcp_types::{Twcc, TwccPacketStatus};

/// Units of 64 ms the 24-bit reference time wraps after.
const WRAP: i64 = 1 << 24;

/// A packet that the peer tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) number: u16,
    /// When it arrived, microseconds on the peer's clock; `None` if it did not yet.
    pub(crate) at: Option<i64>,
}

/// Keeps what goes from one feedback to the next.
#[derive(Debug, Default)]
pub(crate) struct FeedbackReader {
    reference: Option<i64>,
}

impl FeedbackReader {
    /// Appends the packets a feedback tells of; one cut short or malformed tells what it can.
    pub(crate) fn read(&mut self, feedback: &Twcc<'_>, out: &mut Vec<Arrival>) {
        let raw = i64::from(feedback.reference_time());
        let reference = match self.reference {
            None => raw,
            Some(before) => {
                let step = (raw - before).rem_euclid(WRAP);
                before + if step > WRAP / 2 { step - WRAP } else { step }
            }
        };
        self.reference = Some(reference);
        let mut at = reference * 64_000;
        for packet in feedback.packets() {
            match packet {
                Ok((number, TwccPacketStatus::Received { delta })) => {
                    at += i64::from(delta) * 250;
                    out.push(Arrival {
                        number,
                        at: Some(at),
                    });
                }
                Ok((number, TwccPacketStatus::NotReceived)) => {
                    out.push(Arrival { number, at: None });
                }
                Err(_) => break,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtcp_types::prelude::*;

    #[test]
    fn the_reference_time_goes_on_over_its_wrap() {
        let mut reader = FeedbackReader::default();
        let mut out = Vec::new();
        for reference in [WRAP - 2, 1, WRAP - 1] {
            let status = [
                TwccPacketStatus::Received { delta: 4 },
                TwccPacketStatus::NotReceived,
                TwccPacketStatus::Received { delta: -8 },
            ];
            let builder = Twcc::builder(65_535, reference as u32, 0, &status, None);
            let mut data = [0; 64];
            let len = builder.write_into(&mut data).unwrap();
            let twcc = <Twcc<'_> as FciParser<'_>>::parse(&data[..len]).unwrap();
            reader.read(&twcc, &mut out);
        }
        let numbers: Vec<u16> = out.iter().map(|arrival| arrival.number).collect();
        assert_eq!(numbers[..6], [65_535, 0, 1, 65_535, 0, 1]);
        let at: Vec<i64> = out.iter().filter_map(|arrival| arrival.at).collect();
        assert_eq!(at.len(), 6);
        assert_eq!(at[1] - at[0], -2_000);
        assert_eq!(at[2] - at[0], 3 * 64_000);
        assert_eq!(at[4] - at[0], 64_000);
    }
}
