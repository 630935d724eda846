//! A list of short texts, as received.

use super::FrameError;
use crate::{
    reader::{Reader, Short},
    wire, writer,
};

/// At most 8 texts of at most 255 bytes each, checked to be whole and UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Texts<'a> {
    count: u8,
    bytes: &'a [u8],
}

impl<'a> Texts<'a> {
    /// Reads the list in a frame of type `kind`.
    pub(super) fn read(reader: &mut Reader<'a>, kind: u8) -> Result<Self, FrameError> {
        let short = |Short| FrameError::Short { kind };
        let bad = |field| FrameError::BadField { kind, field };
        let count = reader.u8().map_err(short)?;
        if usize::from(count) > wire::ADDRESSES_MAX {
            return Err(bad("number of texts"));
        }
        let start = reader.rest();
        for _ in 0..count {
            let text = next(reader).map_err(short)?;
            core::str::from_utf8(text).map_err(|_| bad("text"))?;
        }
        Ok(Self { count, bytes: &start[..start.len() - reader.rest().len()] })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(self.count);
        out.extend_from_slice(self.bytes);
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut reader = Reader::new(self.bytes);
        // Checked to be UTF-8 when they were read.
        (0..self.count).map_while(move |_| core::str::from_utf8(next(&mut reader).ok()?).ok())
    }
}

fn next<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Short> {
    let length = reader.u8()?;
    reader.bytes(usize::from(length))
}

/// Appends a list of texts; those beyond the eighth are left out.
pub(crate) fn write_list(out: &mut Vec<u8>, texts: &[String]) {
    let texts = &texts[..texts.len().min(wire::ADDRESSES_MAX)];
    out.push(u8::try_from(texts.len()).unwrap_or(u8::MAX));
    for text in texts {
        writer::short_text(out, text, usize::from(u8::MAX));
    }
}
