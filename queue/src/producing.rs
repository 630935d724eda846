//! Enqueues, as parts of the commit of whoever makes them.

use throughline_canary::canary;
use throughline_store::Write;

use crate::defaults::PAYLOAD_BYTES_MAX;
use crate::nonempty::Nonempty;
use crate::{Message, Pieces, Position, QueueName, Source, keys};

/// A payload above [`PAYLOAD_BYTES_MAX`]: the sender's fault, and no retry helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a payload of {bytes} bytes, at most {PAYLOAD_BYTES_MAX}")]
pub struct PayloadError {
    /// Its length.
    pub bytes: usize,
}

/// One life of a producer. It makes the pieces of enqueues; the commit that they go into must
/// check and change the producer's own record, so that a producer which is fenced enqueues
/// nothing, and one commit is not made twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Producing {
    /// Who it is.
    pub source: Source,
    /// The time of its last position, which never goes back. It lasts as long as its life.
    pub last_ms: u64,
}

/// An enqueue that waits for its commit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "an enqueue does nothing before it is committed"]
pub struct Staged {
    /// Where the message will stand.
    pub position: Position,
    /// What belongs into the commit.
    pub pieces: Pieces,
}

impl Producing {
    /// A message for a queue. `number` must be higher with every message of this life.
    ///
    /// # Errors
    /// The payload is too large.
    pub fn enqueue(
        &mut self,
        name: &QueueName,
        payload: &[u8],
        expires_ms: u64,
        number: u64,
        now_ms: u64,
    ) -> Result<Staged, PayloadError> {
        if payload.len() > name.payload_bytes_max() {
            return Err(PayloadError { bytes: payload.len() });
        }
        let position = self.position(number, now_ms);
        let (key, value) = (keys::message(name, position), Message::encode(expires_ms, payload));
        let writes = vec![Write::Put { key, value }, Nonempty::put(name, position)];
        Ok(Staged { position, pieces: Pieces { checks: Vec::new(), writes } })
    }

    /// The next position.
    pub(crate) fn position(&mut self, number: u64, now_ms: u64) -> Position {
        self.last_ms = if canary!(EnqueueTimeGoesBack) { now_ms } else { self.last_ms.max(now_ms) };
        Position { time_ms: self.last_ms, source: self.source, number }
    }
}
