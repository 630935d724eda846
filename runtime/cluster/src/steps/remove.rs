//! Step 12: a record that is over, or that nobody came back for, is deleted.

use super::Step;
use crate::{
    header::{Header, State},
    law::{Law, NotNow, Rule, StepName},
    plan::{Commit, Holder, Row, Value},
};

impl Law {
    /// Deletes the record with all its rows. `now` is the median of the live nodes' wall clocks,
    /// in milliseconds since 1970 UTC.
    ///
    /// # Errors
    /// [`NotNow::WrongState`]: neither parked nor over. [`NotNow::NotDue`].
    pub fn remove(&self, read: &Header, now: u64) -> Result<Step, NotNow> {
        if read.state != State::Parked && !read.state.is_ended() {
            return Err(NotNow::WrongState(read.id.clone()));
        }
        let due = read.due.is_some_and(|due| due <= now);
        self.require(Rule::RemoveDue, due, NotNow::NotDue(read.id.clone()))?;
        Ok(self.removal(read))
    }

    /// Deletes a record that is over before its time: its client knows the end, or the node that
    /// remembers it has no room to.
    ///
    /// # Errors
    /// [`NotNow::WrongState`]: it is not over.
    pub fn dismiss(&self, read: &Header) -> Result<Step, NotNow> {
        if !read.state.is_ended() {
            return Err(NotNow::WrongState(read.id.clone()));
        }
        Ok(self.removal(read))
    }

    fn removal(&self, read: &Header) -> Step {
        let mut commit = Commit::default();
        if self.has(Rule::RemoveHeader) {
            let expected = Some(Value::Header(read.clone()));
            commit.guard(Rule::RemoveHeader, Row::Header(read.id.clone()), expected);
        }
        if let Some(key) = &read.key {
            if self.has(Rule::EndKey) {
                let holder = Holder { id: read.id.clone(), life: read.life };
                let holder = Some(Value::Holder(holder));
                commit.guard(Rule::EndKey, Row::Key(key.clone()), holder);
            }
            commit.delete(Row::Key(key.clone()));
        }
        if let Some(due) = read.due {
            commit.delete(Row::Due(due, read.id.clone()));
        }
        if read.snapshot_version != 0 {
            commit.delete(Row::Snapshot(read.id.clone()));
        }
        commit.delete(Row::Header(read.id.clone()));
        Step { name: StepName::Remove, commit, after: None }
    }
}
