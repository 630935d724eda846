//! What a client of a hub is told.

use std::time::Duration;

use crate::limits::{CALL_WAIT, COMMIT_DEADLINE, READ_DEADLINE};
use crate::{Address, Secret};

/// Where the hub is, the secret, and how long calls may wait.
#[derive(Debug, Clone)]
pub struct Options {
    pub(crate) address: Address,
    pub(crate) secret: Secret,
    pub(crate) waits: Waits,
}

/// How long calls may wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waits {
    pub(crate) call: Duration,
    pub(crate) read: Duration,
    pub(crate) commit: Duration,
}

impl Options {
    /// The hub at this address, with the defaults.
    pub fn new(address: Address, secret: Secret) -> Self {
        let waits = Waits { call: CALL_WAIT, read: READ_DEADLINE, commit: COMMIT_DEADLINE };
        Self { address, secret, waits }
    }

    /// How long a call waits to be sent while the hub is away or too much is under way; then it
    /// answers `Down`, and nothing of it was written. Default 5 s ([`CALL_WAIT`]).
    pub fn call_wait(&mut self, wait: Duration) -> &mut Self {
        self.waits.call = wait;
        self
    }

    /// How long a read that was sent may take in all, over as many connections as it needs; then
    /// it answers `Down`. Default 10 s ([`READ_DEADLINE`]).
    pub fn read_deadline(&mut self, deadline: Duration) -> &mut Self {
        self.waits.read = deadline;
        self
    }

    /// How long a commit that was sent waits for its answer; then it answers `Unknown`. Default
    /// 10 s ([`COMMIT_DEADLINE`]). Shorter than a slow disk's sync, it makes commits unknown that
    /// were merely slow.
    pub fn commit_deadline(&mut self, deadline: Duration) -> &mut Self {
        self.waits.commit = deadline;
        self
    }
}
