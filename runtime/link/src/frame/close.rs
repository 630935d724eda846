//! Close: the last frame of a connection.

use super::{FrameError, lenient_text};
use crate::{
    code::CloseCode,
    reader::{Reader, Short},
    wire, writer,
};

/// Why a connection, or the session with it, ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close<'a> {
    /// Why.
    pub code: CloseCode,
    /// What was handled at the end.
    pub ack: u64,
    /// For a person.
    pub text: &'a str,
}

impl<'a> Close<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, FrameError> {
        let short = |Short| FrameError::Short { kind: wire::CLOSE };
        let mut reader = Reader::new(body);
        let code = CloseCode::from_number(reader.u16().map_err(short)?);
        let ack = reader.u64().map_err(short)?;
        let text_bytes = reader.u16().map_err(short)?;
        let text = lenient_text(reader.bytes(usize::from(text_bytes)).map_err(short)?);
        Ok(Self { code, ack, text })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        writer::frame(out, wire::CLOSE, |out| {
            out.extend_from_slice(&self.code.number().to_be_bytes());
            out.extend_from_slice(&self.ack.to_be_bytes());
            writer::long_text(out, self.text, wire::TEXT_MAX);
        });
    }
}
