//! What clients and nodes say to each other about a session.

use crate::small::{H, M};

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

    /// Who gets it.
    #[must_use]
    pub const fn receiver(&self) -> M {
        match self {
            Self::Resume { to, .. }
            | Self::Ask { to, .. }
            | Self::Granted { to, .. }
            | Self::Denied { to, .. }
            | Self::EndKey { to, .. } => *to,
        }
    }

    /// Which node sent it, if the receiver has to know.
    #[must_use]
    pub const fn sender(&self) -> Option<M> {
        match self {
            Self::Ask { from, .. } => Some(*from),
            _ => None,
        }
    }
}
