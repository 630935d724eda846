//! One connection to a node: frames over a byte stream, or over a WebSocket.

#[cfg(feature = "websocket")]
mod websocket;

use std::{
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWrite};

use crate::{
    address::Address,
    connector::{BoxStream, Connector},
};

/// A connection that is being opened.
pub(crate) type Opening = Pin<Box<dyn Future<Output = io::Result<Wire>> + Send>>;

/// An open connection.
pub(crate) enum Wire {
    Stream(BoxStream),
    #[cfg(feature = "websocket")]
    WebSocket(Box<websocket::WebSocket>),
}

/// Why nothing more can be read.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The connection broke.
    Broken(io::Error),
    /// The node sent a text message over a WebSocket.
    #[cfg(feature = "websocket")]
    Text,
}

impl Wire {
    /// Opens a connection to `address`.
    pub(crate) fn open(address: Address, connector: &Arc<dyn Connector>) -> Opening {
        let stream = connector.connect(address.target.clone());
        Box::pin(async move {
            let stream = stream.await?;
            match &address.websocket {
                None => Ok(Self::Stream(stream)),
                #[cfg(feature = "websocket")]
                Some(path) => {
                    let url = address.url(path);
                    let socket = websocket::WebSocket::open(&url, stream).await?;
                    Ok(Self::WebSocket(Box::new(socket)))
                }
                #[cfg(not(feature = "websocket"))]
                Some(_) => Err(io::Error::new(io::ErrorKind::Unsupported, "no WebSocket")),
            }
        })
    }

    /// Whether what is read at once ends with a whole frame.
    pub(crate) const fn reads_whole_frames(&self) -> bool {
        !matches!(self, Self::Stream(_))
    }

    /// Appends what has come to `inbox`; 0 bytes mean the end.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        inbox: &mut BytesMut,
    ) -> Poll<Result<usize, ReadError>> {
        match self {
            // Holds nothing between two polls, so that it need not be kept.
            Self::Stream(stream) => {
                pin!(stream.read_buf(inbox)).poll(cx).map_err(ReadError::Broken)
            }
            #[cfg(feature = "websocket")]
            Self::WebSocket(socket) => socket.poll_read(cx, inbox),
        }
    }

    /// Writes a beginning of `frames`, which are whole frames or the rest of such.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        frames: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Stream(stream) => Pin::new(stream).poll_write(cx, frames),
            #[cfg(feature = "websocket")]
            Self::WebSocket(socket) => socket.poll_write(cx, frames),
        }
    }

    /// Hands on what layers below have gathered.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Stream(stream) => Pin::new(stream).poll_flush(cx),
            #[cfg(feature = "websocket")]
            Self::WebSocket(socket) => socket.poll_flush(cx),
        }
    }

    /// Says that nothing more will be written.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Stream(stream) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(feature = "websocket")]
            Self::WebSocket(socket) => socket.poll_shutdown(cx),
        }
    }
}
