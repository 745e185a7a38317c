// SPDX-License-Identifier: MPL-2.0
//! From what descriptions decided to what packets need: two crates that do not know each other.
use crate::MediaState;
use rtc_jsep::{
    NegotiatedCodec, NegotiatedExtensions, NegotiatedMedia, NegotiatedRecv, NegotiatedSend,
    NegotiatedTones,
};
use rtc_payload::MediaKind;
use rtc_rtp::{CodecParams, ExtensionIds, PlayoutDelay, RecvParams, SendParams, ToneFormat};

/// The senders and receivers of a negotiation.
pub(crate) fn params(
    media: &NegotiatedMedia,
    playout_delay: Option<PlayoutDelay>,
) -> (Vec<SendParams>, Vec<RecvParams>) {
    let send = media.send.iter();
    let send = send.map(|line| self::send(line, playout_delay)).collect();
    (send, media.recv.iter().map(recv).collect())
}

/// The m-lines as an application sees them.
pub(crate) fn states(media: &NegotiatedMedia) -> Vec<MediaState> {
    let state = |line: &rtc_jsep::NegotiatedLine| MediaState {
        mid: line.mid.clone(),
        kind: line.kind,
        sending: media
            .send
            .iter()
            .find(|send| send.mid == line.mid && send.active)
            .map(|send| (send.track, codec(&send.codec))),
        receiving: media
            .recv
            .iter()
            .find(|recv| recv.mid == line.mid && recv.active)
            .map(|recv| recv.codecs.iter().map(codec).collect())
            .unwrap_or_default(),
        sends_tones: media
            .send
            .iter()
            .any(|send| send.mid == line.mid && send.active && send.tones.is_some()),
        streams: line.streams.clone(),
    };
    media.lines.iter().map(state).collect()
}

fn send(send: &NegotiatedSend, playout_delay: Option<PlayoutDelay>) -> SendParams {
    SendParams {
        mid: send.mid.clone(),
        kind: send.kind,
        track: send.track,
        ssrc: send.ssrc,
        rtx_ssrc: send.rtx_ssrc,
        codec: codec(&send.codec),
        tone: send.tones.map(tones),
        extensions: extensions(&send.extensions),
        playout_delay: playout_delay.filter(|_| send.kind == MediaKind::Video),
        active: send.active,
    }
}

fn recv(recv: &NegotiatedRecv) -> RecvParams {
    RecvParams {
        mid: recv.mid.clone(),
        kind: recv.kind,
        codecs: recv.codecs.iter().map(codec).collect(),
        tones: recv.tones.iter().copied().map(tones).collect(),
        ssrcs: recv.ssrcs.clone(),
        rids: recv.rids.clone(),
        extensions: extensions(&recv.extensions),
        feedback_ssrc: recv.feedback_ssrc,
        active: recv.active,
    }
}

fn tones(tones: NegotiatedTones) -> ToneFormat {
    ToneFormat {
        pt: tones.pt,
        clock_rate: tones.clock_rate,
        events: tones.events,
    }
}

fn codec(codec: &NegotiatedCodec) -> CodecParams {
    CodecParams {
        codec: codec.codec,
        pt: codec.pt,
        rtx_pt: codec.rtx_pt,
        fmtp: codec.fmtp.clone(),
        nack: codec.nack,
        pli: codec.pli,
        fir: codec.fir,
        transport_cc: codec.transport_cc,
        remb: codec.remb,
    }
}

fn extensions(ids: &NegotiatedExtensions) -> ExtensionIds {
    ExtensionIds {
        mid: ids.mid,
        rid: ids.rid,
        repaired_rid: ids.repaired_rid,
        transport_cc: ids.transport_cc,
        abs_send_time: ids.abs_send_time,
        audio_level: ids.audio_level,
        playout_delay: ids.playout_delay,
    }
}
