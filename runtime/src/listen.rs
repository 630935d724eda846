//! Listeners: they accept connections and spread them over the workers.

mod http;
mod proxied;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;

use crate::{
    admission::{ConnectionPermit, Full, Permit},
    environment::Incoming,
    handshake::{self, Stranger},
    node::Shared,
    transport::Transport,
    worker::{Worker, WorkerHandle},
};

pub use http::Page;
pub(crate) use http::{Pages, Site};
pub(crate) use proxied::header_of_client;

use proxied::Network;

/// What a listener accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entrance {
    /// Pages, and WebSocket links.
    Http,
    /// TCP links.
    Link,
}

/// Connections that wait to be accepted: a wave of reconnecting clients fits.
const BACKLOG: i32 = 4096;

/// After an error of `accept`, such as no free file descriptor, nothing is accepted for so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Opens a listening socket.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
    if address.is_ipv6() {
        // `[::]` means IPv6 only: IPv4 has an address of its own in the configuration.
        socket.set_only_v6(true)?;
    }
    // A restarted node gets its port back at once. Elsewhere this option means something else.
    if cfg!(unix) {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Accepts until the node stops. Runs on one worker; connections go to all in turn.
pub(crate) async fn accept(
    node: Arc<Shared>,
    listener: TcpListener,
    entrance: Entrance,
    workers: Vec<WorkerHandle>,
    next_worker: Arc<AtomicUsize>,
) {
    let mut stopping = node.stopping.subscribe();
    // Every entry is a network: that was checked with the configuration.
    let proxies = node.config.listen.proxy_from.iter().filter_map(|text| text.parse().ok());
    let proxies: Arc<[Network]> = proxies.collect();
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            log::error!("cannot listen: {error}");
            return;
        }
    };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stopping| *stopping) => return,
        };
        let (stream, peer) = match accepted {
            Ok((stream, peer)) => (stream, peer),
            Err(error) => {
                log::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        node.counters.accepted.fetch_add(1, Ordering::Relaxed);
        let Ok(stream) = stream.into_std() else { continue };
        // A batch leaves with one write; waiting for more would only delay it.
        let _ = stream.set_nodelay(true);
        let worker = &workers[next_worker.fetch_add(1, Ordering::Relaxed) % workers.len()];
        let proxies = Arc::clone(&proxies);
        worker.run(move |worker| {
            actix_rt::spawn(enter(worker, stream, peer, entrance, proxies));
        });
    }
}

async fn enter(
    worker: Rc<Worker>,
    stream: std::net::TcpStream,
    mut peer: SocketAddr,
    entrance: Entrance,
    proxies: Arc<[Network]>,
) {
    let node = Arc::clone(&worker.node);
    let Ok(mut stream) = tokio::net::TcpStream::from_std(stream) else { return };
    // The bytes of anybody else are not a header, whatever they look like.
    let admitted = if proxies.iter().any(|network| network.has(peer.ip())) {
        match admit_proxied(&node, &mut stream, &mut peer).await {
            Some(admitted) => admitted,
            None => return,
        }
    } else {
        admit(&node, peer)
    };
    match (admitted, entrance) {
        (admitted, Entrance::Link) => {
            enter_link(worker, Transport::Tcp(stream), peer, admitted).await;
        }
        (Ok((permit, handshake)), Entrance::Http) => {
            http::serve(worker, stream, peer, permit, handshake).await;
        }
        (Err(full), Entrance::Http) => http::turn_away(&node, stream, peer, full).await,
    }
}

type Admitted = Result<(ConnectionPermit, Permit), Full>;

fn admit(node: &Shared, peer: SocketAddr) -> Admitted {
    let permit = node.admission.connection(peer.ip())?;
    Ok((permit, node.admission.handshake()?))
}

async fn enter_link(
    worker: Rc<Worker>,
    transport: Transport,
    peer: SocketAddr,
    admitted: Admitted,
) {
    match admitted {
        Ok((permit, handshake)) => {
            handshake::meet(worker, Stranger { transport, peer, permit, handshake }).await;
        }
        Err(_) => handshake::turn_away(Arc::clone(&worker.node), transport, peer).await,
    }
}

/// Takes links over an injected network until the node stops.
pub(crate) async fn accept_injected(worker: Rc<Worker>, mut incoming: Incoming) {
    let node = Arc::clone(&worker.node);
    let mut stopping = node.stopping.subscribe();
    loop {
        let accepted = tokio::select! {
            accepted = incoming.recv() => accepted,
            _ = stopping.wait_for(|stopping| *stopping) => return,
        };
        let Some((stream, peer)) = accepted else { return };
        node.counters.accepted.fetch_add(1, Ordering::Relaxed);
        let admitted = admit(&node, peer);
        let transport = Transport::Injected(stream);
        actix_rt::spawn(enter_link(Rc::clone(&worker), transport, peer, admitted));
    }
}

/// Learns who comes through a load balancer, and admits that one. `None`: there is no header.
async fn admit_proxied(
    node: &Shared,
    stream: &mut tokio::net::TcpStream,
    peer: &mut SocketAddr,
) -> Option<Admitted> {
    // First: it bounds those whose header is waited for.
    let handshake = match node.admission.handshake() {
        Ok(handshake) => handshake,
        Err(full) => return Some(Err(full)),
    };
    *peer = proxied::client_of(node, stream, *peer).await?;
    Some(node.admission.connection(peer.ip()).map(|permit| (permit, handshake)))
}
