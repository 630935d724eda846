//! The record of a producer that is no actor: of one handle, in one life.

use bytes::Bytes;

use crate::defaults::PRODUCER_KEPT;
use crate::form::{FORM, FormError, Reader};

/// Makes lives far apart of those that are near: 2 to the 64th by the golden ratio.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// What stands in a row of a handle. Lane 0 is its record as a producer; each dequeue under way has
/// one of the other lanes, so that its outcome can be settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    /// New with every open: an older handle of the same name is fenced.
    pub(crate) life: u64,
    /// Raised by every commit: by one within a life, by more with the first of a life.
    pub(crate) version: u64,
    /// The version that this life took over: whoever wrote that one, and does not know it, learns
    /// it here.
    pub(crate) began: u64,
    /// When it was used last, and the floor of the next position's time.
    pub(crate) last_ms: u64,
    /// The number of the last message.
    pub(crate) number: u64,
}

impl Record {
    pub(crate) fn encode(&self) -> Bytes {
        let mut value = Vec::with_capacity(41);
        value.push(FORM);
        for field in [self.life, self.version, self.began, self.last_ms, self.number] {
            value.extend_from_slice(&field.to_be_bytes());
        }
        value.into()
    }

    pub(crate) fn decode(value: &Bytes) -> Result<Self, FormError> {
        let mut reader = Reader::new("producer", value)?;
        let record = Self {
            life: reader.u64("life")?,
            version: reader.u64("version")?,
            began: reader.u64("beginning")?,
            last_ms: reader.u64("time")?,
            number: reader.u64("number")?,
        };
        reader.end()?;
        Ok(record)
    }

    /// What a life writes on top of what it knows.
    pub(crate) fn after(known: Option<Self>, life: u64, last_ms: u64, number: u64) -> Self {
        let version = known.map_or(0, |known| known.version);
        let (began, step) = match known {
            Some(known) if known.life == life => (known.began, 1),
            // Each life steps on by another number. Else two that take over the same version would
            // write the same next one, and `began` would not say whose was taken over then.
            _ => (version, 1 + (life.wrapping_mul(SPREAD) >> 32)),
        };
        Self { life, version: version + step, began, last_ms, number }
    }

    /// Whether its handle was not used for so long that it is swept.
    pub(crate) fn is_stale(&self, now_ms: u64) -> bool {
        let kept_ms = u64::try_from(PRODUCER_KEPT.as_millis()).unwrap_or(u64::MAX);
        now_ms.saturating_sub(self.last_ms) >= kept_ms
    }
}
