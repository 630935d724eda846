//! What one commit checks and writes.

use std::collections::HashSet;

use bytes::Bytes;

use crate::BatchError;
use crate::limits::{
    BATCH_BYTES_MAX, BATCH_CHECKS_MAX, BATCH_WRITES_MAX, VALUE_BYTES_MAX, check_key,
};

/// A condition of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
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

impl Check {
    /// The key that is looked at.
    pub fn key(&self) -> &Bytes {
        match self {
            Self::Equals { key, .. } | Self::Absent { key } => key,
        }
    }

    /// Whether it holds for what the key has now.
    pub fn holds(&self, now: Option<&[u8]>) -> bool {
        match self {
            Self::Equals { value, .. } => now == Some(&value[..]),
            Self::Absent { .. } => now.is_none(),
        }
    }
}

/// A change made by a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
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

impl Write {
    /// The key that changes.
    pub fn key(&self) -> &Bytes {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }

    /// The new value, `None` for a delete.
    pub fn value(&self) -> Option<&Bytes> {
        match self {
            Self::Put { value, .. } => Some(value),
            Self::Delete { .. } => None,
        }
    }
}

/// The checks and writes of one commit, all or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "a batch does nothing before it is committed"]
pub struct Batch {
    checks: Vec<Check>,
    writes: Vec<Write>,
    bytes: usize,
}

impl Batch {
    /// A batch that checks and writes nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Requires that `key` has exactly `value`.
    pub fn check_equals(mut self, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        self.push_check(Check::Equals { key: key.into(), value: value.into() });
        self
    }

    /// Requires that `key` is absent.
    pub fn check_absent(mut self, key: impl Into<Bytes>) -> Self {
        self.push_check(Check::Absent { key: key.into() });
        self
    }

    /// Gives `key` the value `value`.
    pub fn put(mut self, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        self.push_write(Write::Put { key: key.into(), value: value.into() });
        self
    }

    /// Removes `key`.
    pub fn delete(mut self, key: impl Into<Bytes>) -> Self {
        self.push_write(Write::Delete { key: key.into() });
        self
    }

    /// Adds a check.
    pub fn push_check(&mut self, check: Check) {
        let value = match &check {
            Check::Equals { value, .. } => value.len(),
            Check::Absent { .. } => 0,
        };
        self.bytes += check.key().len() + value;
        self.checks.push(check);
    }

    /// Adds a write.
    pub fn push_write(&mut self, write: Write) {
        self.bytes += write.key().len() + write.value().map_or(0, Bytes::len);
        self.writes.push(write);
    }

    /// The checks, in the order they were added; a refusal names one by its index.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// The writes, in the order they were added.
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// Bytes of all keys and values, of checks and writes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a store takes this batch (rule 12 of the law). Every store calls this first.
    ///
    /// # Errors
    /// The first limit exceeded: the caller's fault, and no retry helps.
    pub fn validate(&self) -> Result<(), BatchError> {
        if self.checks.len() > BATCH_CHECKS_MAX {
            return Err(BatchError::TooManyChecks { count: self.checks.len() });
        }
        if self.writes.len() > BATCH_WRITES_MAX {
            return Err(BatchError::TooManyWrites { count: self.writes.len() });
        }
        for check in &self.checks {
            check_key(check.key()).map_err(BatchError::Key)?;
        }
        let mut written = HashSet::with_capacity(self.writes.len());
        for write in &self.writes {
            validate_write(write)?;
            if !written.insert(write.key()) {
                return Err(BatchError::WrittenTwice { key: write.key().clone() });
            }
        }
        if self.bytes > BATCH_BYTES_MAX {
            return Err(BatchError::TooLarge { bytes: self.bytes });
        }
        Ok(())
    }
}

fn validate_write(write: &Write) -> Result<(), BatchError> {
    check_key(write.key()).map_err(BatchError::Key)?;
    match write.value() {
        Some(value) if value.len() > VALUE_BYTES_MAX => {
            let key = write.key().clone();
            Err(BatchError::ValueTooLarge { key, bytes: value.len() })
        }
        _ => Ok(()),
    }
}
