//! Step 4: the owner gives a record to nobody.

use bytes::Bytes;
use throughline_canary::canary;

use super::{Change, Step};
use crate::{
    header::{Header, State},
    id::Class,
    law::{Law, NotNow, Rule, StepName},
};

impl Law {
    /// The record becomes a snapshot that anybody may claim. `due` is when it is to be looked at,
    /// in milliseconds since 1970 UTC: a session expires then, a VActor has a reminder. `attempt`
    /// is the highest that a client was let in with, which a record that runs without a snapshot
    /// has in memory only. The record stays in memory until the commit is in.
    ///
    /// # Errors
    /// [`NotNow::WrongState`]: not owned.
    pub fn park(
        &self,
        mine: &Header,
        snapshot: Bytes,
        state_version: u32,
        attempt: u64,
        due: Option<u64>,
    ) -> Result<Step, NotNow> {
        if mine.owner.is_none() || mine.state.is_ended() {
            return Err(NotNow::WrongState(mine.id.clone()));
        }
        let mut change = Change::of(self, Rule::ParkHeader, mine);
        change.after.state = State::Parked;
        change.after.owner = None;
        change.after.attempt = attempt.max(mine.attempt);
        change.after.state_version = state_version;
        let keeps_due = !canary!(ParkForgetsReminder) || mine.class() == Class::Session;
        change.after.due = due.filter(|_| keeps_due);
        change.snapshot(snapshot);
        Ok(change.finish(StepName::Park))
    }
}
