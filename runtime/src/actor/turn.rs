//! The turns of one session: a future that owns the state and runs one hook at a time.
//!
//! One allocation for the session's whole life: its future takes an input from the desk, runs the
//! hook, and puts the result back. The driver polls it; nothing wakes it but the hook's own I/O.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{self, Poll};

use bytes::Bytes;
use throughline_canary::canary;

use crate::{
    codec::{self, Codec, DecodeError, Incoming},
    queues::{Loss, QueuedMessage},
    session::{
        Context, EndReason, HandlerError, Outcome, Recipient, ServerMessage, Session, Shared,
        Undelivered,
    },
};

/// What a session handles next.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    Started,
    /// A message of the client: its number and bytes.
    Message(u64, Bytes),
    Server(ServerMessage),
    /// A message of a queue, which is out of it.
    Queued(Box<QueuedMessage>),
    Undelivered(Recipient, Undelivered),
    ConnectionLost,
    Repaired,
    Timer(String),
    Announced(Arc<str>),
    PeerLost(Box<Loss>),
    Restored,
    /// The last turn here; the state is then written, in this version if the game can.
    SwapOut(u32),
    Destroyed(EndReason),
}

impl Input {
    /// The number of the client's message that it is.
    pub(super) const fn seq(&self) -> Option<u64> {
        match self {
            Self::Message(seq, _) => Some(*seq),
            _ => None,
        }
    }

    pub(super) const fn hook(&self) -> Hook {
        match self {
            Self::Started => Hook::Started,
            Self::Message(..) => Hook::Message,
            Self::Server(_) => Hook::ServerMessage,
            Self::Queued(_) => Hook::Queued,
            Self::Undelivered(..) => Hook::Undelivered,
            Self::ConnectionLost => Hook::ConnectionLost,
            Self::Repaired => Hook::Repaired,
            Self::Timer(_) => Hook::Timer,
            Self::Announced(_) => Hook::Announced,
            Self::PeerLost(_) => Hook::PeerLost,
            Self::Restored => Hook::Restored,
            Self::SwapOut(_) => Hook::SwapOut,
            Self::Destroyed(_) => Hook::Destroyed,
        }
    }
}

/// The hooks, for reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Hook {
    Login,
    Started,
    Message,
    ServerMessage,
    Queued,
    Undelivered,
    ConnectionLost,
    Repaired,
    Timer,
    Announced,
    PeerLost,
    Restored,
    SwapOut,
    Destroyed,
    /// Of a VActor.
    Handler,
}

impl Hook {
    pub(crate) const ALL: [Self; 15] = [
        Self::Login,
        Self::Started,
        Self::Message,
        Self::ServerMessage,
        Self::Queued,
        Self::Undelivered,
        Self::ConnectionLost,
        Self::Repaired,
        Self::Timer,
        Self::Announced,
        Self::PeerLost,
        Self::Restored,
        Self::SwapOut,
        Self::Destroyed,
        Self::Handler,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Started => "started",
            Self::Message => "message",
            Self::ServerMessage => "server_message",
            Self::Queued => "queued",
            Self::Undelivered => "undelivered",
            Self::ConnectionLost => "connection_lost",
            Self::Repaired => "repaired",
            Self::Timer => "timer",
            Self::Announced => "announced",
            Self::PeerLost => "peer_lost",
            Self::Restored => "restored",
            Self::SwapOut => "swap_out",
            Self::Destroyed => "destroyed",
            Self::Handler => "handler",
        }
    }
}

/// An input as the hook takes it.
enum Task<S: Session> {
    Message(S::In),
    Malformed(DecodeError),
    /// Its reading panicked.
    Unread(String),
    Other(Input),
}

/// How a turn ended.
#[derive(Debug)]
pub(crate) enum TurnEnd {
    /// It succeeded; its effects are in `Shared`.
    Done,
    /// It failed or panicked, and had no effect; the state cannot be trusted.
    Failed(String),
}

/// Where driver and turns meet.
struct Desk<S: Session> {
    task: Cell<Option<Task<S>>>,
    outcome: RefCell<Option<Outcome>>,
    /// The state before the turn under way, for kinds that keep copies.
    copy: RefCell<Vec<u8>>,
    /// The state as the last turn wrote it, with its version.
    written: RefCell<Option<(Vec<u8>, u32)>>,
    /// The version in which a turn writes it, if its kind writes it with every turn.
    version: Cell<u32>,
}

/// Whether turns of this kind are undone when they fail.
pub(super) const fn keeps_copy<S: Session>() -> bool {
    S::KEEP_COPY || S::DURABILITY.is_every_turn()
}

/// The turns of one session of kind `S`.
pub(crate) struct Turns<S: Session> {
    desk: Rc<Desk<S>>,
    shared: Rc<Shared>,
    life: Pin<Box<dyn Future<Output = ()>>>,
}

impl<S: Session> Turns<S> {
    pub(crate) fn new(state: S, shared: Rc<Shared>) -> Self {
        let desk = Rc::new(Desk {
            task: Cell::new(None),
            outcome: RefCell::new(None),
            copy: RefCell::new(Vec::new()),
            written: RefCell::new(None),
            version: Cell::new(S::STATE_VERSION),
        });
        let ctx = Context::new(Rc::clone(&shared));
        let life = Box::pin(life(state, Rc::clone(&desk), ctx));
        Self { desk, shared, life }
    }

    /// Begins the turn for a message that lies in a read buffer.
    #[inline]
    pub(super) fn begin_message(&self, payload: &[u8]) {
        // The game's own types may read themselves, and panic as a hook may.
        let decoded = catch_unwind(AssertUnwindSafe(|| S::In::decode(S::CODEC, payload)));
        self.desk.task.set(Some(match decoded {
            Ok(Ok(message)) => Task::Message(message),
            Ok(Err(error)) => Task::Malformed(error),
            Err(panic) => Task::Unread(format!("panicked: {}", words(&*panic))),
        }));
    }

    /// Begins the turn for any input.
    pub(crate) fn begin(&self, input: Input) {
        match input {
            Input::Message(_, payload) => self.begin_message(&payload),
            Input::PeerLost(loss) => {
                // From the end of this turn on it knows the life that is there now.
                self.shared.effects.borrow_mut().peers.tell(&loss);
                self.desk.task.set(Some(Task::Other(Input::PeerLost(loss))));
            }
            other => self.desk.task.set(Some(Task::Other(other))),
        }
    }

    /// Runs the turn that was begun. A panic stays in here.
    #[inline]
    pub(crate) fn poll(&mut self, cx: &mut task::Context<'_>) -> Poll<TurnEnd> {
        let polled = catch_unwind(AssertUnwindSafe(|| self.life.as_mut().poll(cx)));
        if let Err(panic) = polled {
            return Poll::Ready(self.failed(format!("panicked: {}", words(&*panic))));
        }
        let Some(outcome) = self.desk.outcome.borrow_mut().take() else { return Poll::Pending };
        let fault = self.shared.fault.borrow_mut().take();
        match (outcome, fault) {
            (Ok(()), None) => Poll::Ready(TurnEnd::Done),
            (Err(error), _) | (Ok(()), Some(error)) => Poll::Ready(self.failed(error.to_string())),
        }
    }

    /// Takes the turn back, if it was never polled. True if it has.
    pub(super) fn withdraw(&self) -> bool {
        self.desk.task.take().is_some()
    }

    /// In which version the next turns write the state.
    pub(crate) fn write_as(&self, version: u32) {
        self.desk.version.set(version);
    }

    /// How large the state is that the last turn wrote.
    pub(super) fn written_bytes(&self) -> Option<usize> {
        self.desk.written.borrow().as_ref().map(|(bytes, _)| bytes.len())
    }

    /// The state as the last turn wrote it: a swap-out, or any of a kind that writes every turn.
    pub(super) fn take_written(&self) -> Option<(Vec<u8>, u32)> {
        self.desk.written.borrow_mut().take()
    }

    fn failed(&self, why: String) -> TurnEnd {
        if !canary!(FailedTurnLeaves) {
            self.shared.effects.borrow_mut().clear();
        }
        *self.shared.fault.borrow_mut() = None;
        TurnEnd::Failed(why)
    }

    /// Gives up the turn under way, as one that failed.
    pub(super) fn abandon(&self, why: &str) -> TurnEnd {
        self.failed(why.to_owned())
    }

    /// Puts the state back as it was before the turn that failed, if the kind keeps copies.
    pub(super) fn restore(&mut self) -> Result<(), String> {
        if !keeps_copy::<S>() {
            return Err("its kind keeps no copy".to_owned());
        }
        let decode = || codec::decode(Codec::Cbor, &self.desk.copy.borrow());
        let state = catch_unwind(AssertUnwindSafe(decode))
            .map_err(|panic| format!("reading its copy panicked: {}", words(&*panic)))?
            .map_err(|error| format!("its copy cannot be read: {error}"))?;
        let fresh = Self::new(state, Rc::clone(&self.shared));
        drop_quietly(Some(std::mem::replace(self, fresh)));
        Ok(())
    }
}

/// Drops turns, and with them what a hook under way had; a panic in it must not take the session's
/// actor along.
pub(super) fn drop_quietly<S: Session>(turns: Option<Turns<S>>) {
    if catch_unwind(AssertUnwindSafe(|| drop(turns))).is_err() {
        log::error!("what a hook of {} had panicked when it was dropped", S::KIND);
    }
}

/// What a panic said, as far as it is text.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}

/// A game's state. A panic when it is dropped stays in here: a hook that panics drops it while it
/// unwinds, and a second panic that got out would end the process.
struct State<S: Session>(Option<S>);

impl<S: Session> Drop for State<S> {
    fn drop(&mut self) {
        let state = self.0.take();
        if catch_unwind(AssertUnwindSafe(|| drop(state))).is_err() {
            log::error!("the state of a session of {} panicked when it was dropped", S::KIND);
        }
    }
}

async fn life<S: Session>(state: S, desk: Rc<Desk<S>>, mut ctx: Context<S>) {
    let mut kept = State(Some(state));
    let state_max = ctx.caller().node().config.session.snapshot_max;
    let Some(state) = &mut kept.0 else { return };
    loop {
        // Pending without a waker: the driver polls again when it has put a task there.
        let task = poll_fn(|_| desk.task.take().map_or(Poll::Pending, Poll::Ready)).await;
        let outcome = match keep_copy(state, &desk) {
            Ok(()) => match run(state, task, &mut ctx, &desk).await {
                Ok(()) => write_turn(state, &desk, state_max),
                Err(error) if canary!(FailedTurnKept) => keep_copy(state, &desk).and(Err(error)),
                failed => failed,
            },
            Err(error) => Err(error),
        };
        *desk.outcome.borrow_mut() = Some(outcome);
    }
}

fn keep_copy<S: Session>(state: &S, desk: &Desk<S>) -> Result<(), HandlerError> {
    if keeps_copy::<S>() {
        let mut copy = desk.copy.borrow_mut();
        copy.clear();
        codec::encode(Codec::Cbor, state, &mut copy)?;
    }
    Ok(())
}

/// Writes the state, for kinds whose turns are committed. One that is too large fails its turn: a
/// commit that can never be made would be tried for ever.
fn write_turn<S: Session>(state: &S, desk: &Desk<S>, state_max: usize) -> Outcome {
    if S::DURABILITY.is_every_turn() && desk.written.borrow().is_none() {
        let written = write(state, desk.version.get())?;
        let bytes = written.0.len();
        if bytes > state_max {
            let limit = format!("more than session.snapshot-max ({state_max})");
            return Err(HandlerError::new(format!("its state has {bytes} bytes, {limit}")));
        }
        *desk.written.borrow_mut() = Some(written);
    }
    Ok(())
}

/// The state for another node: in `version`, if the game can write it, else in its own.
fn write<S: Session>(state: &S, version: u32) -> Result<(Vec<u8>, u32), HandlerError> {
    if version < S::STATE_VERSION
        && let Some(bytes) = state.downgrade(version)
    {
        return Ok((bytes, version));
    }
    let mut bytes = Vec::new();
    codec::encode(Codec::Cbor, state, &mut bytes)?;
    Ok((bytes, S::STATE_VERSION))
}

/// A state that was not run yet, in this version if the game can write it.
pub(crate) fn write_new<S: Session>(
    state: &S,
    version: u32,
) -> Result<(Vec<u8>, u32), HandlerError> {
    catch_unwind(AssertUnwindSafe(|| write(state, version))).unwrap_or_else(|panic| {
        Err(HandlerError::new(format!("writing it panicked: {}", words(&*panic))))
    })
}

/// Reads a state that some node wrote.
pub(crate) fn read<S: Session>(bytes: &[u8], version: u32) -> Result<S, HandlerError> {
    let read = || match version {
        version if version == S::STATE_VERSION => Ok(codec::decode(Codec::Cbor, bytes)?),
        version => S::migrate(version, bytes),
    };
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|panic| {
        Err(HandlerError::new(format!("reading it panicked: {}", words(&*panic))))
    })
}

#[inline]
async fn run<S: Session>(
    state: &mut S,
    task: Task<S>,
    ctx: &mut Context<S>,
    desk: &Desk<S>,
) -> Outcome {
    match task {
        Task::Message(message) => state.message(message, ctx).await,
        Task::Malformed(error) => state.malformed(error, ctx).await,
        Task::Unread(why) => Err(HandlerError::new(why)),
        Task::Other(Input::Started) => state.started(ctx).await,
        Task::Other(Input::Server(message)) => state.server_message(message, ctx).await,
        Task::Other(Input::Queued(message)) => state.queued(*message, ctx).await,
        Task::Other(Input::Undelivered(to, why)) => state.undelivered(to, why, ctx).await,
        Task::Other(Input::ConnectionLost) => state.connection_lost(ctx).await,
        Task::Other(Input::Repaired) => state.repaired(ctx).await,
        Task::Other(Input::Timer(name)) => state.timer(&name, ctx).await,
        Task::Other(Input::Announced(text)) => state.announced(&text, ctx).await,
        Task::Other(Input::PeerLost(loss)) => state.peer_lost(loss.lost, ctx).await,
        Task::Other(Input::Restored) => state.restored(ctx).await,
        Task::Other(Input::SwapOut(version)) => {
            state.swap_out(ctx).await?;
            *desk.written.borrow_mut() = Some(write(state, version)?);
            Ok(())
        }
        Task::Other(Input::Destroyed(reason)) => state.destroyed(reason, ctx).await,
        // `begin` turns these into tasks of their own.
        Task::Other(Input::Message(..)) => Ok(()),
    }
}
