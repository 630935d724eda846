//! The real rows and values of ownership, made small enough to keep millions of them.
//!
//! Steps are built by the real `Law` from real headers and entries; only what a model need not
//! tell apart (epoch, crashes, identities) is left out of a state.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use throughline_cluster::{
    Beat, Commit, Entry, Header, Holder, Identity, Member, NodeId, NodeInfo, NodeState, Readable,
    RecordId, Request, Row, SessionKey, Snapshot, Standing, State, Value,
};
use throughline_link::{Secret, SessionId};

/// A node, and which of its incarnations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct M {
    /// The node.
    pub node: u8,
    /// Its incarnation, from 1.
    pub inc: u8,
}

/// No node: who sent what nobody waits for.
pub(crate) const NOBODY: M = M { node: 0, inc: 0 };

/// A header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct H {
    /// Its life.
    pub life: u8,
    /// Its state.
    pub state: State,
    /// Its owner.
    pub owner: Option<M>,
    /// Its version.
    pub version: u8,
    /// The version of its snapshot.
    pub snapshot: u8,
    /// The version of the state in it.
    pub reads: u8,
    /// The attempt counter.
    pub attempt: u8,
    /// Whether it has the one session key of the model.
    pub key: bool,
    /// Whether it has a time at which it is due.
    pub due: bool,
}

/// A row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum R {
    /// A header.
    Header(u8),
    /// A snapshot.
    Snapshot(u8),
    /// A standing.
    Standing(M),
    /// A beat.
    Beat(M),
    /// The incarnation that joined last.
    Node(u8),
    /// The owner index.
    Owned(M, u8),
    /// The session key.
    Key,
    /// A request.
    Request(M, u8),
}

/// A value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum V {
    /// A header.
    Header(H),
    /// A snapshot: the life, the version, and how many messages were handled.
    Snapshot(u8, u8, u8),
    /// A standing.
    Standing(NodeState),
    /// A beat.
    Beat(u8),
    /// An incarnation.
    Incarnation(u8),
    /// An index row.
    Mark,
    /// Who holds the key: record and life.
    Holder(u8, u8),
    /// A request: attempt and who asks.
    Request(u8, M),
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SmallCommit {
    /// What must hold.
    pub guards: Vec<(R, Option<V>)>,
    /// What is written.
    pub writes: Vec<(R, Option<V>)>,
}

const KIND: &str = "game";

static IDENTITY: LazyLock<Arc<Identity>> = LazyLock::new(|| {
    Arc::new(Identity::new(KIND, b"", Secret([0; 32])).expect("a short kind, no login"))
});

static KEY: LazyLock<SessionKey> =
    LazyLock::new(|| SessionKey::new("player").expect("a short key"));

static INFOS: LazyLock<[Arc<NodeInfo>; 2]> = LazyLock::new(|| {
    [1, 2].map(|newest| {
        let readable = vec![Readable { kind: KIND.to_owned(), oldest: 1, newest }];
        Arc::new(NodeInfo::new("", readable).expect("one short kind"))
    })
});

static IDS: LazyLock<[RecordId; 4]> =
    LazyLock::new(|| [0, 1, 2, 3].map(|n| RecordId::session(SessionId([n; 16]))));

/// The name of record `record`.
#[must_use]
pub(crate) fn id(record: u8) -> RecordId {
    IDS[usize::from(record)].clone()
}

/// What all records of the model have in common.
#[must_use]
pub(crate) fn identity() -> Arc<Identity> {
    Arc::clone(&IDENTITY)
}

/// The one session key of the model.
#[must_use]
pub(crate) fn key() -> SessionKey {
    KEY.clone()
}

/// What a node that reads state up to `newest` (1 or 2) says of itself.
#[must_use]
pub(crate) fn info(newest: u8) -> Arc<NodeInfo> {
    Arc::clone(&INFOS[usize::from(newest) - 1])
}

/// The real member.
#[must_use]
pub(crate) fn member(m: M) -> Member {
    Member { node: NodeId(m.node.into()), incarnation: m.inc.into() }
}

/// An entry as read.
#[must_use]
pub(crate) fn entry(m: M, state: Option<NodeState>, newest: u8) -> Entry {
    let standing = state.map(|state| Standing { state, info: info(newest) });
    Entry { member: member(m), standing }
}

/// The real header.
#[must_use]
pub(crate) fn header(record: u8, h: H) -> Header {
    Header {
        id: id(record),
        identity: identity(),
        life: h.life.into(),
        state: h.state,
        epoch: 1,
        owner: h.owner.map(member),
        version: h.version.into(),
        state_version: h.reads.into(),
        snapshot_version: h.snapshot.into(),
        attempt: h.attempt.into(),
        crashes: 0,
        key: h.key.then(key),
        due: h.due.then_some(1),
    }
}

fn byte(n: u64) -> u8 {
    u8::try_from(n).expect("numbers of a model stay small")
}

fn small_member(m: Member) -> M {
    M { node: byte(m.node.0.into()), inc: byte(m.incarnation) }
}

fn record(id: &RecordId) -> u8 {
    id.as_bytes()[1]
}

/// The small header.
#[must_use]
pub(crate) fn small(h: &Header) -> H {
    H {
        life: byte(h.life),
        state: h.state,
        owner: h.owner.map(small_member),
        version: byte(h.version),
        snapshot: byte(h.snapshot_version),
        reads: byte(h.state_version.into()),
        attempt: byte(h.attempt),
        key: h.key.is_some(),
        due: h.due.is_some(),
    }
}

/// The real snapshot's body: how many messages were handled.
#[must_use]
pub(crate) fn body(handled: u8) -> Bytes {
    Bytes::copy_from_slice(&[handled])
}

fn small_row(row: &Row) -> Option<R> {
    Some(match row {
        Row::Header(id) => R::Header(record(id)),
        Row::Snapshot(id) => R::Snapshot(record(id)),
        Row::Standing(m) => R::Standing(small_member(*m)),
        Row::Beat(m) => R::Beat(small_member(*m)),
        Row::Node(node) => R::Node(byte(node.0.into())),
        Row::Owned(m, id) => R::Owned(small_member(*m), record(id)),
        Row::Key(_) => R::Key,
        Row::Request(m, id) => R::Request(small_member(*m), record(id)),
        // The model's time does not pass by itself, so nothing scans this index.
        Row::Due(..) | Row::Foreign(_) => return None,
    })
}

fn small_value(value: &Value) -> V {
    match value {
        Value::Header(h) => V::Header(small(h)),
        Value::Snapshot(Snapshot { life, version, body }) => {
            V::Snapshot(byte(*life), byte(*version), body.first().copied().unwrap_or(0))
        }
        Value::Standing(s) => V::Standing(s.state),
        Value::Beat(Beat { number, .. }) => V::Beat(byte(*number)),
        Value::Incarnation(n) => V::Incarnation(byte(*n)),
        Value::Mark | Value::Foreign(_) => V::Mark,
        Value::Holder(Holder { id, life }) => V::Holder(record(id), byte(*life)),
        Value::Request(Request { attempt, from, .. }) => {
            V::Request(byte(*attempt), small_member(*from))
        }
    }
}

/// The small commit.
#[must_use]
pub(crate) fn small_commit(commit: &Commit) -> SmallCommit {
    let guards = commit.guards.iter().filter_map(|guard| {
        Some((small_row(&guard.row)?, guard.expected.as_ref().map(small_value)))
    });
    let writes = commit
        .writes
        .iter()
        .filter_map(|(row, value)| Some((small_row(row)?, value.as_ref().map(small_value))));
    SmallCommit { guards: guards.collect(), writes: writes.collect() }
}
