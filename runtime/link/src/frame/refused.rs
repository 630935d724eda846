//! Refused: a node's no to a Hello or a Resume.

use super::{FrameError, lenient_text};
use crate::{
    code::CloseCode,
    extension::{self, Extensions},
    reader::{Reader, Short},
    wire, writer,
};

/// A node's no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused<'a> {
    /// Why.
    pub code: CloseCode,
    /// Milliseconds to wait before the next try; 0 leaves it to the client.
    pub retry_after_ms: u32,
    /// For a person.
    pub text: &'a str,
    /// More; see [`wire`].
    pub extensions: Extensions<'a>,
}

impl<'a> Refused<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, FrameError> {
        let short = |Short| FrameError::Short { kind: wire::REFUSED };
        let mut reader = Reader::new(body);
        let code = CloseCode::from_number(reader.u16().map_err(short)?);
        let retry_after_ms = reader.u32().map_err(short)?;
        let text_bytes = reader.u16().map_err(short)?;
        let text = lenient_text(reader.bytes(usize::from(text_bytes)).map_err(short)?);
        let extensions = Extensions::read(reader.rest(), wire::REFUSED)?;
        Ok(Self { code, retry_after_ms, text, extensions })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        Self::write_parts(out, self.code, self.retry_after_ms, self.text, |out| {
            for extension in self.extensions.iter() {
                extension::write(out, extension.tag, extension.bytes);
            }
        });
    }

    /// Writes a refusal with the game's own number, if it is the game's, and the addresses to try
    /// instead; those beyond the eighth are left out.
    pub fn write_no(
        out: &mut Vec<u8>,
        code: CloseCode,
        retry_after_ms: u32,
        text: &str,
        game_code: Option<u16>,
        elsewhere: &[String],
    ) {
        Self::write_parts(out, code, retry_after_ms, text, |out| {
            if let Some(game_code) = game_code {
                extension::write(out, wire::TAG_GAME_CODE, &game_code.to_be_bytes());
            }
            for address in elsewhere.iter().take(wire::ADDRESSES_MAX) {
                extension::write(out, wire::TAG_ELSEWHERE, address.as_bytes());
            }
        });
    }

    fn write_parts(
        out: &mut Vec<u8>,
        code: CloseCode,
        retry_after_ms: u32,
        text: &str,
        extensions: impl FnOnce(&mut Vec<u8>),
    ) {
        writer::frame(out, wire::REFUSED, |out| {
            out.extend_from_slice(&code.number().to_be_bytes());
            out.extend_from_slice(&retry_after_ms.to_be_bytes());
            writer::long_text(out, text, wire::TEXT_MAX);
            extensions(out);
        });
    }

    /// The game's own number for why it refused the login.
    #[must_use]
    pub fn game_code(&self) -> Option<u16> {
        let bytes = self.extensions.find(wire::TAG_GAME_CODE)?;
        bytes.try_into().ok().map(u16::from_be_bytes)
    }

    /// Addresses to try instead, at most 8.
    pub fn elsewhere(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.extensions
            .iter()
            .filter(|extension| extension.tag == wire::TAG_ELSEWHERE)
            .filter_map(|extension| core::str::from_utf8(extension.bytes).ok())
            .take(wire::ADDRESSES_MAX)
    }
}
