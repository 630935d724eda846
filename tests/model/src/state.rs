//! A state of the whole: the nodes, and parts that see the nodes and not each other.
//!
//! Every step is one of two. A step of a part changes that part, by what it is and what the nodes
//! are (`view`). A step of the nodes (`member`) changes them, by what they are, and each part, by
//! what it is; one that lets a node go hears of each part whether the node owns something of it,
//! and the law refuses it if of any. So each step of several parts is, for each of them, a step
//! that it takes alone, or nothing: whatever holds in every state of one part holds of each of
//! several, within the same bounds (a simulation: Milner, *An algebraic definition of simulation
//! between programs*, 1971). Unknown outcomes and due times are counted for all parts together, as
//! they are for one: what another part uses up only keeps steps from happening. It says nothing of
//! what happens in the end.

use crate::{env::Env, part::Part};

/// Close codes of the model.
pub const LOST: u16 = 1;
/// The game ended it.
pub const ENDED: u16 = 3;
/// Another session took the key.
pub const KEY_TAKEN: u16 = 2;

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

/// A state of the whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    /// The nodes.
    pub env: Env,
    /// Sessions for one key together, others each alone.
    pub parts: Vec<Part>,
    /// What may still go wrong.
    pub left: Left,
}

impl State {
    /// What one part sees: itself, as the only one, and the nodes.
    #[must_use]
    pub fn seen_by(&self, part: usize) -> Self {
        let mut seen = self.clone();
        seen.parts = vec![self.parts[part].clone()];
        for flight in &mut seen.env.flights {
            let own = flight.requests.get(part).filter(|rows| !rows.is_empty());
            flight.requests = own.cloned().into_iter().collect();
        }
        seen
    }
}
