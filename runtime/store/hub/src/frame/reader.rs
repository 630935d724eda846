//! Bounds-checked fields.

use bytes::Bytes;

use crate::FrameError;

/// What is left of a frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let (array, rest) = self.0.split_first_chunk().ok_or(FrameError::Short)?;
        self.0 = rest;
        Ok(*array)
    }

    pub(super) fn u8(&mut self) -> Result<u8, FrameError> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, FrameError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, FrameError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, FrameError> {
        self.array().map(u64::from_be_bytes)
    }

    /// 0 or 1.
    pub(super) fn flag(&mut self) -> Result<bool, FrameError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            tag => Err(FrameError::Tag { tag }),
        }
    }

    fn slice(&mut self, length: usize) -> Result<&'a [u8], FrameError> {
        let (slice, rest) = self.0.split_at_checked(length).ok_or(FrameError::Short)?;
        self.0 = rest;
        Ok(slice)
    }

    /// Bytes behind a u16 that says how many.
    pub(super) fn key(&mut self) -> Result<Bytes, FrameError> {
        let length = self.u16()?;
        self.slice(length.into()).map(Bytes::copy_from_slice)
    }

    /// Bytes behind a u32 that says how many.
    pub(super) fn value(&mut self) -> Result<Bytes, FrameError> {
        let length = self.u32()?;
        self.slice(length as usize).map(Bytes::copy_from_slice)
    }

    pub(super) fn text(&mut self) -> Result<String, FrameError> {
        let length = self.u16()?;
        let bytes = self.slice(length.into())?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| FrameError::Text)
    }

    pub(super) fn end(&self) -> Result<(), FrameError> {
        if self.0.is_empty() { Ok(()) } else { Err(FrameError::Trailing) }
    }
}
