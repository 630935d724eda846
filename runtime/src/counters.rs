//! What happened on a node, counted.

use std::sync::atomic::{AtomicU64, Ordering};

use throughline_link::CloseCode;

/// One count per close code.
#[derive(Debug)]
pub(crate) struct ByCode([AtomicU64; CloseCode::ALL.len()]);

impl Default for ByCode {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; CloseCode::ALL.len()])
    }
}

impl ByCode {
    /// Counts one more; how many there are now.
    pub(crate) fn add(&self, code: CloseCode) -> u64 {
        let index = CloseCode::ALL.iter().position(|other| *other == code).unwrap_or_default();
        self.0[index].fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn of(&self, code: CloseCode) -> u64 {
        let index = CloseCode::ALL.iter().position(|other| *other == code).unwrap_or_default();
        self.0[index].load(Ordering::Relaxed)
    }
}

/// Counts since the node started.
#[derive(Debug, Default)]
pub struct Counters {
    pub(crate) accepted: AtomicU64,
    pub(crate) moved: AtomicU64,
    pub(crate) foreign_polls: AtomicU64,
    pub(crate) set_aside: AtomicU64,
    pub(crate) failed_turns: AtomicU64,
    pub(crate) refused: ByCode,
    pub(crate) closed: ByCode,
    pub(crate) ended: ByCode,
}

impl Counters {
    /// Connections accepted.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Connections moved to the worker of the session they resume.
    #[must_use]
    pub fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    /// Times a session ran on a thread that is not its worker's: must be 0.
    #[must_use]
    pub fn foreign_polls(&self) -> u64 {
        self.foreign_polls.load(Ordering::Relaxed)
    }

    /// Inputs set aside because their turn failed again and again.
    #[must_use]
    pub fn set_aside(&self) -> u64 {
        self.set_aside.load(Ordering::Relaxed)
    }

    /// Turns that failed, panicked or overran their deadline.
    #[must_use]
    pub fn failed_turns(&self) -> u64 {
        self.failed_turns.load(Ordering::Relaxed)
    }

    /// Handshakes refused with this code.
    #[must_use]
    pub fn refused(&self, code: CloseCode) -> u64 {
        self.refused.of(code)
    }

    /// Connections closed with this code.
    #[must_use]
    pub fn closed(&self, code: CloseCode) -> u64 {
        self.closed.of(code)
    }

    /// Sessions ended with this code.
    #[must_use]
    pub fn ended(&self, code: CloseCode) -> u64 {
        self.ended.of(code)
    }
}

/// Whether the `count`th event of a kind gets a line in the log: the first ones, then ever fewer,
/// so that a flood of them does not become a flood of lines.
pub(crate) const fn is_worth_a_line(count: u64) -> bool {
    count <= 16 || count.is_power_of_two()
}
