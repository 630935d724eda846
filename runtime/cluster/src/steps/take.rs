//! Steps 8 and 9: a node takes a record of a dead owner, or of a silent one.

use throughline_canary::canary;

use super::{Change, Ending, Step};
use crate::{
    entry::Entry,
    header::{Header, State},
    id::Class,
    law::{Law, NotNow, Rule, StepName},
};

/// What a take-over is to lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The attempt of the client that is here. Without one the record is not wanted now: what has
    /// a snapshot is parked.
    pub attempt: Option<u64>,
    /// Until when it stays parked then, in milliseconds since 1970 UTC.
    pub expires: u64,
    /// How a session ends that had no snapshot.
    pub lost: Ending,
    /// The life of a VActor that starts again: random.
    pub life: u64,
}

impl Law {
    /// Takes a record of `owner`, which is gone. With a snapshot it is restored here or parked;
    /// without one a session ends as lost and a VActor starts again from nothing.
    ///
    /// # Errors
    /// [`NotNow`]: not owned, an owner that is not gone, an old attempt, or this node may not have
    /// it or cannot read it.
    pub fn take(
        &self,
        read: &Header,
        owner: &Entry,
        me: &Entry,
        taken: &Taken,
    ) -> Result<Step, NotNow> {
        if read.owner != Some(owner.member) || read.state.is_ended() {
            return Err(NotNow::WrongState(read.id.clone()));
        }
        if let Some(attempt) = taken.attempt {
            self.require_attempt(read, attempt)?;
        }
        let mut change = Change::of(self, Rule::TakeHeader, read);
        self.guard_gone(&mut change.commit, Rule::TakeDead, owner)?;
        self.guard_alive(&mut change.commit, Rule::TakeAlive, me)?;
        change.after.epoch += 1;
        change.after.attempt = taken.attempt.unwrap_or(read.attempt);
        if read.state.has_snapshot() {
            self.require_reads(Rule::ClaimReads, me, read)?;
            change.after.crashes = read.crashes.saturating_add(1);
            if taken.attempt.is_some() {
                change.after.state = State::Handed;
                change.after.owner = Some(me.member);
            } else {
                change.after.state = State::Parked;
                change.after.owner = None;
                // A VActor is looked at for its reminder; it does not expire.
                if read.class() == Class::Session {
                    change.after.due = Some(taken.expires);
                }
            }
        } else if read.class() == Class::Session {
            self.end_change(&mut change, &taken.lost, true);
        } else {
            self.require_serves(me, read)?;
            change.after.state = State::New;
            if !canary!(LifeKept) {
                change.after.life = taken.life;
            }
            change.after.owner = Some(me.member);
            change.after.crashes = read.crashes.saturating_add(1);
            change.after.due = None;
        }
        Ok(change.finish(StepName::Take))
    }

    /// Begins a VActor of this node anew, whose state is no more: it ran without a snapshot, and
    /// what ran is gone from memory. Its owner does so itself; of a dead owner it is [`take`].
    ///
    /// # Errors
    /// [`NotNow::WrongState`]: not a VActor that this node owns without a snapshot.
    ///
    /// [`take`]: Self::take
    pub fn restart(&self, mine: &Header, life: u64) -> Result<Step, NotNow> {
        let runs = matches!(mine.state, State::New | State::Running | State::Committed);
        if mine.owner.is_none() || mine.class() != Class::VActor || !runs {
            return Err(NotNow::WrongState(mine.id.clone()));
        }
        let mut change = Change::of(self, Rule::TurnHeader, mine);
        change.no_snapshot();
        change.after.state = State::New;
        if !canary!(LifeKept) {
            change.after.life = life;
        }
        change.after.crashes = mine.crashes.saturating_add(1);
        change.after.due = None;
        Ok(change.finish(StepName::Turn))
    }

    /// Takes a record from an owner that is alive and does not answer: one of which every turn is
    /// committed before its effects leave, or one that was handed over and not begun. In both cases
    /// nothing leaves its owner before its next commit, which will be refused.
    ///
    /// # Errors
    /// [`NotNow`]: not such a record, an old attempt, or this node may not have it or cannot read
    /// it.
    pub fn seize(&self, read: &Header, me: &Entry, attempt: u64) -> Result<Step, NotNow> {
        let wrong = NotNow::WrongState(read.id.clone());
        let may_be = read.state.may_be_seized() && read.owner.is_some();
        self.require(Rule::SeizeCommitted, may_be, wrong)?;
        self.require_attempt(read, attempt)?;
        self.require_reads(Rule::ClaimReads, me, read)?;
        let mut change = Change::of(self, Rule::SeizeHeader, read);
        self.guard_alive(&mut change.commit, Rule::SeizeAlive, me)?;
        change.after.state = State::Handed;
        change.after.owner = Some(me.member);
        change.after.epoch += 1;
        change.after.attempt = attempt;
        Ok(change.finish(StepName::Seize))
    }
}
