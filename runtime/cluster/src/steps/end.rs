//! Step 5: a record is over.

use bytes::Bytes;

use super::{Change, Step};
use crate::{
    header::{Header, State},
    law::{Law, NotNow, Rule, StepName},
    plan::{Holder, Row, Value},
};

/// How a record is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The number of the close code.
    pub reason: u16,
    /// The last number handled and the messages not acknowledged yet; empty after a loss.
    pub last: Bytes,
    /// Until when it is remembered, in milliseconds since 1970 UTC.
    pub until: u64,
}

impl Law {
    /// The owner ends its record, and gives back its key.
    ///
    /// # Errors
    /// [`NotNow::WrongState`]: not owned, or over already.
    pub fn end(&self, mine: &Header, ending: &Ending) -> Result<Step, NotNow> {
        if mine.owner.is_none() || mine.state.is_ended() {
            return Err(NotNow::WrongState(mine.id.clone()));
        }
        let mut change = Change::of(self, Rule::EndHeader, mine);
        self.end_change(&mut change, ending, true);
        Ok(change.finish(StepName::End))
    }

    /// Makes a change one that ends its record; its key is deleted, unless somebody gets it in the
    /// same commit.
    pub(super) fn end_change(&self, change: &mut Change, ending: &Ending, delete_key: bool) {
        change.after.state = State::Ended(ending.reason);
        change.after.owner = None;
        change.after.due = Some(ending.until);
        change.snapshot(ending.last.clone());
        let Some(key) = change.after.key.take().filter(|_| delete_key) else { return };
        let holder = Holder { id: change.before.id.clone(), life: change.before.life };
        if self.has(Rule::EndKey) {
            let holder = Some(Value::Holder(holder));
            change.commit.guard(Rule::EndKey, Row::Key(key.clone()), holder);
        }
        change.commit.delete(Row::Key(key));
    }
}
