//! Data: one message.

use crate::{
    reader::{Reader, Short},
    wire,
};

/// One message, with its number and what its sender has handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Data<'a> {
    /// From 1, per direction and session.
    pub seq: u64,
    /// Every message of the other side up to this number has been handled.
    pub ack: u64,
    /// The game's bytes.
    pub payload: &'a [u8],
}

impl<'a> Data<'a> {
    #[inline]
    pub(super) fn read(body: &'a [u8]) -> Result<Self, Short> {
        let mut reader = Reader::new(body);
        Ok(Self { seq: reader.u64()?, ack: reader.u64()?, payload: reader.rest() })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        Self::write_parts(out, self.seq, self.ack, self.payload, &[]);
    }

    /// Writes a message whose payload lies in two parts, as in a ring.
    #[inline]
    pub(crate) fn write_parts(out: &mut Vec<u8>, seq: u64, ack: u64, head: &[u8], tail: &[u8]) {
        // Payloads were checked against `max_frame`, a u32, when they were sent.
        let length = u32::try_from(wire::DATA_OVERHEAD + head.len() + tail.len());
        let mut header = [0; wire::LENGTH_BYTES + wire::DATA_OVERHEAD];
        header[..4].copy_from_slice(&length.unwrap_or(u32::MAX).to_be_bytes());
        header[4] = wire::DATA;
        header[5..13].copy_from_slice(&seq.to_be_bytes());
        header[13..].copy_from_slice(&ack.to_be_bytes());
        out.reserve(header.len() + head.len() + tail.len());
        out.extend_from_slice(&header);
        out.extend_from_slice(head);
        out.extend_from_slice(tail);
    }
}
