//! Where connections come in.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

#[cfg(unix)]
use crate::socket::SocketGuard;
use crate::stream::Stream;
use crate::{Address, ServeError};

pub(super) struct Listener {
    socket: Socket,
    address: Address,
}

enum Socket {
    /// The guard is dropped with it, which removes the socket.
    #[cfg(unix)]
    Unix {
        listener: UnixListener,
        _guard: SocketGuard,
    },
    Tcp(TcpListener),
}

impl Listener {
    pub(super) async fn open(address: &Address) -> Result<Self, ServeError> {
        match address {
            #[cfg(unix)]
            Address::Unix(path) => {
                let (guard, listener) = SocketGuard::listen(path)?;
                let socket = Socket::Unix { listener, _guard: guard };
                Ok(Self { socket, address: address.clone() })
            }
            Address::Tcp(tcp) => Self::open_tcp(address, *tcp).await,
        }
    }

    async fn open_tcp(address: &Address, tcp: SocketAddr) -> Result<Self, ServeError> {
        if !tcp.ip().is_loopback() {
            return Err(ServeError::NotLoopback { address: address.clone() });
        }
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ServeError::InUse { address: address.clone() },
            _ => ServeError::Listen { address: address.clone(), source },
        };
        let listener = TcpListener::bind(tcp).await.map_err(failed)?;
        let real = listener.local_addr().map_err(failed)?;
        Ok(Self { socket: Socket::Tcp(listener), address: Address::Tcp(real) })
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    pub(super) async fn accept(&self) -> io::Result<Stream> {
        match &self.socket {
            #[cfg(unix)]
            Socket::Unix { listener, .. } => Ok(Stream::Unix(listener.accept().await?.0)),
            Socket::Tcp(listener) => Stream::tcp(listener.accept().await?.0),
        }
    }
}
