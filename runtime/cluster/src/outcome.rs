//! What the store says of a commit.

/// The store's answer to a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is in, durably.
    Done,
    /// A check did not hold; nothing was written. Read again.
    Refused,
    /// Nobody knows: the connection broke, or a sync failed. It may still land later.
    Unknown,
}
