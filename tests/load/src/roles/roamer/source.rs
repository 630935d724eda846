//! Each client connects from an address of its own.
//!
//! A hop leaves a port behind for a minute, and an address has 28,000 of them: clients of one
//! address that hop some thousand times a second would run out.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use throughline_client::{BoxStream, Connecting, Connector, Target};
use tokio::net::TcpSocket;

/// Plain TCP from a loopback address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source(Ipv4Addr);

impl Source {
    /// The address of that client: from 127.1.0.1 on.
    pub(super) fn of(client: u64) -> Self {
        let [.., high, low] = (client / 250).to_be_bytes();
        let last = u8::try_from(client % 250 + 1).unwrap_or(u8::MAX);
        Self(Ipv4Addr::new(127, high.wrapping_add(1), low, last))
    }
}

impl Connector for Source {
    fn connect(&self, target: Target) -> Connecting {
        let source = self.0;
        Box::pin(async move {
            let invalid = || std::io::ErrorKind::InvalidInput;
            let host: IpAddr = target.host.parse().map_err(|_| invalid())?;
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::from((source, 0)))?;
            let stream = socket.connect(SocketAddr::from((host, target.port))).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as BoxStream)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_have_different_addresses() {
        let all: std::collections::HashSet<_> = (0..20_000).map(|n| Source::of(n).0).collect();
        assert_eq!(all.len(), 20_000);
        assert!(all.iter().all(|address| address.is_loopback()));
    }
}
