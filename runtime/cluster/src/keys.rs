//! Every key of the store that ownership uses.
//!
//! One byte says what a key is; numbers are big-endian, so that the order of keys is theirs.

use bytes::Bytes;

use crate::{
    header::member,
    id::{Member, NodeId, RecordId, SessionKey},
    plan::Row,
};

const HEADER: u8 = b'h';
const SNAPSHOT: u8 = b's';
const STANDING: u8 = b'm';
const BEAT: u8 = b'b';
const NODE: u8 = b'i';
const OWNED: u8 = b'o';
const DUE: u8 = b'd';
const NONEMPTY: u8 = b'q';
const KEY: u8 = b'k';
const REQUEST: u8 = b'r';

/// Where other packages keep their own rows: the first byte of theirs.
pub const FOREIGN: u8 = b'x';

/// The row of a copy that has not ended ([`HalfCopy`](crate::HalfCopy)): while it is there, no node
/// joins.
pub const HALF_COPY: &[u8] = b"xc";

/// The row of the versions of states that are final ([`FinalVersions`](crate::FinalVersions)).
pub const FINAL_VERSIONS: &[u8] = b"xv";

/// A range of keys, from `start` up to, and without, `end`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// The first key.
    pub start: Bytes,
    /// The first key behind it.
    pub end: Bytes,
}

impl Range {
    /// All keys that begin with `prefix`, none of which ends in 0xff.
    fn of(prefix: &[u8]) -> Self {
        let mut end = prefix.to_vec();
        while end.last() == Some(&u8::MAX) {
            end.pop();
        }
        if let Some(last) = end.last_mut() {
            *last += 1;
        }
        Self { start: Bytes::copy_from_slice(prefix), end: end.into() }
    }
}

/// The standings of all nodes: few, read with every beat.
#[must_use]
pub fn standings() -> Range {
    Range::of(&[STANDING])
}

/// The beats of all nodes.
#[must_use]
pub fn beats() -> Range {
    Range::of(&[BEAT])
}

/// What `owner` owns.
#[must_use]
pub fn owned_by(owner: Member) -> Range {
    Range::of(&member_key(OWNED, owner))
}

/// What others ask of `owner` through the store.
#[must_use]
pub fn requests_to(owner: Member) -> Range {
    Range::of(&member_key(REQUEST, owner))
}

/// What is due from `from` to `until`, both included (milliseconds since 1970 UTC).
#[must_use]
pub fn due_between(from: u64, until: u64) -> Range {
    let key = |at: u64| [&[DUE], at.to_be_bytes().as_slice()].concat().into();
    Range { start: key(from), end: key(until.saturating_add(1)) }
}

/// The row that says that the queue of this name is not empty.
#[must_use]
pub fn nonempty(queue: &[u8]) -> Bytes {
    [&[NONEMPTY], queue].concat().into()
}

fn member_key(what: u8, member: Member) -> Vec<u8> {
    let mut key = vec![what];
    key.extend_from_slice(&member.node.0.to_be_bytes());
    key.extend_from_slice(&member.incarnation.to_be_bytes());
    key
}

/// The key of a row.
#[must_use]
pub(crate) fn key_of(row: &Row) -> Bytes {
    match row {
        Row::Header(id) => [&[HEADER], id.as_bytes()].concat(),
        Row::Snapshot(id) => [&[SNAPSHOT], id.as_bytes()].concat(),
        Row::Standing(member) => member_key(STANDING, *member),
        Row::Beat(member) => member_key(BEAT, *member),
        Row::Node(node) => [&[NODE], node.0.to_be_bytes().as_slice()].concat(),
        Row::Owned(owner, id) => [&member_key(OWNED, *owner), id.as_bytes()].concat(),
        Row::Due(at, id) => [&[DUE], at.to_be_bytes().as_slice(), id.as_bytes()].concat(),
        Row::Key(key) => [&[KEY], key.as_bytes()].concat(),
        Row::Request(owner, id) => [&member_key(REQUEST, *owner), id.as_bytes()].concat(),
        Row::Foreign(key) => [&[FOREIGN], key.as_ref()].concat(),
    }
    .into()
}

/// What row a key of a scan is. `None`: none of ownership's.
#[must_use]
pub fn row_of(key: &[u8]) -> Option<Row> {
    let (&what, rest) = key.split_first()?;
    let id = RecordId::from_bytes;
    let with_member = |rest: &[u8]| {
        let (head, rest) = rest.split_at_checked(12)?;
        // A form byte in front makes it a value that the reader of members reads.
        let head = [&[crate::form::FORM], head].concat();
        let mut reader = crate::form::Reader::new("key", &head).ok()?;
        Some((member(&mut reader).ok()?, rest.to_vec()))
    };
    Some(match what {
        HEADER => Row::Header(id(rest)?),
        SNAPSHOT => Row::Snapshot(id(rest)?),
        STANDING => Row::Standing(with_member(rest)?.0),
        BEAT => Row::Beat(with_member(rest)?.0),
        NODE => Row::Node(NodeId(u32::from_be_bytes(rest.try_into().ok()?))),
        OWNED => with_member(rest).and_then(|(owner, r)| Some(Row::Owned(owner, id(&r)?)))?,
        REQUEST => with_member(rest).and_then(|(owner, r)| Some(Row::Request(owner, id(&r)?)))?,
        DUE => {
            let (at, rest) = rest.split_first_chunk::<8>()?;
            Row::Due(u64::from_be_bytes(*at), id(rest)?)
        }
        KEY => Row::Key(SessionKey::from_bytes(rest)?),
        FOREIGN => Row::Foreign(Bytes::copy_from_slice(rest)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
