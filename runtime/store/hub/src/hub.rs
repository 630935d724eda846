//! The side that lends.

use std::fmt;
use std::sync::Arc;

use throughline_store::Store;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::limits::{CONNECTIONS_MAX, HANDSHAKES_MAX, HUB_UNITS_MAX, STOP_TIMEOUT};
use crate::{Address, Secret, ServeError};

mod calls;
mod charge;
mod connection;
mod counters;
mod handshake;
mod hints;
mod listener;

use counters::Counters;
pub use counters::Counts;
use listener::Listener;

/// A store, lent to the processes of this machine. Dropping it ends it as [`abort`](Self::abort)
/// does, but soon, not at once.
pub struct Hub {
    shared: Arc<Shared>,
    addresses: Vec<Address>,
    /// Aborts them when it is dropped.
    accepting: JoinSet<()>,
    stopping: watch::Sender<bool>,
}

/// What all connections of a hub share.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) secret: Secret,
    pub(crate) counters: Counters,
    /// What calls under way may take, of all connections together, in units.
    pub(crate) room: Arc<Semaphore>,
    /// Places for connections that have not proved the secret.
    pub(crate) handshakes: Arc<Semaphore>,
    /// Places for those that have.
    pub(crate) places: Arc<Semaphore>,
    /// Whether the hub stops.
    pub(crate) stopping: watch::Receiver<bool>,
}

impl Hub {
    /// Lends `store` at all these addresses to those who know `secret`, until it is stopped or
    /// dropped. The store stays the caller's, to use and to close; close it after the hub.
    ///
    /// A socket that a dead hub left is taken over; its path plus `.lock` is the file that tells.
    ///
    /// # Errors
    /// No address, one that other machines reach, one that is taken, or the system's refusal; then
    /// it listens nowhere.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O and time.
    pub async fn serve(
        store: Arc<dyn Store>,
        secret: Secret,
        addresses: &[Address],
    ) -> Result<Self, ServeError> {
        if addresses.is_empty() {
            return Err(ServeError::NoAddress);
        }
        let mut listeners = Vec::new();
        for address in addresses {
            listeners.push(Listener::open(address).await?);
        }
        let (stopping, stops) = watch::channel(false);
        let shared = Arc::new(Shared {
            store,
            secret,
            counters: Counters::default(),
            room: Arc::new(Semaphore::new(HUB_UNITS_MAX)),
            handshakes: Arc::new(Semaphore::new(HANDSHAKES_MAX)),
            places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            stopping: stops,
        });
        let addresses = listeners.iter().map(|listener| listener.address().clone()).collect();
        let mut accepting = JoinSet::new();
        for listener in listeners {
            accepting.spawn(accept(listener, shared.clone()));
        }
        Ok(Self { shared, addresses, accepting, stopping })
    }

    /// Where it listens, in the order given, with the real port where 0 was asked for.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// What it has done so far.
    pub fn counts(&self) -> Counts {
        self.shared.counters.counts(CONNECTIONS_MAX - self.shared.places.available_permits())
    }

    /// Takes no more calls, answers those under way, for [`STOP_TIMEOUT`] at most, and gives up
    /// the addresses. When it returns, nothing of the hub is left.
    pub async fn stop(self) {
        let Self { shared, mut accepting, stopping, .. } = self;
        drop(shared);
        stopping.send_replace(true);
        let all = async { while accepting.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_TIMEOUT, all).await.is_err() {
            log::warn!("hub: stopped with calls under way after {STOP_TIMEOUT:?}");
        }
        accepting.shutdown().await;
        stopping.closed().await;
    }

    /// Ends at once, as a kill would: calls under way are unknown to their callers. When it
    /// returns, nothing of the hub is left.
    pub async fn abort(self) {
        let Self { shared, mut accepting, stopping, .. } = self;
        drop(shared);
        accepting.shutdown().await;
        // Each connection looks at this until it is gone, and its calls with it.
        stopping.closed().await;
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// Accepts connections until the hub stops, then waits for them. The connections are this task's:
/// if it is aborted, they end with it.
async fn accept(listener: Listener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    let mut stopping = shared.stopping.clone();
    loop {
        while connections.try_join_next().is_some() {}
        let next = async {
            let handshakes = shared.handshakes.clone();
            // Before the connection is taken, so that the backlog holds those that are too many.
            let place = handshakes.acquire_owned().await.ok()?;
            Some((listener.accept().await, place))
        };
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => break,
            next = next => {
                let Some((stream, place)) = next else { break };
                connections.spawn(handshake::serve(stream, place, shared.clone()));
            }
        }
    }
    // The address is given up first: whoever connects now belongs to the next hub.
    drop(listener);
    while connections.join_next().await.is_some() {}
}
