// SPDX-License-Identifier: MPL-2.0
//! Routing of packets to m-lines, case by case.
use super::*;
use crate::ExtensionIds;
use rtc_payload::{Codec, MediaKind, Mid};

fn line(mid: &str, pt: u8, ssrc: Option<(u32, u32)>, rids: &[&str]) -> RecvParams {
    RecvParams {
        mid: Mid::from(mid),
        kind: MediaKind::Video,
        codecs: vec![CodecParams {
            codec: Codec::Vp8,
            pt: Pt(pt),
            rtx_pt: Some(Pt(pt + 1)),
            fmtp: String::new(),
            nack: true,
            pli: true,
            fir: false,
            transport_cc: true,
            remb: false,
        }],
        tones: Vec::new(),
        ssrcs: ssrc
            .map(|(m, r)| (Ssrc(m), Some(Ssrc(r))))
            .into_iter()
            .collect(),
        rids: rids.iter().map(|rid| Rid::from(*rid)).collect(),
        extensions: ExtensionIds::default(),
        feedback_ssrc: Ssrc(1),
        active: true,
    }
}

fn demux() -> Demux {
    let mut demux = Demux::default();
    demux.configure(vec![
        line("a", 96, Some((100, 101)), &[]),
        line("b", 96, None, &["hi", "lo"]),
        line("c", 98, None, &[]),
    ]);
    demux
}

fn goes(demux: &mut Demux, ssrc: u32, pt: u8, ext: &Extensions<'_>) -> Option<(String, u32)> {
    let target = demux.route(ssrc, Pt(pt), ext, Instant::now()).ok()?;
    Some((target.params.mid.to_string(), target.ssrc.0))
}

#[test]
fn mid_goes_before_rid_before_ssrc_before_payload_type() {
    let none = Extensions::default();
    let mid = Extensions {
        mid: Some("b"),
        ..Extensions::default()
    };
    let rid = Extensions {
        rid: Some("lo"),
        ..Extensions::default()
    };
    let mut demux = demux();
    assert_eq!(goes(&mut demux, 100, 96, &none), Some(("a".into(), 100)));
    assert_eq!(goes(&mut demux, 5, 96, &none), None, "two lines take 96");
    assert_eq!(goes(&mut demux, 5, 96, &mid), Some(("b".into(), 5)));
    assert_eq!(
        goes(&mut demux, 5, 96, &none),
        Some(("b".into(), 5)),
        "latched"
    );
    assert_eq!(goes(&mut demux, 6, 96, &rid), Some(("b".into(), 6)));
    assert_eq!(goes(&mut demux, 7, 98, &none), Some(("c".into(), 7)));
    assert_eq!(goes(&mut demux, 8, 50, &none), None);
    let unknown = Extensions {
        mid: Some("z"),
        ..Extensions::default()
    };
    assert_eq!(goes(&mut demux, 9, 98, &unknown), None);
}

#[test]
fn repairs_find_their_stream_by_announcement_rid_or_being_alone() {
    let none = Extensions::default();
    let mut demux = demux();
    assert_eq!(goes(&mut demux, 101, 97, &none), Some(("a".into(), 100)));
    let mid = Extensions {
        mid: Some("b"),
        rid: Some("hi"),
        ..Extensions::default()
    };
    goes(&mut demux, 20, 96, &mid);
    let mid = Extensions {
        mid: Some("b"),
        rid: Some("lo"),
        ..Extensions::default()
    };
    goes(&mut demux, 21, 96, &mid);
    let repair = Extensions {
        repaired_rid: Some("hi"),
        ..Extensions::default()
    };
    assert_eq!(goes(&mut demux, 30, 97, &repair), Some(("b".into(), 20)));
    assert_eq!(
        goes(&mut demux, 31, 99, &none),
        None,
        "nothing to repair yet"
    );
    goes(&mut demux, 40, 98, &none);
    assert_eq!(goes(&mut demux, 31, 99, &none), Some(("c".into(), 40)));
}

#[test]
fn the_table_is_bounded_and_lines_that_go_take_their_routes_along() {
    let mut demux = demux();
    for ssrc in 1000..2000 {
        goes(&mut demux, ssrc, 98, &Extensions::default());
    }
    assert_eq!(demux.routes.len(), MAX_ROUTES);
    demux.configure(vec![line("a", 96, None, &[])]);
    assert!(demux.routes.is_empty());
}
