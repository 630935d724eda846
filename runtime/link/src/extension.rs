//! Extensions: how handshake frames grow without a new version.

use crate::{
    frame::FrameError,
    reader::{Reader, Short},
    wire::{EXTENSIONS_MAX, TAG_REQUIRED},
};

/// One extension of a handshake frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension<'a> {
    /// What it is; see [`wire`](crate::wire).
    pub tag: u16,
    /// Its content.
    pub bytes: &'a [u8],
}

/// The extensions of a received frame, in order; checked to be whole, at most 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extensions<'a> {
    bytes: &'a [u8],
}

impl<'a> Extensions<'a> {
    /// Reads the list at the end of a frame of type `kind`.
    pub(crate) fn read(bytes: &'a [u8], kind: u8) -> Result<Self, FrameError> {
        let mut reader = Reader::new(bytes);
        for _ in 0..EXTENSIONS_MAX {
            if reader.is_empty() {
                break;
            }
            next(&mut reader).map_err(|Short| FrameError::Short { kind })?;
        }
        if !reader.is_empty() {
            return Err(FrameError::BadField { kind, field: "number of extensions" });
        }
        Ok(Self { bytes })
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Extension<'a>> + use<'a> {
        let mut reader = Reader::new(self.bytes);
        core::iter::from_fn(move || if reader.is_empty() { None } else { next(&mut reader).ok() })
    }

    /// The first with this tag.
    #[must_use]
    pub fn find(&self, tag: u16) -> Option<&'a [u8]> {
        self.iter().find(|extension| extension.tag == tag).map(|extension| extension.bytes)
    }

    /// The first with this tag, if it is UTF-8.
    #[must_use]
    pub fn text(&self, tag: u16) -> Option<&'a str> {
        self.find(tag).and_then(|bytes| core::str::from_utf8(bytes).ok())
    }

    /// The first tag that must be known, but is not: this version knows no required tag.
    #[must_use]
    pub fn unknown_required(&self) -> Option<u16> {
        self.iter().map(|extension| extension.tag).find(|tag| tag & TAG_REQUIRED != 0)
    }
}

fn next<'a>(reader: &mut Reader<'a>) -> Result<Extension<'a>, Short> {
    let tag = reader.u16()?;
    let length = reader.u16()?;
    Ok(Extension { tag, bytes: reader.bytes(usize::from(length))? })
}

/// Appends one extension. Content beyond 65,535 bytes is cut: no known tag comes near it.
pub(crate) fn write(out: &mut Vec<u8>, tag: u16, bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(usize::from(u16::MAX))];
    out.extend_from_slice(&tag.to_be_bytes());
    out.extend_from_slice(&u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
}
