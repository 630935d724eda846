//! Step 11: a session gets a session key.

use super::{Change, Ending, Step};
use crate::{
    entry::Entry,
    header::{Header, State},
    id::SessionKey,
    law::{Law, NotNow, Rule, StepName},
    plan::{Commit, Holder, Row, Value},
};

/// What was found under a session key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nobody holds it.
    Nobody,
    /// This session does, as read: its header, `None` if it is gone, and the entry of its owner.
    Session {
        /// What stands under the key.
        holder: Holder,
        /// The header of that session.
        header: Option<Box<Header>>,
        /// The entry of its owner, if it has one.
        owner: Option<Entry>,
    },
}

impl Law {
    /// The session `mine` gets `key`, and gives back the one that it had. Another session that has
    /// it and can speak for itself must be asked first: its owner ends it with [`Law::end`], whose
    /// commit deletes the key. One that is parked, or whose owner is gone, ends as `loser` says, in
    /// this same commit.
    ///
    /// # Errors
    /// [`NotNow::OwnerAlive`]: ask that node to end the session. [`NotNow::WrongState`]: not
    /// owned, over, or with this key already.
    pub fn take_key(
        &self,
        mine: &Header,
        key: &SessionKey,
        found: &Found,
        loser: &Ending,
    ) -> Result<Step, NotNow> {
        if mine.owner.is_none() || mine.state.is_ended() || mine.key.as_ref() == Some(key) {
            return Err(NotNow::WrongState(mine.id.clone()));
        }
        let mut change = Change::of(self, Rule::KeyHeader, mine);
        if self.has(Rule::KeyHolder) {
            let expected = match found {
                Found::Nobody => None,
                Found::Session { holder, .. } => Some(Value::Holder(holder.clone())),
            };
            change.commit.guard(Rule::KeyHolder, Row::Key(key.clone()), expected);
        }
        if let Found::Session { holder, header, owner } = found {
            let loses = self.end_holder(holder, header.as_deref(), owner.as_ref(), loser)?;
            change.commit.guards.extend(loses.guards);
            change.commit.writes.extend(loses.writes);
        }
        if let Some(old) = &mine.key {
            // A live header has a key exactly if the key's row points to it, so H checks it, too.
            change.commit.delete(Row::Key(old.clone()));
        }
        change.after.key = Some(key.clone());
        let holder = Holder { id: mine.id.clone(), life: mine.life };
        change.commit.put(Row::Key(key.clone()), Value::Holder(holder));
        Ok(change.finish(StepName::Key))
    }

    /// What of the commit concerns the session that held the key.
    fn end_holder(
        &self,
        holder: &Holder,
        header: Option<&Header>,
        owner: Option<&Entry>,
        loser: &Ending,
    ) -> Result<Commit, NotNow> {
        let mut commit = Commit::default();
        let row = Row::Header(holder.id.clone());
        let live = header.filter(|h| h.life == holder.life && !h.state.is_ended());
        let Some(live) = live else {
            if self.has(Rule::KeyLoser) {
                commit.guard(Rule::KeyLoser, row, header.cloned().map(Value::Header));
            }
            return Ok(commit);
        };
        let mut change = Change::of(self, Rule::KeyLoser, live);
        match (live.state, live.owner, owner) {
            (State::Parked, ..) => {}
            (_, Some(named), Some(entry)) if named == entry.member => {
                self.guard_gone(&mut change.commit, Rule::KeyDead, entry)?;
            }
            _ => return Err(NotNow::WrongState(live.id.clone())),
        }
        self.end_change(&mut change, loser, false);
        Ok(change.finish(StepName::End).commit)
    }
}
