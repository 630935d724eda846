//! The binary forms of what stands in the store: big-endian, versioned, bounds-checked.

use bytes::Bytes;

/// The version of every form that this build writes.
pub(crate) const FORM: u8 = 1;

/// Why a value of the store could not be read. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// Written by a newer version of Throughline. Nothing is wrong with the bytes: a newer node
    /// reads them.
    #[error("a {what} of form {found}, this build reads up to {FORM}")]
    Newer {
        /// What was read.
        what: &'static str,
        /// The form found.
        found: u8,
    },
    /// Damaged where it was kept. Reading again does not help.
    #[error("a damaged {what}: {field}")]
    Damaged {
        /// What was read.
        what: &'static str,
        /// The first field that is wrong.
        field: &'static str,
    },
}

/// Takes fields from the front of a value; never looks beyond it.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(what: &'static str, bytes: &'a [u8]) -> Result<Self, FormError> {
        let mut reader = Self { what, rest: bytes };
        match reader.u8("form")? {
            FORM => Ok(reader),
            0 => Err(reader.damaged("form")),
            found => Err(FormError::Newer { what, found }),
        }
    }

    pub(crate) const fn damaged(&self, field: &'static str) -> FormError {
        FormError::Damaged { what: self.what, field }
    }

    pub(crate) fn array<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], FormError> {
        let Some((head, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.damaged(field));
        };
        self.rest = rest;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, FormError> {
        self.array::<1>(field).map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, FormError> {
        self.array(field).map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, FormError> {
        self.array(field).map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, FormError> {
        self.array(field).map(u64::from_be_bytes)
    }

    /// Bytes behind a length of two bytes.
    pub(crate) fn sized(&mut self, field: &'static str) -> Result<&'a [u8], FormError> {
        let length = usize::from(self.u16(field)?);
        let Some((head, rest)) = self.rest.split_at_checked(length) else {
            return Err(self.damaged(field));
        };
        self.rest = rest;
        Ok(head)
    }

    pub(crate) fn text(&mut self, field: &'static str) -> Result<&'a str, FormError> {
        let bytes = self.sized(field)?;
        core::str::from_utf8(bytes).map_err(|_| self.damaged(field))
    }

    /// What is left, as the last field.
    pub(crate) fn rest(self) -> Bytes {
        Bytes::copy_from_slice(self.rest)
    }

    pub(crate) const fn end(&self) -> Result<(), FormError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.damaged("end")) }
    }
}

/// Appends bytes behind a length of two bytes.
pub(crate) fn put_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    // Every caller's constructor keeps its limit, all of them far below 64 KiB.
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}
