//! The steps of ownership, as exact commits: `docs/cluster.md` shows each with its races.
//!
//! A step takes what was read, checks it against the law, and gives back the commit and what the
//! header is once that commit is in. It changes nothing by itself.

mod claim;
mod create;
mod end;
mod key;
mod member;
mod park;
mod remove;
mod request;
mod take;
mod turn;
mod yielding;

pub use create::Creation;
pub use end::Ending;
pub use key::Found;
pub use take::Taken;
pub use turn::{Turn, TurnState};

use throughline_canary::canary;

use crate::{
    entry::Entry,
    header::Header,
    law::{Law, NotNow, Rule, StepName},
    plan::{Commit, Row, Value},
    snapshot::Snapshot,
};

/// A step that may be taken.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Step {
    /// What it is.
    pub name: StepName,
    /// The commit that takes it.
    pub commit: Commit,
    /// The header of the record once it is in; `None` if there is none.
    pub after: Option<Header>,
}

impl Step {
    fn new(name: StepName, commit: Commit, after: Header) -> Self {
        Self { name, commit, after: Some(after) }
    }
}

/// A commit from one header of a record to the next: version, header row, index rows.
struct Change {
    commit: Commit,
    before: Header,
    after: Header,
}

impl Change {
    /// From `before`, which the commit checks under `rule`.
    fn of(law: &Law, rule: Rule, before: &Header) -> Self {
        let mut commit = Commit::default();
        let (row, value) = (Row::Header(before.id.clone()), Value::Header(before.clone()));
        if law.has(rule) {
            commit.guard(rule, row, Some(value));
        }
        let mut after = before.clone();
        after.version += u64::from(!canary!(VersionNotBumped));
        Self { commit, before: before.clone(), after }
    }

    /// Writes the snapshot beside the header.
    fn snapshot(&mut self, body: bytes::Bytes) {
        self.after.snapshot_version = self.after.version;
        let snapshot = Snapshot { life: self.after.life, version: self.after.version, body };
        self.commit.put(Row::Snapshot(self.after.id.clone()), Value::Snapshot(snapshot));
    }

    /// Deletes the snapshot, if there is one.
    fn no_snapshot(&mut self) {
        if self.before.snapshot_version != 0 {
            self.after.snapshot_version = 0;
            self.commit.delete(Row::Snapshot(self.after.id.clone()));
        }
    }

    /// Writes the header, and the index rows that differ. No row is written twice.
    fn finish(mut self, name: StepName) -> Step {
        if canary!(EpochNotBumped) {
            self.after.epoch = self.before.epoch;
        }
        let id = &self.after.id;
        if self.before.owner != self.after.owner {
            if let Some(owner) = self.before.owner {
                self.commit.delete(Row::Owned(owner, id.clone()));
            }
            if let Some(owner) = self.after.owner {
                self.commit.put(Row::Owned(owner, id.clone()), Value::Mark);
            }
        }
        if self.before.due != self.after.due {
            if let Some(due) = self.before.due {
                self.commit.delete(Row::Due(due, id.clone()));
            }
            if let Some(due) = self.after.due {
                self.commit.put(Row::Due(due, id.clone()), Value::Mark);
            }
        }
        self.commit.put(Row::Header(id.clone()), Value::Header(self.after.clone()));
        Step::new(name, self.commit, self.after)
    }
}

impl Law {
    /// Guards that `node` is as read, which is alive and not draining.
    fn guard_alive(&self, commit: &mut Commit, rule: Rule, node: &Entry) -> Result<(), NotNow> {
        self.require(rule, node.is_alive(), NotNow::NotAlive(node.member))?;
        self.guard_standing(commit, rule, node);
        Ok(())
    }

    /// Guards that `node` is as read, which is gone.
    fn guard_gone(&self, commit: &mut Commit, rule: Rule, node: &Entry) -> Result<(), NotNow> {
        self.require(rule, node.is_gone(), NotNow::OwnerAlive(node.member))?;
        self.guard_standing(commit, rule, node);
        Ok(())
    }

    fn guard_standing(&self, commit: &mut Commit, rule: Rule, node: &Entry) {
        if self.has(rule) {
            let standing = node.standing.clone().map(Value::Standing);
            commit.guard(rule, Row::Standing(node.member), standing);
        }
    }

    /// The node's entry, whose bytes the same commit checks, says that it reads this record.
    fn require_reads(&self, rule: Rule, node: &Entry, header: &Header) -> Result<(), NotNow> {
        let kind = header.identity.kind();
        let unreadable = NotNow::Unreadable {
            node: node.member,
            kind: kind.to_owned(),
            version: header.state_version,
        };
        self.require(rule, node.reads(kind, header.state_version), unreadable)
    }

    /// The node's entry, whose bytes the same commit checks, says that it serves this kind.
    fn require_serves(&self, node: &Entry, header: &Header) -> Result<(), NotNow> {
        let kind = header.identity.kind();
        let unreadable = NotNow::Unreadable {
            node: node.member,
            kind: kind.to_owned(),
            version: header.state_version,
        };
        let info = node.standing.as_ref().map(|standing| &standing.info);
        let serves = info.is_some_and(|info| info.readable(kind).is_some());
        self.require(Rule::ClaimReads, serves, unreadable)
    }

    /// The attempt is above the counter of the header, whose bytes the same commit checks.
    fn require_attempt(&self, header: &Header, attempt: u64) -> Result<(), NotNow> {
        let old = NotNow::OldAttempt { attempt, counter: header.attempt };
        self.require(Rule::Attempt, attempt > header.attempt, old)
    }
}

#[cfg(test)]
mod tests;
