//! Step 10: a request is left for an owner that does not answer.

use super::Step;
use crate::{
    entry::Entry,
    header::Header,
    id::{Member, RecordId},
    law::{Law, NotNow, Rule, StepName},
    plan::{Commit, Request, Row, Value},
};

impl Law {
    /// Leaves a request under the owner's entry. The owner reads these with every beat, and yields
    /// or refuses through the store.
    ///
    /// # Errors
    /// [`NotNow::WrongState`]: it is not the owner. [`NotNow::NotAlive`]: it is gone, so nobody
    /// would read it.
    pub fn request(&self, read: &Header, owner: &Entry, request: Request) -> Result<Step, NotNow> {
        if read.owner != Some(owner.member) {
            return Err(NotNow::WrongState(read.id.clone()));
        }
        let mut commit = Commit::default();
        self.require(Rule::RequestOwner, !owner.is_gone(), NotNow::NotAlive(owner.member))?;
        self.guard_standing(&mut commit, Rule::RequestOwner, owner);
        commit.put(Row::Request(owner.member, read.id.clone()), Value::Request(request));
        Ok(Step::new(StepName::Request, commit, read.clone()))
    }

    /// The owner has dealt with a request. A newer one that this deletes unseen is left again when
    /// its client tries again: a request is a hint.
    #[must_use]
    pub fn answered(&self, owner: Member, id: &RecordId) -> Step {
        let mut commit = Commit::default();
        commit.delete(Row::Request(owner, id.clone()));
        Step { name: StepName::Request, commit, after: None }
    }
}
