//! Commits that wait to be begun, and which of them may begin beside those under way.

use std::collections::VecDeque;

use throughline_store::{Batch, CommitError};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;

use crate::limits::{GROUP_BYTES_MAX, GROUP_COMMITS_MAX, GROUP_KEYS_MAX};
use crate::marks::Marks;

/// A commit that waits.
#[derive(Debug)]
pub(crate) struct Commit {
    pub(crate) batch: Batch,
    pub(crate) answer: Answer,
    /// When it is too late to begin it.
    pub(crate) begin_by: Instant,
}

/// The way back to the caller.
#[derive(Debug)]
pub(crate) struct Answer {
    sender: oneshot::Sender<Result<(), CommitError>>,
    /// Its share of what the store keeps, given back with the answer.
    _room: [OwnedSemaphorePermit; 2],
}

impl Answer {
    pub(crate) fn new(
        sender: oneshot::Sender<Result<(), CommitError>>,
        room: [OwnedSemaphorePermit; 2],
    ) -> Self {
        Self { sender, _room: room }
    }

    pub(crate) fn send(self, outcome: Result<(), CommitError>) {
        // Who waits for it no longer does not need it.
        drop(self.sender.send(outcome));
    }
}

/// Commits that share a transaction, in the order in which they are checked.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) batches: Vec<Batch>,
    /// One for each batch.
    pub(crate) answers: Vec<Answer>,
    keys: Marks,
    bytes: usize,
}

impl Group {
    fn has_room(&self) -> bool {
        self.batches.len() < GROUP_COMMITS_MAX
            && self.bytes < GROUP_BYTES_MAX
            && self.keys.len() < GROUP_KEYS_MAX
    }

    fn push(&mut self, commit: Commit) {
        self.bytes += commit.batch.bytes();
        self.keys.add(&commit.batch);
        self.batches.push(commit.batch);
        self.answers.push(commit.answer);
    }
}

/// Commits that wait, first come first served among those that use the same key.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// Not looked at since a group ended.
    fresh: VecDeque<Commit>,
    /// Looked at, and in conflict with a group under way or with another of these before it.
    blocked: VecDeque<Commit>,
    blocked_keys: Marks,
    /// Keys of the groups under way.
    flying: Marks,
}

impl Queue {
    pub(crate) fn push(&mut self, commit: Commit) {
        self.fresh.push_back(commit);
    }

    /// The commits that may begin now, up to the bounds of a group; none if there are none.
    pub(crate) fn take(&mut self) -> Option<Group> {
        let mut group = Group::default();
        while group.has_room() {
            let Some(commit) = self.fresh.pop_front() else { break };
            let batch = &commit.batch;
            if self.flying.conflict(batch) || self.blocked_keys.conflict(batch) {
                self.blocked_keys.add(batch);
                self.blocked.push_back(commit);
            } else {
                group.push(commit);
            }
        }
        self.flying.add_all(&group.keys);
        (!group.batches.is_empty()).then_some(group)
    }

    /// Ends a group: what it blocked may begin.
    pub(crate) fn release(&mut self, group: &Group) {
        self.flying.remove_all(&group.keys);
        self.blocked_keys.clear();
        while let Some(commit) = self.blocked.pop_back() {
            self.fresh.push_front(commit);
        }
    }

    /// Whether a commit waits that was not looked at.
    pub(crate) fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// Takes out those that waited too long.
    pub(crate) fn expired(&mut self, now: Instant) -> Vec<Commit> {
        let mut expired = Vec::new();
        for waiting in [&mut self.blocked, &mut self.fresh] {
            // In the order in which they came, so the first are the oldest.
            while waiting.front().is_some_and(|commit| commit.begin_by <= now) {
                expired.extend(waiting.pop_front());
            }
        }
        expired
    }

    /// Takes out all.
    pub(crate) fn drain(&mut self) -> Vec<Commit> {
        self.blocked_keys.clear();
        self.blocked.drain(..).chain(self.fresh.drain(..)).collect()
    }
}

#[cfg(test)]
mod tests;
