//! What nodes say to each other about a record.

use crate::{
    header::Header,
    id::{Member, RecordId},
    refusal::Refusal,
    snapshot::Snapshot,
};

/// A node wants a record for a client that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The record.
    pub id: RecordId,
    /// The epoch it read.
    pub epoch: u64,
    /// Tells this request from others of the same node.
    pub request: u64,
    /// Who asks.
    pub from: Member,
    /// Who is asked.
    pub to: Member,
    /// The client's attempt, its proof checked by the one who asks.
    pub attempt: u64,
}

/// The owner's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The record is the asker's: the header as committed, and the snapshot.
    Granted(Box<Header>, Snapshot),
    /// It is not the owner's (any more): read again.
    ReadAgain,
    /// The client is refused.
    Refused(Refusal),
}
