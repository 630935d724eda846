//! Step 1: a record begins.

use std::sync::Arc;

use super::Step;
use crate::{
    entry::Entry,
    header::{Header, Identity, State},
    id::RecordId,
    law::{Law, NotNow, Rule, StepName},
    plan::{Commit, Row, Value},
};

/// A record that is to begin.
#[derive(Debug, Clone)]
pub struct Creation {
    /// Its name.
    pub id: RecordId,
    /// Kind, login identity, secret.
    pub identity: Arc<Identity>,
    /// Random.
    pub life: u64,
    /// The version of the state that this node writes.
    pub state_version: u32,
    /// The client's attempt counter; 0 at a login.
    pub attempt: u64,
}

impl Law {
    /// The record begins, owned by `me`. Nothing of it may be seen outside before its first turn
    /// is committed.
    ///
    /// # Errors
    /// [`NotNow::NotAlive`]: this node drains or is gone.
    pub fn create(&self, new: &Creation, me: &Entry) -> Result<Step, NotNow> {
        self.create_as(new, me, State::New)
    }

    /// The record begins, owned by `me`, and runs: creation and the commit before the first effect
    /// in one, for what has nothing to do in between.
    ///
    /// # Errors
    /// [`NotNow::NotAlive`]: this node drains or is gone.
    pub fn create_running(&self, new: &Creation, me: &Entry) -> Result<Step, NotNow> {
        self.create_as(new, me, State::Running)
    }

    fn create_as(&self, new: &Creation, me: &Entry, state: State) -> Result<Step, NotNow> {
        let mut commit = Commit::default();
        if self.has(Rule::CreateAbsent) {
            commit.guard(Rule::CreateAbsent, Row::Header(new.id.clone()), None);
        }
        self.guard_alive(&mut commit, Rule::CreateAlive, me)?;
        let header = Header {
            id: new.id.clone(),
            identity: Arc::clone(&new.identity),
            life: new.life,
            state,
            epoch: 1,
            owner: Some(me.member),
            version: 1,
            state_version: new.state_version,
            snapshot_version: 0,
            attempt: new.attempt,
            crashes: 0,
            key: None,
            due: None,
        };
        commit.put(Row::Header(header.id.clone()), Value::Header(header.clone()));
        commit.put(Row::Owned(me.member, header.id.clone()), Value::Mark);
        Ok(Step::new(StepName::Create, commit, header))
    }
}
