//! What all sessions have in common: the nodes, and what the store has of them.

use throughline_cluster::{Entry, NodeState};

use crate::{
    Bounds,
    rows::Rows,
    small::{M, R, SmallCommit, V, entry},
};

/// A node, without what it has in memory of sessions.
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
}

impl Node {
    /// One that has joined, and has a lease.
    #[must_use]
    pub const fn joined() -> Self {
        Self {
            inc: 1,
            up: true,
            frozen: false,
            lease: true,
            standing: NodeState::Alive,
            beat: 0,
            busy: false,
        }
    }
}

/// What a commit about nodes is to the one who sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum News {
    /// Its beat, or that it joins.
    Beat,
    /// It begins to drain.
    Drain,
    /// It leaves.
    Leave,
    /// Nothing: nobody waits for it.
    Nobody,
}

/// A commit about nodes on its way to the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeFlight {
    /// Who sent it.
    pub by: M,
    /// What it is to the sender.
    pub of: News,
    /// What it checks and writes of nodes.
    pub commit: SmallCommit,
    /// Which requests of each part it deletes; empty for none of any.
    pub requests: Vec<Vec<R>>,
}

/// What all sessions have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Env {
    /// What the store has of nodes.
    pub rows: Rows,
    /// The nodes.
    pub nodes: Vec<Node>,
    /// Commits about nodes on their way, sorted.
    pub flights: Vec<NodeFlight>,
    /// A standing went back, which a single state does not show.
    pub went_back: bool,
}

impl Env {
    /// Nodes that have joined.
    #[must_use]
    pub fn joined(nodes: usize) -> Self {
        let mut env = Self {
            rows: Rows::default(),
            nodes: vec![Node::joined(); nodes],
            flights: Vec::new(),
            went_back: false,
        };
        for node in 0..nodes {
            let member = env.member(node);
            env.rows.put(R::Node(member.node), Some(V::Incarnation(1)));
            env.rows.put(R::Standing(member), Some(V::Standing(NodeState::Alive)));
            env.rows.put(R::Beat(member), Some(V::Beat(0)));
        }
        env
    }

    /// The standing of a node.
    #[must_use]
    pub fn standing(&self, m: M) -> Option<NodeState> {
        match self.rows.get(R::Standing(m)) {
            Some(V::Standing(state)) => Some(state),
            _ => None,
        }
    }

    /// The present incarnation of a node.
    #[must_use]
    pub fn member(&self, node: usize) -> M {
        M { node: u8::try_from(node).unwrap_or(u8::MAX), inc: self.nodes[node].inc }
    }

    /// Whether this incarnation of a node has a process.
    #[must_use]
    pub fn is_up(&self, m: M) -> bool {
        let node = usize::from(m.node);
        self.member(node) == m && self.nodes[node].up
    }

    /// Whether a node runs, and may act.
    #[must_use]
    pub fn works(&self, node: usize) -> bool {
        let node = &self.nodes[node];
        node.up && !node.frozen && node.lease
    }

    /// Drops commits that nobody waits for and that can no longer land: a standing never goes back.
    pub(crate) fn drop_hopeless(&mut self) {
        let mut flights = core::mem::take(&mut self.flights);
        let is_past = |(row, expected): &(R, Option<V>)| match (row, expected) {
            (R::Standing(m), Some(V::Standing(then))) => {
                self.standing(*m).is_none_or(|now| now > *then)
            }
            _ => false,
        };
        flights.retain(|flight| {
            flight.of != News::Nobody || !flight.commit.guards.iter().any(is_past)
        });
        self.flights = flights;
    }

    /// An entry as it stands in the store.
    pub(crate) fn entry(&self, bounds: &Bounds, m: M) -> Entry {
        entry(m, self.standing(m), bounds.nodes[usize::from(m.node)])
    }

    /// A node's own entry, as it last wrote it.
    pub(crate) fn own_entry(&self, bounds: &Bounds, node: usize) -> Entry {
        entry(self.member(node), Some(self.nodes[node].standing), bounds.nodes[node])
    }
}
