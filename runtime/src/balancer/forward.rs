//! One connection on its way to a node.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use crate::listen::{Entrance, header_of_client};

use super::pipe::pipe;
use super::rotation::{Finding, Rotation};
use super::unavailable;

/// A client waits so long for a node to become ready: the gap between a node that stops and the
/// next one that starts, with a check of its health.
const HOLD_TIME: Duration = Duration::from_secs(2);

/// A node of this machine or the next one answers far sooner, or not at all.
const CONNECT_TIME: Duration = Duration::from_secs(1);

/// Forwards the connections of one listener.
#[derive(Debug, Clone)]
pub(super) struct Forward {
    pub(super) rotation: Arc<Rotation>,
    pub(super) entrance: Entrance,
    /// The address that nodes are reached from.
    pub(super) from: Option<IpAddr>,
}

impl Forward {
    /// Forwards one connection until both sides are done with it.
    pub(super) async fn run(&self, client: TcpStream, peer: SocketAddr) {
        // Bytes that wait to be joined by others would only be late.
        let _ = client.set_nodelay(true);
        let Ok(server) = client.local_addr() else { return };
        let reached = tokio::time::timeout(HOLD_TIME, self.reach()).await.ok().flatten();
        match (reached, self.entrance) {
            (Some(mut node), _) => {
                let _ = node.set_nodelay(true);
                // Few enough bytes for the buffer of any new connection.
                if node.write_all(&header_of_client(peer, server)).await.is_ok() {
                    pipe(client, node).await;
                }
            }
            (None, Entrance::Http) => unavailable::answer(client).await,
            // Closed. A client of the link tries again by itself.
            (None, Entrance::Link) => {}
        }
    }

    /// A connection to the next node that takes one. `None`: this machine can make none. Each round
    /// takes a node out, so the rounds are few; the caller limits the time.
    async fn reach(&self) -> Option<TcpStream> {
        loop {
            self.rotation.ready().await;
            // None if the node went out at this very moment.
            let Some(node) = self.rotation.next() else { continue };
            let addresses = &self.rotation.nodes()[node];
            let at = match self.entrance {
                Entrance::Http => addresses.http,
                Entrance::Link => addresses.link,
            };
            let why = match tokio::time::timeout(CONNECT_TIME, self.connect(at)).await {
                Ok(Ok(stream)) => return Some(stream),
                Ok(Err(error)) if is_of_node(&error) => error.to_string(),
                Ok(Err(error)) => {
                    self.rotation.note_own_failure(&error);
                    return None;
                }
                Err(_) => format!("no connection in {CONNECT_TIME:?}"),
            };
            self.rotation.note(node, Finding::Out(format!("{at}: {why}")));
        }
    }

    async fn connect(&self, at: SocketAddr) -> io::Result<TcpStream> {
        let Some(from) = self.from else { return TcpStream::connect(at).await };
        let socket = if at.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.bind(SocketAddr::new(from, 0))?;
        socket.connect(at).await
    }
}

/// Whether an error of `connect` is about the node, and not about this process: its file
/// descriptors, its addresses.
fn is_of_node(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable,
        TimedOut,
    };
    let kinds = [
        ConnectionAborted,
        ConnectionRefused,
        ConnectionReset,
        HostUnreachable,
        NetworkUnreachable,
        TimedOut,
    ];
    kinds.contains(&error.kind())
}
