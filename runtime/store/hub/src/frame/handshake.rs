//! The frames before the first call.

use bytes::{BufMut, BytesMut};

use crate::frame::{Frame, Reader, frame, put_text};
use crate::{FrameError, wire};

pub(super) fn read(kind: u8, body: &mut Reader<'_>) -> Result<Frame, FrameError> {
    Ok(match kind {
        wire::HELLO => {
            if body.array()? != wire::MAGIC {
                return Err(FrameError::Magic);
            }
            let (version_min, version_max) = (body.u8()?, body.u8()?);
            Frame::Hello { version_min, version_max, nonce: body.array()? }
        }
        wire::CHALLENGE => Frame::Challenge { version: body.u8()?, nonce: body.array()? },
        wire::PROOF => Frame::Proof { proof: body.array()? },
        wire::WELCOME => Frame::Welcome { proof: body.array()? },
        wire::REFUSED => Frame::Refused { code: body.u8()?, text: body.text()? },
        kind => return Err(FrameError::UnknownType { kind }),
    })
}

/// Writes a frame of this family; `Frame::write` passes no other.
pub(super) fn write(out: &mut BytesMut, handshake: &Frame) {
    match handshake {
        Frame::Hello { version_min, version_max, nonce } => frame(out, wire::HELLO, |out| {
            out.put_slice(&wire::MAGIC);
            out.put_slice(&[*version_min, *version_max]);
            out.put_slice(nonce);
        }),
        Frame::Challenge { version, nonce } => frame(out, wire::CHALLENGE, |out| {
            out.put_u8(*version);
            out.put_slice(nonce);
        }),
        Frame::Proof { proof } => frame(out, wire::PROOF, |out| out.put_slice(proof)),
        Frame::Welcome { proof } => frame(out, wire::WELCOME, |out| out.put_slice(proof)),
        Frame::Refused { code, text } => frame(out, wire::REFUSED, |out| {
            out.put_u8(*code);
            put_text(out, text);
        }),
        _ => debug_assert!(false, "not a frame of the handshake: {handshake:?}"),
    }
}
