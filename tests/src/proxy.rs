//! A TCP proxy between clients and a node that breaks connections on purpose.
//!
//! What happens to a connection, and when, follows from a seed alone: the decisions are a core
//! without clock and sockets ([`FaultPlan`] and what carries the bytes), and a thin driver on tokio
//! executes them. The proxy knows nothing of the link protocol: it works on bytes, also on those of
//! WebSockets.
//!
//! # Layout
//! - `faults`: which faults there are, and how often each is wanted.
//! - `plan`: which fault comes when, from a seed.
//! - `pipe`: the bytes of one direction on their way, delayed, throttled, split or swallowed.
//! - `wire`: one proxied connection: its plan and two pipes.
//! - `counters`: how often each fault really fired.
//! - `driver`: the sockets.

mod counters;
mod driver;
mod faults;
mod pipe;
mod plan;
#[cfg(test)]
mod tests;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;

pub use counters::{Counters, Fired};
pub use faults::{Fault, Faults, Kind, Way};
pub use plan::FaultPlan;

use counters::Shared;

/// Injected faults that a connection may have waiting. Tests inject a few by hand; a connection
/// that lags further behind misses the oldest.
const INJECTED_MAX: usize = 64;

/// Events that wait for a watcher. A `load` run has some thousand breaks for all its proxies
/// together; what comes beyond is counted, but not told.
pub const FIRED_MAX: usize = 16_384;

/// A running proxy. Dropping it closes its listener and all its connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    faults: watch::Sender<Faults>,
    injected: broadcast::Sender<Fault>,
    shared: Arc<Shared>,
    acceptor: JoinHandle<()>,
}

impl Proxy {
    /// Starts a proxy to `target` on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When no port can be listened on: the environment's fault; retrying rarely helps.
    pub async fn start(target: SocketAddr, faults: Faults) -> io::Result<Self> {
        Self::start_with(target, faults, None).await
    }

    /// As [`Proxy::start`], and tells each fault as it fires, up to [`FIRED_MAX`] waiting.
    ///
    /// # Errors
    /// As [`Proxy::start`].
    pub async fn watched(
        target: SocketAddr,
        faults: Faults,
    ) -> io::Result<(Self, mpsc::Receiver<Fired>)> {
        let (sender, receiver) = mpsc::channel(FIRED_MAX);
        Ok((Self::start_with(target, faults, Some(sender)).await?, receiver))
    }

    async fn start_with(
        target: SocketAddr,
        faults: Faults,
        watcher: Option<mpsc::Sender<Fired>>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(watcher));
        let (faults, wanted) = watch::channel(faults);
        let (injected, _) = broadcast::channel(INJECTED_MAX);
        let door = driver::Door {
            listener,
            target,
            wanted,
            injected: injected.clone(),
            shared: Arc::clone(&shared),
        };
        let acceptor = tokio::spawn(door.accept());
        Ok(Self { address, faults, injected, shared, acceptor })
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Replaces the faults: at once for open connections, whose plans start anew, and for later
    /// ones. What has begun goes on: a black-holed connection stays black-holed.
    pub fn set(&self, faults: Faults) {
        self.faults.send_replace(faults);
    }

    /// Gives every open connection this fault now.
    pub fn inject(&self, fault: Fault) {
        // An error says that no connection is open: then there is nothing to break.
        let _ = self.injected.send(fault);
    }

    /// Closes every open connection, both sides.
    pub fn cut_all(&self) {
        self.inject(Fault::Cut);
    }

    /// How often each fault fired so far, and how many connections came.
    pub fn counters(&self) -> Counters {
        self.shared.counters()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}
