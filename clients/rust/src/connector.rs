//! How a byte stream to a node is opened.

use std::{io, pin::Pin};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use crate::address::Target;

/// What a link can run over.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> ByteStream for T {}

/// A byte stream of any kind.
pub type BoxStream = Box<dyn ByteStream>;

/// A byte stream that is being opened. It is dropped if it takes longer than a try may.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<BoxStream>> + Send>>;

/// Opens byte streams; the place where an application puts TLS, or a proxy.
///
/// The link, and the WebSocket for addresses that ask for one, run over what it returns. An error
/// fails that try; the client goes on with the next.
pub trait Connector: Send + Sync + 'static {
    /// Opens one to `target`, encrypted if `target.tls`. It should turn off Nagle's algorithm:
    /// the client gathers what it writes by itself.
    fn connect(&self, target: Target) -> Connecting;

    /// Whether targets with `tls` can be opened; `false` by default: such addresses are then
    /// refused before anything is tried.
    fn brings_tls(&self) -> bool {
        false
    }
}

/// Plain TCP, the default.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainTcp;

impl Connector for PlainTcp {
    fn connect(&self, target: Target) -> Connecting {
        Box::pin(async move {
            if target.tls {
                return Err(io::Error::new(io::ErrorKind::Unsupported, "no TLS over plain TCP"));
            }
            let stream = TcpStream::connect((target.host.as_str(), target.port)).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as BoxStream)
        })
    }
}
