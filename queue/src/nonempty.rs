//! The rows that say which queues are not empty.

use bytes::Bytes;
use throughline_store::{Check, Entry, Write};

use crate::form::{FORM, FormError, Reader};
use crate::{Pieces, Position, QueueName, keys};

/// A row that says that a queue may have messages. Every enqueue writes it anew, with the position
/// of its message; so whoever read it, then found the queue empty, and then deletes it if it is
/// still the same, deletes it under no message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nonempty {
    name: QueueName,
    last: Position,
    value: Bytes,
}

impl Nonempty {
    pub(crate) fn read(entry: &Entry) -> Result<Self, FormError> {
        let mut reader = Reader::new("row of a queue", &entry.value)?;
        let last = Position::from_bytes(reader.array("position")?);
        let damaged = reader.damaged("name");
        let name = QueueName::from_bytes(&reader.rest()).ok_or(damaged)?;
        if keys::nonempty(&name) != entry.key {
            return Err(FormError::Damaged { what: "row of a queue", field: "key" });
        }
        Ok(Self { name, last, value: entry.value.clone() })
    }

    /// The row after a message was enqueued.
    pub(crate) fn put(name: &QueueName, last: Position) -> Write {
        let value = [&[FORM], last.to_bytes().as_slice(), name.as_bytes()].concat().into();
        Write::Put { key: keys::nonempty(name), value }
    }

    /// The queue.
    #[must_use]
    pub const fn name(&self) -> &QueueName {
        &self.name
    }

    /// A message that was enqueued last, or about then: a hint that something is new.
    #[must_use]
    pub const fn last(&self) -> Position {
        self.last
    }

    /// What takes the row away, for those who found the queue empty *after* they read it. It may be
    /// refused, which is no error: something was enqueued meanwhile, or the row is gone.
    pub fn found_empty(&self) -> Pieces {
        let key = keys::nonempty(&self.name);
        let check = Check::Equals { key: key.clone(), value: self.value.clone() };
        Pieces { checks: vec![check], writes: vec![Write::Delete { key }] }
    }
}
