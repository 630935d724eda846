//! Connections of load balancers, which begin with a PROXY header that says where the client is.

mod header;
mod network;

use std::io;
use std::net::SocketAddr;

use throughline_link::CloseCode;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::{
    kinds::{later, refusal},
    node::Shared,
};

use header::{HEADER_BYTES_MAX, HeaderError, parse};

pub(crate) use header::header_of_client;
pub(super) use network::Network;

/// Why a connection of a load balancer comes no further.
#[derive(Debug, thiserror::Error)]
enum Unproxied {
    /// It closed before it said anything, as the simplest health checks do.
    #[error("closed without a word")]
    Silent,
    /// The load balancer's fault, or its configuration's.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// It closed within the header.
    #[error("closed within its PROXY header")]
    Cut,
    /// The connection broke.
    #[error("broken within its PROXY header: {0}")]
    Io(#[from] io::Error),
}

/// Reads the header with which every connection of `listen.proxy-from` begins: where the client is,
/// or the load balancer itself if it speaks for none. `None`: refused, counted and logged.
pub(super) async fn client_of(
    node: &Shared,
    stream: &mut TcpStream,
    proxy: SocketAddr,
) -> Option<SocketAddr> {
    let read = tokio::time::timeout(node.config.limits.handshake_time, read_header(stream));
    let refusal = match read.await {
        Ok(Ok(client)) => return Some(client.unwrap_or(proxy)),
        Ok(Err(Unproxied::Silent)) => return None,
        Ok(Err(error)) => refusal(CloseCode::NotLink, error.to_string()),
        Err(_) => later(CloseCode::HandshakeTimeout, "no PROXY header in time"),
    };
    node.note_refused(proxy, &refusal);
    None
}

/// Takes the header off the stream and nothing of what follows it.
async fn read_header(stream: &mut TcpStream) -> Result<Option<SocketAddr>, Unproxied> {
    let mut buffer = vec![0; HEADER_BYTES_MAX];
    let mut taken = 0;
    loop {
        // Looked at first: what belongs to the header is known only afterwards. All of a beginning
        // does, so that is taken off, or the next look would return at once with the same bytes.
        let seen = taken + stream.peek(&mut buffer[taken..]).await?;
        if seen == taken {
            return Err(if taken == 0 { Unproxied::Silent } else { Unproxied::Cut });
        }
        let header = parse(&buffer[..seen])?;
        let end = header.map_or(seen, |header| header.bytes);
        stream.read_exact(&mut buffer[taken..end]).await?;
        taken = end;
        if let Some(header) = header {
            return Ok(header.client);
        }
    }
}

#[cfg(test)]
mod tests;
