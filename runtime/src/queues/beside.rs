//! What a turn has staged, as part of the commit of its record.

use throughline_canary::canary;
use throughline_cluster::{Check, Commit, Header, RecordId, Write};
use throughline_queue::{Pieces, Producing, QueueName, Source};
use throughline_store as store;

use super::{Durable, GroupName};

/// The numbers that a header's version has for the messages of its commit: more than one has.
const NUMBERS: u64 = 4096;

const _: () = assert!(NUMBERS as usize > super::staged::DURABLE_MAX, "every message has a number");

/// What goes into a turn's commit beside its record, and who is poked when it is in.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    /// For [`Turn::more`](throughline_cluster::Turn::more).
    pub(crate) more: Commit,
    /// Queues that have something new then, each once.
    pub(crate) pokes: Vec<QueueName>,
    /// Groups that the actor is in then, or is in no more.
    pub(crate) members: Vec<(GroupName, bool)>,
}

/// Makes what a turn has staged part of the commit that comes after `header`, with what uses up a
/// message. `last_ms` is the time of the last message that this life of the record enqueued; it
/// travels with the snapshot.
pub(crate) fn beside(
    header: &Header,
    last_ms: &mut u64,
    now_ms: u64,
    staged: Vec<Durable>,
    used_up: Pieces,
) -> Beside {
    let source = Source::of(header.id.as_bytes(), header.life);
    let mut producing = Producing { source, last_ms: *last_ms };
    let used_up = if canary!(QueuedNotDeleted) { Pieces::default() } else { used_up };
    let (mut pieces, mut made) = (used_up, Beside::default());
    // A commit that was refused changed nothing, and one whose outcome was unknown has left a
    // version behind: so no two that are in have the same numbers.
    for (number, durable) in (header.version * NUMBERS..).zip(staged) {
        match durable {
            Durable::Enqueue { to, payload, expires_ms } => {
                // Its size was checked when it was staged.
                let enqueued = producing.enqueue(&to, &payload, expires_ms, number, now_ms);
                let Ok(staged) = enqueued else { continue };
                pieces.merge(staged.pieces);
                if !made.pokes.contains(&to) {
                    made.pokes.push(to);
                }
            }
            Durable::Member { group, joins } => {
                let key = member_row(&group, &header.id);
                // The last word of a turn counts: a row is written once.
                pieces.writes.retain(|write| *write.key() != key);
                made.members.retain(|(other, _)| *other != group);
                pieces.writes.push(match joins {
                    true => store::Write::Put { key, value: bytes::Bytes::from_static(&[1]) },
                    false => store::Write::Delete { key },
                });
                made.members.push((group, joins));
            }
        }
    }
    *last_ms = producing.last_ms;
    made.more = commit(pieces);
    made
}

/// Of a planted bug: uses messages up by a commit of its own.
pub(crate) fn delete_later(store: &std::sync::Arc<dyn store::Store>, used_up: Pieces) {
    let store = std::sync::Arc::clone(store);
    actix_rt::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let _ = store.commit(used_up.into_batch()).await;
    });
}

/// The row that says that a record is a member of a group.
pub(crate) fn member_row(group: &GroupName, id: &RecordId) -> bytes::Bytes {
    [&group.rows()[..], id.as_bytes()].concat().into()
}

fn commit(pieces: Pieces) -> Commit {
    let mut commit = Commit::default();
    for check in pieces.checks {
        commit.raw.checks.push(match check {
            store::Check::Equals { key, value } => Check::Equals { key, value },
            store::Check::Absent { key } => Check::Absent { key },
        });
    }
    for write in pieces.writes {
        commit.raw.writes.push(match write {
            store::Write::Put { key, value } => Write::Put { key, value },
            store::Write::Delete { key } => Write::Delete { key },
        });
    }
    commit
}

#[cfg(test)]
pub(super) mod tests;
