//! What a turn can see and do.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use throughline_link::{CloseCode, SendError, SessionId};

use super::{Effect, Effects, EndReason, HandlerError, Recipient, Session};
use crate::{
    codec::{self, Codec, Outgoing},
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
    pub(crate) message_max: usize,
}

/// What a session's driver and its turns share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Asks and tells VActors.
    pub(crate) caller: Caller,
    pub(crate) facts: Cell<Facts>,
    pub(crate) key: RefCell<Option<String>>,
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
        let limit = self.shared.facts.get().message_max;
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
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| HandlerError::new("the blocking work panicked"))
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
