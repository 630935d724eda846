//! What a record in memory is busy with.

use crate::{ask::Ask, entry::Entry, snapshot::Snapshot};

/// What a snapshot is wanted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Goal {
    /// To this node; if it cannot read the version, its client is sent to these addresses.
    Yield(Ask, Entry, Vec<String>),
    Park {
        due: Option<u64>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Doing {
    Nothing,
    /// A turn, a key: this node stays the owner.
    Acting,
    /// A turn that had begun, or ran, when the swap-out was wanted: that goes on afterwards.
    ActingLast(Goal),
    Ending(u16),
    SwappingOut(Goal),
    Leaving(Goal, Snapshot),
    /// The record is to be read, to settle what this was.
    Settling(Box<Self>),
    /// The commit that settles is under way; whether what it settles is in.
    Settled(Box<Self>, bool),
}

impl Doing {
    /// Ends the swap-out, if it is one. Everything else goes on: a commit that is under way is not
    /// forgotten for an answer that was not asked for.
    pub(super) fn end_swap_out(&mut self) -> Option<Goal> {
        match core::mem::replace(self, Self::Nothing) {
            Self::SwappingOut(goal) => Some(goal),
            other => {
                *self = other;
                None
            }
        }
    }

    /// Ends the wait for a read, if it is one, and gives what is to be settled.
    pub(super) fn end_wait_for_read(&mut self) -> Option<Box<Self>> {
        match core::mem::replace(self, Self::Nothing) {
            Self::Settling(doing) => Some(doing),
            other => {
                *self = other;
                None
            }
        }
    }
}
