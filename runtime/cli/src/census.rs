//! What the records of a store are, counted.

use std::collections::BTreeMap;

use throughline_cluster::{Class, FormError, HalfCopy, NodeState, Row, State, Value, keys};
use throughline_queue::RowKind;

/// So many records that cannot be read are named; the others are counted.
const NAMED_MAX: usize = 100;

/// What a record is, in the order of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The header of a session or VActor, by the place of its state in [`STATES`].
    Header(Class, usize),
    Snapshot,
    SessionKey,
    Owned,
    Due,
    Request,
    /// The entry of a node.
    Standing(NodeState),
    Beat,
    Node,
    Queue(RowKind),
    HalfCopy,
    /// Of another package.
    Foreign,
    /// Of a newer version.
    Newer,
    Damaged,
}

/// The names of the states of sessions and VActors.
const STATES: [&str; 6] = ["new", "parked", "on their way", "running", "committed", "ended"];

const fn place(state: State) -> usize {
    match state {
        State::New => 0,
        State::Parked => 1,
        State::Handed => 2,
        State::Running => 3,
        State::Committed => 4,
        State::Ended(_) => 5,
    }
}

impl Kind {
    /// What operators call them.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Header(Class::Session, state) => format!("sessions, {}", STATES[state]),
            Self::Header(Class::VActor, state) => format!("VActors, {}", STATES[state]),
            Self::Snapshot => "snapshots".to_owned(),
            Self::SessionKey => "session keys".to_owned(),
            Self::Owned => "index: owners".to_owned(),
            Self::Due => "index: what is due".to_owned(),
            Self::Request => "requests".to_owned(),
            Self::Standing(state) => format!("nodes, {}", format!("{state:?}").to_lowercase()),
            Self::Beat => "beats".to_owned(),
            Self::Node => "numbers of nodes".to_owned(),
            Self::Queue(RowKind::Message) => "queues: messages".to_owned(),
            Self::Queue(RowKind::DeadLetter) => "queues: dead letters".to_owned(),
            Self::Queue(RowKind::Producer) => "queues: producers".to_owned(),
            Self::Queue(RowKind::Token) => "queues: tokens".to_owned(),
            Self::Queue(RowKind::Totals) => "queues: totals".to_owned(),
            Self::Queue(RowKind::Nonempty) => "index: queues".to_owned(),
            Self::HalfCopy => "a copy that has not ended".to_owned(),
            Self::Foreign => "others".to_owned(),
            Self::Newer => "of a newer version".to_owned(),
            Self::Damaged => "damaged".to_owned(),
        }
    }
}

/// How many, and how large: keys and values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

impl Tally {
    fn add(&mut self, bytes: usize) {
        self.records += 1;
        self.bytes += bytes as u64;
    }
}

/// The records of a store, counted by what they are.
#[derive(Debug, Default)]
pub(crate) struct Census {
    pub(crate) all: Tally,
    pub(crate) kinds: BTreeMap<Kind, Tally>,
    /// The earliest time in the due index, in milliseconds since 1970 UTC.
    pub(crate) oldest_due_ms: Option<u64>,
    /// Records that are not what their keys say, the first hundred of them: the key, and why.
    pub(crate) named: Vec<(String, String)>,
    /// A copy into this store that has not ended.
    pub(crate) half_copy: Option<HalfCopy>,
}

impl Census {
    pub(crate) fn see(&mut self, key: &[u8], value: &[u8]) {
        let kind = self.kind(key, value).unwrap_or_else(|error| {
            let is_newer = matches!(error, FormError::Newer { .. });
            if !is_newer && self.named.len() < NAMED_MAX {
                self.named.push((key.escape_ascii().to_string(), error.to_string()));
            }
            if is_newer { Kind::Newer } else { Kind::Damaged }
        });
        let bytes = key.len() + value.len();
        self.all.add(bytes);
        self.kinds.entry(kind).or_default().add(bytes);
    }

    pub(crate) fn of(&self, kind: Kind) -> Tally {
        self.kinds.get(&kind).copied().unwrap_or_default()
    }

    fn kind(&mut self, key: &[u8], value: &[u8]) -> Result<Kind, FormError> {
        if key == keys::HALF_COPY {
            self.half_copy = Some(HalfCopy::decode(value)?);
            return Ok(Kind::HalfCopy);
        }
        if let Some(kind) = RowKind::of(key) {
            return Ok(Kind::Queue(kind));
        }
        let Some(row) = keys::row_of(key) else { return Ok(Kind::Foreign) };
        Ok(match (&row, Value::decode(&row, value)?) {
            (Row::Header(_), Value::Header(header)) => {
                Kind::Header(header.class(), place(header.state))
            }
            (Row::Standing(_), Value::Standing(standing)) => Kind::Standing(standing.state),
            (Row::Due(at, _), _) => {
                self.oldest_due_ms = Some(self.oldest_due_ms.map_or(*at, |old| old.min(*at)));
                Kind::Due
            }
            (Row::Snapshot(_), _) => Kind::Snapshot,
            (Row::Key(_), _) => Kind::SessionKey,
            (Row::Owned(..), _) => Kind::Owned,
            (Row::Request(..), _) => Kind::Request,
            (Row::Beat(_), _) => Kind::Beat,
            (Row::Node(_), _) => Kind::Node,
            // A value is decoded as its row says.
            (Row::Foreign(_) | Row::Header(_) | Row::Standing(_), _) => Kind::Foreign,
        })
    }
}

#[cfg(test)]
mod tests {
    use throughline_cluster::{Beat, Member, NodeId, RecordId};
    use throughline_link::SessionId;

    use super::*;

    #[test]
    fn records_are_counted_by_what_they_are() {
        let mut census = Census::default();
        let member = Member { node: NodeId(3), incarnation: 9 };
        let id = || RecordId::session(SessionId([7; 16]));
        let beat = Value::Beat(Beat::new(1, 2)).encode();
        census.see(&Row::Beat(member).key(), &beat);
        census.see(&Row::Due(700, id()).key(), &Value::Mark.encode());
        census.see(&Row::Due(500, id()).key(), &Value::Mark.encode());
        census.see(b"xmail", b"");
        census.see(b"seat/1", b"ann");
        assert_eq!(census.of(Kind::Beat), Tally { records: 1, bytes: 13 + 17 });
        assert_eq!((census.of(Kind::Due).records, census.oldest_due_ms), (2, Some(500)));
        assert_eq!(census.of(Kind::Queue(RowKind::Message)).records, 1);
        assert_eq!(census.of(Kind::Foreign), Tally { records: 1, bytes: 9 });
        assert_eq!(census.all.records, 5);
    }

    #[test]
    fn what_cannot_be_read_is_named_unless_a_newer_version_wrote_it() {
        let mut census = Census::default();
        let key = Row::Node(NodeId(3)).key();
        census.see(&key, b"\x01short");
        census.see(&key, b"\xffnewer");
        census.see(keys::HALF_COPY, b"");
        assert_eq!(census.of(Kind::Damaged).records, 2);
        assert_eq!(census.of(Kind::Newer).records, 1);
        let named: Vec<_> = census.named.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(named, ["i\\x00\\x00\\x00\\x03", "xc"]);
    }
}
