//! What a turn of a VActor can see and do.

use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use throughline::vactor::{CatchUp, Stage};
use throughline::{
    Codec, HandlerError, LocateError, Location, Recipient, SendReliableError, TurnToken,
};

use crate::VActor;

/// The means of a turn. What it does is staged and leaves at the end of the turn, if the turn
/// succeeds. [`ask`](crate::Ask::ask) and [`tell`](crate::Tell::tell) come from traits.
pub struct Context<V> {
    pub(crate) stage: Rc<Stage>,
    kind: PhantomData<fn() -> V>,
}

impl<V: VActor> Context<V> {
    pub(crate) const fn new(stage: Rc<Stage>) -> Self {
        Self { stage, kind: PhantomData }
    }

    /// The VActor's key.
    #[must_use]
    pub fn key(&self) -> &str {
        self.stage.key()
    }

    /// What this turn is called outside, the same each time that it is run for this durable
    /// message: for a game's own database, so that a turn that is run again after a crash does
    /// there nothing twice. `None` in every other turn: an ask is not run again, and a reminder
    /// has its name.
    #[must_use]
    pub fn token(&self) -> Option<TurnToken> {
        self.stage.token()
    }

    /// Runs work that blocks, such as a query to a game's own database, on another thread; the turn
    /// goes on with its result. At most `limits.blocking-threads` (64) run at once in a worker,
    /// others wait.
    ///
    /// # Errors
    /// If the work panicked.
    pub async fn blocking<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, HandlerError> {
        Stage::blocking(work).await
    }

    /// Where the session is that holds this key, at this moment.
    ///
    /// # Errors
    /// [`LocateError`]: the store does not say. Retrying may help.
    pub async fn locate(&self, key: &str) -> Result<Location, LocateError> {
        self.stage.locate(key).await
    }

    /// The number of the node that runs this turn: for people to look at.
    #[must_use]
    pub fn node(&self) -> u32 {
        self.stage.node()
    }

    /// The cluster's wall clock, in milliseconds since 1970 UTC: the median of the nodes' clocks,
    /// by which reminders come.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.stage.now_ms()
    }

    /// Calls `reminded(name)` once, after this time, wherever the VActor is then: one that is
    /// swapped out begins for it. Replaces a reminder of the same name. At most 64, with names of
    /// at most 64 bytes, or the turn fails; 100 ms late at most, while the store answers.
    pub fn remind(&mut self, name: &str, after: Duration) {
        self.stage.remind(name, self.now_ms().saturating_add(millis(after)), None);
    }

    /// The same, at a time in milliseconds since 1970 UTC.
    pub fn remind_at(&mut self, name: &str, at_ms: u64) {
        self.stage.remind(name, at_ms, None);
    }

    /// Calls `reminded(name)` again and again; `missed` says what becomes of ticks that nobody was
    /// there for.
    pub fn remind_every(&mut self, name: &str, every: Duration, missed: CatchUp) {
        let first = self.now_ms().saturating_add(millis(every));
        self.stage.remind(name, first, Some((every, missed)));
    }

    /// Forgets a reminder; nothing happens if there is none of this name.
    pub fn forget_reminder(&mut self, name: &str) {
        self.stage.forget_reminder(name);
    }

    /// Sends a message to a session on whichever node it is, by its id or its key; it comes as
    /// `server_message`. Best effort, and nobody is told if it is not delivered: what must arrive
    /// is sent with `send_reliable`.
    pub fn send_to_session<T: Serialize + ?Sized>(
        &mut self,
        to: impl Into<Recipient>,
        message: &T,
    ) {
        let mut payload = Vec::new();
        match Codec::Cbor.encode(message, &mut payload) {
            Ok(()) => self.stage.send_to_session(to.into(), payload),
            Err(error) => self.stage.fail(HandlerError::from(error)),
        }
    }

    /// Sends a durable message: to a session, by its id, or to whichever session holds a key, now
    /// or at its next login. It comes as `queued`, in order per sender and receiver, once, unless
    /// it expires before. To a VActor, [`tell_reliable`](crate::TellReliable::tell_reliable) is
    /// typed.
    ///
    /// It is written when the turn has succeeded, in one commit with all other durable messages of
    /// the turn, and nothing else of the turn leaves before. At most 1,024 messages, of 1 MiB in
    /// all, in a turn.
    ///
    /// # Errors
    /// [`SendReliableError`]: this message is not sent, and the turn may go on without it.
    pub async fn send_reliable<T: Serialize + ?Sized>(
        &mut self,
        to: impl Into<throughline::Address>,
        message: &T,
        ttl: Duration,
    ) -> Result<(), SendReliableError> {
        let mut body = Vec::new();
        Codec::Cbor.encode(message, &mut body)?;
        self.stage.send_reliable(&to.into(), &body, ttl).await
    }

    /// Sends a durable message to each member of a group of sessions, parked ones included; to how
    /// many. Members whose queue is full are passed over. At most 1,024 members.
    ///
    /// # Errors
    /// [`SendReliableError`].
    pub async fn send_reliable_to_group<T: Serialize + ?Sized>(
        &mut self,
        group: &str,
        message: &T,
        ttl: Duration,
    ) -> Result<usize, SendReliableError> {
        let mut body = Vec::new();
        Codec::Cbor.encode(message, &mut body)?;
        self.stage.send_reliable_to_group(group, &body, ttl).await
    }

    /// Sends a message to all members of a group of sessions on all nodes; it comes as
    /// `server_message`. Best effort.
    pub fn send_to_group<T: Serialize + ?Sized>(&mut self, group: &str, message: &T) {
        let mut payload = Vec::new();
        match Codec::Cbor.encode(message, &mut payload) {
            Ok(()) => self.stage.send_to_group(group, payload),
            Err(error) => self.stage.fail(HandlerError::from(error)),
        }
    }

    /// From the end of the turn on this VActor hears at once when another VActor or a session has
    /// lost its state, within about a second of when that is sure: in
    /// [`peer_lost`](VActor::peer_lost), whether or not anything was sent there. The watch travels
    /// with the VActor, and rests while that is swapped out. Whoever has no state yet is watched
    /// from when it has. The end of a watched session ends the watch; it is a loss only if it ended
    /// as lost. At most 32 are watched: one more fails the turn.
    pub fn watch(&mut self, peer: impl Into<throughline::Address>) {
        self.stage.watch(&peer.into(), true);
    }

    /// Watches somebody no more, from the end of the turn on.
    pub fn unwatch(&mut self, peer: impl Into<throughline::Address>) {
        self.stage.watch(&peer.into(), false);
    }

    /// Deletes the VActor at the end of this turn. Who asks it next finds a new one; whoever asked
    /// for this turn has the reply when it is deleted. While the store does not take that it is
    /// made again, and what comes meanwhile waits, for the new one. In
    /// [`deactivating`](VActor::deactivating), too: it is then deleted instead of swapped out or
    /// moved.
    ///
    /// It is a commit of its own, after that of the turn: of a crash-proof VActor whose node dies
    /// between the two, the turn lasts, and it is not deleted.
    pub fn forget(&mut self) {
        self.stage.forget();
    }

    /// Swaps the VActor out once it has nothing to do.
    pub fn deactivate(&mut self) {
        self.stage.deactivate();
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl<V: VActor> fmt::Debug for Context<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("key", &self.key()).finish_non_exhaustive()
    }
}

/// What a read can see.
pub struct ReadContext {
    stage: Rc<Stage>,
}

impl ReadContext {
    pub(crate) const fn new(stage: Rc<Stage>) -> Self {
        Self { stage }
    }

    /// The VActor's key.
    #[must_use]
    pub fn key(&self) -> &str {
        self.stage.key()
    }

    /// Runs work that blocks, such as a query to a game's own database, on another thread; the read
    /// goes on with its result. At most `limits.blocking-threads` (64) run at once in a worker,
    /// others wait.
    ///
    /// # Errors
    /// If the work panicked.
    pub async fn blocking<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, HandlerError> {
        Stage::blocking(work).await
    }

    /// The number of the node that runs this.
    #[must_use]
    pub fn node(&self) -> u32 {
        self.stage.node()
    }

    /// The cluster's wall clock, in milliseconds since 1970 UTC.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.stage.now_ms()
    }
}

impl fmt::Debug for ReadContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadContext").field("key", &self.key()).finish_non_exhaustive()
    }
}
