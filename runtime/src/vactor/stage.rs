//! What one VActor's turns can see and do. What they do is staged until the end of the turn.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use throughline_cluster::RecordId;

use super::{Caller, CatchUp, Payload, Target, reminders::Change};
use crate::{
    cluster::{self, LocateError, Location},
    queues::{self, Address, GroupName, SendReliableError},
    session::{self, Effect, Effects, HandlerError, Recipient},
    token::TurnToken,
};

/// Longest name of a reminder.
const REMINDER_NAME_MAX: usize = 64;

/// Effects of one turn, at most: a loop that stages without end fails its turn, not the node.
const EFFECTS_MAX: usize = 4096;

/// What a VActor's host and its turns share.
pub struct Stage {
    caller: Caller,
    key: String,
    effects: RefCell<Effects>,
    changes: RefCell<Vec<Change>>,
    forgets: Cell<bool>,
    deactivates: Cell<bool>,
    fault: RefCell<Option<HandlerError>>,
}

/// What a turn has staged, beside its effects on others.
#[derive(Debug, Default)]
pub(super) struct Staged {
    pub(super) changes: Vec<Change>,
    /// The record is to be deleted.
    pub(super) forgets: bool,
    /// It is to leave memory.
    pub(super) deactivates: bool,
}

impl Stage {
    pub(super) fn new(caller: Caller, key: String) -> Self {
        Self {
            caller,
            key,
            effects: RefCell::default(),
            changes: RefCell::default(),
            forgets: Cell::new(false),
            deactivates: Cell::new(false),
            fault: RefCell::default(),
        }
    }

    /// What the turn under way is called outside.
    pub fn token(&self) -> Option<TurnToken> {
        self.caller.token()
    }

    /// The VActor's key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The number of the node.
    pub fn node(&self) -> u32 {
        self.caller.node().config.cluster.node
    }

    /// The cluster's wall clock, in milliseconds since 1970 UTC.
    pub fn now_ms(&self) -> u64 {
        self.caller.node().cluster.wall_ms()
    }

    /// Where the session is that holds this key.
    ///
    /// # Errors
    /// [`LocateError`]: the store does not say.
    pub async fn locate(&self, key: &str) -> Result<Location, LocateError> {
        cluster::locate(self.caller.node(), key).await
    }

    /// Runs work that blocks on another thread.
    ///
    /// # Errors
    /// If the work panicked.
    pub async fn blocking<R: Send + 'static>(
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, HandlerError> {
        session::blocking(work).await
    }

    /// Asks and tells in this VActor's name.
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Sets or replaces a reminder, at a time in milliseconds since 1970 UTC.
    pub fn remind(&self, name: &str, at: u64, every: Option<(Duration, CatchUp)>) {
        if name.is_empty() || name.len() > REMINDER_NAME_MAX {
            let bytes = name.len();
            let expected = format!("where 1 to {REMINDER_NAME_MAX} are taken");
            let text = format!("the name of a reminder has {bytes} bytes, {expected}");
            return self.fail(HandlerError::new(text));
        }
        let every = every.map(|(period, policy)| {
            (u64::try_from(period.as_millis()).unwrap_or(u64::MAX), policy)
        });
        self.change(Change::Set { name: name.to_owned(), at, every });
    }

    /// Forgets a reminder.
    pub fn forget_reminder(&self, name: &str) {
        self.change(Change::Forget(name.to_owned()));
    }

    fn change(&self, change: Change) {
        let mut changes = self.changes.borrow_mut();
        if changes.len() < EFFECTS_MAX {
            changes.push(change);
        } else {
            drop(changes);
            self.too_much();
        }
    }

    /// Deletes the record at the end of the turn.
    pub fn forget(&self) {
        self.forgets.set(true);
    }

    /// Leaves memory at the end of the turn.
    pub fn deactivate(&self) {
        self.deactivates.set(true);
    }

    /// Stages a message to a session, in CBOR.
    pub fn send_to_session(&self, to: Recipient, payload: Vec<u8>) {
        self.stage(Effect::SendToSession { to, payload });
    }

    /// Stages a durable message, in CBOR; to a VActor, its name and the message as a pair.
    ///
    /// # Errors
    /// [`SendReliableError`]; nothing is staged.
    pub async fn send_reliable(
        &self,
        to: &Address,
        body: &[u8],
        time: Duration,
    ) -> Result<(), SendReliableError> {
        let (node, from) = (self.caller.node(), self.caller.who());
        queues::stage_reliable(node, &self.effects, from, to, body, time).await
    }

    /// Stages a durable message to each member of a group; to how many.
    ///
    /// # Errors
    /// [`SendReliableError`].
    pub async fn send_reliable_to_group(
        &self,
        group: &str,
        body: &[u8],
        time: Duration,
    ) -> Result<usize, SendReliableError> {
        let group = GroupName::new(group)?;
        let (node, from) = (self.caller.node(), self.caller.who());
        queues::stage_reliable_to_group(node, &self.effects, from, &group, body, time).await
    }

    /// Watches somebody from the end of the turn on, or does no more.
    pub fn watch(&self, peer: &Address, watched: bool) {
        if let Err(error) = queues::stage_watch(&self.effects, peer, watched) {
            self.fail(error);
        }
    }

    /// Stages a message to the members of a group, in CBOR, best effort.
    pub fn send_to_group(&self, group: &str, payload: Vec<u8>) {
        match GroupName::new(group) {
            Ok(group) => self.stage(Effect::SendToGroup { group, payload }),
            Err(error) => self.fail(error.into()),
        }
    }

    /// Stages a one-way message to a VActor.
    pub fn tell(&self, to: Target, message: &'static str, payload: Payload) {
        self.stage(Effect::Tell { to, message, payload });
    }

    pub(crate) fn stage(&self, effect: Effect) {
        let mut effects = self.effects.borrow_mut();
        if effects.others.len() < EFFECTS_MAX {
            effects.others.push(effect);
        } else {
            drop(effects);
            self.too_much();
        }
    }

    fn too_much(&self) {
        self.fail(HandlerError::new(format!("more than {EFFECTS_MAX} effects in one turn")));
    }

    /// The turn fails with this, whatever it returns; the first one counts.
    pub fn fail(&self, error: HandlerError) {
        self.fault.borrow_mut().get_or_insert(error);
    }

    pub(super) fn take_fault(&self) -> Option<HandlerError> {
        self.fault.borrow_mut().take()
    }

    pub(super) const fn effects(&self) -> &RefCell<Effects> {
        &self.effects
    }

    pub(super) fn take_staged(&self) -> Staged {
        Staged {
            changes: self.changes.take(),
            forgets: self.forgets.take(),
            deactivates: self.deactivates.take(),
        }
    }

    /// Drops what was staged: the turn failed.
    pub(super) fn clear(&self) {
        self.effects.borrow_mut().clear();
        self.take_staged();
        self.fault.take();
    }
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("key", &self.key).finish_non_exhaustive()
    }
}

/// The names of those who wait, for people.
pub(super) fn names(chain: &[RecordId]) -> Vec<String> {
    chain.iter().map(ToString::to_string).collect()
}
