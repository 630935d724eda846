//! The rows of one commit of enqueues.

use std::collections::BTreeMap;

use bytes::Bytes;
use throughline_store::Write;

use crate::defaults::{ROW_BYTES_MAX, ROW_MESSAGES_MAX};
use crate::message::SHARED_HEAD_BYTES;
use crate::nonempty::Nonempty;
use crate::{Message, NameKind, Position, QueueName, keys};

/// Messages of one commit, by the queues that they go to.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    queues: BTreeMap<QueueName, Vec<New>>,
}

#[derive(Debug)]
struct New {
    position: Position,
    expires_ms: u64,
    payload: Bytes,
}

impl Rows {
    /// Adds a message. Positions grow.
    pub(crate) fn push(
        &mut self,
        name: QueueName,
        position: Position,
        expires_ms: u64,
        payload: Bytes,
    ) {
        self.queues.entry(name).or_default().push(New { position, expires_ms, payload });
    }

    /// What is written: messages, and the rows that say that their queues are not empty.
    pub(crate) fn into_writes(self) -> Vec<Write> {
        let mut writes = Vec::new();
        for (name, messages) in self.queues {
            let mut rest = &messages[..];
            while !rest.is_empty() {
                let (row, behind) = rest.split_at(row_length(&name, rest));
                writes.push(Write::Put {
                    key: keys::message(&name, row[0].position),
                    value: value(row),
                });
                rest = behind;
            }
            if let Some(last) = messages.last() {
                writes.push(Nonempty::put(&name, last.position));
            }
        }
        writes
    }
}

/// How many of the first messages share a row. Actors use their messages up one by one, so each of
/// those has one of its own.
fn row_length(name: &QueueName, messages: &[New]) -> usize {
    if name.kind() != NameKind::Named {
        return 1;
    }
    let mut bytes = 1;
    let fits = messages.iter().take(ROW_MESSAGES_MAX).take_while(|message| {
        bytes += SHARED_HEAD_BYTES + message.payload.len();
        // The key has the time that all of them have.
        bytes <= ROW_BYTES_MAX && message.position.time_ms == messages[0].position.time_ms
    });
    fits.count().max(1)
}

fn value(row: &[New]) -> Bytes {
    match row {
        [one] => Message::encode(one.expires_ms, &one.payload),
        row => {
            let messages = row.iter().map(|m| (m.position.number, m.expires_ms, &m.payload));
            Message::encode_shared(messages)
        }
    }
}

#[cfg(test)]
mod tests {
    use throughline_store::Entry;

    use super::*;
    use crate::Source;

    #[test]
    fn rows_of_a_named_queue_are_shared_within_bounds_and_read_back_in_order() {
        for (bytes, rows_expected) in [(1, 4), (64, 5), (3_000, 200), (5_000, 200)] {
            let name = QueueName::named("q").unwrap();
            let mut rows = Rows::default();
            let position =
                |number| Position { time_ms: 7, source: Source::of(b"p", 1), number: number * 3 };
            for number in 0..200 {
                rows.push(name.clone(), position(number), number, vec![1; bytes].into());
            }
            let writes = rows.into_writes();
            assert_eq!(writes.len(), rows_expected + 1, "{bytes}");
            let mut messages = Vec::new();
            for write in &writes[..rows_expected] {
                let (key, value) = (write.key().clone(), write.value().unwrap().clone());
                assert!(value.len() <= ROW_BYTES_MAX.max(bytes + 9));
                Message::read_row(Entry { key, value }, &mut messages).unwrap();
            }
            let found = messages.iter().map(|m| (m.position(), m.expires_ms()));
            assert!(found.eq((0..200).map(|number| (position(number), number))));
        }
    }

    #[test]
    fn messages_of_an_inbox_have_rows_of_their_own() {
        let name = QueueName::record(b"s0123456789abcdef").unwrap();
        let mut rows = Rows::default();
        for number in 0..5 {
            let position = Position { time_ms: 7, source: Source::of(b"p", 1), number };
            rows.push(name.clone(), position, 1, Bytes::from_static(b"x"));
        }
        assert_eq!(rows.into_writes().len(), 6);
    }

    #[test]
    fn a_message_used_up_leaves_the_others_of_its_row() {
        let name = QueueName::named("q").unwrap();
        let mut rows = Rows::default();
        for number in 0..3 {
            let position = Position { time_ms: 7, source: Source::of(b"p", 1), number };
            rows.push(name.clone(), position, 1, Bytes::from(vec![number as u8]));
        }
        let writes = rows.into_writes();
        let mut row =
            Entry { key: writes[0].key().clone(), value: writes[0].value().unwrap().clone() };
        for left in [2, 1, 0] {
            let mut messages = Vec::new();
            Message::read_row(row.clone(), &mut messages).unwrap();
            assert_eq!(messages.len(), left + 1);
            let pieces = messages[left / 2].used_up();
            assert!(pieces.checks[0].holds(Some(&row.value)));
            match pieces.writes[0].value() {
                Some(value) => row.value = value.clone(),
                None => assert_eq!(left, 0),
            }
        }
    }
}
