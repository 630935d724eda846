//! Step 7: a node takes a parked record.

use super::{Change, Step};
use crate::{
    entry::Entry,
    header::{Header, State},
    id::Class,
    law::{Law, NotNow, Rule, StepName},
};

impl Law {
    /// `me` becomes the owner of a parked record: for a client's `attempt`, or, without one, to
    /// look at it because it is due.
    ///
    /// # Errors
    /// [`NotNow`]: not parked, an old attempt, or this node may not have it or cannot read it.
    pub fn claim(&self, read: &Header, me: &Entry, attempt: Option<u64>) -> Result<Step, NotNow> {
        if read.state != State::Parked {
            return Err(NotNow::WrongState(read.id.clone()));
        }
        if let Some(attempt) = attempt {
            self.require_attempt(read, attempt)?;
        }
        self.require_reads(Rule::ClaimReads, me, read)?;
        let mut change = Change::of(self, Rule::ClaimHeader, read);
        self.guard_alive(&mut change.commit, Rule::ClaimAlive, me)?;
        change.after.state = State::Handed;
        change.after.owner = Some(me.member);
        change.after.epoch += 1;
        change.after.attempt = attempt.unwrap_or(read.attempt);
        // A VActor's row stays until its first turn here: its reminder must not be forgotten.
        if read.class() == Class::Session {
            change.after.due = None;
        }
        Ok(change.finish(StepName::Claim))
    }
}
