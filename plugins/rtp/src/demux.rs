// SPDX-License-Identifier: MPL-2.0
//! Which m-line a packet belongs to (RFC 9143 §9.2): MID, then RID, then SSRC, then payload type.
use crate::extension::Extensions;
use crate::{CodecParams, RecvParams, RtpError, ToneFormat};
use rtc_payload::{Mid, Pt, Rid, Ssrc};
use std::collections::HashMap;
use std::time::Instant;

/// SSRCs remembered at most: 64 streams with their repair streams.
const MAX_ROUTES: usize = 128;

/// What an SSRC was found to be.
#[derive(Clone, Debug)]
struct Route {
    line: usize,
    rid: Option<Rid>,
    /// The media SSRC it repairs.
    repairs: Option<u32>,
    used: Instant,
}

/// Where a packet goes.
#[derive(Debug)]
pub(crate) struct Target<'a> {
    pub(crate) params: &'a RecvParams,
    pub(crate) codec: &'a CodecParams,
    pub(crate) rid: Option<Rid>,
    /// The SSRC of the media stream: the packet's own, or the one it repairs.
    pub(crate) ssrc: Ssrc,
    /// The packet is a repeat (RFC 4588).
    pub(crate) is_repair: bool,
}

/// The table of SSRCs, and the m-lines they belong to.
#[derive(Debug, Default)]
pub(crate) struct Demux {
    lines: Vec<RecvParams>,
    routes: HashMap<u32, Route>,
}

impl Demux {
    /// Takes the m-lines after a negotiation; what was learned of those that stay is kept.
    pub(crate) fn configure(&mut self, lines: Vec<RecvParams>) {
        let old = std::mem::replace(&mut self.lines, lines);
        let lines = &self.lines;
        self.routes.retain(|_, route| {
            let mid = old.get(route.line).map(|line| &line.mid);
            let at = lines.iter().position(|line| Some(&line.mid) == mid);
            route.line = at.unwrap_or(0);
            at.is_some()
        });
    }

    /// The m-lines.
    pub(crate) fn lines(&self) -> &[RecvParams] {
        &self.lines
    }

    /// Whether a payload type stands for tones.
    pub(crate) fn is_tone(&self, pt: Pt) -> bool {
        self.lines
            .iter()
            .any(|line| line.tones.iter().any(|tones| tones.pt == pt))
    }

    /// The m-line of an authentic packet of tones, and their format; latches its SSRC.
    pub(crate) fn route_tone(
        &mut self,
        ssrc: u32,
        pt: Pt,
        extensions: &Extensions<'_>,
        now: Instant,
    ) -> Result<(Ssrc, Mid, ToneFormat), RtpError> {
        let at = self.line(ssrc, pt, extensions);
        let line = at.and_then(|at| Some((at, self.lines.get(at)?)));
        let (at, line) = line.ok_or(RtpError::Unroutable)?;
        let format = line.tones.iter().find(|tones| tones.pt == pt).copied();
        let format = format.filter(|_| line.active).ok_or(RtpError::Unroutable)?;
        let mid = line.mid.clone();
        if !self.routes.contains_key(&ssrc) {
            self.latch(ssrc, at, None, None, now);
        }
        Ok((Ssrc(ssrc), mid, format))
    }

    /// Finds where an authentic packet goes, and latches its SSRC.
    pub(crate) fn route(
        &mut self,
        ssrc: u32,
        pt: Pt,
        extensions: &Extensions<'_>,
        now: Instant,
    ) -> Result<Target<'_>, RtpError> {
        let line = self
            .line(ssrc, pt, extensions)
            .ok_or(RtpError::Unroutable)?;
        let params = &self.lines[line];
        if !params.active {
            return Err(RtpError::Unroutable);
        }
        let is_repair = !params.codecs.iter().any(|codec| codec.pt == pt);
        let repairs = if is_repair {
            let media = self.repaired(ssrc, line, extensions);
            Some(media.ok_or(RtpError::Unroutable)?)
        } else {
            None
        };
        let known = self.routes.get(&ssrc).filter(|route| route.line == line);
        let rid = known.and_then(|route| route.rid.clone());
        let rid = rid.or_else(|| extensions.rid.map(Rid::from));
        self.latch(ssrc, line, rid.clone(), repairs, now);
        let params = &self.lines[line];
        let codec = params
            .codecs
            .iter()
            .find(|codec| codec.pt == pt || codec.rtx_pt == Some(pt))
            .ok_or(RtpError::Unroutable)?;
        let rid = match repairs.and_then(|media| self.routes.get(&media)) {
            Some(media) => media.rid.clone(),
            None => rid,
        };
        Ok(Target {
            params,
            codec,
            rid,
            ssrc: Ssrc(repairs.unwrap_or(ssrc)),
            is_repair,
        })
    }

    fn line(&self, ssrc: u32, pt: Pt, extensions: &Extensions<'_>) -> Option<usize> {
        let takes = |line: &RecvParams| {
            line.codecs
                .iter()
                .any(|codec| codec.pt == pt || codec.rtx_pt == Some(pt))
                || line.tones.iter().any(|tones| tones.pt == pt)
        };
        if let Some(mid) = extensions.mid {
            let at = self
                .lines
                .iter()
                .position(|line| line.mid.as_str() == mid)?;
            return takes(&self.lines[at]).then_some(at);
        }
        if let Some(route) = self.routes.get(&ssrc) {
            return self
                .lines
                .get(route.line)
                .is_some_and(takes)
                .then_some(route.line);
        }
        if let Some(rid) = extensions.rid.or(extensions.repaired_rid) {
            let mut with = (0..self.lines.len())
                .filter(|at| self.lines[*at].rids.iter().any(|r| r.as_str() == rid));
            if let (Some(at), None) = (with.next(), with.next()) {
                return takes(&self.lines[at]).then_some(at);
            }
        }
        let announced = self.lines.iter().position(|line| {
            line.ssrcs
                .iter()
                .any(|(media, rtx)| media.0 == ssrc || *rtx == Some(Ssrc(ssrc)))
        });
        if let Some(at) = announced {
            return takes(&self.lines[at]).then_some(at);
        }
        let mut with = (0..self.lines.len()).filter(|at| takes(&self.lines[*at]));
        match (with.next(), with.next()) {
            (Some(at), None) => Some(at),
            _ => None,
        }
    }

    /// The media SSRC a repair stream belongs to: as announced, by repaired RID, or the only one.
    fn repaired(&self, ssrc: u32, line: usize, extensions: &Extensions<'_>) -> Option<u32> {
        let announced = self.lines[line]
            .ssrcs
            .iter()
            .find(|(_, rtx)| *rtx == Some(Ssrc(ssrc)));
        if let Some((media, _)) = announced {
            return Some(media.0);
        }
        if let Some(media) = self.routes.get(&ssrc).and_then(|route| route.repairs) {
            return Some(media);
        }
        let media = |route: &Route| route.line == line && route.repairs.is_none();
        let found = self
            .routes
            .iter()
            .filter(|(_, route)| media(route))
            .filter(|(_, route)| match extensions.repaired_rid {
                Some(rid) => route.rid.as_ref().is_some_and(|r| r.as_str() == rid),
                None => true,
            })
            .max_by_key(|(_, route)| route.used);
        found.map(|(ssrc, _)| *ssrc)
    }

    fn latch(
        &mut self,
        ssrc: u32,
        line: usize,
        rid: Option<Rid>,
        repairs: Option<u32>,
        now: Instant,
    ) {
        if let Some(route) = self.routes.get_mut(&ssrc) {
            route.line = line;
            route.rid = rid;
            route.repairs = repairs;
            route.used = now;
            return;
        }
        if self.routes.len() >= MAX_ROUTES {
            let oldest = self.routes.iter().min_by_key(|(_, route)| route.used);
            if let Some(oldest) = oldest.map(|(ssrc, _)| *ssrc) {
                self.routes.remove(&oldest);
            }
        }
        self.routes.insert(
            ssrc,
            Route {
                line,
                rid,
                repairs,
                used: now,
            },
        );
    }
}

#[cfg(test)]
#[path = "demux_test.rs"]
mod demux_test;
