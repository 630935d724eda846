//! The frames, read and written without I/O.
//!
//! Reading is total: any bytes give a frame or an error, never a panic. What it allocates follows
//! the bytes that are there, never a number in them; keys and values are copied out, so that a
//! value someone keeps does not keep the buffer it came in.

use bytes::{BufMut, Bytes, BytesMut};
use throughline_store::{Batch, Entry, Scan};

use crate::limits::TEXT_BYTES_MAX;
use crate::wire;

mod answer;
mod call;
mod failure;
mod handshake;
mod reader;
#[cfg(test)]
mod tests;

pub(crate) use answer::{write_done, write_hint, write_page, write_value, write_watch_refused};
pub(crate) use call::{write_commit, write_get, write_scan, write_unwatch, write_watch};
pub use failure::Failure;
pub(crate) use failure::write_failed;
use reader::Reader;

/// One frame, either direction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame {
    /// Client: the versions it speaks, and its nonce.
    Hello {
        /// The oldest version.
        version_min: u8,
        /// The newest version.
        version_max: u8,
        /// 32 random bytes.
        nonce: [u8; 32],
    },
    /// Hub: the version chosen, and its nonce.
    Challenge {
        /// The version of all that follows.
        version: u8,
        /// 32 random bytes.
        nonce: [u8; 32],
    },
    /// Client: that it knows the secret.
    Proof {
        /// HMAC-SHA256 over the client's label and both sides' words.
        proof: [u8; 32],
    },
    /// Hub: that it knows the secret, too.
    Welcome {
        /// HMAC-SHA256 over the hub's label and both sides' words.
        proof: [u8; 32],
    },
    /// Hub: why not.
    Refused {
        /// One of `wire::REFUSED_*`.
        code: u8,
        /// For people.
        text: String,
    },
    /// Client: the value of a key.
    Get {
        /// The number of the call, not used twice on a connection.
        call: u64,
        /// The key.
        key: Bytes,
    },
    /// Client: a page of a range.
    Scan {
        /// The number of the call.
        call: u64,
        /// The range, and the bounds of the page.
        scan: Scan,
    },
    /// Client: a commit.
    Commit {
        /// The number of the call.
        call: u64,
        /// Its checks and writes.
        batch: Batch,
    },
    /// Client: hints about a prefix.
    Watch {
        /// The number of the watch, not used twice on a connection.
        watch: u32,
        /// The prefix.
        prefix: Bytes,
    },
    /// Client: no more of them.
    Unwatch {
        /// The number of the watch.
        watch: u32,
    },
    /// Hub: the answer to a get.
    Value {
        /// The number of the call.
        call: u64,
        /// The value, `None` if the key is absent.
        value: Option<Bytes>,
    },
    /// Hub: the answer to a scan.
    Page {
        /// The number of the call.
        call: u64,
        /// The entries.
        entries: Vec<Entry>,
        /// Where the next page begins.
        next: Option<Bytes>,
    },
    /// Hub: the commit took effect, durably.
    Done {
        /// The number of the call.
        call: u64,
    },
    /// Hub: the call did not succeed.
    Failed {
        /// The number of the call.
        call: u64,
        /// Why.
        failure: Failure,
    },
    /// Hub: something under a prefix may have changed.
    Hint {
        /// The number of the watch.
        watch: u32,
    },
    /// Hub: no hints will come.
    WatchRefused {
        /// The number of the watch.
        watch: u32,
    },
}

/// Bytes that are no frame: the fault of who sent them. The connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A frame has at least its type.
    #[error("a frame without a type")]
    Empty,
    /// Longer than the limit at this place.
    #[error("a frame of {bytes} bytes, at most {limit}")]
    TooLong {
        /// Its length, as it says.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Not a type of this protocol.
    #[error("a frame of the unknown type {kind:#04x}")]
    UnknownType {
        /// The type.
        kind: u8,
    },
    /// The connection does not begin as one to a hub does.
    #[error("not the first bytes of a connection to a hub")]
    Magic,
    /// It ends inside a field.
    #[error("a frame that ends inside a field")]
    Short,
    /// Bytes behind its fields.
    #[error("a frame with bytes behind its fields")]
    Trailing,
    /// A tag that says none of what may follow.
    #[error("a frame with the unknown tag {tag}")]
    Tag {
        /// The tag.
        tag: u8,
    },
    /// A text that is not UTF-8.
    #[error("a text that is not UTF-8")]
    Text,
}

/// The beginning of a frame: how long it is, and what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    length: usize,
    /// One of the types in `wire`, or an unknown one.
    pub kind: u8,
}

impl Head {
    /// Bytes of the length, which stands before the frame.
    pub const LENGTH_BYTES: usize = 4;

    /// Reads the head of the frame that these bytes begin with; `None` if they are too few for
    /// one. No memory need be taken for a frame before this has accepted its length.
    ///
    /// # Errors
    /// Empty, or longer than `limit`.
    pub fn read(bytes: &[u8], limit: usize) -> Result<Option<Self>, FrameError> {
        let Some((length, rest)) = bytes.split_first_chunk() else { return Ok(None) };
        let length = u32::from_be_bytes(*length) as usize;
        if length == 0 {
            return Err(FrameError::Empty);
        }
        if length > limit {
            return Err(FrameError::TooLong { bytes: length, limit });
        }
        Ok(rest.first().map(|&kind| Self { length, kind }))
    }

    /// Bytes of the frame, its length field included.
    pub fn frame_bytes(&self) -> usize {
        Self::LENGTH_BYTES + self.length
    }
}

impl Frame {
    /// Reads a frame: exactly its bytes, without the length before them.
    ///
    /// # Errors
    /// The bytes are no frame of this protocol.
    pub fn read(bytes: &[u8]) -> Result<Self, FrameError> {
        let (&kind, body) = bytes.split_first().ok_or(FrameError::Empty)?;
        let mut body = Reader(body);
        let frame = match kind {
            wire::HELLO..=wire::REFUSED => handshake::read(kind, &mut body)?,
            wire::GET..=wire::UNWATCH => call::read(kind, &mut body)?,
            wire::VALUE..=wire::WATCH_REFUSED => answer::read(kind, &mut body)?,
            _ => return Err(FrameError::UnknownType { kind }),
        };
        body.end()?;
        Ok(frame)
    }

    /// Writes the frame, its length before it.
    pub fn write(&self, out: &mut BytesMut) {
        match self {
            Self::Get { call, key } => write_get(out, *call, key),
            Self::Scan { call, scan } => write_scan(out, *call, scan),
            Self::Commit { call, batch } => write_commit(out, *call, batch),
            Self::Watch { watch, prefix } => write_watch(out, *watch, prefix),
            Self::Unwatch { watch } => write_unwatch(out, *watch),
            Self::Value { call, value } => write_value(out, *call, value.as_deref()),
            Self::Page { call, entries, next } => write_page(out, *call, entries, next.as_ref()),
            Self::Done { call } => write_done(out, *call),
            Self::Failed { call, failure } => write_failed(out, *call, failure),
            Self::Hint { watch } => write_hint(out, *watch),
            Self::WatchRefused { watch } => write_watch_refused(out, *watch),
            handshake => handshake::write(out, handshake),
        }
    }
}

/// Writes one frame: its length, its type, and what `body` adds.
fn frame(out: &mut BytesMut, kind: u8, body: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_u32(0);
    out.put_u8(kind);
    body(out);
    let length = out.len() - start - Head::LENGTH_BYTES;
    let field = &mut out[start..start + Head::LENGTH_BYTES];
    // What callers pass was checked against the store's limits, far below this.
    field.copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
}

/// A key, a prefix or the end of a range. They are checked before; one that is too long for its
/// length field would be cut rather than break the frames behind it.
fn put_key(out: &mut BytesMut, key: &[u8]) {
    let length = u16::try_from(key.len()).unwrap_or(u16::MAX);
    out.put_u16(length);
    out.put_slice(&key[..usize::from(length)]);
}

fn put_value(out: &mut BytesMut, value: &[u8]) {
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
    out.put_u32(length);
    out.put_slice(&value[..length as usize]);
}

/// A text, cut where it gets too long.
fn put_text(out: &mut BytesMut, text: &str) {
    let text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
    put_key(out, text.as_bytes());
}
