//! Byte streams between hosts: the system's TCP, or those of an injected network.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::Spawner;

/// What frames can travel over.
pub trait ByteStream: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin + 'static> ByteStream for T {}

/// A byte stream of any kind.
pub type BoxStream = Box<dyn ByteStream>;

/// A byte stream that is being opened.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<BoxStream>> + Send>>;

/// Streams that others have opened to an address, each with the address of the other side. Closed
/// with its network.
pub type Incoming = mpsc::Receiver<(BoxStream, SocketAddr)>;

/// The network as one node sees it, in place of the system's.
pub trait Network: fmt::Debug + Send + Sync + 'static {
    /// Takes streams to `address` from now on, until what is returned is dropped.
    ///
    /// # Errors
    /// The address is taken, or is none of this host's.
    fn listen(&self, address: SocketAddr) -> io::Result<Incoming>;

    /// Opens a stream to `address`, which is `host:port`.
    fn connect(&self, address: &str) -> Connecting;
}

/// The network that a node is joined to.
#[derive(Debug, Clone)]
pub(crate) enum Joined {
    System,
    Injected(Arc<dyn Network>),
}

/// Where other nodes come in.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Injected(Incoming),
}

/// A stream between nodes, read and written without waiting.
#[derive(Debug)]
pub(crate) enum Wire {
    Tcp(TcpStream),
    Injected(Box<Injected>),
}

/// A stream of an injected network. It cannot say whether it is ready, so that is found out by
/// reading and writing ahead.
#[derive(Debug)]
pub(crate) struct Injected {
    stream: BoxStream,
    /// Read ahead and not taken.
    ahead: BytesMut,
    /// What reading or writing ahead came to, not told yet.
    read: Option<io::Result<usize>>,
    written: Option<io::Result<usize>>,
}

/// Read ahead at most: a batch of frames.
const AHEAD_BYTES: usize = 16 * 1024;

impl Joined {
    /// Opens a listening socket; its address has the port filled in.
    pub(crate) fn listen(
        &self,
        address: SocketAddr,
        spawner: &Spawner,
    ) -> io::Result<(Listener, SocketAddr)> {
        match self {
            Self::System => {
                let _runtime = spawner.enter();
                let listener = std::net::TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                let local = listener.local_addr()?;
                Ok((Listener::Tcp(TcpListener::from_std(listener)?), local))
            }
            Self::Injected(network) => Ok((Listener::Injected(network.listen(address)?), address)),
        }
    }

    pub(crate) async fn connect(&self, address: &str) -> io::Result<Wire> {
        match self {
            Self::System => {
                let stream = TcpStream::connect(address).await?;
                // Batches are built by the caller: the system must not hold small ones back.
                stream.set_nodelay(true)?;
                Ok(Wire::Tcp(stream))
            }
            Self::Injected(network) => Ok(Wire::injected(network.connect(address).await?)),
        }
    }
}

impl Listener {
    /// The next connection. Cancel-safe.
    pub(crate) async fn accept(&mut self) -> io::Result<Wire> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // Fails only for one that has broken already, which its first read finds out.
                let _ = stream.set_nodelay(true);
                Ok(Wire::Tcp(stream))
            }
            Self::Injected(incoming) => match incoming.recv().await {
                Some((stream, _)) => Ok(Wire::injected(stream)),
                // The network has gone, and the node with it.
                None => std::future::pending().await,
            },
        }
    }
}

impl Wire {
    fn injected(stream: BoxStream) -> Self {
        let ahead = BytesMut::new();
        Self::Injected(Box::new(Injected { stream, ahead, read: None, written: None }))
    }

    /// Waits until more can be read, or some of `out` written.
    pub(crate) async fn ready(&mut self, interest: Interest, out: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.ready(interest).await.map(drop),
            Self::Injected(stream) => {
                poll_fn(|cx| stream.poll_ready(cx, interest, out)).await;
                Ok(())
            }
        }
    }

    /// Reads what is there, as much as `input` has room for; 0 at the end of the stream.
    pub(crate) fn try_read_buf(&mut self, input: &mut BytesMut) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read_buf(input),
            Self::Injected(stream) => stream.try_read(input),
        }
    }

    /// Writes what is taken of `out`, which is the same as at the last `ready`, or begins with it.
    pub(crate) fn try_write(&mut self, out: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(out),
            Self::Injected(stream) => {
                let mut cx = Context::from_waker(Waker::noop());
                stream.poll_written(&mut cx, out);
                stream.written.take().unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))
            }
        }
    }
}

impl Injected {
    fn poll_ready(&mut self, cx: &mut Context<'_>, interest: Interest, out: &[u8]) -> Poll<()> {
        if interest.is_readable() {
            self.poll_ahead(cx);
        }
        if interest.is_writable() {
            self.poll_written(cx, out);
        }
        let is_ready = interest.is_readable() && self.read.is_some()
            || interest.is_writable() && self.written.is_some();
        if is_ready { Poll::Ready(()) } else { Poll::Pending }
    }

    fn poll_ahead(&mut self, cx: &mut Context<'_>) {
        if self.read.is_some() {
            return;
        }
        let mut bytes = [0; AHEAD_BYTES];
        let mut buffer = ReadBuf::new(&mut bytes);
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
            self.ahead.extend_from_slice(buffer.filled());
            self.read = Some(read.map(|()| buffer.filled().len()));
        }
    }

    fn poll_written(&mut self, cx: &mut Context<'_>, out: &[u8]) {
        if self.written.is_none()
            && let Poll::Ready(written) = Pin::new(&mut self.stream).poll_write(cx, out)
        {
            self.written = Some(written);
        }
    }

    fn try_read(&mut self, input: &mut BytesMut) -> io::Result<usize> {
        self.poll_ahead(&mut Context::from_waker(Waker::noop()));
        match &mut self.read {
            None => Err(io::ErrorKind::WouldBlock.into()),
            Some(Ok(count)) if *count > 0 => {
                let room = input.capacity() - input.len();
                let taken = self.ahead.len().min(room);
                input.extend_from_slice(&self.ahead[..taken]);
                self.ahead.advance(taken);
                if self.ahead.is_empty() {
                    self.read = None;
                }
                Ok(taken)
            }
            Some(_) => self.read.take().unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into())),
        }
    }
}
