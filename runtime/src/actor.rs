//! The actor of one session: a thin driver round the link's state machine and the game's turns.
//!
//! It owns the socket, so a frame crosses no thread: one wake-up reads what is there, runs the
//! turns it brings, and writes what they produced with one system call.
//!
//! # Layout
//! `drive` is the loop; `intake` takes bytes to turns, `outlet` what is due to the socket; `mail`
//! takes what other parts of the node say; `inbox` holds what waits; `run` begins and ends turns;
//! `commit` writes what must last before anything of a turn leaves, and takes messages out of
//! queues; `room` is whether that fits; `dead` is for those of them that nobody handles; `life`
//! ends connections and sessions;
//! `own` is the driver of the session's record, `leave` how it goes to another node; `peers` is
//! whom it has met; `alive` is what one that stands still tells its client; `turn` owns the game's
//! state; `timers`, `meter`, `delay` are small machines.

mod alive;
mod careful;
mod commit;
mod dead;
mod delay;
mod drive;
mod inbox;
mod intake;
mod leave;
mod life;
mod mail;
mod meter;
mod outlet;
mod own;
mod peers;
mod room;
mod run;
mod timers;
mod turn;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;

use actix::Actor;
use throughline_cluster::{Header, RecordId};
use throughline_link::{CloseCode, FrameError, Instant, NodeLink};
use tokio::sync::mpsc;
use tokio::time::Sleep;

pub(crate) use careful::TURNS as CAREFUL_TURNS;
pub(crate) use leave::SessionSnapshot;
pub(crate) use mail::{Resuming, ToSession};
pub(crate) use meter::Rate;
pub(crate) use timers::Timers;
pub(crate) use turn::{Hook, Input, TurnEnd, Turns, read, write_new};

use crate::{
    admission::{ConnectionPermit, Permit, SessionPermit},
    care::Care,
    cluster::{Holding, Keying, Sending},
    queues::Inboxes,
    session::{Facts, Session, Shared},
    transport::Transport,
    vactor::Caller,
    worker::{Began, Worker},
};
use alive::Signs;
use commit::Committing;
use delay::SimulatedLink;
use inbox::Inbox;
use leave::Leaving;
use meter::Meter;

/// The actor of one session of kind `S`.
pub(crate) struct SessionActor<S: Session> {
    worker: Rc<Worker>,
    /// The number of the kind, for reports.
    kind: usize,
    link: NodeLink,
    shared: Rc<Shared>,
    /// The game's side; gone when the session has ended.
    turns: Option<Turns<S>>,
    /// The turn under way.
    turn: Option<Turn>,
    /// Turns that may still begin in this wake-up.
    turns_left: u32,
    /// What waits for its turn.
    inbox: Inbox,
    /// What the node's other parts said, to be looked at by the next round.
    mail: VecDeque<ToSession>,
    connection: Option<Connection>,
    timers: Timers,
    meter: Meter,
    /// A bad network in the way, for development.
    simulated: Option<Box<SimulatedLink>>,
    sleep: Option<Pin<Box<Sleep>>>,
    /// When `sleep` ends.
    armed: Instant,
    ending: Ending,
    permit: Option<SessionPermit>,
    /// The record; gone when the session has ended, or is another node's.
    holding: Option<Box<Holding>>,
    /// The record of a session that has ended, as long as its end is remembered.
    ended: Option<Box<Header>>,
    /// When the end is written again, which could not be.
    end_again: Option<Instant>,
    /// The key that is being taken: until then nothing goes on.
    keying: Option<Box<Keying>>,
    /// The key that a committed turn has asked for, until it is taken.
    wanted_key: Option<String>,
    /// What is being written before anything of it leaves, or begins.
    committing: Option<Box<Committing>>,
    /// Its queues: its own, and that of its key.
    inboxes: Inboxes,
    /// Turns since the last that began with a message of a queue.
    since_queued: u32,
    /// The time of the last message that it enqueued, in milliseconds since 1970 UTC.
    enqueued_ms: u64,
    leaving: Leaving,
    /// The state as it was last committed, and its version: of kinds that commit every turn.
    committed: (bytes::Bytes, u32),
    /// It was taken from a dead node, and is crash-proof.
    care: Option<Box<Care>>,
    /// Whether the directory points to it.
    is_listed: bool,
    /// Whether this node may act, as of this wake-up.
    acts: bool,
    /// Messages to sessions of other nodes, in order; made when first needed.
    courier: Option<mpsc::Sender<Sending>>,
}

/// A turn under way.
#[derive(Debug)]
struct Turn {
    /// The client's message that it handles.
    seq: Option<u64>,
    hook: Hook,
    began: Began,
    /// The input, for kinds that try again, and how often it was tried.
    input: Option<Box<Input>>,
    tries: u32,
    /// What its commit takes out of a queue.
    used_up: Option<Box<throughline_queue::Pieces>>,
}

/// How far the end of a session has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// It lives.
    No,
    /// It has ended; the turn under way may finish, then `destroyed` runs.
    Due(CloseCode),
    /// `destroyed` runs.
    Destroying,
    /// Only its memory is left, until then.
    Ended(Instant),
    /// Nobody needs it any more.
    Forgotten,
}

/// The connection of a session.
#[derive(Debug)]
struct Connection {
    transport: Transport,
    peer: SocketAddr,
    /// Bytes read and not used yet: the beginning of a frame, or what found no room.
    partial: Vec<u8>,
    /// Bytes that the socket has not taken yet.
    unsent: Vec<u8>,
    /// Commits whose effects may wait here to be written.
    released: u32,
    /// The last frame is under way: with which code, and until when.
    closing: Option<(CloseCode, Instant)>,
    /// It has been written, and the goodbye of the transport with it.
    said_goodbye: bool,
    /// Nothing is read before this time.
    held_until: Option<Instant>,
    /// Reading was paused, by our own choice.
    paused: bool,
    /// The signs of life, while the session stands still.
    signs: Option<Signs>,
    /// What came that is no frame.
    garbage: Option<FrameError>,
    /// Counts against the limits of connections, and as one that carries a session.
    permits: (ConnectionPermit, Permit),
}

impl Connection {
    fn new(transport: Transport, peer: SocketAddr, permits: (ConnectionPermit, Permit)) -> Self {
        Self {
            transport,
            peer,
            partial: Vec::new(),
            unsent: Vec::new(),
            released: 0,
            closing: None,
            said_goodbye: false,
            held_until: None,
            paused: false,
            signs: None,
            garbage: None,
            permits,
        }
    }
}

/// A session that begins on this worker: after its login, or from a snapshot.
pub(crate) struct Beginning<S: Session> {
    pub(crate) turns: Option<Turns<S>>,
    pub(crate) shared: Rc<Shared>,
    pub(crate) kind: usize,
    pub(crate) link: NodeLink,
    pub(crate) timers: Timers,
    pub(crate) holding: Option<Box<Holding>>,
    pub(crate) connection: Option<(Transport, SocketAddr, ConnectionPermit)>,
    pub(crate) permit: Option<SessionPermit>,
    /// What waits for its turn.
    pub(crate) inputs: Vec<Input>,
    /// The time of the last message that it enqueued.
    pub(crate) enqueued_ms: u64,
    /// The state as it was committed, and its version: of kinds that commit every turn.
    pub(crate) committed: (bytes::Bytes, u32),
    pub(crate) care: Option<Box<Care>>,
    /// The turn of this hook has run, and its effects wait in `shared`.
    pub(crate) ran: Option<Hook>,
}

/// What a session's turns know of it.
pub(crate) fn facts(
    worker: &Worker,
    id: throughline_link::SessionId,
    peer: Option<SocketAddr>,
) -> Rc<Shared> {
    let config = &worker.node.config;
    let facts = Facts {
        session_id: id,
        node: config.cluster.node,
        peer,
        may_simulate: config.development.simulate_link,
        message_max: (config.link.max_frame)
            .saturating_sub(throughline_link::wire::DATA_OVERHEAD as u32),
    };
    let record = RecordId::session(id);
    Rc::new(Shared {
        caller: Caller::new(std::sync::Arc::clone(&worker.node), Some(record)),
        facts: Cell::new(facts),
        key: RefCell::default(),
        groups: RefCell::default(),
        effects: RefCell::default(),
        fault: RefCell::default(),
    })
}

impl<S: Session> SessionActor<S> {
    /// Starts the actor of a session on this worker, and enters it into the directory.
    pub(crate) fn begin(worker: Rc<Worker>, beginning: Beginning<S>) {
        let id = beginning.link.session_id();
        // An ended session that a late client asks about is nobody's.
        let is_known = beginning.turns.is_some();
        let node = std::sync::Arc::clone(&worker.node);
        let groups = beginning.shared.groups.borrow().clone();
        let actor = Self::new(worker, beginning, is_known);
        let watched = actor.shared.effects.borrow().peers.watched();
        let address = actor.start();
        if is_known {
            node.directory.insert(id, address.recipient());
            groups.iter().for_each(|group| node.queues.groups.join(group, id));
            node.queues.meetings.watch(&RecordId::session(id), watched);
        }
    }

    fn new(worker: Rc<Worker>, beginning: Beginning<S>, is_known: bool) -> Self {
        let node = std::sync::Arc::clone(&worker.node);
        let now = node.clock.now();
        let inbox = Inbox::new(beginning.inputs);
        let connection = beginning.connection.map(|(transport, peer, permit)| {
            Connection::new(transport, peer, (permit, node.admission.link()))
        });
        let ending = match beginning.turns {
            Some(_) => Ending::No,
            None => Ending::Ended(now + node.config.link.ended_memory),
        };
        let mut actor = Self {
            turns: beginning.turns,
            worker,
            kind: beginning.kind,
            link: beginning.link,
            shared: beginning.shared,
            turn: None,
            turns_left: 0,
            inbox,
            mail: VecDeque::new(),
            connection,
            timers: beginning.timers,
            meter: Meter::default(),
            simulated: None,
            sleep: None,
            armed: Instant::ZERO,
            ending,
            permit: beginning.permit,
            holding: beginning.holding,
            ended: None,
            end_again: None,
            keying: None,
            wanted_key: None,
            committing: None,
            inboxes: Inboxes::default(),
            since_queued: 0,
            enqueued_ms: beginning.enqueued_ms,
            leaving: Leaving::default(),
            committed: beginning.committed,
            care: beginning.care,
            is_listed: is_known,
            acts: true,
            courier: None,
        };
        // Its end is told when its record says so.
        actor.link.hold_end(actor.holding.is_some());
        if let Some(hook) = beginning.ran {
            // It has come from somewhere: what was enqueued meanwhile waits.
            actor.inboxes.look(Inboxes::RECORD | Inboxes::KEY);
            let (input, used_up) = (None, None);
            let began = actor.worker.begin(now);
            actor.turn = Some(Turn { seq: None, hook, began, input, tries: 1, used_up });
            actor.succeed(now);
        }
        actor
    }
}
