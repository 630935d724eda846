//! Every key of the store that queues use.
//!
//! The first byte is `x`, that of the rows that are not ownership's, the second says what it is;
//! only the rows of non-empty queues are ownership's index, and begin with `q`. Numbers are
//! big-endian, so that the order of keys is theirs.

use bytes::Bytes;

use crate::form::FormError;
use crate::{Position, QueueName};

/// Rows of messages.
pub(crate) const MESSAGES: &[u8] = b"xm";
/// Records of the producers that are no actors.
pub(crate) const PRODUCERS: &[u8] = b"xp";
/// Batches kept under a token.
pub(crate) const TOKENS: &[u8] = b"xt";
/// Rows that say that a queue is not empty.
pub(crate) const NONEMPTY: &[u8] = b"q";
/// What the last whole sweep has counted.
pub(crate) const TOTALS: &[u8] = b"xa";

/// What a row of queues is, for operators who count them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKind {
    /// A message, or several that share a row.
    Message,
    /// A message in the queue of dead letters.
    DeadLetter,
    /// What a producer that is no actor has under way.
    Producer,
    /// A batch kept under a token.
    Token,
    /// What the last whole sweep has counted.
    Totals,
    /// That a queue is not empty.
    Nonempty,
}

impl RowKind {
    /// What the row of this key of the store is. `None`: none of queues.
    #[must_use]
    pub fn of(key: &[u8]) -> Option<Self> {
        let is = |what: &[u8]| key.starts_with(what);
        Some(match key {
            _ if is(MESSAGES) && is(&messages_of(&QueueName::dead_letters())) => Self::DeadLetter,
            _ if is(MESSAGES) => Self::Message,
            _ if is(PRODUCERS) => Self::Producer,
            _ if is(TOKENS) => Self::Token,
            _ if key == TOTALS => Self::Totals,
            _ if is(NONEMPTY) => Self::Nonempty,
            _ => return None,
        })
    }
}

/// Bytes behind their length.
fn sized(what: &[u8], name: &[u8], rest: &[u8]) -> Bytes {
    let mut key = Vec::with_capacity(what.len() + 1 + name.len() + rest.len());
    key.extend_from_slice(what);
    // Names in keys have at most 96 bytes, those of producers 64.
    key.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    key.extend_from_slice(name);
    key.extend_from_slice(rest);
    key.into()
}

/// All messages of a queue begin with it.
pub(crate) fn messages_of(name: &QueueName) -> Bytes {
    sized(MESSAGES, name.in_key(), &[])
}

pub(crate) fn message(name: &QueueName, position: Position) -> Bytes {
    sized(MESSAGES, name.in_key(), &position.to_bytes())
}

/// The position of a message.
pub(crate) fn position_of(key: &[u8]) -> Result<Position, FormError> {
    let damaged = FormError::Damaged { what: "message", field: "key" };
    key.last_chunk().map(|bytes| Position::from_bytes(*bytes)).ok_or(damaged)
}

pub(crate) fn nonempty(name: &QueueName) -> Bytes {
    [NONEMPTY, name.in_key()].concat().into()
}

pub(crate) fn token(name: &QueueName) -> Bytes {
    sized(TOKENS, name.in_key(), &[])
}

/// A record of a producer. Lane 0 is for its enqueues, the others for what it takes out.
pub(crate) fn producer(name: &str, lane: u16) -> Bytes {
    sized(PRODUCERS, name.as_bytes(), &lane.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Source;

    #[test]
    fn every_row_of_queues_is_told_by_its_key() {
        let (ann, dead) = (QueueName::key("ann").unwrap(), QueueName::dead_letters());
        let at = Position { time_ms: 7, source: Source::of(b"p", 1), number: 3 };
        for (key, kind) in [
            (message(&ann, at), RowKind::Message),
            (message(&dead, at), RowKind::DeadLetter),
            (producer("shop", 0), RowKind::Producer),
            (token(&ann), RowKind::Token),
            (Bytes::from_static(TOTALS), RowKind::Totals),
            (nonempty(&ann), RowKind::Nonempty),
        ] {
            assert_eq!(RowKind::of(&key), Some(kind), "{}", key.escape_ascii());
        }
        for key in [&b""[..], b"x", b"xc", b"xax", b"h"] {
            assert_eq!(RowKind::of(key), None, "{}", key.escape_ascii());
        }
    }
}
