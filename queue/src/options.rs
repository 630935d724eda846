//! What a handle may be told.

use std::time::Duration;

use crate::defaults::TOKEN_KEPT;
use crate::{Clock, Limits};

/// How a [`Queue`](crate::Queue) works. The default is good for most.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct QueueOptions {
    /// What queues may hold. Default: that of [`Limits`].
    pub limits: Limits,
    /// How long a batch is kept under its token. Default: [`TOKEN_KEPT`]. Each queue keeps one at
    /// most, of 1 MiB.
    pub token_kept: Duration,
    /// The clock. Default: the system's.
    pub clock: Clock,
    /// The life of this handle, which no earlier handle of the same name may have had. Default:
    /// random. For those whose runs must repeat.
    pub life: Option<u64>,
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            token_kept: TOKEN_KEPT,
            clock: Clock::system(),
            life: None,
        }
    }
}
