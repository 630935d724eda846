//! The model of ownership: every order of steps, messages, commits and faults, within bounds.
//!
//! Clients, nodes and the store are abstract; the steps are not: each commit is built by the real
//! `Law`, checks included, and then made small. So a check that is missing there is missing here,
//! and `Law::without` shows for each check what it is there for.
//!
//! - `state`: a state of the whole, and why what holds of one session holds of several
//! - `env`: the nodes; `part`: sessions, with `memory` and `message`; `small`, `rows`: the store
//! - `actions`: what may happen next; `member`: to nodes; `view`, `node`: to a part, at a node
//! - `store`: how a commit lands
//! - `canonical`: states that differ in `names` only become one
//! - `properties`: what must always hold; `fair`: everything settles once faults stop
//! - `exhaust`: every state within some bounds; `outage`: the model of playing on

#![forbid(unsafe_code)]

mod actions;
mod canonical;
mod env;
mod exhaust;
mod fair;
mod member;
mod memory;
mod message;
mod names;
mod node;
mod outage;
mod part;
mod properties;
mod rows;
mod small;
mod state;
mod store;
mod view;

use mimalloc::MiMalloc;
use stateright::{Model, Property};
use throughline_cluster::Law;

pub use actions::{Action, PartStep};
pub use env::{Env, News, Node, NodeFlight};
pub use exhaust::{Progress, exhaust};
pub use fair::settles;
pub use member::NodeStep;
pub use memory::{Held, Op, Place, Stage, Was};
pub use message::Message;
pub use outage::{Cut, OutageAction, OutageBounds, OutageState, Without};
pub use part::{Broken, Client, Flight, Of, Part, Session};
pub use rows::Rows;
pub use small::{H, M, R, SmallCommit, V};
pub use state::{ENDED, KEY_TAKEN, LOST, Left, State};

/// States are made on one thread and dropped on another, at which most allocators stumble.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The bounds of a model, and what of the protocol takes part.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// The law, or the law without one check.
    pub law: Law,
    /// For each node, the newest version of the state that it reads (1 or 2).
    pub nodes: Vec<u8>,
    /// For each client's session, whether every turn is committed.
    pub clients: Vec<bool>,
    /// Attempts of each client.
    pub attempts: u8,
    /// Messages of each client.
    pub turns: u8,
    /// Messages about one session on their way.
    pub messages: usize,
    /// Faults and choices.
    pub left: Left,
    /// Whether a crash is among the faults.
    pub crash: bool,
    /// Whether a freeze is among the faults.
    pub freeze: bool,
    /// Whether sessions register the one session key.
    pub keys: bool,
    /// Whether the game ends sessions.
    pub ends: bool,
    /// Whether records of dead nodes are also swept, and entries of the dead are deleted.
    pub sweep: bool,
    /// From one in so many states, chosen by their hash, it is tried whether everything settles
    /// once faults stop; 0 for none.
    pub settle_one_in: u64,
    /// Whether silent owners are asked through the store.
    pub requests: bool,
}

impl Bounds {
    /// No faults at all: tests add what they look at.
    #[must_use]
    pub fn calm(law: Law, nodes: usize, clients: &[bool]) -> Self {
        Self {
            law,
            nodes: vec![2; nodes],
            clients: clients.to_vec(),
            attempts: 2,
            turns: 1,
            messages: 4,
            left: Left { faults: 0, unknown: 0, drains: 0, joins: 0, dues: 0 },
            crash: false,
            freeze: false,
            keys: false,
            ends: false,
            sweep: false,
            settle_one_in: 0,
            requests: false,
        }
    }

    /// The representative of all states that differ in names only.
    #[must_use]
    pub fn canonical(&self, state: State) -> State {
        canonical::canonical(self, state)
    }

    /// Up to `faults` crashes or freezes.
    #[must_use]
    pub const fn faults(mut self, faults: u8) -> Self {
        self.left.faults = faults;
        self.crash = true;
        self.freeze = true;
        self
    }
}

impl Model for Bounds {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let nodes = self.nodes.len();
        let part = |sessions: &[bool]| Part::begin(nodes, sessions);
        // Sessions for one key see each other.
        let parts = if self.keys {
            vec![part(&self.clients)]
        } else {
            self.clients.chunks(1).map(part).collect()
        };
        let state = State { env: Env::joined(nodes), parts, left: self.left };
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions::list(self, state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        actions::take(self, &mut next, action)?;
        Some(canonical::canonical(self, next))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}
