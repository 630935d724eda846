//! What a game is made of: the session trait, and what its hooks are given.

mod context;
mod effects;
mod end;
mod error;
mod login;
mod message;

use std::future::Future;

use serde::{Serialize, de::DeserializeOwned};

pub use context::{Context, NotAllowed};
pub(crate) use context::{Facts, Shared, blocking};
pub(crate) use effects::{Effect, Effects};
pub use end::EndReason;
pub use error::{HandlerError, Outcome, Unreadable};
pub(crate) use login::Joining;
pub use login::{Arrival, Login, Refusal};
pub use message::{Recipient, ServerMessage, Undelivered};

use crate::{
    codec::{Codec, DecodeError, Incoming, Outgoing},
    durability::Durability,
    queues::{PeerLost, QueuedMessage},
};

/// One player's side of the game: its state, and what happens to it.
///
/// The type itself is the state. It is written with serde when the session moves to another node.
///
/// Each call of a hook is a *turn*. Turns of one session never overlap. What a turn does through
/// its [`Context`] leaves at its end; a turn that fails or panics has no effect, and the session
/// ends with [`EndReason::HandlerFailed`], unless [`KEEP_COPY`](Self::KEEP_COPY) is set. A turn
/// that takes longer than `session.turn-deadline` (10 s by default) counts as failed.
///
/// Hooks run on a worker thread with other sessions: work that blocks goes to
/// [`Context::blocking`].
#[allow(async_fn_in_trait, reason = "a session stays on its worker's thread, so no Send is needed")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a session",
    label = "needs `impl Session for {Self}` with KIND, In, Out, login and message"
)]
pub trait Session: Serialize + DeserializeOwned + 'static {
    /// The name that clients ask for, 1 to 64 bytes; unique in a node.
    const KIND: &'static str;

    /// The version of the state's form. Raise it when an older node could not read the state, and
    /// say in [`migrate`](Self::migrate) how the older form is read.
    const STATE_VERSION: u32 = 1;

    /// The oldest version that [`migrate`](Self::migrate) reads. A node never takes a session whose
    /// state it cannot read.
    const OLDEST_VERSION: u32 = Self::STATE_VERSION;

    /// Whether a session whose client never came back is taken out of the store once more, for
    /// [`destroyed`](Self::destroyed) with [`EndReason::Expired`]. If not, it is dropped there.
    const DESTROY_EXPIRED: bool = true;

    /// How `In` and `Out` become bytes.
    const CODEC: Codec = Codec::Cbor;

    /// What survives the death of the node. With [`Durability::EveryTurn`] the session is
    /// crash-proof: each turn is committed, with the state, the numbers of its messages and what
    /// its client has not acknowledged, before anything of it leaves; an acknowledgement then says
    /// *durable*. When its node dies the session goes on elsewhere, with its next resume. A turn
    /// that fails is tried again from the last commit, as with [`KEEP_COPY`](Self::KEEP_COPY).
    const DURABILITY: Durability = Durability::OnSwapOut;

    /// Whether a copy of the state is kept before each turn, so that a failed turn does not end the
    /// session: the state is put back and the same input is tried again, `session.poison-tries`
    /// times in all (3), then set aside with a report. Costs one serialization a turn.
    const KEEP_COPY: bool = false;

    /// What clients send: a `DeserializeOwned` type, or [`Raw`](crate::Raw).
    type In: Incoming;

    /// What clients receive: a `Serialize` type, or [`Raw`](crate::Raw).
    type Out: Outgoing;

    /// A client asks for a session. Has `session.login-deadline` (10 s) to answer.
    ///
    /// # Errors
    /// A [`Refusal`], with a code and a text for the client.
    async fn login(login: Login<'_>) -> Result<Self, Refusal>;

    /// Reads a state that was written by an older version, in CBOR, as serde writes it. Called for
    /// versions from [`OLDEST_VERSION`](Self::OLDEST_VERSION) on; by default there are none.
    ///
    /// # Errors
    /// The session stays in the store as it is, and its client is told to try again.
    fn migrate(from: u32, state: &[u8]) -> Result<Self, HandlerError> {
        let _ = state;
        let (kind, own) = (Self::KIND, Self::STATE_VERSION);
        Err(HandlerError::new(format!("{kind} {own} does not read a state of version {from}")))
    }

    /// Writes the state as an older version read it, in CBOR: while an update rolls through a
    /// cluster, states are written in the newest version that every live node reads, so that a
    /// rollback finds nothing that it cannot read. `None`, the default: only the own version can be
    /// written, and sessions stay with nodes that read it.
    fn downgrade(&self, to: u32) -> Option<Vec<u8>> {
        let _ = to;
        None
    }

    /// A message of the client: handled exactly once, in the order sent.
    async fn message(&mut self, message: Self::In, ctx: &mut Context<Self>) -> Outcome;

    /// The session has begun. Comes once, before anything else; what it sends is the first thing
    /// the client receives.
    fn started(&mut self, ctx: &mut Context<Self>) -> impl Future<Output = Outcome> {
        let _ = ctx;
        async { Ok(()) }
    }

    /// The session has come here: from another node, or out of the store. Comes before any message;
    /// what was rebuilt at the other node, such as a seat in a lobby, is to be rebuilt here. If it
    /// fails, the session stays in the store as it was, and its client is told to try again.
    fn restored(&mut self, ctx: &mut Context<Self>) -> impl Future<Output = Outcome> {
        let _ = ctx;
        async { Ok(()) }
    }

    /// The session is about to leave this node: its last turn before the state is written. With
    /// [`Context::end`] it ends instead. The session may stay after all, if the other node is gone
    /// meanwhile: then [`restored`](Self::restored) follows here.
    fn swap_out(&mut self, ctx: &mut Context<Self>) -> impl Future<Output = Outcome> {
        let _ = ctx;
        async { Ok(()) }
    }

    /// An operator's word to all players. By default nothing is done; a game sends it on.
    fn announced(&mut self, text: &str, ctx: &mut Context<Self>) -> impl Future<Output = Outcome> {
        let _ = (text, ctx);
        async { Ok(()) }
    }

    /// A message of the client that is no `In`. By default the session ends with
    /// [`EndReason::BadMessage`]; a game that answers instead loses nothing.
    fn malformed(
        &mut self,
        error: DecodeError,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Outcome> {
        // What the error says may quote the message, which has no place in a log.
        let what = error.what();
        log::info!("session {}: {} cannot read a message: {what}", ctx.session_id(), Self::KIND);
        ctx.end_with(EndReason::BadMessage);
        async { Ok(()) }
    }

    /// A message of another session. By default it is logged and dropped.
    fn server_message(
        &mut self,
        message: ServerMessage,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Outcome> {
        let (id, from) = (ctx.session_id(), message.from());
        log::warn!("session {id}: {} does not handle the message of {from}", Self::KIND);
        async { Ok(()) }
    }

    /// A durable message, out of this session's queue or that of its key: sent with
    /// [`Context::send_reliable`], or enqueued by anybody who has the store. It is removed durably
    /// before this begins, so it comes once: if the session is lost during this turn, not again.
    /// Messages of one sender come in the order sent. By default it is logged and dropped.
    fn queued(
        &mut self,
        message: QueuedMessage,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Outcome> {
        let (id, position) = (ctx.session_id(), message.position());
        log::warn!("session {id}: {} does not handle the queued message {position}", Self::KIND);
        async { Ok(()) }
    }

    /// A message to another session was not delivered. By default it is logged.
    fn undelivered(
        &mut self,
        to: Recipient,
        why: Undelivered,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Outcome> {
        log::debug!("session {}: a message to {to} was not delivered: {why}", ctx.session_id());
        async { Ok(()) }
    }

    /// Somebody to whom this session has sent durable messages, or whom it watches, has lost its
    /// state: what it had handled has come to nothing, and what comes next is handled by another
    /// life, if there is one. Comes once for each life, after the next message that goes there, or
    /// at once with [`Context::watch`]. By default nothing is done.
    fn peer_lost(
        &mut self,
        lost: PeerLost,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Outcome> {
        let _ = (lost, ctx);
        async { Ok(()) }
    }

    /// The connection is gone. The session stays, for `session.timeout` (60 s); what is sent
    /// meanwhile is retained.
    fn connection_lost(&mut self, ctx: &mut Context<Self>) -> impl Future<Output = Outcome> {
        let _ = ctx;
        async { Ok(()) }
    }

    /// The client is back, over a new connection.
    fn repaired(&mut self, ctx: &mut Context<Self>) -> impl Future<Output = Outcome> {
        let _ = ctx;
        async { Ok(()) }
    }

    /// A timer set with [`Context::set_timer`] or [`Context::repeat_timer`].
    fn timer(&mut self, name: &str, ctx: &mut Context<Self>) -> impl Future<Output = Outcome> {
        let _ = (name, ctx);
        async { Ok(()) }
    }

    /// The session has ended: its last turn. Nothing can be sent to the client any more, but to
    /// other sessions it can. Not called after [`EndReason::HandlerFailed`]: the state cannot be
    /// trusted then. After [`EndReason::Lost`] nothing that it does leaves the node: others have
    /// taken its place.
    fn destroyed(
        &mut self,
        reason: EndReason,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Outcome> {
        let _ = (reason, ctx);
        async { Ok(()) }
    }
}
