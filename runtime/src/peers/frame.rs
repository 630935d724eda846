//! The frames between nodes, read and written without I/O.
//!
//! Reading is total: any bytes give a frame or an error, never a panic. What it allocates follows
//! the bytes that are there, never a number in them; payloads are copied out, so that one that
//! someone keeps does not keep the buffer it came in.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use throughline_cluster::{Member, NodeId};

use crate::peers::wire;

#[cfg(test)]
mod tests;

/// Bytes of the length, which stands before a frame.
const LENGTH_BYTES: usize = 4;
/// Bytes of a call before its payload: its type, number and deadline.
const CALL_BYTES: usize = 1 + 8 + 8;
/// Bytes of an answer before its payload: its type and number.
const ANSWER_BYTES: usize = 1 + 8;

/// One frame, either direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frame {
    Hello {
        version_min: u8,
        version_max: u8,
        nonce: [u8; 32],
    },
    Challenge {
        version: u8,
        nonce: [u8; 32],
    },
    Proof {
        from: Member,
        to: Member,
        proof: [u8; 32],
    },
    Welcome {
        clock: u64,
        proof: [u8; 32],
    },
    Refused {
        code: u8,
    },
    Call {
        call: u64,
        deadline: u64,
        payload: Bytes,
    },
    Tell {
        payload: Bytes,
    },
    Ping,
    Answer {
        call: u64,
        payload: Bytes,
    },
    Failed {
        call: u64,
        code: u8,
    },
    Alive {
        clock: u64,
    },
    Goodbye {
        last: u64,
    },
    /// Of a later version, which this one may ignore.
    Ignored,
}

/// Bytes that are no frame: the fault of who sent them. The connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("a frame without a type")]
    Empty,
    #[error("a frame of {bytes} bytes, at most {limit}")]
    TooLong { bytes: usize, limit: usize },
    #[error("a frame of the unknown type {kind:#04x}")]
    UnknownType { kind: u8 },
    #[error("not the first bytes of a connection between nodes")]
    Magic,
    #[error("a frame that ends inside a field")]
    Short,
}

/// The bytes of the frame at the front of `input`, its length field included, once that is there
/// and accepted. No memory need be taken for a frame before.
pub(crate) fn front(input: &[u8], limit: usize) -> Result<Option<usize>, FrameError> {
    let Some(length) = input.first_chunk() else { return Ok(None) };
    let length = u32::from_be_bytes(*length) as usize;
    match length {
        0 => Err(FrameError::Empty),
        bytes if bytes > limit => Err(FrameError::TooLong { bytes, limit }),
        bytes => Ok(Some(LENGTH_BYTES + bytes)),
    }
}

/// Takes the frame at the front of `input`, if all of it is there.
pub(crate) fn take(input: &mut BytesMut, limit: usize) -> Result<Option<Frame>, FrameError> {
    let Some(bytes) = front(input, limit)? else { return Ok(None) };
    if input.len() < bytes {
        return Ok(None);
    }
    let frame = Frame::read(&input[LENGTH_BYTES..bytes])?;
    input.advance(bytes);
    Ok(Some(frame))
}

impl Frame {
    /// Reads a frame: exactly its bytes, without the length before them. Bytes behind the fields
    /// of a frame without a payload belong to later versions.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, FrameError> {
        let (&kind, body) = bytes.split_first().ok_or(FrameError::Empty)?;
        let mut body = Reader(body);
        Ok(match kind {
            wire::HELLO => {
                if body.array()? != wire::MAGIC {
                    return Err(FrameError::Magic);
                }
                let [version_min, version_max] = body.array()?;
                Self::Hello { version_min, version_max, nonce: body.array()? }
            }
            wire::CHALLENGE => {
                let [version] = body.array()?;
                Self::Challenge { version, nonce: body.array()? }
            }
            wire::PROOF => {
                Self::Proof { from: body.member()?, to: body.member()?, proof: body.array()? }
            }
            wire::WELCOME => Self::Welcome { clock: body.u64()?, proof: body.array()? },
            wire::REFUSED => Self::Refused { code: body.array::<1>()?[0] },
            wire::CALL => {
                let (call, deadline) = (body.u64()?, body.u64()?);
                Self::Call { call, deadline, payload: body.rest() }
            }
            wire::TELL => Self::Tell { payload: body.rest() },
            wire::PING => Self::Ping,
            wire::ANSWER => Self::Answer { call: body.u64()?, payload: body.rest() },
            wire::FAILED => Self::Failed { call: body.u64()?, code: body.array::<1>()?[0] },
            wire::ALIVE => Self::Alive { clock: body.u64()? },
            wire::GOODBYE => Self::Goodbye { last: body.u64()? },
            wire::IGNORED_FROM.. => Self::Ignored,
            kind => return Err(FrameError::UnknownType { kind }),
        })
    }

    /// Writes the frame, its length before it.
    pub(crate) fn write(&self, out: &mut BytesMut) {
        match self {
            Self::Call { call, deadline, payload } => {
                return write_call(*call, *deadline, payload, out);
            }
            Self::Answer { call, payload } => return write_answer(*call, payload, out),
            _ => {}
        }
        let start = out.len();
        out.put_u32(0);
        self.write_body(out);
        let length = length(out.len() - start - LENGTH_BYTES);
        out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
    }

    fn write_body(&self, out: &mut BytesMut) {
        match self {
            Self::Hello { version_min, version_max, nonce } => {
                out.put_u8(wire::HELLO);
                out.put_slice(&wire::MAGIC);
                out.put_slice(&[*version_min, *version_max]);
                out.put_slice(nonce);
            }
            Self::Challenge { version, nonce } => {
                out.put_slice(&[wire::CHALLENGE, *version]);
                out.put_slice(nonce);
            }
            Self::Proof { from, to, proof } => {
                out.put_u8(wire::PROOF);
                out.put_slice(&member_bytes(*from));
                out.put_slice(&member_bytes(*to));
                out.put_slice(proof);
            }
            Self::Welcome { clock, proof } => {
                out.put_u8(wire::WELCOME);
                out.put_u64(*clock);
                out.put_slice(proof);
            }
            Self::Refused { code } => out.put_slice(&[wire::REFUSED, *code]),
            Self::Tell { payload } => {
                out.put_u8(wire::TELL);
                out.put_slice(payload);
            }
            // Written by themselves.
            Self::Call { .. } | Self::Answer { .. } => {}
            Self::Ping => out.put_u8(wire::PING),
            Self::Failed { call, code } => {
                out.put_u8(wire::FAILED);
                out.put_u64(*call);
                out.put_u8(*code);
            }
            Self::Goodbye { last } => {
                out.put_u8(wire::GOODBYE);
                out.put_u64(*last);
            }
            Self::Alive { clock } => {
                out.put_u8(wire::ALIVE);
                out.put_u64(*clock);
            }
            Self::Ignored => out.put_u8(u8::MAX),
        }
    }
}

/// What stands before a frame of so many bytes.
fn length(bytes: usize) -> u32 {
    // Payloads were checked against their limit, far below this.
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// Writes [`Frame::Call`], whose payload stays where it is.
pub(crate) fn write_call(call: u64, deadline: u64, payload: &[u8], out: &mut BytesMut) {
    let mut head = [0; LENGTH_BYTES + CALL_BYTES];
    head[..4].copy_from_slice(&length(CALL_BYTES + payload.len()).to_be_bytes());
    head[4] = wire::CALL;
    head[5..13].copy_from_slice(&call.to_be_bytes());
    head[13..].copy_from_slice(&deadline.to_be_bytes());
    out.reserve(head.len() + payload.len());
    out.put_slice(&head);
    out.put_slice(payload);
}

/// Writes [`Frame::Answer`], whose payload stays where it is.
pub(crate) fn write_answer(call: u64, payload: &[u8], out: &mut BytesMut) {
    let mut head = [0; LENGTH_BYTES + ANSWER_BYTES];
    head[..4].copy_from_slice(&length(ANSWER_BYTES + payload.len()).to_be_bytes());
    head[4] = wire::ANSWER;
    head[5..].copy_from_slice(&call.to_be_bytes());
    out.reserve(head.len() + payload.len());
    out.put_slice(&head);
    out.put_slice(payload);
}

/// A member as it stands in frames and proofs.
pub(crate) fn member_bytes(member: Member) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&member.node.0.to_be_bytes());
    bytes[4..].copy_from_slice(&member.incarnation.to_be_bytes());
    bytes
}

/// What is left of a frame.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let (array, rest) = self.0.split_first_chunk().ok_or(FrameError::Short)?;
        self.0 = rest;
        Ok(*array)
    }

    fn u64(&mut self) -> Result<u64, FrameError> {
        self.array().map(u64::from_be_bytes)
    }

    fn member(&mut self) -> Result<Member, FrameError> {
        let node = NodeId(self.array().map(u32::from_be_bytes)?);
        Ok(Member { node, incarnation: self.u64()? })
    }

    fn rest(&self) -> Bytes {
        Bytes::copy_from_slice(self.0)
    }
}
