//! The actor of one session: a thin driver round the link's state machine and the game's turns.
//!
//! It owns the socket, so a frame crosses no thread: one wake-up reads what is there, runs the
//! turns it brings, and writes what they produced with one system call.
//!
//! # Layout
//! `drive` is the loop; `intake` takes bytes to turns, `outlet` what is due to the socket; `mail`
//! takes what other parts of the node say; `inbox` holds what waits; `run` begins and ends turns;
//! `life` ends connections and sessions; `turn` owns the game's state; `timers`, `meter`, `delay`
//! are small machines.

mod delay;
mod drive;
mod inbox;
mod intake;
mod life;
mod mail;
mod meter;
mod outlet;
mod run;
mod timers;
mod turn;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;

use actix::Actor;
use throughline_link::{CloseCode, FrameError, Instant, NodeLink};
use tokio::time::Sleep;

pub(crate) use mail::{Resuming, ToSession};
pub(crate) use meter::Rate;
pub(crate) use turn::Hook;

use crate::{
    admission::{ConnectionPermit, Permit, SessionPermit},
    session::{Facts, Session, Shared},
    transport::Transport,
    worker::Worker,
};
use delay::SimulatedLink;
use inbox::Inbox;
use meter::Meter;
use timers::Timers;
use turn::{Input, Turns};

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
}

/// A turn under way.
#[derive(Debug)]
struct Turn {
    /// The client's message that it handles.
    seq: Option<u64>,
    hook: Hook,
    began: Instant,
    /// The input, for kinds that try again, and how often it was tried.
    input: Option<Input>,
    tries: u32,
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
    /// The last frame is under way: with which code, and until when.
    closing: Option<(CloseCode, Instant)>,
    /// It has been written, and the goodbye of the transport with it.
    said_goodbye: bool,
    /// Nothing is read before this time.
    held_until: Option<Instant>,
    /// Reading was paused, by our own choice.
    paused: bool,
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
            closing: None,
            said_goodbye: false,
            held_until: None,
            paused: false,
            garbage: None,
            permits,
        }
    }
}

/// A session whose login succeeded.
pub(crate) struct Beginning<S> {
    pub(crate) state: S,
    pub(crate) kind: usize,
    pub(crate) link: NodeLink,
    pub(crate) transport: Transport,
    pub(crate) peer: SocketAddr,
    pub(crate) connection_permit: ConnectionPermit,
    pub(crate) permit: SessionPermit,
}

impl<S: Session> SessionActor<S> {
    /// Starts the actor of a new session on this worker, and enters it into the directory.
    pub(crate) fn begin(worker: Rc<Worker>, beginning: Beginning<S>) {
        let Beginning { state, kind, link, transport, peer, connection_permit, permit } = beginning;
        let config = &worker.node.config;
        let facts = Facts {
            session_id: link.session_id(),
            peer: Some(peer),
            may_simulate: config.development.simulate_link,
            message_max: (config.link.max_frame as usize)
                .saturating_sub(throughline_link::wire::DATA_OVERHEAD),
        };
        let shared = Rc::new(Shared {
            facts: Cell::new(facts),
            key: RefCell::default(),
            effects: RefCell::default(),
            fault: RefCell::default(),
        });
        let id = link.session_id();
        let node = std::sync::Arc::clone(&worker.node);
        let permits = (connection_permit, node.admission.link());
        let mut inbox = Inbox::default();
        inbox.push(Input::Started);
        let actor = Self {
            turns: Some(Turns::new(state, Rc::clone(&shared))),
            worker,
            kind,
            link,
            shared,
            turn: None,
            turns_left: 0,
            inbox,
            mail: VecDeque::new(),
            connection: Some(Connection::new(transport, peer, permits)),
            timers: Timers::default(),
            meter: Meter::default(),
            simulated: None,
            sleep: None,
            armed: Instant::ZERO,
            ending: Ending::No,
            permit: Some(permit),
        };
        let address = actor.start();
        node.directory.insert(id, address.recipient());
    }
}
