//! An ask between two nodes: by hand, since there are many of them.
//!
//! The first byte tells it from the other calls between nodes, which are CBOR maps. All numbers
//! are big-endian.

use std::cell::RefCell;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use throughline_cluster::RecordId;

use super::{AskError, Payload, Rejection};
use crate::codec::EncodeError;

/// No CBOR map or text begins with this.
const INVOCATION: u8 = 0;
/// The form of this build.
const FORM: u8 = 1;

const TELL: u8 = 1;

/// Those who wait for one ask, at most: a longer chain is a game's mistake.
pub(super) const CHAIN_MAX: usize = 16;

/// Whether a call of another node is one of these.
pub(crate) fn is_invocation(payload: &[u8]) -> bool {
    payload.first() == Some(&INVOCATION)
}

/// An ask, or a tell, to be written.
#[derive(Debug)]
pub(super) struct Invocation<'a> {
    pub(super) id: &'a RecordId,
    pub(super) message: &'a str,
    pub(super) left: Duration,
    pub(super) is_tell: bool,
    pub(super) chain: &'a [RecordId],
    pub(super) payload: &'a Payload,
}

/// The same, read.
#[derive(Debug)]
pub(super) struct Invoked<'a> {
    /// Of the record that is asked.
    pub(super) id: &'a [u8],
    pub(super) message: &'a [u8],
    pub(super) left: Duration,
    pub(super) is_tell: bool,
    pub(super) chain: Vec<RecordId>,
    /// Where the payload begins: it takes the rest.
    pub(super) payload_at: usize,
}

impl Invocation<'_> {
    pub(super) fn encode(&self) -> Result<Bytes, EncodeError> {
        scratch(|out| {
            self.write(out);
            self.payload.write(out)
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        let id = self.id.as_bytes();
        let left = u32::try_from(self.left.as_millis()).unwrap_or(u32::MAX);
        out.extend_from_slice(&[INVOCATION, FORM, u8::from(self.is_tell) * TELL]);
        out.extend_from_slice(&left.to_be_bytes());
        put(out, id);
        put(out, self.message.as_bytes());
        let chain = &self.chain[..self.chain.len().min(CHAIN_MAX)];
        out.push(u8::try_from(chain.len()).unwrap_or(0));
        for waiting in chain {
            put(out, waiting.as_bytes());
        }
    }
}

/// The buffer that calls and replies are written into first, so that what is kept of each takes
/// one allocation; given back if it has become larger than this.
const SCRATCH_KEPT: usize = 64 * 1024;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

fn scratch(
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
) -> Result<Bytes, EncodeError> {
    // Taken out, since what writes itself may be anything.
    let mut out = SCRATCH.take();
    out.clear();
    let written = write(&mut out).map(|()| Bytes::copy_from_slice(&out));
    if out.capacity() <= SCRATCH_KEPT {
        SCRATCH.set(out);
    }
    written
}

/// Names are at most 255 bytes: kinds, messages and records have lower limits.
fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(usize::from(u8::MAX))];
    out.push(u8::try_from(bytes.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(bytes);
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (&length, behind) = rest.split_first()?;
    let (taken, behind) = behind.split_at_checked(usize::from(length))?;
    *rest = behind;
    Some(taken)
}

impl<'a> Invoked<'a> {
    /// `None`: it was not written by this form.
    pub(super) fn decode(call: &'a [u8]) -> Option<Self> {
        let (head, mut rest) = call.split_first_chunk::<7>()?;
        let [INVOCATION, FORM, flags, left @ ..] = *head else { return None };
        let left = Duration::from_millis(u64::from(u32::from_be_bytes(left)));
        let id = take(&mut rest)?;
        let message = take(&mut rest)?;
        let (&count, behind) = rest.split_first()?;
        rest = behind;
        if usize::from(count) > CHAIN_MAX {
            return None;
        }
        let mut chain = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            chain.push(RecordId::from_bytes(take(&mut rest)?)?);
        }
        let (is_tell, payload_at) = (flags & TELL != 0, call.len() - rest.len());
        Some(Self { id, message, left, is_tell, chain, payload_at })
    }
}

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Done(Bytes),
    Failed(AskError),
    /// It was not run: the VActor is elsewhere, or nowhere.
    NotHere,
}

const DONE: u8 = 0;
const NOT_HERE: u8 = 1;
const REJECTED: u8 = 2;
const UNKNOWN: u8 = 3;
const OVERLOADED: u8 = 4;
const DEADLOCK: u8 = 5;

impl Reply {
    /// [`Reply::Done`] with this.
    pub(super) fn done(payload: &Payload) -> Result<Bytes, EncodeError> {
        scratch(|out| {
            out.push(DONE);
            payload.write(out)
        })
    }

    pub(super) fn encode(&self) -> Bytes {
        let mut out = Vec::new();
        match self {
            Self::Done(payload) => {
                out.push(DONE);
                out.extend_from_slice(payload);
            }
            Self::NotHere => out.push(NOT_HERE),
            Self::Failed(AskError::Rejected(why)) => {
                out.extend_from_slice(&[REJECTED, why.number()])
            }
            Self::Failed(AskError::Unknown) => out.push(UNKNOWN),
            Self::Failed(AskError::Overloaded { retry_after }) => {
                out.push(OVERLOADED);
                let wait = u32::try_from(retry_after.as_millis()).unwrap_or(u32::MAX);
                out.extend_from_slice(&wait.to_be_bytes());
            }
            Self::Failed(AskError::Deadlock { chain }) => {
                out.push(DEADLOCK);
                chain.iter().for_each(|name| put(&mut out, name.as_bytes()));
            }
        }
        out.into()
    }

    /// `None`: it was not written by this form.
    pub(super) fn decode(mut rest: Bytes) -> Option<Self> {
        let what = *rest.first()?;
        rest.advance(1);
        Some(match what {
            DONE => Self::Done(rest),
            NOT_HERE => Self::NotHere,
            REJECTED => Self::Failed(Rejection::from_number(*rest.first()?)?.into()),
            UNKNOWN => Self::Failed(AskError::Unknown),
            OVERLOADED => {
                let wait = u32::from_be_bytes(rest[..].try_into().ok()?);
                let retry_after = Duration::from_millis(u64::from(wait));
                Self::Failed(AskError::Overloaded { retry_after })
            }
            DEADLOCK => {
                let (mut chain, mut rest) = (Vec::new(), &rest[..]);
                while !rest.is_empty() {
                    let name = take(&mut rest).filter(|_| chain.len() <= CHAIN_MAX)?;
                    chain.push(String::from_utf8_lossy(name).into_owned());
                }
                Self::Failed(AskError::Deadlock { chain })
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests;
