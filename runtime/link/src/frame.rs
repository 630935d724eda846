//! Frames: cutting them from a stream, reading and writing them.
//!
//! Reading borrows from the input and allocates nothing.

mod close;
mod data;
mod hello;
mod refused;
mod restarting;
mod resume;
mod texts;
mod welcome;

#[cfg(test)]
mod tests;

pub use close::Close;
pub use data::Data;
pub use hello::Hello;
pub use refused::Refused;
pub use restarting::Restarting;
pub use resume::Resume;
pub use texts::Texts;
pub use welcome::Welcome;

use crate::{
    code::CloseCode,
    reader::{Reader, Short},
    wire, writer,
};

/// One frame of the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame<'a> {
    /// Starts a session.
    Hello(Hello<'a>),
    /// Comes back to a session.
    Resume(Resume<'a>),
    /// Accepts either.
    Welcome(Welcome<'a>),
    /// Refuses either.
    Refused(Refused<'a>),
    /// One message.
    Data(Data<'a>),
    /// Every message up to this number has been handled.
    Ack(u64),
    /// A heartbeat with any number.
    Ping(u64),
    /// The answer to a heartbeat.
    Pong {
        /// Of the Ping.
        token: u64,
        /// Milliseconds since 1970 UTC; 0 from a client.
        time: u64,
    },
    /// Come back elsewhere, soon.
    Restarting(Restarting<'a>),
    /// The last frame of a connection.
    Close(Close<'a>),
    /// A frame of a later version that may be skipped.
    Ignored(u8),
}

/// What is wrong with bytes that should be a frame. The peer's fault, always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A length of 0: not even a type.
    #[error("a frame of length 0")]
    Empty,
    /// The length is above the limit.
    #[error("a frame of {length} bytes, where at most {limit} are taken")]
    TooLarge {
        /// The length the frame claims.
        length: u32,
        /// The limit it was checked against.
        limit: u32,
    },
    /// The magic is wrong: the peer speaks another protocol.
    #[error("the first frame does not begin with TLNK")]
    WrongMagic,
    /// The versions have none in common with ours.
    #[error("versions {min} to {max}, where {} is spoken", wire::VERSION)]
    UnsupportedVersion {
        /// The peer's lowest version.
        min: u8,
        /// The peer's highest version.
        max: u8,
    },
    /// A field, a list or a text ends behind the frame's end.
    #[error("a frame of type {kind:#04x} ends before its fields do")]
    Short {
        /// The type of the frame.
        kind: u8,
    },
    /// A text is not UTF-8, or a field has a value that is not allowed.
    #[error("a frame of type {kind:#04x} has a bad {field}")]
    BadField {
        /// The type of the frame.
        kind: u8,
        /// The field.
        field: &'static str,
    },
    /// A type that is unknown and may not be skipped.
    #[error("a frame of unknown type {0:#04x}")]
    UnknownType(u8),
}

impl FrameError {
    /// The code that a receiver closes the connection with.
    #[must_use]
    pub const fn code(&self) -> CloseCode {
        match self {
            Self::TooLarge { .. } => CloseCode::TooLarge,
            Self::WrongMagic => CloseCode::NotLink,
            Self::UnsupportedVersion { .. } => CloseCode::UnsupportedVersion,
            Self::Short { kind } | Self::BadField { kind, .. }
                if *kind == wire::HELLO || *kind == wire::RESUME =>
            {
                CloseCode::BadHandshake
            }
            _ => CloseCode::ProtocolError,
        }
    }
}

/// What is at the front of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split<'a> {
    /// Not a whole frame yet: the buffer must grow to so many bytes first.
    Incomplete(usize),
    /// A whole frame.
    Whole {
        /// Its type.
        kind: u8,
        /// Its body.
        body: &'a [u8],
        /// What it takes of the buffer, length field included.
        bytes: usize,
    },
}

/// Looks for a frame at the front of `buffer`; its length is checked against `limit` as soon as
/// the length is there.
///
/// # Errors
/// [`FrameError::Empty`] or [`FrameError::TooLarge`]; the stream cannot be read on.
#[inline]
pub fn split(buffer: &[u8], limit: u32) -> Result<Split<'_>, FrameError> {
    let Some((length, rest)) = buffer.split_first_chunk::<{ wire::LENGTH_BYTES }>() else {
        return Ok(Split::Incomplete(wire::LENGTH_BYTES));
    };
    let length = u32::from_be_bytes(*length);
    if length == 0 {
        return Err(FrameError::Empty);
    }
    if length > limit {
        return Err(FrameError::TooLarge { length, limit });
    }
    let bytes = wire::LENGTH_BYTES + length as usize;
    match rest.get(..length as usize) {
        Some([kind, body @ ..]) => Ok(Split::Whole { kind: *kind, body, bytes }),
        _ => Ok(Split::Incomplete(bytes)),
    }
}

impl<'a> Frame<'a> {
    /// Reads the frame of type `kind` with this body.
    ///
    /// # Errors
    /// A [`FrameError`]: what the peer did wrong.
    #[inline]
    pub fn read(kind: u8, body: &'a [u8]) -> Result<Self, FrameError> {
        if kind == wire::DATA {
            return Data::read(body).map(Self::Data).map_err(|Short| FrameError::Short { kind });
        }
        Self::read_rare(kind, body)
    }

    fn read_rare(kind: u8, body: &'a [u8]) -> Result<Self, FrameError> {
        let short = |Short| FrameError::Short { kind };
        let mut reader = Reader::new(body);
        Ok(match kind {
            wire::HELLO => Self::Hello(Hello::read(body)?),
            wire::RESUME => Self::Resume(Resume::read(body)?),
            wire::WELCOME => Self::Welcome(Welcome::read(body)?),
            wire::REFUSED => Self::Refused(Refused::read(body)?),
            wire::ACK => Self::Ack(reader.u64().map_err(short)?),
            wire::PING => Self::Ping(reader.u64().map_err(short)?),
            wire::PONG => Self::Pong {
                token: reader.u64().map_err(short)?,
                time: reader.u64().map_err(short)?,
            },
            wire::RESTARTING => Self::Restarting(Restarting::read(body)?),
            wire::CLOSE => Self::Close(Close::read(body)?),
            wire::FIRST_IGNORABLE.. => Self::Ignored(kind),
            unknown => return Err(FrameError::UnknownType(unknown)),
        })
    }

    /// Appends the frame to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Hello(hello) => hello.write(out),
            Self::Resume(resume) => resume.write(out),
            Self::Welcome(welcome) => welcome.write(out),
            Self::Refused(refused) => refused.write(out),
            Self::Data(data) => data.write(out),
            Self::Ack(ack) => {
                writer::frame(out, wire::ACK, |out| out.extend_from_slice(&ack.to_be_bytes()));
            }
            Self::Ping(token) => {
                writer::frame(out, wire::PING, |out| out.extend_from_slice(&token.to_be_bytes()));
            }
            Self::Pong { token, time } => writer::frame(out, wire::PONG, |out| {
                out.extend_from_slice(&token.to_be_bytes());
                out.extend_from_slice(&time.to_be_bytes());
            }),
            Self::Restarting(restarting) => restarting.write(out),
            Self::Close(close) => close.write(out),
            Self::Ignored(kind) => writer::frame(out, *kind, |_| ()),
        }
    }
}

/// A text of at least 1 and at most `limit` bytes.
fn text<'a>(
    bytes: &'a [u8],
    limit: usize,
    kind: u8,
    field: &'static str,
) -> Result<&'a str, FrameError> {
    match core::str::from_utf8(bytes) {
        Ok(text) if (1..=limit).contains(&text.len()) => Ok(text),
        _ => Err(FrameError::BadField { kind, field }),
    }
}

/// A text for a person: what is not UTF-8 is cut off, since nothing depends on it.
fn lenient_text(bytes: &[u8]) -> &str {
    match core::str::from_utf8(bytes) {
        Ok(text) => writer::clipped(text, wire::TEXT_MAX),
        Err(error) => {
            let valid = core::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
            writer::clipped(valid, wire::TEXT_MAX)
        }
    }
}

/// Reads magic and versions, the beginning of Hello and Resume.
fn preamble(reader: &mut Reader<'_>, kind: u8) -> Result<(u8, u8), FrameError> {
    let short = |Short| FrameError::Short { kind };
    if reader.array::<4>() != Ok(wire::MAGIC) {
        return Err(FrameError::WrongMagic);
    }
    let min = reader.u8().map_err(short)?;
    let max = reader.u8().map_err(short)?;
    if min > wire::VERSION || max < wire::VERSION {
        return Err(FrameError::UnsupportedVersion { min, max });
    }
    Ok((min, max))
}
