//! A connection that carries frames: TCP, WebSocket over TCP, or an injected stream.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::{Sink, Stream};
use throughline_link::{CloseCode, wire::LENGTH_BYTES};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        protocol::{CloseFrame, Role, WebSocketConfig},
    },
};

use crate::environment::BoxStream;

/// Buffers of a WebSocket: the library's own, 128 KiB each, would be most of an idle session.
const WEBSOCKET_BUFFER: usize = 4 * 1024;

/// A WebSocket message holds whole frames: so many bytes of them, and one more that was begun
/// before.
const WEBSOCKET_BATCH_MAX: usize = 64 * 1024;

/// A connection, on the worker that reads and writes it.
#[derive(Debug)]
pub(crate) enum Transport {
    Tcp(TcpStream),
    WebSocket(Box<WebSocketStream<TcpStream>>),
    Injected(BoxStream),
}

/// A connection on its way between workers: registered with none. An injected one never was.
#[derive(Debug)]
pub(crate) enum DetachedTransport {
    Tcp(std::net::TcpStream),
    WebSocket(std::net::TcpStream),
    Injected(BoxStream),
}

/// What a read brought.
#[derive(Debug)]
pub(crate) enum Read {
    /// So many bytes are in the buffer.
    Bytes(usize),
    /// One WebSocket message: whole frames.
    Message(Bytes),
    /// A text message.
    Text,
    /// A WebSocket message beyond every limit; what follows cannot be read.
    TooLarge,
    /// The other side has closed.
    End,
}

impl Transport {
    /// Whether frames come in WebSocket messages.
    pub(crate) const fn is_websocket(&self) -> bool {
        matches!(self, Self::WebSocket(_))
    }

    /// A WebSocket over a connection whose upgrade was answered; `early` was read already.
    /// No message above `message_max` bytes is taken.
    pub(crate) async fn websocket(stream: TcpStream, early: Vec<u8>, message_max: usize) -> Self {
        let config = websocket_config(message_max);
        let role = Role::Server;
        let socket = WebSocketStream::from_partially_read(stream, early, role, Some(config)).await;
        Self::WebSocket(Box::new(socket))
    }

    /// The same connection with the limits of a session, after its handshake. What was read and not
    /// used is lost: the peer must be silent until the Welcome.
    pub(crate) async fn admitted(self, max_frame: u32) -> Self {
        match self {
            Self::Tcp(_) | Self::Injected(_) => self,
            Self::WebSocket(socket) => {
                let message_max = WEBSOCKET_BATCH_MAX + max_frame as usize + LENGTH_BYTES;
                Self::websocket(socket.into_inner(), Vec::new(), message_max).await
            }
        }
    }

    /// Takes the connection off this worker. What was read and not used is lost, so this is done
    /// only while the peer must be silent: between its Resume and the Welcome.
    pub(crate) fn detach(self) -> io::Result<DetachedTransport> {
        Ok(match self {
            Self::Tcp(stream) => DetachedTransport::Tcp(stream.into_std()?),
            Self::WebSocket(socket) => {
                DetachedTransport::WebSocket(socket.into_inner().into_std()?)
            }
            Self::Injected(stream) => DetachedTransport::Injected(stream),
        })
    }

    /// Reads what is there into `buffer`, or hands over a message.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<Read>> {
        match self {
            Self::Tcp(stream) => read_bytes(stream, cx, buffer),
            Self::Injected(stream) => read_bytes(stream, cx, buffer),
            Self::WebSocket(socket) => loop {
                let message = match ready!(Pin::new(&mut **socket).poll_next(cx)) {
                    Some(Err(Error::Capacity(_))) => return Poll::Ready(Ok(Read::TooLarge)),
                    Some(message) => message.map_err(io::Error::other)?,
                    None => return Poll::Ready(Ok(Read::End)),
                };
                match message {
                    Message::Binary(bytes) => return Poll::Ready(Ok(Read::Message(bytes))),
                    Message::Text(_) => return Poll::Ready(Ok(Read::Text)),
                    Message::Close(_) => return Poll::Ready(Ok(Read::End)),
                    Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
                }
            },
        }
    }

    /// Writes from the front of `bytes`, which are whole frames; how much was taken. On WebSocket
    /// all is taken as one message, or nothing.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Injected(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::WebSocket(socket) => {
                let mut socket = Pin::new(&mut **socket);
                ready!(socket.as_mut().poll_ready(cx)).map_err(io::Error::other)?;
                let message = Message::Binary(Bytes::copy_from_slice(bytes));
                socket.start_send(message).map_err(io::Error::other)?;
                Poll::Ready(Ok(bytes.len()))
            }
        }
    }

    /// Writes out what the transport itself holds.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(_) => Poll::Ready(Ok(())),
            Self::Injected(stream) => Pin::new(stream).poll_flush(cx),
            Self::WebSocket(socket) => {
                Pin::new(&mut **socket).poll_flush(cx).map_err(io::Error::other)
            }
        }
    }

    /// Says goodbye, after everything was written.
    pub(crate) fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        code: CloseCode,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Injected(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::WebSocket(socket) => {
                let frame =
                    CloseFrame { code: (4000 + code.number()).into(), reason: code.name().into() };
                let mut socket = Pin::new(&mut **socket);
                // Fails if a close is under way: then the flush is all that is left.
                let ready = ready!(socket.as_mut().poll_ready(cx));
                if ready.is_ok() {
                    let _ = socket.as_mut().start_send(Message::Close(Some(frame)));
                }
                socket.poll_flush(cx).map_err(io::Error::other)
            }
        }
    }

    /// Reads on; for the handshake.
    pub(crate) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<Read> {
        poll_fn(|cx| self.poll_read(cx, buffer)).await
    }

    /// Writes all of `bytes` and closes with a code: the end of a refused handshake.
    pub(crate) async fn write_last(&mut self, bytes: &[u8], code: CloseCode) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let count = poll_fn(|cx| self.poll_write(cx, rest)).await?;
            rest = &rest[count..];
        }
        poll_fn(|cx| self.poll_close(cx, code)).await
    }
}

impl DetachedTransport {
    /// Registers the connection with the worker this runs on.
    pub(crate) async fn attach(self, max_frame: u32) -> io::Result<Transport> {
        let message_max = WEBSOCKET_BATCH_MAX + max_frame as usize + LENGTH_BYTES;
        Ok(match self {
            Self::Tcp(stream) => Transport::Tcp(TcpStream::from_std(stream)?),
            Self::Injected(stream) => Transport::Injected(stream),
            Self::WebSocket(stream) => {
                Transport::websocket(TcpStream::from_std(stream)?, Vec::new(), message_max).await
            }
        })
    }
}

#[inline]
fn read_bytes(
    stream: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<io::Result<Read>> {
    let mut buffer = ReadBuf::new(buffer);
    ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
    Poll::Ready(Ok(match buffer.filled().len() {
        0 => Read::End,
        count => Read::Bytes(count),
    }))
}

/// The library takes memory for a message as soon as its length is there, so the limit is what a
/// stranger can take.
fn websocket_config(message_max: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(WEBSOCKET_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(message_max * 2)
        .max_message_size(Some(message_max))
        .max_frame_size(Some(message_max))
}
