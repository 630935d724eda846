//! A state of the whole: store, nodes, clients, messages, commits on their way.

use throughline_cluster::NodeState;

use crate::{
    Bounds,
    small::{H, M, R, SmallCommit, V},
};

/// Close codes of the model.
pub const LOST: u16 = 1;
/// The game ended it.
pub const ENDED: u16 = 3;
/// Another session took the key.
pub const KEY_TAKEN: u16 = 2;

/// What a node waits for, about one record it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// Nothing: a turn may begin.
    Idle,
    /// The commit before its first effect.
    First,
    /// The commit of a turn.
    Turn,
    /// The commit that lets a client in with a higher attempt, while there is a snapshot.
    Counter,
    /// The commit that gives it to this node.
    Yield(M),
    /// The commit that parks it.
    Park,
    /// The commit that ends it.
    End,
    /// The commit that gets it the key.
    Key,
    /// The commit that settles another, which was this; `true`: that one is known to be in.
    Settle(bool),
    /// Nothing is known of the last commit: suspended. What it would have made of the header.
    Unknown,
}

/// One record in the memory of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Held {
    /// The header as last written.
    pub header: H,
    /// What the last commit would make of it; equal to `header` when idle.
    pub proposed: H,
    /// Messages handled: the state of the game.
    pub handled: u8,
    /// Messages handled in the turn that `proposed` commits.
    pub staged: u8,
    /// Its first commit is in: effects may leave.
    pub started: bool,
    /// The client's attempt that is connected here, 0 for none.
    pub conn: u8,
    /// The client's attempt that is to be let in by the commit under way.
    pub joining: u8,
    /// What it waits for.
    pub op: Op,
    /// What was under way when its outcome became unknown.
    pub was: Was,
}

/// What kind of commit has an unknown outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Was {
    /// None.
    Nothing,
    /// One after which this node still owns it, and effects leave.
    Acting,
    /// One after which it does not.
    Leaving,
}

/// Where a resume stands on its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The record is to be read.
    Read,
    /// The owner was asked.
    Asked(M),
    /// A commit that makes this node the owner is on its way.
    Committing,
}

/// A resume on its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The client's attempt.
    pub attempt: u8,
    /// Where it stands.
    pub stage: Stage,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// Its incarnation.
    pub inc: u8,
    /// Its process runs: not crashed, not gone.
    pub up: bool,
    /// Its process is stopped.
    pub frozen: bool,
    /// It may act, by its own clock.
    pub lease: bool,
    /// Its standing, as it last wrote it.
    pub standing: NodeState,
    /// The number of the last beat it proposed: none is proposed twice.
    pub beat: u8,
    /// A commit about itself is on its way.
    pub busy: bool,
    /// What it holds.
    pub held: Vec<Option<Held>>,
    /// The resumes it works on.
    pub places: Vec<Option<Place>>,
}

/// A client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Client {
    /// Its highest attempt.
    pub attempt: u8,
    /// Messages it sent that were acknowledged.
    pub acked: u8,
    /// The highest attempt a node let in.
    pub welcomed: u8,
    /// It was told that its session is over.
    pub over: bool,
}

/// A message on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    /// A client comes back.
    Resume {
        /// The record.
        record: u8,
        /// The attempt.
        attempt: u8,
        /// Where.
        to: M,
    },
    /// A node wants a record.
    Ask {
        /// The record.
        record: u8,
        /// The attempt.
        attempt: u8,
        /// Who wants it.
        from: M,
        /// Its owner.
        to: M,
    },
    /// It gets it.
    Granted {
        /// The record.
        record: u8,
        /// The attempt.
        attempt: u8,
        /// The header after the commit.
        header: H,
        /// The snapshot.
        handled: u8,
        /// Who gets it.
        to: M,
    },
    /// It does not get it now: it reads again.
    Denied {
        /// The record.
        record: u8,
        /// The attempt.
        attempt: u8,
        /// Who does not get it.
        to: M,
    },
    /// A node wants the key that this record has.
    EndKey {
        /// The record.
        record: u8,
        /// Its owner.
        to: M,
    },
}

impl Message {
    /// The record that it is about.
    #[must_use]
    pub const fn record(&self) -> u8 {
        match self {
            Self::Resume { record, .. }
            | Self::Ask { record, .. }
            | Self::Granted { record, .. }
            | Self::Denied { record, .. }
            | Self::EndKey { record, .. } => *record,
        }
    }
}

/// Whose commit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Of {
    /// A record in memory.
    Held(u8),
    /// A resume: the record, its attempt, and the number of messages in the snapshot read.
    Place(u8, u8, u8),
    /// The node itself: beat, drain, leave, join.
    Beat,
    /// The node begins to drain.
    Drain,
    /// The node leaves.
    Leave,
    /// Nobody waits for it.
    Nobody,
}

/// A commit on its way to the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flight {
    /// Who sent it.
    pub by: M,
    /// What it is about.
    pub of: Of,
    /// The header after it.
    pub after: Option<H>,
    /// What it is.
    pub commit: SmallCommit,
}

/// How many more faults and choices there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Left {
    /// Crashes and freezes.
    pub faults: u8,
    /// Commits whose outcome a node does not learn.
    pub unknown: u8,
    /// Drains.
    pub drains: u8,
    /// Incarnations that may still join.
    pub joins: u8,
    /// Records that may become due.
    pub dues: u8,
}

/// A rule that a step broke, for what a single state does not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Broken {
    /// A client was let in with an attempt below an earlier one.
    pub attempt: bool,
    /// A header went back.
    pub version: bool,
    /// A standing went back.
    pub standing: bool,
    /// A record was deleted though it was owned or not due.
    pub removed: bool,
    /// A node acted for a record and lacked what was acknowledged.
    pub stale: bool,
}

/// A state of the whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    /// The store, sorted by row.
    pub store: Vec<(R, V)>,
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The clients; each has one session.
    pub clients: Vec<Client>,
    /// Messages on their way, sorted.
    pub net: Vec<Message>,
    /// Commits on their way, sorted.
    pub flights: Vec<Flight>,
    /// What may still go wrong.
    pub left: Left,
    /// What was broken.
    pub broken: Broken,
    /// Records that are due.
    pub due: Vec<bool>,
}

impl State {
    /// What stands in a row.
    #[must_use]
    pub fn get(&self, row: R) -> Option<V> {
        self.store.binary_search_by(|(r, _)| r.cmp(&row)).ok().map(|at| self.store[at].1)
    }

    /// Writes a row.
    pub fn put(&mut self, row: R, value: Option<V>) {
        match (self.store.binary_search_by(|(r, _)| r.cmp(&row)), value) {
            (Ok(at), Some(value)) => self.store[at].1 = value,
            (Ok(at), None) => {
                self.store.remove(at);
            }
            (Err(at), Some(value)) => self.store.insert(at, (row, value)),
            (Err(_), None) => {}
        }
    }

    /// The header of a record.
    #[must_use]
    pub fn header(&self, record: u8) -> Option<H> {
        match self.get(R::Header(record)) {
            Some(V::Header(h)) => Some(h),
            _ => None,
        }
    }

    /// What its snapshot holds, if it has one.
    #[must_use]
    pub fn snapshot(&self, record: u8) -> Option<u8> {
        match self.get(R::Snapshot(record)) {
            Some(V::Snapshot(_, _, handled)) => Some(handled),
            _ => None,
        }
    }

    /// The standing of a node.
    #[must_use]
    pub fn standing(&self, m: M) -> Option<NodeState> {
        match self.get(R::Standing(m)) {
            Some(V::Standing(state)) => Some(state),
            _ => None,
        }
    }

    /// The present incarnation of a node.
    #[must_use]
    pub fn member(&self, node: usize) -> M {
        let inc = self.nodes[node].inc;
        M { node: u8::try_from(node).unwrap_or(u8::MAX), inc }
    }

    /// Whether no more messages about this record may be on their way.
    pub(crate) fn is_full(&self, bounds: &Bounds, record: u8) -> bool {
        let about = self.net.iter().filter(|message| message.record() == record);
        about.count() >= bounds.messages
    }

    /// Whether a node runs, and may act.
    #[must_use]
    pub fn works(&self, node: usize) -> bool {
        let node = &self.nodes[node];
        node.up && !node.frozen && node.lease
    }
}
