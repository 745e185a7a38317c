// SPDX-License-Identifier: MPL-2.0
//! The control thread's part for tones: to every session that takes them, and told of as one series.
use super::control::{CAT, Control};
use crate::tones::ToneRequest;
use rtc_payload::{SessionId, TrackId};
use rtc_rtp::ReceivedTone;
use rtc_session::{Command, ConnectionState, MediaState};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Which sessions take tones for which track, and which have some under way.
#[derive(Debug, Default)]
pub(super) struct Tones {
    sessions: BTreeMap<SessionId, Takes>,
    /// Sessions with tones under way; the first one is told of.
    playing: HashMap<TrackId, BTreeSet<SessionId>>,
    /// Tracks of which it was told that tones can be inserted.
    told: BTreeSet<TrackId>,
}

#[derive(Debug, Default)]
struct Takes {
    connected: bool,
    tracks: Vec<TrackId>,
}

impl Tones {
    fn takers(&self, track: TrackId) -> BTreeSet<SessionId> {
        let takes = |takes: &Takes| takes.connected && takes.tracks.contains(&track);
        let sessions = self.sessions.iter();
        sessions
            .filter(|(_, session)| takes(session))
            .map(|(id, _)| *id)
            .collect()
    }

    /// Whether a change of a session's tones is to be told: all sessions play the same.
    fn is_told(&mut self, track: TrackId, session: SessionId, is_end: bool) -> bool {
        let Some(playing) = self.playing.get(&track) else {
            return false;
        };
        let leads = playing.first() == Some(&session);
        if is_end && leads {
            self.playing.remove(&track);
        }
        leads
    }

    /// Tracks whose series ends with the last session that played it.
    fn leave(&mut self, session: SessionId) -> Vec<TrackId> {
        let mut ended = Vec::new();
        self.playing.retain(|track, sessions| {
            sessions.remove(&session);
            if sessions.is_empty() {
                ended.push(*track);
            }
            !sessions.is_empty()
        });
        ended
    }
}

impl Control {
    pub(super) fn send_tones(&mut self, track: TrackId, request: &ToneRequest) {
        let takers = self.tones.takers(track);
        if takers.is_empty() {
            gst::warning!(CAT, "nobody takes {request:?}");
            return;
        }
        for session in &takers {
            let command = match request.clone() {
                ToneRequest::Insert {
                    tones,
                    duration_ms,
                    gap_ms,
                } => Command::InsertDtmf {
                    track,
                    tones,
                    duration_ms,
                    gap_ms,
                },
                ToneRequest::Start { tone, volume } => Command::StartTone {
                    track,
                    tone,
                    volume,
                },
                ToneRequest::Stop => Command::StopTone(track),
            };
            self.setup.handle.command(*session, command);
        }
        let starts = match request {
            ToneRequest::Insert { tones, .. } => !tones.is_empty(),
            ToneRequest::Start { .. } => true,
            ToneRequest::Stop => false,
        };
        if starts {
            self.tones.playing.insert(track, takers);
        }
    }

    pub(super) fn tones_negotiated(&mut self, id: SessionId, states: &[MediaState]) {
        let able = states.iter().filter(|state| state.sends_tones);
        let tracks = able.filter_map(|state| Some(state.sending.as_ref()?.0));
        self.tones.sessions.entry(id).or_default().tracks = tracks.collect();
        self.show_can_insert(id);
        self.tell_can_insert();
    }

    pub(super) fn tones_connected(&mut self, id: SessionId, state: ConnectionState) {
        let takes = self.tones.sessions.entry(id).or_default();
        takes.connected = state == ConnectionState::Connected;
        self.show_can_insert(id);
        self.tell_can_insert();
    }

    pub(super) fn tones_over(&mut self, id: SessionId) {
        self.tones.sessions.remove(&id);
        for track in self.tones.leave(id) {
            self.to_owner(track, |attachment| attachment.tone_changed(track, "", ""));
        }
        self.tell_can_insert();
    }

    fn show_can_insert(&mut self, id: SessionId) {
        let takes = self.tones.sessions.get(&id);
        let takes = takes.filter(|takes| takes.connected);
        let takes = takes.map_or_else(Vec::new, |takes| takes.tracks.clone());
        self.show(id, |model, _, _| model.on_tones_possible(&takes));
    }

    fn tell_can_insert(&mut self) {
        let tracks: Vec<TrackId> = self.tracks.iter().map(|track| track.id).collect();
        self.tones.told.retain(|track| tracks.contains(track));
        for track in tracks {
            let can = !self.tones.takers(track).is_empty();
            let changed = match can {
                true => self.tones.told.insert(track),
                false => self.tones.told.remove(&track),
            };
            if changed {
                self.to_owner(track, |attachment| attachment.tones_possible(track, can));
            }
        }
    }

    pub(super) fn on_tone_change(
        &mut self,
        id: SessionId,
        track: TrackId,
        tone: &str,
        buffer: &str,
    ) {
        self.show(id, |model, _, mirror| {
            model.on_tone(track, tone, buffer, mirror)
        });
        if self.tones.is_told(track, id, tone.is_empty()) {
            self.to_owner(track, |a| a.tone_changed(track, tone, buffer));
        }
    }

    /// To the element that takes the m-line's audio.
    pub(super) fn on_tone(&self, id: SessionId, tone: &ReceivedTone) {
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        let owner = peer.receiving.get(&tone.mid);
        if let Some(attached) = owner.and_then(|owner| self.attachments.get(owner)) {
            attached.attachment.tone_received(id, &peer.session, tone);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACK: TrackId = TrackId(1);

    fn tones(sessions: &[(u64, bool)]) -> Tones {
        let mut tones = Tones::default();
        for (id, connected) in sessions {
            let takes = Takes {
                connected: *connected,
                tracks: vec![TRACK],
            };
            tones.sessions.insert(SessionId(*id), takes);
        }
        let takers = tones.takers(TRACK);
        tones.playing.insert(TRACK, takers);
        tones
    }

    #[test]
    fn one_session_of_many_is_told_of() {
        let mut tones = tones(&[(1, false), (2, true), (3, true)]);
        let told = |tones: &mut Tones, id, end| tones.is_told(TRACK, SessionId(id), end);
        assert!(told(&mut tones, 2, false) && !told(&mut tones, 3, false));
        assert!(!told(&mut tones, 3, true) && told(&mut tones, 2, true));
        assert!(!told(&mut tones, 3, true), "the series is over");
    }

    #[test]
    fn another_session_goes_on_where_one_leaves() {
        let mut tones = tones(&[(2, true), (3, true)]);
        assert!(tones.leave(SessionId(2)).is_empty());
        assert!(tones.is_told(TRACK, SessionId(3), false));
        assert_eq!(tones.leave(SessionId(3)), [TRACK]);
    }
}
