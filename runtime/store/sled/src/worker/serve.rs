//! Reads and group commits on open files.

use std::path::Path;

use bytes::Bytes;
use throughline_store::wake::together;
use throughline_store::{CommitError, Corruption, GetError, Outage, Page, Scan, ScanError};

use crate::engine::EngineError;
use crate::group::{Group, NotAdmitted};
use crate::opened::{Opened, ReadError};
use crate::queue::{Call, Commit};
use crate::record::{self, HEADS_END};
use crate::stats::add;
use crate::worker::{Shared, outage, reason};

/// Why a record could not be read, as the caller learns it.
enum Failure {
    Down(Outage),
    Corrupt(Corruption),
}

/// Answers a read.
///
/// # Errors
/// The store must be closed: sled failed. Damage of one record fails only the call.
pub(super) fn read(opened: &Opened, read: Call) -> Result<(), EngineError> {
    match read {
        Call::Get(key, answer) => {
            let (value, ended) = settle(opened.value(&key), &key, opened.root());
            drop(answer.send(value.map_err(|failure| match failure {
                Failure::Down(outage) => GetError::Down(outage),
                Failure::Corrupt(corruption) => GetError::Corrupt(corruption),
            })));
            ended
        }
        Call::Scan(scan, answer) => {
            let mut at = scan.from().clone();
            let page = page(opened, &scan, &mut at);
            let (page, ended) = settle(page, &at, opened.root());
            drop(answer.send(page.map_err(|failure| match failure {
                Failure::Down(outage) => ScanError::Down(outage),
                Failure::Corrupt(corruption) => ScanError::Corrupt(corruption),
            })));
            ended
        }
        Call::Commit(_) | Call::Close => Ok(()),
    }
}

/// What the caller learns, and whether the store must be closed.
fn settle<T>(
    read: Result<T, ReadError>,
    key: &[u8],
    root: &Path,
) -> (Result<T, Failure>, Result<(), EngineError>) {
    match read {
        Ok(value) => (Ok(value), Ok(())),
        Err(ReadError::Engine(error)) => {
            (Err(Failure::Down(outage(&reason(root, &error)))), Err(error))
        }
        Err(ReadError::Damage(damage)) => {
            let (key, what) = (key.escape_ascii(), damage.0);
            let path = root.display();
            let detail = format!(
                "{what} of the record \"{key}\" in {path} is wrong: check it, restore a backup"
            );
            (Err(Failure::Corrupt(Corruption { detail })), Ok(()))
        }
    }
}

/// Reads a page; `at` is the key that was read last.
fn page(opened: &Opened, scan: &Scan, at: &mut Bytes) -> Result<Page, ReadError> {
    let mut page = scan.page();
    let mut damaged = None;
    let from = record::head_key(scan.from());
    let to = scan.to().map_or_else(|| HEADS_END.to_vec(), |to| record::head_key(to));
    opened.engine.each(&from, &to, |head_key, stored| {
        let key = Bytes::copy_from_slice(record::key_of_head(head_key));
        at.clone_from(&key);
        // A record that has no room is not put together only to be dropped.
        if let Some((head, _)) = record::Head::read(stored)
            && !page.has_room(key.len() + head.length as usize)
        {
            page.end_before(key);
            return Ok(false);
        }
        match opened.assemble(&key, stored) {
            Ok(value) => Ok(page.push(key, value)),
            Err(ReadError::Engine(error)) => Err(error),
            Err(error) => {
                damaged = Some(error);
                Ok(false)
            }
        }
    })?;
    damaged.map_or(Ok(page), Err)
}

/// Checks the commits one after the other, writes those that hold as one, and answers all of them
/// when that is on the disk: a refusal, too, has seen what the others write.
///
/// # Errors
/// The store must be closed; the commits have their answers.
pub(super) fn commits(
    opened: &mut Opened,
    shared: &Shared,
    commits: Vec<Commit>,
) -> Result<(), EngineError> {
    if commits.is_empty() {
        return Ok(());
    }
    let generation = opened.seal.generation;
    let root = opened.root().to_owned();
    let mut group = Group::new(opened);
    let mut decided = Vec::with_capacity(commits.len());
    let mut waiting = commits.into_iter();
    for commit in waiting.by_ref() {
        let (outcome, ended) = admit(&mut group, &commit, &root);
        decided.push((commit, outcome));
        if let Err(error) = ended {
            // Nothing was written yet, and nothing will be.
            let unread = waiting.map(|commit| (commit, Ok(())));
            let reason = reason(&root, &error);
            answer_failed(decided.into_iter().chain(unread), &reason, down);
            return Err(error);
        }
    }
    shared.sight.begin(group.keys());
    if let Err(error) = group.write() {
        answer_failed(decided.into_iter(), &reason(&root, &error), |reason| CommitError::Unknown {
            reason: reason.to_owned(),
        });
        return Err(error);
    }
    shared.sight.end();
    add(&shared.counters.groups, usize::from(opened.seal.generation != generation));
    for (commit, outcome) in &decided {
        match outcome {
            Ok(()) => {
                add(&shared.counters.commits, 1);
                add(&shared.counters.records, commit.batch.writes().len());
                shared.watches.tell(commit.batch.writes().iter());
            }
            Err(CommitError::Refused(_)) => add(&shared.counters.refused, 1),
            Err(_) => {}
        }
    }
    answer_together(decided);
    Ok(())
}

/// Answers all before anybody is woken who waits for several of them. What the commits hold is
/// given back afterwards.
fn answer_together(decided: Vec<(Commit, Result<(), CommitError>)>) {
    let answered: Vec<_> = together(|| {
        let answer = |(commit, outcome): (Commit, _)| {
            // A caller that no longer waits does not hear it.
            drop(commit.answer.send(outcome));
            (commit.batch, commit.room)
        };
        decided.into_iter().map(answer).collect()
    });
    drop(answered);
}

fn admit(
    group: &mut Group<'_>,
    commit: &Commit,
    root: &Path,
) -> (Result<(), CommitError>, Result<(), EngineError>) {
    match group.admit(&commit.batch) {
        Ok(()) => (Ok(()), Ok(())),
        Err(NotAdmitted::Refused(refusal)) => (Err(CommitError::Refused(refusal)), Ok(())),
        Err(NotAdmitted::Unreadable(key, error)) => {
            let (outcome, ended) = settle::<()>(Err(error), &key, root);
            let outcome = outcome.map_err(|failure| match failure {
                Failure::Down(outage) => CommitError::Down(outage),
                Failure::Corrupt(corruption) => CommitError::Corrupt(corruption),
            });
            (outcome, ended)
        }
    }
}

/// Answers a group that failed: `accepted` for those that were to be written. What was refused may
/// have been refused for what did not last, but surely was not written.
fn answer_failed(
    decided: impl Iterator<Item = (Commit, Result<(), CommitError>)>,
    reason: &str,
    accepted: impl Fn(&str) -> CommitError,
) {
    for (commit, outcome) in decided {
        let answer = if outcome.is_ok() { accepted(reason) } else { down(reason) };
        drop(commit.answer.send(Err(answer)));
    }
}

fn down(reason: &str) -> CommitError {
    CommitError::Down(outage(reason))
}
