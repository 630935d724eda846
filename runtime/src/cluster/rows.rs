//! Records, nodes and indexes in the store: reads, and commits by the law.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use throughline_canary::canary;
use throughline_cluster::{
    Beat, Check, Commit, Entries, Entry, FormError, Header, Holder, Member, NodeId, NodeState,
    Outcome, Read, RecordId, Request, Row, SessionKey, Snapshot, Standing, Value, Write, keys,
};
use throughline_store::{self as store, CommitError, GetError, Scan, ScanError, Store};

use super::View;

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    #[error(transparent)]
    Get(#[from] GetError),
    #[error(transparent)]
    Scan(#[from] ScanError),
    #[error(transparent)]
    Form(#[from] FormError),
}

/// The batch of a commit, as the store takes it.
pub(crate) fn batch(commit: &Commit) -> store::Batch {
    let mut batch = store::Batch::new();
    let own = commit.batch();
    for check in own.checks {
        batch.push_check(match check {
            Check::Equals { key, value } => store::Check::Equals { key, value },
            Check::Absent { key } => store::Check::Absent { key },
        });
    }
    for write in own.writes {
        batch.push_write(match write {
            Write::Put { key, value } => store::Write::Put { key, value },
            Write::Delete { key } => store::Write::Delete { key },
        });
    }
    batch
}

/// What the store's answer means to the law. Whatever is neither in nor unknown was not written:
/// the caller reads again, and finds out whether it may go on.
pub(super) fn outcome(answer: &Result<(), CommitError>) -> Outcome {
    match answer {
        Ok(()) => Outcome::Done,
        Err(CommitError::Unknown { .. }) if canary!(UnknownTakenAsDone) => Outcome::Done,
        Err(CommitError::Refused(_)) if canary!(RefusalIgnored) => Outcome::Done,
        Err(CommitError::Unknown { .. }) => Outcome::Unknown,
        Err(_) => Outcome::Refused,
    }
}

pub(crate) async fn commit(store: &Arc<dyn Store>, commit: &Commit) -> Outcome {
    let answer = store.commit(batch(commit)).await;
    if let Err(error) = &answer {
        log::debug!("cluster: a commit was not made: {error}");
    }
    outcome(&answer)
}

async fn value(store: &Arc<dyn Store>, row: &Row) -> Result<Option<Value>, Unread> {
    let bytes = store.get(row.key()).await?;
    Ok(bytes.map(|bytes| Value::decode(row, &bytes)).transpose()?)
}

pub(crate) async fn header(
    store: &Arc<dyn Store>,
    id: &RecordId,
) -> Result<Option<Header>, Unread> {
    Ok(match value(store, &Row::Header(id.clone())).await? {
        Some(Value::Header(header)) => Some(header),
        _ => None,
    })
}

pub(crate) async fn snapshot(
    store: &Arc<dyn Store>,
    id: &RecordId,
) -> Result<Option<Snapshot>, Unread> {
    Ok(match value(store, &Row::Snapshot(id.clone())).await? {
        Some(Value::Snapshot(snapshot)) => Some(snapshot),
        _ => None,
    })
}

pub(super) async fn entry(store: &Arc<dyn Store>, member: Member) -> Result<Entry, Unread> {
    let bytes = store.get(Row::Standing(member).key()).await?;
    let standing = bytes.map(|bytes| standing(&bytes));
    Ok(Entry { member, standing })
}

/// What stands there. One that cannot be read says nothing of its node, and nothing of any other:
/// that node is left alone.
fn standing(bytes: &Bytes) -> Standing {
    Standing::decode(bytes).unwrap_or_else(|_| Standing::unread(bytes.clone()))
}

pub(super) async fn holder(
    store: &Arc<dyn Store>,
    key: &SessionKey,
) -> Result<Option<Holder>, Unread> {
    Ok(match value(store, &Row::Key(key.clone())).await? {
        Some(Value::Holder(holder)) => Some(holder),
        _ => None,
    })
}

/// The owner's entry: as last seen, since a commit checks it anyway; as it stands now, without a
/// view.
pub(super) async fn owner(
    store: &Arc<dyn Store>,
    view: Option<&View>,
    header: &Header,
) -> Result<Option<Entry>, Unread> {
    Ok(match header.owner {
        None => None,
        Some(owner) => match view.and_then(|view| view.entry(owner)) {
            Some(entry) => Some(entry.clone()),
            None => Some(entry(store, owner).await?),
        },
    })
}

/// A record with what depends on its header.
pub(crate) async fn record(
    store: &Arc<dyn Store>,
    view: Option<&View>,
    id: &RecordId,
) -> Result<Read, Unread> {
    let Some(header) = header(store, id).await? else { return Ok(Read::default()) };
    let snapshot = if header.state.has_snapshot() { snapshot(store, id).await? } else { None };
    let owner = owner(store, view, &header).await?;
    Ok(Read { header: Some(header), snapshot, owner })
}

/// What `read` makes of the rows of a range, page by page: what it leaves out takes no memory.
async fn rows<T>(
    store: &Arc<dyn Store>,
    range: keys::Range,
    most: usize,
    read: impl Fn(Row, Bytes) -> Option<T>,
) -> Result<Vec<T>, Unread> {
    let mut scan = Scan::range(range.start, Some(range.end));
    let mut found = Vec::new();
    loop {
        let page = store.scan(scan.clone().entries_max(most - found.len())).await?;
        let next = page.next().cloned();
        for entry in page.into_entries() {
            // What is none of ownership's does not belong into these ranges: it is left alone.
            let row = keys::row_of(&entry.key);
            found.extend(row.and_then(|row| read(row, entry.value)));
        }
        match next {
            Some(next) if found.len() < most => scan = scan.resume(next),
            _ => return Ok(found),
        }
    }
}

/// Nodes and their incarnations of the past in one cluster, at most: what is gone is forgotten.
const ENTRIES_MAX: usize = 65_536;

/// All entries. One that cannot be read is left alone, and hides no other.
pub(super) async fn entries(store: &Arc<dyn Store>, node: NodeId) -> Result<Entries, Unread> {
    let last = match value(store, &Row::Node(node)).await? {
        Some(Value::Incarnation(incarnation)) => Some(incarnation),
        _ => None,
    };
    let mut nodes: BTreeMap<Member, (Option<Standing>, Option<Beat>)> = BTreeMap::new();
    // The standings first: a beat that is younger than its standing kills nobody.
    let read = |row, bytes| match row {
        Row::Standing(member) => Some((member, bytes)),
        _ => None,
    };
    for (member, bytes) in rows(store, keys::standings(), ENTRIES_MAX, read).await? {
        nodes.entry(member).or_default().0 = Some(standing(&bytes));
    }
    let read = |row, bytes| match row {
        Row::Beat(member) => Some((member, bytes)),
        _ => None,
    };
    for (member, bytes) in rows(store, keys::beats(), ENTRIES_MAX, read).await? {
        let (standing, beat) = nodes.entry(member).or_default();
        *beat = Beat::decode(&bytes).ok();
        // Nobody sees whether it beats. One that is gone stays so, whatever its beat was.
        if let (None, Some(there)) = (&beat, standing.as_mut())
            && !matches!(there.state, NodeState::Left | NodeState::Dead)
        {
            *there = Standing::unread(there.encode());
        }
    }
    let nodes = nodes
        .into_iter()
        .map(|(member, (standing, beat))| (Entry { member, standing }, beat))
        .collect();
    Ok(Entries { last, nodes })
}

/// What a node owns of what is to be kept, at most `most` of it.
pub(super) async fn owned(
    store: &Arc<dyn Store>,
    owner: Member,
    most: usize,
    keep: impl Fn(&RecordId) -> bool,
) -> Result<Vec<RecordId>, Unread> {
    let read = |row, _| match row {
        Row::Owned(_, id) if keep(&id) => Some(id),
        _ => None,
    };
    rows(store, keys::owned_by(owner), most, read).await
}

/// What others ask of a node through the store.
pub(super) async fn requests(
    store: &Arc<dyn Store>,
    owner: Member,
    most: usize,
) -> Result<Vec<(RecordId, Option<Request>)>, Unread> {
    let read = |row: Row, bytes: Bytes| {
        let request = match Value::decode(&row, &bytes) {
            Ok(Value::Request(request)) => Some(request),
            _ => None,
        };
        match row {
            Row::Request(_, id) => Some((id, request)),
            _ => None,
        }
    };
    rows(store, keys::requests_to(owner), most, read).await
}

/// What is due, oldest first.
pub(super) async fn due(
    store: &Arc<dyn Store>,
    wall_ms: u64,
    most: usize,
) -> Result<Vec<RecordId>, Unread> {
    let found = due_between(store, 0, wall_ms, most, |_| true).await?;
    Ok(found.into_iter().map(|(_, id)| id).collect())
}

/// VActors that are due at `from` or later, and at `until` or before, each with its time; oldest
/// first. However many sessions are due beside them.
pub(crate) async fn vactors_due(
    store: &Arc<dyn Store>,
    from: u64,
    until: u64,
    most: usize,
) -> Result<Vec<(u64, RecordId)>, Unread> {
    due_between(store, from, until, most, |id| id.session_id().is_none()).await
}

async fn due_between(
    store: &Arc<dyn Store>,
    from: u64,
    until: u64,
    most: usize,
    is_wanted: fn(&RecordId) -> bool,
) -> Result<Vec<(u64, RecordId)>, Unread> {
    let read = |row, _| match row {
        Row::Due(at, id) if is_wanted(&id) => Some((at, id)),
        _ => None,
    };
    rows(store, keys::due_between(from, until), most, read).await
}

#[cfg(test)]
mod tests;
