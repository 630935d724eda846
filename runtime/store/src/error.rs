//! One enum per operation. Each variant says whose fault it is and whether retrying helps.

use std::time::Duration;

use bytes::Bytes;

use crate::limits::{
    BATCH_BYTES_MAX, BATCH_CHECKS_MAX, BATCH_WRITES_MAX, KEY_BYTES_MAX, VALUE_BYTES_MAX,
    WATCHES_MAX,
};

/// So much of a key is shown in an error: enough to know it, and a log line stays one.
const SHOWN_BYTES_MAX: usize = 96;

/// A key as an error shows it.
fn shown(key: &Bytes) -> String {
    let head = &key[..key.len().min(SHOWN_BYTES_MAX)];
    let more = if head.len() < key.len() { ".." } else { "" };
    format!("{}{more}", head.escape_ascii())
}

/// The check that did not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("check {check} does not hold for the key \"{}\"", shown(key))]
pub struct Refusal {
    /// Its index in the batch.
    pub check: usize,
    /// Its key.
    pub key: Bytes,
}

/// The store does not work at present, by no fault of the caller. The same call may succeed later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the store is down: {reason}")]
pub struct Outage {
    /// What is wrong and what an operator can do.
    pub reason: String,
    /// When trying again makes sense, at the earliest.
    pub retry_after: Duration,
}

/// Stored bytes are not those that were committed: the fault of a disk, or of who changed files.
/// Retrying does not help; the text says what does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the store is damaged: {detail}")]
pub struct Corruption {
    /// What is damaged, where, and the way out.
    pub detail: String,
}

/// A key that no store takes. The caller's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A key has at least one byte.
    #[error("the key is empty")]
    Empty,
    /// Longer than `KEY_BYTES_MAX`.
    #[error("the key has {bytes} bytes, at most {KEY_BYTES_MAX}")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
}

/// A batch that no store takes. The caller's fault; nothing was written, and no retry helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// A key is empty or too long.
    #[error(transparent)]
    Key(KeyError),
    /// A value is longer than `VALUE_BYTES_MAX`.
    #[error("the value of \"{}\" has {bytes} bytes, at most {VALUE_BYTES_MAX}", shown(key))]
    ValueTooLarge {
        /// Its key.
        key: Bytes,
        /// Its length.
        bytes: usize,
    },
    /// More than `BATCH_CHECKS_MAX` checks.
    #[error("the batch has {count} checks, at most {BATCH_CHECKS_MAX}")]
    TooManyChecks {
        /// How many.
        count: usize,
    },
    /// More than `BATCH_WRITES_MAX` writes.
    #[error("the batch has {count} writes, at most {BATCH_WRITES_MAX}")]
    TooManyWrites {
        /// How many.
        count: usize,
    },
    /// More than `BATCH_BYTES_MAX` bytes of keys and values.
    #[error("the batch has {bytes} bytes of keys and values, at most {BATCH_BYTES_MAX}")]
    TooLarge {
        /// How many.
        bytes: usize,
    },
    /// A key is written more than once.
    #[error("the batch writes the key \"{}\" twice", shown(key))]
    WrittenTwice {
        /// The key.
        key: Bytes,
    },
}

/// Why a commit did not succeed. Only [`Unknown`](Self::Unknown) may have written something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// A check did not hold. Read again, and decide anew; the same batch is refused again.
    #[error(transparent)]
    Refused(Refusal),
    /// Whether it took effect is not known: a broken connection or a failed sync, nobody's fault
    /// here. Settle it as rule 9 of the law says; do not just try again.
    #[error("the outcome of the commit is unknown: {reason}")]
    Unknown {
        /// What happened.
        reason: String,
    },
    /// The store does not work at present; nothing was written. Retrying helps, later.
    #[error(transparent)]
    Down(Outage),
    /// The batch breaks a limit: the caller's fault.
    #[error(transparent)]
    Invalid(BatchError),
    /// What a check or write had to read is damaged; nothing was written.
    #[error(transparent)]
    Corrupt(Corruption),
    /// The store was closed before; nothing was written.
    #[error("the store is closed")]
    Closed,
}

/// Why a value could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GetError {
    /// The store does not work at present. Retrying helps, later.
    #[error(transparent)]
    Down(Outage),
    /// The key is none: the caller's fault.
    #[error(transparent)]
    Key(KeyError),
    /// The value is damaged.
    #[error(transparent)]
    Corrupt(Corruption),
    /// The store was closed before.
    #[error("the store is closed")]
    Closed,
}

/// Why a page could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// The store does not work at present. Retrying helps, later.
    #[error(transparent)]
    Down(Outage),
    /// An end of the range is longer than a key: the caller's fault.
    #[error(transparent)]
    Range(KeyError),
    /// An entry of the page is damaged.
    #[error(transparent)]
    Corrupt(Corruption),
    /// The store was closed before.
    #[error("the store is closed")]
    Closed,
}

/// Why a watch could not begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// `WATCHES_MAX` are there already. Dropping one helps.
    #[error("the store has {WATCHES_MAX} watches, which is its limit")]
    TooMany,
    /// The prefix is longer than a key: the caller's fault.
    #[error(transparent)]
    Prefix(KeyError),
    /// The store was closed before.
    #[error("the store is closed")]
    Closed,
}

/// Why closing did not go well. The store is closed all the same, and all it acknowledged is kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseError {
    /// The last sync or the release of the files failed: the environment's fault.
    #[error("the store did not close cleanly: {reason}")]
    Unclean {
        /// What happened.
        reason: String,
    },
}
