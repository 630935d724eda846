//! A connection over a WebSocket: binary messages of whole frames.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use futures_util::{Sink, Stream};
use throughline_link::{Split, split};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Error, Message, protocol::WebSocketConfig},
};

use super::ReadError;
use crate::{
    connector::BoxStream,
    defaults::{WEBSOCKET_BATCH, WEBSOCKET_MESSAGE_MAX, WEBSOCKET_READ},
};

/// The socket behind its handshake.
pub(crate) struct WebSocket {
    socket: WebSocketStream<BoxStream>,
}

impl WebSocket {
    /// Asks for `url` over `stream`.
    pub(super) async fn open(url: &str, stream: BoxStream) -> io::Result<Self> {
        // A write buffer of 0 hands each message on at once: the driver has gathered them.
        let config = WebSocketConfig::default()
            .read_buffer_size(WEBSOCKET_READ)
            .write_buffer_size(0)
            .max_message_size(Some(WEBSOCKET_MESSAGE_MAX))
            .max_frame_size(Some(WEBSOCKET_MESSAGE_MAX));
        let opened = client_async_with_config(url, stream, Some(config)).await;
        opened.map(|(socket, _)| Self { socket }).map_err(io_error)
    }

    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        inbox: &mut BytesMut,
    ) -> Poll<Result<usize, ReadError>> {
        loop {
            let broken = |error| ReadError::Broken(io_error(error));
            match ready!(Pin::new(&mut self.socket).poll_next(cx)).transpose().map_err(broken)? {
                // Of no use to the link, and 0 bytes would mean the end.
                Some(Message::Binary(frames)) if frames.is_empty() => {}
                Some(Message::Binary(frames)) => {
                    inbox.extend_from_slice(&frames);
                    return Poll::Ready(Ok(frames.len()));
                }
                Some(Message::Text(_)) => return Poll::Ready(Err(ReadError::Text)),
                Some(Message::Close(_)) | None => return Poll::Ready(Ok(0)),
                // Pings are answered by the socket itself.
                Some(_) => {}
            }
        }
    }

    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        frames: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(io_error)?;
        let batch = &frames[..batch_length(frames)];
        let message = Message::Binary(Bytes::copy_from_slice(batch));
        Pin::new(&mut self.socket).start_send(message).map_err(io_error)?;
        Poll::Ready(Ok(batch.len()))
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx).map_err(io_error)
    }

    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_close(cx).map_err(io_error)
    }
}

/// How many of these bytes go into one message: whole frames only.
fn batch_length(frames: &[u8]) -> usize {
    let mut length = 0;
    while let Ok(Split::Whole { bytes, .. }) = split(&frames[length..], u32::MAX) {
        if length != 0 && length + bytes > WEBSOCKET_BATCH {
            break;
        }
        length += bytes;
    }
    length
}

fn io_error(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::ConnectionClosed | Error::AlreadyClosed => io::ErrorKind::UnexpectedEof.into(),
        error => io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use throughline_link::{Data, Frame};

    use super::*;

    fn frames(sizes: &[usize]) -> Vec<u8> {
        let mut out = Vec::new();
        for &size in sizes {
            let payload = &vec![0; size][..];
            Frame::Data(Data { seq: 1, ack: 0, payload }).write(&mut out);
        }
        out
    }

    #[test]
    fn a_message_has_whole_frames_only_and_one_at_least() {
        let head = frames(&[0]).len();
        let large = WEBSOCKET_BATCH + 1;
        assert_eq!(batch_length(&frames(&[large, 1])), large + head);
        assert_eq!(batch_length(&frames(&[1, large])), 1 + head);
        assert_eq!(batch_length(&frames(&[10, 20, 30])), 60 + 3 * head);
        assert_eq!(batch_length(&frames(&[40_000, 30_000])), 40_000 + head);
    }
}
