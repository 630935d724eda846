//! What all queues hold together, as the last whole sweep has counted it.

use bytes::Bytes;
use throughline_store::{Batch, Store};

use crate::form::{FORM, Reader};
use crate::{ReadError, keys};

/// What all queues held together, when a sweep last came to their end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// When the sweep came to the end, in milliseconds since 1970 UTC; 0: none has yet.
    pub counted_ms: u64,
    /// Messages that had not expired.
    pub messages: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
}

impl Totals {
    /// What the last whole sweep has counted.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn read(store: &dyn Store) -> Result<Self, ReadError> {
        let value = store.get(Bytes::from_static(keys::TOTALS)).await?;
        let Some(value) = value else { return Ok(Self::default()) };
        let mut reader = Reader::new("totals", &value)?;
        Ok(Self {
            counted_ms: reader.u64("time")?,
            messages: reader.u64("messages")?,
            bytes: reader.u64("bytes")?,
        })
    }

    /// A hint for limits, so whoever comes last writes it.
    pub(crate) fn put(&self) -> Batch {
        let mut value = vec![FORM];
        for field in [self.counted_ms, self.messages, self.bytes] {
            value.extend_from_slice(&field.to_be_bytes());
        }
        Batch::new().put(Bytes::from_static(keys::TOTALS), value)
    }
}
