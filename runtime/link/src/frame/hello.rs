//! Hello: starts a session.

use super::{FrameError, preamble, text};
use crate::{
    extension::{self, Extensions},
    reader::{Reader, Short},
    wire, writer,
};

/// What a client says first to start a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello<'a> {
    /// The lowest version the client speaks.
    pub version_min: u8,
    /// The highest version the client speaks.
    pub version_max: u8,
    /// The session kind, 1 to 64 bytes.
    pub kind: &'a str,
    /// The game's login payload.
    pub login: &'a [u8],
    /// More; see [`wire`].
    pub extensions: Extensions<'a>,
}

impl<'a> Hello<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, FrameError> {
        let short = |Short| FrameError::Short { kind: wire::HELLO };
        let mut reader = Reader::new(body);
        let (version_min, version_max) = preamble(&mut reader, wire::HELLO)?;
        let kind_bytes = reader.u8().map_err(short)?;
        let kind = reader.bytes(usize::from(kind_bytes)).map_err(short)?;
        let kind = text(kind, wire::KIND_MAX, wire::HELLO, "kind")?;
        let login_bytes = reader.u32().map_err(short)?;
        let login = reader.bytes(login_bytes as usize).map_err(short)?;
        let extensions = Extensions::read(reader.rest(), wire::HELLO)?;
        Ok(Self { version_min, version_max, kind, login, extensions })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let version = (self.version_min, self.version_max);
        Self::write_parts(out, version, self.kind, self.login, self.extensions.iter());
    }

    /// The game version the client told, if any.
    #[must_use]
    pub fn game_version(&self) -> Option<&'a str> {
        self.extensions.text(wire::TAG_GAME_VERSION)
    }

    pub(crate) fn write_parts<'b>(
        out: &mut Vec<u8>,
        (version_min, version_max): (u8, u8),
        kind: &str,
        login: &[u8],
        extensions: impl Iterator<Item = extension::Extension<'b>>,
    ) {
        writer::frame(out, wire::HELLO, |out| {
            out.extend_from_slice(&wire::MAGIC);
            out.extend_from_slice(&[version_min, version_max]);
            writer::short_text(out, kind, wire::KIND_MAX);
            // A login payload of 4 GiB would have been refused long before it came here.
            out.extend_from_slice(&u32::try_from(login.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(login);
            extensions.for_each(|extension| extension::write(out, extension.tag, extension.bytes));
        });
    }
}
