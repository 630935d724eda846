//! What a game implements.

use std::future::Future;
use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};
use throughline::{HandlerError, Outcome, PeerLost};

use crate::{Activation, Address, Context, Deactivation, Durability, Messages, Placement};

/// A virtual actor. It has a [`State`](Self::State), which lasts, and whatever else is made of it
/// when it begins on a node.
///
/// Each message, each reminder and each hook is a *turn*; turns of one VActor never overlap, and
/// messages that change nothing ([`Read`](crate::Read)) may run beside each other between them.
/// What a turn does through its [`Context`] leaves at its end. A turn that fails, panics or takes
/// longer than `session.turn-deadline` (10 s) has no effect: the state goes back to what it was
/// before, and who asked is told `HandlerFailed`.
///
/// A snapshot has `session.snapshot-max` bytes at most (256 KiB).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a VActor",
    label = "needs `impl VActor for {Self}` with KIND, State, new and state, and `messages!`"
)]
pub trait VActor: Messages + Sized + 'static {
    /// The name of the kind, 1 to 64 bytes; unique in a cluster, among sessions, too.
    const KIND: &'static str;

    /// The version of the state's form. Raise it when an older node could not read it, and say in
    /// [`migrate`](Self::migrate) how the older form is read.
    const STATE_VERSION: u32 = 1;

    /// The oldest version that [`migrate`](Self::migrate) reads.
    const OLDEST_VERSION: u32 = Self::STATE_VERSION;

    /// What survives the death of the node: by default every turn, since each is committed before
    /// anything of it leaves. With [`Durability::OnSwapOut`] a turn costs no commit, and what
    /// survives is what was written when the VActor was last swapped out, if it has not begun
    /// since; one that has begun starts again from nothing.
    const DURABILITY: Durability = Durability::EveryTurn;

    /// Where it begins.
    const PLACEMENT: Placement = Placement::Local;

    /// Without work for so long, it is swapped out.
    const IDLE: Duration = Duration::from_secs(60);

    /// Active ones on a node; beyond that the least recently used are swapped out.
    const ACTIVE_MAX: usize = 10_000;

    /// Whether the state is copied before each turn, to go back to when the turn fails. Costs one
    /// serialization a turn; without it a VActor whose turn fails starts again from nothing.
    const KEEP_COPY: bool = true;

    /// What lasts. A VActor that is new begins with its `Default`.
    type State: Default + Serialize + DeserializeOwned + 'static;

    /// Makes it round its state. What is not part of the state is rebuilt here.
    fn new(key: &str, state: Self::State) -> Self;

    /// Its state, as it is to last.
    fn state(&self) -> &Self::State;

    /// The VActor of this key.
    fn at(key: impl Into<String>) -> Address<Self> {
        Address::new(key)
    }

    /// Reads a state that was written by an older version, in CBOR, as serde writes it.
    ///
    /// # Errors
    /// It stays in the store as it is, and who asks is told `LoadFailed`.
    fn migrate(from: u32, state: &[u8]) -> Result<Self::State, HandlerError> {
        let _ = state;
        let (kind, own) = (Self::KIND, Self::STATE_VERSION);
        Err(HandlerError::new(format!("{kind} {own} does not read a state of version {from}")))
    }

    /// Writes the state as an older version read it, in CBOR, while an update rolls through a
    /// cluster. `None`, the default: only the own version can be written.
    fn downgrade(&self, to: u32) -> Option<Vec<u8>> {
        let _ = to;
        None
    }

    /// It has begun on this node: its first turn here.
    fn activated(
        &mut self,
        why: Activation,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Outcome> {
        let _ = (why, ctx);
        async { Ok(()) }
    }

    /// It is about to leave memory: its last turn here before its state is written. It may stay
    /// after all, if the other node is gone meanwhile. One that is needed no more may
    /// [`forget`](Context::forget) itself here.
    fn deactivating(
        &mut self,
        why: Deactivation,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Outcome> {
        let _ = (why, ctx);
        async { Ok(()) }
    }

    /// A reminder set with [`Context::remind`] and its like. One whose turn fails is tried again,
    /// `session.poison-tries` times in all (3).
    fn reminded(&mut self, name: &str, ctx: &mut Context<Self>) -> impl Future<Output = Outcome> {
        let _ = (name, ctx);
        async { Ok(()) }
    }

    /// Somebody to whom this VActor has sent durable messages, or whom it watches, has lost its
    /// state: what it had handled has come to nothing, and what comes next is handled by another
    /// life, if there is one. Comes once for each life, after the next message that goes there, or
    /// at once with [`Context::watch`]. Tried again as a reminder is. By default nothing is done.
    fn peer_lost(
        &mut self,
        lost: PeerLost,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Outcome> {
        let _ = (lost, ctx);
        async { Ok(()) }
    }
}
