//! A connection, of either kind.

use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::{Interest, Ready};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use crate::frame::{Frame, Head};
use crate::limits::{HANDSHAKE_BYTES_MAX, READ_BYTES};
use crate::{Address, FrameError};

#[derive(Debug)]
pub(crate) enum Stream {
    #[cfg(unix)]
    Unix(UnixStream),
    Tcp(TcpStream),
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
    pub(crate) async fn connect(address: &Address) -> io::Result<Self> {
        match address {
            #[cfg(unix)]
            Address::Unix(path) => Ok(Self::Unix(UnixStream::connect(path).await?)),
            Address::Tcp(address) => Self::tcp(TcpStream::connect(address).await?),
        }
    }

    /// Batches are built here, so the system must not hold small ones back.
    pub(crate) fn tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self::Tcp(stream))
    }

    pub(crate) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        match self {
            #[cfg(unix)]
            Self::Unix(stream) => stream.ready(interest).await,
            Self::Tcp(stream) => stream.ready(interest).await,
        }
    }

    /// Reads what is there, at most [`READ_BYTES`] or what the buffer has room for. `None`: nothing
    /// is there yet.
    pub(crate) fn try_read(&self, buffer: &mut BytesMut) -> io::Result<Option<usize>> {
        buffer.reserve(READ_BYTES);
        let read = match self {
            #[cfg(unix)]
            Self::Unix(stream) => stream.try_read_buf(buffer),
            Self::Tcp(stream) => stream.try_read_buf(buffer),
        };
        match read {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            other => unless_blocked(other),
        }
    }

    /// Writes what the system takes. `None`: it takes nothing yet.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<Option<usize>> {
        let written = match self {
            #[cfg(unix)]
            Self::Unix(stream) => stream.try_write(bytes),
            Self::Tcp(stream) => stream.try_write(bytes),
        };
        match written {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            other => unless_blocked(other),
        }
    }

    /// Sends one frame of a handshake.
    pub(crate) async fn send(&self, frame: &Frame) -> io::Result<()> {
        let mut bytes = BytesMut::new();
        frame.write(&mut bytes);
        while !bytes.is_empty() {
            self.ready(Interest::WRITABLE).await?;
            if let Some(written) = self.try_write(&bytes)? {
                bytes.advance(written);
            }
        }
        Ok(())
    }

    /// Receives one frame of a handshake; what came behind it stays in the buffer.
    pub(crate) async fn receive(&self, buffer: &mut BytesMut) -> Result<Frame, ReceiveError> {
        loop {
            if let Some(head) = Head::read(buffer, HANDSHAKE_BYTES_MAX)?
                && buffer.len() >= head.frame_bytes()
            {
                let frame = Frame::read(&buffer[Head::LENGTH_BYTES..head.frame_bytes()])?;
                buffer.advance(head.frame_bytes());
                return Ok(frame);
            }
            self.ready(Interest::READABLE).await?;
            self.try_read(buffer)?;
        }
    }
}

fn unless_blocked(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
        Err(error) => Err(error),
    }
}
