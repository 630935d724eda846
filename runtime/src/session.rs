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
pub(crate) use context::{Facts, Shared};
pub(crate) use effects::{Effect, Effects};
pub use end::EndReason;
pub use error::{HandlerError, Outcome};
pub(crate) use login::Joining;
pub use login::{Arrival, Login, Refusal};
pub use message::{ServerMessage, Undelivered};

use crate::codec::{Codec, DecodeError, Incoming, Outgoing};

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

    /// The version of the state's form. Raise it when an older node could not read the state.
    const STATE_VERSION: u32 = 1;

    /// How `In` and `Out` become bytes.
    const CODEC: Codec = Codec::Cbor;

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

    /// A message of the client: handled exactly once, in the order sent.
    async fn message(&mut self, message: Self::In, ctx: &mut Context<Self>) -> Outcome;

    /// The session has begun. Comes once, before anything else; what it sends is the first thing
    /// the client receives.
    fn started(&mut self, ctx: &mut Context<Self>) -> impl Future<Output = Outcome> {
        let _ = ctx;
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

    /// A message of another session of this node. By default it is logged and dropped.
    fn server_message(
        &mut self,
        message: ServerMessage,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Outcome> {
        let (id, from) = (ctx.session_id(), message.from());
        log::warn!("session {id}: {} does not handle the message of {from}", Self::KIND);
        async { Ok(()) }
    }

    /// A message to another session was not delivered. By default it is logged.
    fn undelivered(
        &mut self,
        to: crate::SessionId,
        why: Undelivered,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Outcome> {
        log::debug!("session {}: a message to {to} was not delivered: {why}", ctx.session_id());
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
    /// trusted then.
    fn destroyed(
        &mut self,
        reason: EndReason,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Outcome> {
        let _ = (reason, ctx);
        async { Ok(()) }
    }
}
