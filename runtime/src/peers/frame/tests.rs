//! Pinned bytes, and bytes that are no frame.

use super::*;
use crate::peers::limits::{FRAME_BYTES_MAX, HANDSHAKE_BYTES_MAX};

const A: Member = Member { node: NodeId(1), incarnation: 0x0a };
const B: Member = Member { node: NodeId(2), incarnation: 0x0b };

/// Each frame, with its bytes in hex: the examples of docs/peers.md.
fn examples() -> Vec<(Frame, String)> {
    let (n, p) = ("05".repeat(32), "06".repeat(32));
    let (nonce, proof) = ([5; 32], [6; 32]);
    vec![
        (
            Frame::Hello { version_min: 1, version_max: 2, nonce },
            format!("00000027 01 544c504e 01 02 {n}"),
        ),
        (Frame::Challenge { version: 1, nonce }, format!("00000022 02 01 {n}")),
        (
            Frame::Proof { from: A, to: B, proof },
            format!("00000039 03 00000001 000000000000000a 00000002 000000000000000b {p}"),
        ),
        (Frame::Welcome { clock: 9, proof }, format!("00000029 04 0000000000000009 {p}")),
        (Frame::Refused { code: 5 }, "00000002 05 05".into()),
        (
            Frame::Call { call: 1, deadline: 9, payload: "ab".into() },
            "00000013 10 0000000000000001 0000000000000009 6162".into(),
        ),
        (Frame::Tell { payload: "ab".into() }, "00000003 11 6162".into()),
        (Frame::Ping, "00000001 12".into()),
        (Frame::Answer { call: 1, payload: "a".into() }, "0000000a 20 0000000000000001 61".into()),
        (Frame::Failed { call: 1, code: 2 }, "0000000a 21 0000000000000001 02".into()),
        (Frame::Alive { clock: 9 }, "00000009 22 0000000000000009".into()),
        (Frame::Goodbye { last: 9 }, "00000009 80 0000000000000009".into()),
        (Frame::Ignored, "00000001 ff".into()),
    ]
}

fn written(frame: &Frame) -> BytesMut {
    let mut out = BytesMut::new();
    frame.write(&mut out);
    out
}

#[test]
fn every_frame_has_its_pinned_bytes_and_is_read_back() {
    for (frame, hex) in examples() {
        let bytes = written(&frame);
        let shown: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(shown, hex.replace(' ', ""), "{frame:?}");
        let mut input = bytes;
        assert_eq!(take(&mut input, FRAME_BYTES_MAX), Ok(Some(frame)));
        assert!(input.is_empty());
    }
}

#[test]
fn the_frames_of_a_handshake_fit_its_limit() {
    for (frame, _) in examples().into_iter().take(5) {
        assert!(written(&frame).len() <= HANDSHAKE_BYTES_MAX, "{frame:?}");
    }
}

#[test]
fn a_frame_in_pieces_waits_and_a_cut_one_is_refused() {
    for (frame, _) in examples() {
        let bytes = written(&frame);
        for cut in 0..bytes.len() {
            let mut piece = BytesMut::from(&bytes[..cut]);
            assert_eq!(take(&mut piece, FRAME_BYTES_MAX), Ok(None));
            // The same bytes as a whole frame: another frame, or none, but never a panic.
            let _ = Frame::read(bytes[4..].get(..cut).unwrap_or_default());
        }
    }
    assert_eq!(Frame::read(&[wire::CALL, 0, 0]), Err(FrameError::Short));
}

#[test]
fn an_oversize_frame_is_refused_by_its_length_alone() {
    let limit = FRAME_BYTES_MAX;
    let too_long = u32::try_from(limit + 1).unwrap().to_be_bytes();
    assert_eq!(front(&too_long, limit), Err(FrameError::TooLong { bytes: limit + 1, limit }));
    assert_eq!(
        front(&[0xff; 4], HANDSHAKE_BYTES_MAX),
        Err(FrameError::TooLong { bytes: u32::MAX as usize, limit: HANDSHAKE_BYTES_MAX })
    );
    assert_eq!(front(&[0; 4], limit), Err(FrameError::Empty));
    assert_eq!(front(b"GET ", HANDSHAKE_BYTES_MAX).map_err(|_| ()), Err(()));
}

#[test]
fn an_unknown_type_is_refused_and_one_of_a_later_version_ignored() {
    for kind in [0x00, 0x06, 0x0f, 0x13, 0x23, 0x7f] {
        assert_eq!(Frame::read(&[kind, 1, 2]), Err(FrameError::UnknownType { kind }));
    }
    for kind in 0x81..=0xff {
        assert_eq!(Frame::read(&[kind, 1, 2]), Ok(Frame::Ignored));
    }
    // Fields that later versions put behind those of this one.
    assert_eq!(Frame::read(&[wire::PING, 1, 2]), Ok(Frame::Ping));
    assert_eq!(Frame::read(&[wire::REFUSED, 1, 2]), Ok(Frame::Refused { code: 1 }));
}
