//! What the fuzz targets share: operations taken from bytes, and the rules for what a side writes.

#![forbid(unsafe_code)]

use throughline_link::{Frame, Split, split};

/// The input, as a row of numbers and byte strings; zeros and empty strings behind its end.
#[derive(Debug)]
pub struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    /// All of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether nothing is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// A small number.
    pub fn u8(&mut self) -> u8 {
        let Some((&first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        first
    }

    /// A number of two bytes.
    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.u8(), self.u8()])
    }

    /// Bytes behind their count of two bytes; what is left if it is less.
    pub fn bytes(&mut self) -> &'a [u8] {
        let count = usize::from(self.u16()).min(self.rest.len());
        let (head, rest) = self.rest.split_at(count);
        self.rest = rest;
        head
    }
}

/// Reads what a side writes to one connection: whole good frames, and none behind a Close.
#[derive(Debug, Default)]
pub struct Written {
    said_close: bool,
}

impl Written {
    /// Checks `bytes`, and hands each frame on.
    ///
    /// # Panics
    /// If a rule is broken.
    pub fn check(&mut self, mut bytes: &[u8], mut each: impl FnMut(&Frame<'_>)) {
        while !bytes.is_empty() {
            let Ok(Split::Whole { kind, body, bytes: whole }) = split(bytes, u32::MAX) else {
                panic!("a frame that is not whole was written: {bytes:02x?}");
            };
            let frame = Frame::read(kind, body).expect("only good frames are written");
            assert!(!self.said_close, "{frame:?} follows a Close");
            self.said_close = matches!(frame, Frame::Close(_));
            each(&frame);
            bytes = &bytes[whole..];
        }
    }
}
