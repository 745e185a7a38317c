// SPDX-License-Identifier: MPL-2.0
//! H.264 payloads to access units in Annex B: packetization-modes 0 and 1.
use super::annexb::START_CODE;
use super::{nal, sps};
use crate::split::Joiner;
use crate::{Depacketize, Depacketized, FrameInfo, PayloadError};
use std::ops::Range;

/// Joins the payloads of an access unit; keeps nothing from one to the next.
#[derive(Debug)]
pub(crate) struct Depacketizer;

impl Depacketize for Depacketizer {
    fn starts_frame(&self, payload: &[u8]) -> bool {
        match nal::kind(payload) {
            nal::FU_A => payload.get(1).is_some_and(|fu| fu & nal::FU_START != 0),
            kind => nal::is_single(kind) || kind == nal::STAP_A,
        }
    }

    fn is_keyframe_start(&self, payload: &[u8]) -> bool {
        let opens = |kind| matches!(kind, nal::IDR | nal::SPS);
        match nal::kind(payload) {
            nal::FU_A => payload
                .get(1)
                .is_some_and(|fu| fu & nal::FU_START != 0 && opens(fu & nal::TYPE)),
            nal::STAP_A => aggregated(payload)
                .map_while(Result::ok)
                .any(|unit| opens(nal::kind(unit))),
            kind => opens(kind),
        }
    }

    fn depacketize(&mut self, payloads: &[&[u8]]) -> Result<Depacketized, PayloadError> {
        let mut assembly = Assembly::new(payloads);
        for payload in payloads {
            assembly.payload(payload)?;
        }
        assembly.finish()
    }
}

/// The units of a STAP-A payload.
fn aggregated(payload: &[u8]) -> impl Iterator<Item = Result<&[u8], PayloadError>> {
    const SHORT: PayloadError = PayloadError::Truncated("H.264 STAP-A");
    let mut rest = payload.get(1..).unwrap_or_default();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some((size, tail)) = rest.split_first_chunk::<2>() else {
            rest = &[];
            return Some(Err(SHORT));
        };
        let Some((unit, tail)) = tail.split_at_checked(usize::from(u16::from_be_bytes(*size)))
        else {
            rest = &[];
            return Some(Err(SHORT));
        };
        rest = tail;
        Some(Ok(unit))
    })
}

/// An access unit being put together.
struct Assembly {
    data: Joiner,
    /// Header of the unit whose fragments are coming in.
    fragmented: Option<u8>,
    idr: bool,
    /// Slices seen, and whether one of them may be referred to.
    slices: bool,
    referenced: bool,
    /// Where the latest sequence parameter set lies, and whether it is still growing.
    sps: Option<Range<usize>>,
    in_sps: bool,
}

impl Assembly {
    fn new(payloads: &[&[u8]]) -> Self {
        Self {
            data: Joiner::for_payloads(payloads),
            fragmented: None,
            idr: false,
            slices: false,
            referenced: false,
            sps: None,
            in_sps: false,
        }
    }

    fn payload(&mut self, payload: &[u8]) -> Result<(), PayloadError> {
        let kind = nal::kind(payload);
        if kind == nal::FU_A {
            return self.fragment(payload);
        }
        if self.fragmented.is_some() {
            return Err(PayloadError::Malformed("H.264 fragments interrupted"));
        }
        match kind {
            nal::STAP_A => self.aggregate(payload),
            nal::STAP_B | nal::MTAP16 | nal::MTAP24 | nal::FU_B => Err(PayloadError::Unsupported(
                "H.264 interleaved mode (packetization-mode 2)",
            )),
            _ if nal::is_single(kind) => self.unit(payload),
            _ if payload.is_empty() => Err(PayloadError::Truncated("H.264 payload")),
            _ => Err(PayloadError::Malformed("H.264 payload type")),
        }
    }

    fn aggregate(&mut self, payload: &[u8]) -> Result<(), PayloadError> {
        if payload.len() == 1 {
            return Err(PayloadError::Truncated("H.264 STAP-A"));
        }
        for unit in aggregated(payload) {
            let unit = unit?;
            if !nal::is_single(nal::kind(unit)) {
                return Err(PayloadError::Malformed("H.264 unit in a STAP-A"));
            }
            self.unit(unit)?;
        }
        Ok(())
    }

    fn fragment(&mut self, payload: &[u8]) -> Result<(), PayloadError> {
        let (Some(indicator), Some(fu)) = (payload.first(), payload.get(1)) else {
            return Err(PayloadError::Truncated("H.264 FU-A"));
        };
        let header = indicator & nal::F_NRI | fu & nal::TYPE;
        let start = fu & nal::FU_START != 0;
        match self.fragmented {
            None if start => self.begin(header)?,
            // NRI of later fragments is the sender's slip if it differs; the type is another unit.
            Some(first) if !start && (first ^ header) & nal::TYPE == 0 => {}
            _ => return Err(PayloadError::Malformed("H.264 fragment misplaced")),
        }
        self.body(payload.get(2..).unwrap_or_default())?;
        let end = fu & nal::FU_END != 0;
        self.fragmented = match self.fragmented {
            _ if end => None,
            None => Some(header),
            first => first,
        };
        Ok(())
    }

    fn unit(&mut self, unit: &[u8]) -> Result<(), PayloadError> {
        let (&header, body) = unit
            .split_first()
            .ok_or(PayloadError::Truncated("H.264 unit"))?;
        self.begin(header)?;
        self.body(body)
    }

    fn begin(&mut self, header: u8) -> Result<(), PayloadError> {
        self.data.push(&START_CODE)?;
        let kind = header & nal::TYPE;
        self.in_sps = kind == nal::SPS;
        if self.in_sps {
            let at = self.data.bytes().len();
            self.sps = Some(at..at);
        }
        self.idr |= kind == nal::IDR;
        if (1..=nal::IDR).contains(&kind) {
            self.slices = true;
            self.referenced |= header & nal::NRI != 0;
        }
        self.body(&[header])
    }

    fn body(&mut self, bytes: &[u8]) -> Result<(), PayloadError> {
        self.data.push(bytes)?;
        if let Some(sps) = self.sps.as_mut().filter(|_| self.in_sps) {
            sps.end += bytes.len();
        }
        Ok(())
    }

    fn finish(self) -> Result<Depacketized, PayloadError> {
        if self.fragmented.is_some() {
            return Err(PayloadError::Malformed("H.264 fragments without end"));
        }
        let dimensions = self
            .sps
            .and_then(|range| self.data.bytes().get(range))
            .and_then(sps::dimensions);
        let info = FrameInfo {
            keyframe: self.idr,
            discardable: self.slices && !self.referenced,
            width: dimensions.map(|(width, _)| width),
            height: dimensions.map(|(_, height)| height),
            ..FrameInfo::default()
        };
        Ok(Depacketized {
            data: self.data.finish()?,
            info,
        })
    }
}
