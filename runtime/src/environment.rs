//! What a node runs in: threads, clocks, chance, network and store, of the system or injected.
//!
//! A node that [`start`](crate::NodeBuilder::start) starts has threads of its own, the system's
//! clocks, random numbers and sockets. One that [`start_here`](crate::NodeBuilder::start_here)
//! starts has what its [`Environment`] says, and runs on its caller's thread.
//!
//! # Layout
//! - `network`: byte streams between hosts; `spawner`: where tasks run
//! - `seen`: the wall clock and the random numbers of the node that runs on this thread now

mod network;
mod seen;
mod spawner;

use std::fmt;
use std::sync::Arc;

use throughline_store::Store;

pub use network::{BoxStream, ByteStream, Connecting, Incoming, Network};
pub(crate) use network::{Joined, Listener, Wire};
pub(crate) use seen::{Seen, fill_random, random_u64, seen_start, seen_wall_ms};
pub(crate) use spawner::Spawner;

/// The world of a node that runs on its caller's thread, for tests and simulations: see
/// [`NodeBuilder::start_here`](crate::NodeBuilder::start_here).
///
/// Its monotonic clocks are those of the tokio runtime that polls the node, so they may be paused;
/// its wall clock follows them from `wall_ms` on. All its random numbers, session ids and secrets
/// among them, come from `seed`, and whoever knows that knows them: never serve strangers so.
#[derive(Clone)]
pub struct Environment {
    pub(crate) network: Arc<dyn Network>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) secret: Arc<[u8]>,
    pub(crate) seed: u64,
    pub(crate) wall_ms: u64,
}

/// The wall clock of a node whose environment does not say: 2026-01-01, 00:00 UTC, in milliseconds
/// since 1970.
pub const WALL_MS: u64 = 1_767_225_600_000;

impl Environment {
    /// The nodes of a cluster have networks that reach each other, stores with one content, and
    /// one secret of 16 bytes or more; each start of each node has another seed.
    #[must_use]
    pub fn new(
        network: impl Network,
        store: Arc<dyn Store>,
        secret: impl AsRef<[u8]>,
        seed: u64,
    ) -> Self {
        let secret = Arc::from(secret.as_ref());
        Self { network: Arc::new(network), store, secret, seed, wall_ms: WALL_MS }
    }

    /// What the wall clock shows at the start, in milliseconds since 1970 UTC; 2026-01-01 by
    /// default.
    #[must_use]
    pub const fn wall_ms(mut self, wall_ms: u64) -> Self {
        self.wall_ms = wall_ms;
        self
    }
}

impl fmt::Debug for Environment {
    /// Leaves out the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("network", &self.network)
            .field("store", &self.store)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}
