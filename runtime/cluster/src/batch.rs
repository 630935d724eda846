//! What goes to the store: checks and writes over an ordered keyspace of bytes.
//!
//! The same shape as the store's own batch, one to one, without its dependencies. Order is kept,
//! so that the index of a refused check names a guard of the [`Commit`](crate::Commit); what other
//! packages add comes behind.

use bytes::Bytes;

/// One commit: all of it or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Batch {
    /// All must hold, whether their key is written or not.
    pub checks: Vec<Check>,
    /// What is written then; no key twice.
    pub writes: Vec<Write>,
}

/// A condition of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Check {
    /// The key is there, with exactly this value.
    Equals {
        /// The key.
        key: Bytes,
        /// Its value.
        value: Bytes,
    },
    /// The key is not there.
    Absent {
        /// The key.
        key: Bytes,
    },
}

/// A change of one key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Write {
    /// The key gets this value, whether it was there or not.
    Put {
        /// The key.
        key: Bytes,
        /// Its new value.
        value: Bytes,
    },
    /// The key is gone, whether it was there or not.
    Delete {
        /// The key.
        key: Bytes,
    },
}
