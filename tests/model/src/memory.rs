//! What a node has in memory of a record, and of those who want it.

use crate::small::{H, M};

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
