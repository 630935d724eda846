//! The binary forms of what stands in the store: big-endian, versioned, bounds-checked.

use bytes::{Buf, Bytes};

/// The version of every form that this build writes.
pub(crate) const FORM: u8 = 1;
/// That of a row which several messages share.
pub(crate) const SHARED_FORM: u8 = 2;

/// Why a row of the store could not be read. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// Written by a newer version of Throughline. Nothing is wrong with it: a newer one reads it.
    #[error("a {what} of form {found}, this build reads up to {SHARED_FORM}")]
    Newer {
        /// What was read.
        what: &'static str,
        /// The form found.
        found: u8,
    },
    /// Not what any version has written. Reading again does not help.
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
pub(crate) struct Reader {
    what: &'static str,
    rest: Bytes,
}

impl Reader {
    pub(crate) fn new(what: &'static str, bytes: &Bytes) -> Result<Self, FormError> {
        Self::of_form(what, bytes, FORM)
    }

    pub(crate) fn of_form(what: &'static str, bytes: &Bytes, form: u8) -> Result<Self, FormError> {
        let mut reader = Self { what, rest: bytes.clone() };
        match reader.array::<1>("form")? {
            [found] if found == form => Ok(reader),
            [found] if found > SHARED_FORM => Err(FormError::Newer { what, found }),
            [_] => Err(reader.damaged("form")),
        }
    }

    pub(crate) const fn damaged(&self, field: &'static str) -> FormError {
        FormError::Damaged { what: self.what, field }
    }

    pub(crate) fn array<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], FormError> {
        let head = self.rest.first_chunk::<N>().copied();
        let head = head.ok_or_else(|| self.damaged(field))?;
        self.rest.advance(N);
        Ok(head)
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, FormError> {
        self.array(field).map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, FormError> {
        self.array(field).map(u64::from_be_bytes)
    }

    /// Bytes behind a length of four bytes.
    pub(crate) fn sized(&mut self, field: &'static str) -> Result<Bytes, FormError> {
        let length = self.u32(field)? as usize;
        if length > self.rest.len() {
            return Err(self.damaged(field));
        }
        Ok(self.rest.split_to(length))
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is left, as the last field.
    pub(crate) fn rest(self) -> Bytes {
        self.rest
    }

    pub(crate) fn end(&self) -> Result<(), FormError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.damaged("end")) }
    }
}

/// Appends bytes behind a length of four bytes.
pub(crate) fn put_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    // Whatever is written here is below the limit of a value, far below 4 GiB.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}
