//! What the typed side gives the host: a kind of VActors, and one of them.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use super::{Payload, Stage};
use crate::{durability::Durability, queues::PeerLost, session::HandlerError};

/// Where a VActor is to begin that is nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Placement {
    /// At the node of its first caller.
    Local,
    /// At the node that has the fewest.
    LeastLoaded,
    /// At a node that follows from its key: callers need not look.
    Hash,
}

/// Why a VActor begins on this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Activation {
    /// For the first time, from nothing.
    Created,
    /// From its state.
    Restored,
    /// From nothing, since its state was lost with its node.
    Lost,
}

/// Why a VActor leaves this node's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Deactivation {
    /// Nobody has asked it anything for some time, it asked for it, or others need its room.
    Idle,
    /// It goes to another node.
    Moves,
    /// The node stops.
    Drain,
}

/// What becomes of the ticks of a repeated reminder that were missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CatchUp {
    /// They come as one, at once.
    One,
    /// Each of them comes, one behind the other, and whatever else waits comes between them. Of
    /// more than 1,000 the latest 1,000 come, and those before are skipped.
    All,
    /// None of them comes: the next one is in the future.
    Skip,
}

/// How a message is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A turn: alone.
    Turn,
    /// It changes nothing, and may run beside others that do not.
    Read,
    /// The same; and while a turn waits that has asked, through others, for this, it is answered
    /// from the state before that turn.
    ReadReentrant,
}

/// What a kind is.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Its name, 1 to 64 bytes.
    pub kind: &'static str,
    /// The version of its state that is written.
    pub state_version: u32,
    /// The oldest version that is read.
    pub oldest_version: u32,
    /// What survives a crash.
    pub durability: Durability,
    /// Where one begins.
    pub placement: Placement,
    /// After so long without work it is swapped out.
    pub idle: Duration,
    /// Active ones of this kind on a node; beyond that the least recently used are swapped out.
    pub active_max: usize,
    /// Whether the state is copied before each turn, to go back to when the turn fails.
    pub keep_copy: bool,
}

/// What runs in one turn.
#[derive(Debug)]
pub enum Job {
    /// It has begun here.
    Activated(Activation),
    /// Its last turn here.
    Deactivating(Deactivation),
    /// A reminder.
    Reminded(String),
    /// A peer has lost its state.
    PeerLost(PeerLost),
    /// A message, by its place in the kind's list.
    Message(usize, Payload),
}

/// A turn, or a read: what it replies, if it was a message.
pub type TurnFuture = Pin<Box<dyn Future<Output = Result<Option<Payload>, HandlerError>>>>;

/// A kind of VActors.
pub trait Kind: Send + Sync {
    /// What it is.
    fn settings(&self) -> Settings;

    /// The names of its messages and how each is run.
    fn messages(&self) -> &[(&'static str, Mode)];

    /// Makes one: of a state in this version, or of nothing.
    ///
    /// # Errors
    /// The state cannot be read; it is left as it is.
    fn make(
        &self,
        stage: &Rc<Stage>,
        state: Option<(&[u8], u32)>,
    ) -> Result<Box<dyn Instance>, HandlerError>;
}

/// A VActor in memory. The host sees to it that a turn runs alone, and that nothing is written
/// while one runs.
pub trait Instance {
    /// A turn: nothing of it runs before it is polled.
    fn turn(&self, job: Job) -> TurnFuture;

    /// A read, of the message with this place.
    fn read(&self, message: usize, payload: Payload) -> TurnFuture;

    /// Its state, in this version if it can write it, else in its own.
    ///
    /// # Errors
    /// It cannot be written: the game's fault.
    fn write(&self, version: u32, out: &mut Vec<u8>) -> Result<u32, HandlerError>;
}
