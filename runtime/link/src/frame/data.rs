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

    #[inline]
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        // Payloads were checked against `max_frame`, a u32, when they were sent.
        let length = u32::try_from(wire::DATA_OVERHEAD + self.payload.len()).unwrap_or(u32::MAX);
        let mut header = [0; wire::LENGTH_BYTES + wire::DATA_OVERHEAD];
        header[..4].copy_from_slice(&length.to_be_bytes());
        header[4] = wire::DATA;
        header[5..13].copy_from_slice(&self.seq.to_be_bytes());
        header[13..].copy_from_slice(&self.ack.to_be_bytes());
        out.reserve(header.len() + self.payload.len());
        out.extend_from_slice(&header);
        out.extend_from_slice(self.payload);
    }
}
