//! Step 6: the owner gives a record to another node.

use bytes::Bytes;

use super::{Change, Step};
use crate::{
    entry::Entry,
    header::{Header, State},
    id::Class,
    law::{Law, NotNow, Rule, StepName},
};

impl Law {
    /// The record goes to `to`, with its snapshot and the attempt of the client that is there. It
    /// stays in memory until the commit is in.
    ///
    /// `due` is when a VActor is to be looked at, for its reminder; a session's stays.
    ///
    /// # Errors
    /// [`NotNow`]: nothing to yield, an old attempt, or a node that may not have it or cannot read
    /// it: then the client gets the addresses of others.
    pub fn yield_to(
        &self,
        mine: &Header,
        to: &Entry,
        snapshot: Bytes,
        state_version: u32,
        attempt: u64,
        due: Option<u64>,
    ) -> Result<Step, NotNow> {
        if mine.owner.is_none() || mine.state.is_ended() {
            return Err(NotNow::WrongState(mine.id.clone()));
        }
        self.require_attempt(mine, attempt)?;
        let mut change = Change::of(self, Rule::YieldHeader, mine);
        change.after.state_version = state_version;
        self.guard_alive(&mut change.commit, Rule::YieldAlive, to)?;
        self.require_reads(Rule::YieldReads, to, &change.after)?;
        change.after.state = State::Handed;
        change.after.owner = Some(to.member);
        change.after.epoch += 1;
        change.after.attempt = attempt;
        if mine.class() == Class::VActor {
            change.after.due = due;
        }
        change.snapshot(snapshot);
        Ok(change.finish(StepName::Yield))
    }
}
