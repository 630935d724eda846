//! A connection between nodes, read and written without waiting.

use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::Interest;

use crate::environment::Wire;
use crate::peers::frame::{Frame, FrameError, take};
use crate::peers::limits::{BUFFER_BYTES_KEPT, HANDSHAKE_BYTES_MAX, READ_BYTES};

/// A connection, with what has come and was not taken yet.
pub(crate) struct Stream {
    socket: Wire,
    pub(crate) input: BytesMut,
    pub(crate) out: BytesMut,
}

/// Why a handshake did not get its next frame.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReceiveError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
}

impl Stream {
    pub(crate) fn new(socket: Wire) -> Self {
        Self { socket, input: BytesMut::new(), out: BytesMut::new() }
    }

    /// Waits until more can be read or, if bytes wait to leave, written. `is_reading`: whether
    /// more is to be read at all.
    pub(crate) async fn ready(&mut self, is_reading: bool) -> io::Result<()> {
        let interest = match (is_reading, !self.out.is_empty()) {
            (true, true) => Interest::READABLE | Interest::WRITABLE,
            (true, false) => Interest::READABLE,
            (false, true) => Interest::WRITABLE,
            (false, false) => return std::future::pending().await,
        };
        self.socket.ready(interest, &self.out).await
    }

    /// Reads what is there, at most as much as the buffer has room for. `None`: nothing is there.
    pub(crate) fn try_read(&mut self) -> io::Result<Option<usize>> {
        self.try_read_at_most(READ_BYTES)
    }

    fn try_read_at_most(&mut self, bytes: usize) -> io::Result<Option<usize>> {
        if self.input.is_empty() && self.input.capacity() > BUFFER_BYTES_KEPT {
            self.input = BytesMut::new();
        }
        self.input.reserve(bytes);
        match self.socket.try_read_buf(&mut self.input) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            other => unless_blocked(other),
        }
    }

    /// Writes what the system takes of `out`. `None`: it takes nothing, or there is nothing.
    pub(crate) fn try_write(&mut self) -> io::Result<Option<usize>> {
        if self.out.is_empty() {
            return Ok(None);
        }
        let written = match self.socket.try_write(&self.out) {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            other => unless_blocked(other),
        };
        if let Ok(Some(written)) = written {
            self.out.advance(written);
            if self.out.is_empty() && self.out.capacity() > BUFFER_BYTES_KEPT {
                self.out = BytesMut::new();
            }
        }
        written
    }

    /// Sends one frame of a handshake.
    pub(crate) async fn send(&mut self, frame: &Frame) -> io::Result<()> {
        frame.write(&mut self.out);
        while !self.out.is_empty() {
            self.socket.ready(Interest::WRITABLE, &self.out).await?;
            self.try_write()?;
        }
        Ok(())
    }

    /// The next frame of a handshake.
    pub(crate) async fn receive(&mut self) -> Result<Frame, ReceiveError> {
        loop {
            if let Some(frame) = take(&mut self.input, HANDSHAKE_BYTES_MAX)? {
                return Ok(frame);
            }
            self.socket.ready(Interest::READABLE, &[]).await?;
            self.try_read_at_most(HANDSHAKE_BYTES_MAX)?;
        }
    }
}

fn unless_blocked(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
