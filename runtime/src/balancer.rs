//! A load balancer for development: it spreads connections over the nodes of a cluster in turn, and
//! leaves out those that are not ready. It knows nothing of sessions or of the link.
//!
//! # Layout
//! - `options`: its command line; `error`: why it does not start
//! - `rotation`: which node is next; `health`: whether a node is ready
//! - `forward`: one connection; `pipe`: its bytes, both ways; `unavailable`: what HTTP is told when
//!   no node is ready

mod error;
mod forward;
mod health;
mod options;
mod pipe;
mod rotation;
mod unavailable;

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::listen::{self, Entrance};

use forward::Forward;
use rotation::Rotation;

pub(crate) use error::BalancerError;
pub(crate) use options::{BalancerOptions, NodeAddresses};

/// Connections forwarded at once: the default limit of one node. Each has two file descriptors and
/// two buffers of [`pipe::COPY_BYTES`]. Beyond it, others wait to be accepted.
const CONNECTIONS_MAX: usize = 20_000;

/// After an error of `accept`, such as no free file descriptor, nothing is accepted for so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A balancer that listens and forwards nothing yet.
#[derive(Debug)]
pub(crate) struct Balancer {
    http: TcpListener,
    link: TcpListener,
    http_address: SocketAddr,
    link_address: SocketAddr,
    rotation: Arc<Rotation>,
    from: Option<std::net::IpAddr>,
}

impl Balancer {
    /// Binds both listeners.
    ///
    /// # Errors
    /// A taken port, or options that contradict each other. The same options fail again.
    pub(crate) fn bind(options: &BalancerOptions) -> Result<Self, BalancerError> {
        options.check()?;
        let bind = |address, flag| {
            let listen = |source| BalancerError::Listen { address, flag, source };
            let listener = listen::bind(address).map_err(listen)?;
            let bound = listener.local_addr().map_err(listen)?;
            Ok::<_, BalancerError>((listener, bound))
        };
        let (http, http_address) = bind(options.http, "http")?;
        let (link, link_address) = bind(options.link, "link")?;
        let rotation = Arc::new(Rotation::new(&options.nodes));
        Ok(Self { http, link, http_address, link_address, rotation, from: options.from })
    }

    /// Where pages and WebSocket links are forwarded; a port that was 0 is filled in.
    pub(crate) fn http_address(&self) -> SocketAddr {
        self.http_address
    }

    /// Where TCP links are forwarded; a port that was 0 is filled in.
    pub(crate) fn link_address(&self) -> SocketAddr {
        self.link_address
    }

    /// Forwards until `stop` is there; then every connection is dropped. Runs within a tokio
    /// runtime of one or more threads.
    ///
    /// # Errors
    /// The runtime takes no listener. The system's fault.
    pub(crate) async fn serve(self, stop: impl Future<Output = ()>) -> Result<(), BalancerError> {
        let http = tokio::net::TcpListener::from_std(self.http)?;
        let link = tokio::net::TcpListener::from_std(self.link)?;
        // Dropped with everything in it when this function returns.
        let mut checks = JoinSet::new();
        for node in 0..self.rotation.nodes().len() {
            checks.spawn(health::watch(Arc::clone(&self.rotation), node));
        }
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let forward = |entrance| {
            let rotation = Arc::clone(&self.rotation);
            Forward { rotation, entrance, from: self.from }
        };
        tokio::select! {
            () = accept(http, forward(Entrance::Http), Arc::clone(&places)) => {}
            () = accept(link, forward(Entrance::Link), places) => {}
            () = stop => {}
        }
        Ok(())
    }
}

/// Accepts and forwards, for ever.
async fn accept(listener: tokio::net::TcpListener, forward: Forward, places: Arc<Semaphore>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        // Never closed; and if it were, there would be nothing left to accept for.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((client, peer)) => {
                let forward = forward.clone();
                connections.spawn(async move {
                    forward.run(client, peer).await;
                    drop(place);
                });
            }
            Err(error) => {
                log::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Listens, says so in one line on standard output, and forwards until `stop` is there.
///
/// # Errors
/// See [`Balancer::bind`] and [`Balancer::serve`].
pub(crate) async fn serve(
    options: BalancerOptions,
    stop: impl Future<Output = ()>,
) -> Result<(), BalancerError> {
    let balancer = Balancer::bind(&options)?;
    let (http, link) = (balancer.http_address(), balancer.link_address());
    let count = options.nodes.len();
    let nodes = if count == 1 { "node" } else { "nodes" };
    // Whoever reads may have gone: that is no reason to stop.
    let _ = writeln!(
        std::io::stdout(),
        "balancer   {count} {nodes} behind http://{http}   tcp://{link}   (Ctrl-C stops)"
    );
    balancer.serve(stop).await
}

/// Runs a balancer until Ctrl-C or SIGTERM: the subcommand. The exit status is 0 then, and 1 if it
/// did not start.
pub(crate) fn run(options: BalancerOptions) -> ExitCode {
    // Fails if the program has set up a log of its own, which then is the right one.
    let _ = env_logger::Builder::new()
        .filter_level(log::LevelFilter::Info)
        .format_timestamp_secs()
        .try_init();
    let forwarded = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(BalancerError::from)
        .and_then(|runtime| {
            runtime.block_on(async {
                // Before anybody can know that the balancer is there.
                let stop = signal()?;
                serve(options, stop).await
            })
        });
    match forwarded {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Ctrl-C, and SIGTERM where there is one.
fn signal() -> std::io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    let mut signals = {
        use tokio::signal::unix::{SignalKind, signal};
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    Ok(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = signals.0.recv() => {}
            _ = signals.1.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    })
}

#[cfg(test)]
mod tests;
