//! What a turn can see and do.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use throughline_cluster::RecordId;
use throughline_link::{CloseCode, SendError, SessionId};

use super::{Effect, Effects, EndReason, HandlerError, Recipient, Session};
use crate::{
    cluster::{self, LocateError, Location},
    codec::{self, Codec, Outgoing},
    queues::{self, Address, Durable, GroupName, SendReliableError},
    token::TurnToken,
    vactor::{Caller, Payload, Target},
};

/// What a session's driver tells its turns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    pub(crate) session_id: SessionId,
    /// The number of the node.
    pub(crate) node: u32,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) may_simulate: bool,
    /// Bytes of a message to the client, at most.
    pub(crate) message_max: u32,
}

/// What a session's driver and its turns share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Asks and tells VActors.
    pub(crate) caller: Caller,
    pub(crate) facts: Cell<Facts>,
    pub(crate) key: RefCell<Option<String>>,
    /// The groups that it is in.
    pub(crate) groups: RefCell<BTreeSet<GroupName>>,
    /// The effects of the turn under way.
    pub(crate) effects: RefCell<Effects>,
    /// The first effect that could not be staged: the turn fails with it.
    pub(crate) fault: RefCell<Option<HandlerError>>,
}

/// The means of a turn. What it does is staged and leaves at the end of the turn, if the turn
/// succeeds.
#[derive(Debug)]
pub struct Context<S> {
    shared: Rc<Shared>,
    kind: PhantomData<fn() -> S>,
}

/// `simulate_link` is not allowed here: set `development.simulate-link` to `true`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("simulate_link is refused: development.simulate-link is false, where true is expected")]
pub struct NotAllowed;

impl<S: Session> Context<S> {
    pub(crate) const fn new(shared: Rc<Shared>) -> Self {
        Self { shared, kind: PhantomData }
    }

    /// Sends a message to this session's client. It is retained until the client has handled it.
    ///
    /// Beyond `link.retained-messages` or `link.retained-bytes` unacknowledged the session ends
    /// with `RetainedOverflow`. A message that cannot be encoded, or is larger than a frame, fails
    /// the turn.
    #[inline]
    pub fn send(&mut self, message: S::Out) {
        let limit = self.shared.facts.get().message_max as usize;
        let staged = self.shared.effects.borrow_mut().send(|out| {
            let start = out.len();
            message.encode(S::CODEC, out)?;
            match out.len() - start {
                bytes if bytes > limit => Err(SendError::TooLarge { bytes, limit }.into()),
                _ => Ok::<_, HandlerError>(()),
            }
        });
        if let Err(error) = staged {
            self.fail(error);
        }
    }

    /// Ends the session, after what was sent has left.
    pub fn end(&mut self) {
        self.end_with(EndReason::Ended);
    }

    /// Ends the session with another reason. The first end of a session counts.
    pub fn end_with(&mut self, reason: EndReason) {
        self.stage(Effect::End(CloseCode::from(reason)));
    }

    /// Calls `timer(name)` once, after this time. Replaces a timer of the same name. A session has
    /// at most `session.timers` (64): one more fails the turn. Timers end with their session.
    pub fn set_timer(&mut self, name: &str, after: Duration) {
        self.stage(Effect::SetTimer { name: name.to_owned(), after, every: None });
    }

    /// Calls `timer(name)` again and again; ticks that were missed come as one. At least 1 ms.
    pub fn repeat_timer(&mut self, name: &str, every: Duration) {
        let every = every.max(Duration::from_millis(1));
        self.stage(Effect::SetTimer { name: name.to_owned(), after: every, every: Some(every) });
    }

    /// Forgets a timer; nothing happens if there is none of this name.
    pub fn cancel_timer(&mut self, name: &str) {
        self.stage(Effect::CancelTimer(name.to_owned()));
    }

    /// Sends a message to another session of this node, which gets it as `server_message`. Best
    /// effort: if it could not be delivered, `undelivered` says so. In order per pair of sessions.
    pub fn send_to_local_session<T: Serialize + ?Sized>(&mut self, to: SessionId, message: &T) {
        let mut payload = Vec::new();
        match codec::encode(Codec::Cbor, message, &mut payload) {
            Ok(()) => self.stage(Effect::SendToLocalSession { to, payload }),
            Err(error) => self.fail(error.into()),
        }
    }

    /// Sends a message to a session on whichever node it is, by its id or by its key; it comes as
    /// `server_message`. Best effort, with an honest result: if it was not delivered within 5 s,
    /// `undelivered` says so, and whether that is sure. In order per pair of sessions, unless the
    /// receiver moves meanwhile.
    pub fn send_to_session<T: Serialize + ?Sized>(
        &mut self,
        to: impl Into<Recipient>,
        message: &T,
    ) {
        let mut payload = Vec::new();
        match codec::encode(Codec::Cbor, message, &mut payload) {
            Ok(()) => self.stage(Effect::SendToSession { to: to.into(), payload }),
            Err(error) => self.fail(error.into()),
        }
    }

    /// Sends a durable message: to a session, by its id, to whichever session holds a key, now or
    /// at its next login, or to a VActor. It comes as `queued`, in order per sender and receiver,
    /// once, unless it expires before: it is delivered within `ttl`, or never.
    ///
    /// It is written when the turn has succeeded, in one commit with all other durable messages of
    /// the turn, and nothing else of the turn leaves before: if they cannot be written, the turn
    /// has failed. At most 1,024 messages, of 1 MiB in all, in a turn.
    ///
    /// # Errors
    /// [`SendReliableError`]: this message is not sent, and the turn may go on without it. `Full`:
    /// the receiver's queue holds `queue.messages` or `queue.bytes`, about.
    pub async fn send_reliable<T: Serialize + ?Sized>(
        &mut self,
        to: impl Into<Address>,
        message: &T,
        ttl: Duration,
    ) -> Result<(), SendReliableError> {
        let mut body = Vec::new();
        codec::encode(Codec::Cbor, message, &mut body)?;
        let shared = &self.shared;
        let from = RecordId::session(self.session_id());
        let (node, to) = (shared.caller.node(), to.into());
        queues::stage_reliable(node, &shared.effects, Some(&from), &to, &body, ttl).await
    }

    /// Makes this session a member of a group, from the end of the turn on. Membership is written
    /// with the turn, travels with the session and ends with it. A session is in at most
    /// `session.groups` (64) groups: one more fails the turn, as does a name of more than 64 bytes.
    pub fn join(&mut self, group: &str) {
        let limit = self.shared.caller.node().config.session.groups;
        let (is_new, in_all) = {
            let (joined, effects) = (self.shared.groups.borrow(), self.shared.effects.borrow());
            let staged = &effects.durable;
            let is_new = GroupName::new(group).is_ok_and(|group| {
                let before = joined.contains(&group);
                // What the turn has staged counts.
                before == staged.members(!before).any(|other| *other == group)
            });
            let in_all = joined.len() + staged.members(true).count();
            (is_new, in_all - staged.members(false).count())
        };
        if is_new && in_all >= limit {
            let text = format!("more groups than session.groups ({limit})");
            return self.fail(HandlerError::new(text));
        }
        self.change_group(group, true);
    }

    /// Ends this session's membership in a group, at the end of the turn.
    pub fn leave(&mut self, group: &str) {
        self.change_group(group, false);
    }

    fn change_group(&self, group: &str, joins: bool) {
        let staged = GroupName::new(group).and_then(|group| {
            if self.shared.groups.borrow().contains(&group) == joins {
                // What the turn has staged before may be the opposite.
                let mut effects = self.shared.effects.borrow_mut();
                effects.durable.forget_member(&group);
                return Ok(());
            }
            let mut effects = self.shared.effects.borrow_mut();
            effects.durable.push(Durable::Member { group, joins })
        });
        if let Err(error) = staged {
            self.fail(error.into());
        }
    }

    /// The groups that this session was in when the turn began, in alphabetical order.
    #[must_use]
    pub fn groups(&self) -> Vec<String> {
        self.shared.groups.borrow().iter().map(|group| group.as_str().to_owned()).collect()
    }

    /// Sends a message to all members of a group on all nodes, to this session, too, if it is one;
    /// it comes as `server_message`. Best effort, and nobody is told who did not get it: one word
    /// goes to each node, and members that are parked, between two nodes, or whose mailbox is full,
    /// miss it. Whoever sends need not be a member.
    pub fn send_to_group<T: Serialize + ?Sized>(&mut self, group: &str, message: &T) {
        let mut payload = Vec::new();
        let staged = GroupName::new(group).map_err(HandlerError::from).and_then(|group| {
            codec::encode(Codec::Cbor, message, &mut payload)?;
            Ok(group)
        });
        match staged {
            Ok(group) => self.stage(Effect::SendToGroup { group, payload }),
            Err(error) => self.fail(error),
        }
    }

    /// Sends a durable message to each member of a group, parked ones included, as
    /// [`send_reliable`](Self::send_reliable) does; to how many. Members whose queue is full are
    /// passed over. At most 1,024 members.
    ///
    /// # Errors
    /// [`SendReliableError`]: it is sent to nobody, or the turn sends more than fits into it.
    pub async fn send_reliable_to_group<T: Serialize + ?Sized>(
        &mut self,
        group: &str,
        message: &T,
        ttl: Duration,
    ) -> Result<usize, SendReliableError> {
        let group = GroupName::new(group)?;
        let mut body = Vec::new();
        codec::encode(Codec::Cbor, message, &mut body)?;
        let shared = &self.shared;
        let from = Some(RecordId::session(self.session_id()));
        let node = shared.caller.node();
        queues::stage_reliable_to_group(node, &shared.effects, from.as_ref(), &group, &body, ttl)
            .await
    }

    /// From the end of the turn on this session hears at once when another session or a VActor has
    /// lost its state, within about a second of when that is sure: in
    /// [`peer_lost`](Session::peer_lost), whether or not anything was sent there. The watch travels
    /// with the session, and rests while that is parked. Whoever has no state yet is watched from
    /// when it has. The end of a watched session ends the watch; it is a loss only if it ended as
    /// lost. At most 32 are watched: one more fails the turn.
    pub fn watch(&mut self, peer: impl Into<Address>) {
        self.change_watch(&peer.into(), true);
    }

    /// Watches somebody no more, from the end of the turn on.
    pub fn unwatch(&mut self, peer: impl Into<Address>) {
        self.change_watch(&peer.into(), false);
    }

    fn change_watch(&self, peer: &Address, watched: bool) {
        if let Err(error) = queues::stage_watch(&self.shared.effects, peer, watched) {
            self.fail(error);
        }
    }

    /// Where the session is that holds this key, at this moment.
    ///
    /// # Errors
    /// [`LocateError`]: the store does not say.
    pub async fn locate(&self, key: &str) -> Result<Location, LocateError> {
        cluster::locate(self.shared.caller.node(), key).await
    }

    /// Registers the player's own id for this session. Another session that holds the same key, on
    /// whichever node, ends with `KeyTaken`. What this turn sends leaves when the key is this
    /// session's: mostly in milliseconds, in seconds if the other session's node has died. At most
    /// 256 bytes, or the turn fails.
    pub fn register_key(&mut self, key: &str) {
        if key.is_empty() || key.len() > KEY_MAX {
            let bytes = key.len();
            let text = format!("a session key of {bytes} bytes, where 1 to {KEY_MAX} are taken");
            self.fail(HandlerError::new(text));
        } else {
            self.stage(Effect::RegisterKey(key.to_owned()));
        }
    }

    /// Puts this session into the store at the end of the turn, and its memory is free. A client
    /// that is connected is told to come back, and finds it on whichever node it comes to; of one
    /// that is away it expires after `session.timeout`. For games that want to choose the moment; a
    /// session whose node stops goes by itself.
    pub fn swap_out(&mut self) {
        self.stage(Effect::SwapOut);
    }

    /// What this turn is called outside, the same each time that it is run for this message: for a
    /// game's own database, so that a turn that is run again after a crash does there nothing
    /// twice. `None` in hooks and timers, and in other turns that are not for a message of the
    /// client or of a queue.
    #[must_use]
    pub fn token(&self) -> Option<TurnToken> {
        self.shared.caller.token()
    }

    /// The key registered in an earlier turn.
    #[must_use]
    pub fn key(&self) -> Option<String> {
        self.shared.key.borrow().clone()
    }

    /// The session's id; never changes.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        self.shared.facts.get().session_id
    }

    /// The number of the node that runs this turn, `cluster.node` of its configuration. It changes
    /// when the session moves, so it is for people to look at, not for a game to decide by.
    #[must_use]
    pub fn node(&self) -> u32 {
        self.shared.facts.get().node
    }

    /// Where the client is connected from; `None` without a connection.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.shared.facts.get().peer
    }

    /// Whether there is a connection.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.peer().is_some()
    }

    /// For development: delays everything to and from this client by `delay` each way, and with
    /// probability `loss` (0 to 1) holds a batch up as TCP does when it must send it again. Zero
    /// and zero switch it off.
    ///
    /// # Errors
    /// [`NotAllowed`] unless `development.simulate-link` is `true`.
    pub fn simulate_link(&mut self, delay: Duration, loss: f64) -> Result<(), NotAllowed> {
        if !self.shared.facts.get().may_simulate {
            return Err(NotAllowed);
        }
        self.stage(Effect::SimulateLink { delay, loss: loss.clamp(0.0, 1.0) });
        Ok(())
    }

    /// Runs work that blocks on another thread; the turn goes on with its result. At most
    /// `limits.blocking-threads` (64) run at once in a worker, others wait.
    ///
    /// # Errors
    /// If the work panicked.
    pub async fn blocking<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, HandlerError> {
        blocking(work).await
    }

    /// Asks VActors in this session's name: for `throughline-vactor`.
    #[doc(hidden)]
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.shared.caller
    }

    /// Stages a one-way message to a VActor: for `throughline-vactor`.
    #[doc(hidden)]
    pub fn tell_vactor(&mut self, to: Target, message: &'static str, payload: Payload) {
        self.stage(Effect::Tell { to, message, payload });
    }

    /// The turn fails with this: for `throughline-vactor`.
    #[doc(hidden)]
    pub fn fail_turn(&mut self, error: HandlerError) {
        self.fail(error);
    }

    fn stage(&self, effect: Effect) {
        let mut effects = self.shared.effects.borrow_mut();
        if effects.others.len() < EFFECTS_MAX {
            effects.others.push(effect);
        } else {
            drop(effects);
            self.fail(HandlerError::new(format!("more than {EFFECTS_MAX} effects in one turn")));
        }
    }

    fn fail(&self, error: HandlerError) {
        self.shared.fault.borrow_mut().get_or_insert(error);
    }
}

/// Bytes of a session key, at most: ids of players are far shorter.
const KEY_MAX: usize = 256;

/// Effects other than messages to the client in one turn, at most: a loop that stages without end
/// fails its turn, not the node.
const EFFECTS_MAX: usize = 4096;

/// Runs work that blocks on another thread.
pub(crate) async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, HandlerError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| HandlerError::new("the blocking work panicked"))
}
