//! The snapshot that stands beside a header.

use bytes::Bytes;

use crate::{
    form::{FORM, FormError, Reader},
    header::Header,
};

/// What a session or VActor was at the end of a turn, as its driver wrote it: the game's state,
/// link numbers, retained messages, timers. Of an ended session: numbers and retained messages.
///
/// It is one value of the store, whose `get` is atomic however a store cuts it up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Snapshot {
    /// The life it belongs to.
    pub life: u64,
    /// The version of the header that was written with it.
    pub version: u64,
    /// The driver's bytes.
    pub body: Bytes,
}

impl Snapshot {
    /// Whether this is the snapshot that `header` speaks of. If not, one of the two was read
    /// before the other changed: read again, the header first.
    #[must_use]
    pub fn belongs_to(&self, header: &Header) -> bool {
        self.life == header.life && self.version == header.snapshot_version
    }

    /// The bytes of the store.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(17 + self.body.len());
        out.push(FORM);
        out.extend_from_slice(&self.life.to_be_bytes());
        out.extend_from_slice(&self.version.to_be_bytes());
        out.extend_from_slice(&self.body);
        out.into()
    }

    /// Reads the bytes of the store.
    ///
    /// # Errors
    /// [`FormError`]; the record is left as it is.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormError> {
        let mut reader = Reader::new("snapshot", bytes)?;
        let life = reader.u64("life")?;
        let version = reader.u64("version")?;
        Ok(Self { life, version, body: reader.rest() })
    }
}
