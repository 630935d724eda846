//! A commit in words: typed rows, and for each check the rule it stands for.

use bytes::Bytes;

use crate::{
    batch::{Batch, Check, Write},
    entry::{Beat, Standing},
    form::{FORM, FormError, Reader},
    header::{Header, member},
    id::{Member, NodeId, RecordId, SessionKey},
    keys,
    law::Rule,
    snapshot::Snapshot,
};

/// A key of the store, by what it means.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Row {
    /// The header of a record.
    Header(RecordId),
    /// Its snapshot.
    Snapshot(RecordId),
    /// The standing of a node.
    Standing(Member),
    /// Its beat.
    Beat(Member),
    /// The incarnation that joined last as this node.
    Node(NodeId),
    /// Index: this owner owns this record.
    Owned(Member, RecordId),
    /// Index: this record is due at this time (milliseconds since 1970 UTC).
    Due(u64, RecordId),
    /// Who holds a session key.
    Key(SessionKey),
    /// A request for a record, left for its owner.
    Request(Member, RecordId),
    /// A row of another package, by its own key.
    Foreign(Bytes),
}

/// Who holds a session key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Holder {
    /// The session.
    pub id: RecordId,
    /// Its life.
    pub life: u64,
}

/// Somebody wants a record whose owner does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Request {
    /// The epoch it read.
    pub epoch: u64,
    /// The client's attempt counter.
    pub attempt: u64,
    /// Who wants it.
    pub from: Member,
}

/// What stands in a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// Of [`Row::Header`].
    Header(Header),
    /// Of [`Row::Snapshot`].
    Snapshot(Snapshot),
    /// Of [`Row::Standing`].
    Standing(Standing),
    /// Of [`Row::Beat`].
    Beat(Beat),
    /// Of [`Row::Node`]: the incarnation.
    Incarnation(u64),
    /// Of [`Row::Owned`] and [`Row::Due`], whose keys say all.
    Mark,
    /// Of [`Row::Key`].
    Holder(Holder),
    /// Of [`Row::Request`].
    Request(Request),
    /// Of [`Row::Foreign`].
    Foreign(Bytes),
}

impl Value {
    /// The bytes of the store.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Header(header) => header.encode(),
            Self::Snapshot(snapshot) => snapshot.encode(),
            Self::Standing(standing) => standing.encode(),
            Self::Beat(beat) => beat.encode(),
            Self::Incarnation(n) => [&[FORM], n.to_be_bytes().as_slice()].concat().into(),
            Self::Mark => Bytes::from_static(&[FORM]),
            Self::Holder(Holder { id, life }) => {
                [&[FORM], life.to_be_bytes().as_slice(), id.as_bytes()].concat().into()
            }
            Self::Request(request) => {
                let mut out = vec![FORM];
                let from = request.from;
                out.extend_from_slice(&request.epoch.to_be_bytes());
                out.extend_from_slice(&request.attempt.to_be_bytes());
                out.extend_from_slice(&from.node.0.to_be_bytes());
                out.extend_from_slice(&from.incarnation.to_be_bytes());
                out.into()
            }
            Self::Foreign(bytes) => bytes.clone(),
        }
    }

    /// Reads what stands in `row`.
    ///
    /// # Errors
    /// [`FormError`]; the row is left as it is.
    pub fn decode(row: &Row, bytes: &[u8]) -> Result<Self, FormError> {
        Ok(match row {
            Row::Header(_) => Self::Header(Header::decode(bytes)?),
            Row::Snapshot(_) => Self::Snapshot(Snapshot::decode(bytes)?),
            Row::Standing(_) => Self::Standing(Standing::decode(bytes)?),
            Row::Beat(_) => Self::Beat(Beat::decode(bytes)?),
            Row::Node(_) => {
                let mut reader = Reader::new("node", bytes)?;
                let incarnation = reader.u64("incarnation")?;
                reader.end()?;
                Self::Incarnation(incarnation)
            }
            Row::Owned(..) | Row::Due(..) => {
                Reader::new("index", bytes)?.end()?;
                Self::Mark
            }
            Row::Key(_) => {
                let mut reader = Reader::new("session key", bytes)?;
                let life = reader.u64("life")?;
                let damaged = reader.damaged("id");
                let id = RecordId::from_bytes(&reader.rest()).ok_or(damaged)?;
                Self::Holder(Holder { id, life })
            }
            Row::Request(..) => {
                let mut reader = Reader::new("request", bytes)?;
                let epoch = reader.u64("epoch")?;
                let attempt = reader.u64("attempt")?;
                let from = member(&mut reader)?;
                reader.end()?;
                Self::Request(Request { epoch, attempt, from })
            }
            Row::Foreign(_) => Self::Foreign(Bytes::copy_from_slice(bytes)),
        })
    }
}

/// A check, and why it is there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Guard {
    /// The rule of the law.
    pub rule: Rule,
    /// The row.
    pub row: Row,
    /// What stands there, `None` if nothing does.
    pub expected: Option<Value>,
}

/// A commit: when every guard holds, all rows are written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Commit {
    /// What must hold.
    pub guards: Vec<Guard>,
    /// What is written; `None` deletes.
    pub writes: Vec<(Row, Option<Value>)>,
    /// Checks and writes of other packages, by the keys of the store: queues, groups. None of them
    /// is a row that ownership writes.
    pub raw: Batch,
}

impl Commit {
    pub(crate) fn guard(&mut self, rule: Rule, row: Row, expected: Option<Value>) {
        self.guards.push(Guard { rule, row, expected });
    }

    pub(crate) fn put(&mut self, row: Row, value: Value) {
        self.writes.push((row, Some(value)));
    }

    pub(crate) fn delete(&mut self, row: Row) {
        self.writes.push((row, None));
    }

    /// The bytes for the store.
    #[must_use]
    pub fn batch(&self) -> Batch {
        let check = |guard: &Guard| {
            let key = guard.row.key();
            match &guard.expected {
                Some(value) => Check::Equals { key, value: value.encode() },
                None => Check::Absent { key },
            }
        };
        let write = |(row, value): &(Row, Option<Value>)| match value {
            Some(value) => Write::Put { key: row.key(), value: value.encode() },
            None => Write::Delete { key: row.key() },
        };
        let checks = self.guards.iter().map(check).chain(self.raw.checks.iter().cloned());
        let writes = self.writes.iter().map(write).chain(self.raw.writes.iter().cloned());
        Batch { checks: checks.collect(), writes: writes.collect() }
    }
}

impl Row {
    /// The key of the store.
    #[must_use]
    pub fn key(&self) -> Bytes {
        keys::key_of(self)
    }
}
