//! Restarting: come back elsewhere, soon.

use super::{FrameError, texts, texts::Texts};
use crate::{
    reader::{Reader, Short},
    wire, writer,
};

/// A node's notice that it is about to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restarting<'a> {
    /// Milliseconds after which the client reconnects.
    pub reconnect_in_ms: u32,
    /// Where to; none: the addresses the client knows.
    pub addresses: Texts<'a>,
}

impl<'a> Restarting<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, FrameError> {
        let short = |Short| FrameError::Short { kind: wire::RESTARTING };
        let mut reader = Reader::new(body);
        let reconnect_in_ms = reader.u32().map_err(short)?;
        let addresses = Texts::read(&mut reader, wire::RESTARTING)?;
        Ok(Self { reconnect_in_ms, addresses })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        writer::frame(out, wire::RESTARTING, |out| {
            out.extend_from_slice(&self.reconnect_in_ms.to_be_bytes());
            self.addresses.write(out);
        });
    }

    /// Writes a notice with these addresses.
    pub(crate) fn write_parts(out: &mut Vec<u8>, reconnect_in_ms: u32, addresses: &[String]) {
        writer::frame(out, wire::RESTARTING, |out| {
            out.extend_from_slice(&reconnect_in_ms.to_be_bytes());
            texts::write_list(out, addresses);
        });
    }
}
