//! One enum per operation. Each variant says whose fault it is and whether retrying helps.

use throughline_store::{CommitError, GetError};

use crate::defaults::{PRODUCER_NAME_BYTES_MAX, TOKEN_BYTES_MAX};
use crate::lane::LaneError;
use crate::{AdmitError, FormError, Full, PayloadError, ReadError};

/// Why a handle was not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The name is empty or too long: the caller's fault.
    #[error("the name of a producer has {bytes} bytes, 1 to {PRODUCER_NAME_BYTES_MAX}")]
    Name {
        /// Its length.
        bytes: usize,
    },
    /// The producer's record could not be read. Retrying helps where the store says so.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The producer's record could not be written. Retrying helps where the store says so.
    #[error(transparent)]
    NotWritten(CommitError),
    /// Others open the same producer again and again: each producer has one handle.
    #[error("the producer is being opened elsewhere at the same time")]
    Contended,
    /// The system gives no random numbers: the environment's fault.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
}

/// Why a message was not enqueued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnqueueError {
    /// The payload is too large: the caller's fault.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// It would have expired before it was there: the caller's fault.
    #[error("the message expires at {expires_ms}, and it is {now_ms}")]
    Expired {
        /// When it expires, in milliseconds since 1970 UTC.
        expires_ms: u64,
        /// What time it is.
        now_ms: u64,
    },
    /// The queue, or all together, hold as much as they may: the sender's to handle. Retrying helps
    /// once somebody has taken messages out.
    #[error(transparent)]
    Full(#[from] Full),
    /// The same producer was opened anew, or was not used for so long that its record was swept.
    /// Nothing was written, and this handle never writes again; open another.
    #[error("this handle is fenced: its producer was opened anew, or not used for 30 days")]
    Fenced,
    /// Whether it is there is not known, and the store does not say. With a number of one's own it
    /// may be tried again; else it may be there twice then.
    #[error("the outcome of the enqueue is unknown: {reason}")]
    Unknown {
        /// What happened.
        reason: String,
    },
    /// Nothing was written. Retrying helps where the store says so.
    #[error(transparent)]
    NotWritten(CommitError),
    /// Nothing was written, since something could not be read first. Retrying helps where the store
    /// says so.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Why nothing was taken out of a queue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DequeueError {
    /// The queue could not be read; nothing was removed. Retrying helps where the store says so.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Nothing was removed. Retrying helps where the store says so.
    #[error(transparent)]
    NotWritten(CommitError),
    /// Others took the messages before, again and again; nothing was removed. Retrying helps.
    #[error("others took the messages before, {tries} times")]
    Contended {
        /// How often.
        tries: usize,
    },
    /// Whether messages were removed is not known, and the store does not say. With a token, the
    /// call may be repeated, and nothing is lost; without, they may be.
    #[error("the outcome is unknown: {reason}")]
    Unknown {
        /// What happened.
        reason: String,
    },
    /// The token is too long: the caller's fault.
    #[error("the token has {bytes} bytes, at most {TOKEN_BYTES_MAX}")]
    Token {
        /// Its length.
        bytes: usize,
    },
    /// The same name was opened anew elsewhere; nothing was removed. Open the handle again, each
    /// consumer under a name of its own.
    #[error("this handle is fenced: its name was opened anew elsewhere")]
    Fenced,
}

impl From<AdmitError> for EnqueueError {
    fn from(error: AdmitError) -> Self {
        match error {
            AdmitError::Full(full) => Self::Full(full),
            AdmitError::Read(error) => Self::Read(error),
        }
    }
}

impl From<GetError> for OpenError {
    fn from(error: GetError) -> Self {
        Self::Read(error.into())
    }
}

impl From<FormError> for OpenError {
    fn from(error: FormError) -> Self {
        Self::Read(error.into())
    }
}

impl From<LaneError> for EnqueueError {
    fn from(error: LaneError) -> Self {
        match error {
            LaneError::Fenced | LaneError::Refused => Self::Fenced,
            LaneError::Unknown(reason) => Self::Unknown { reason },
            LaneError::NotWritten(error) => Self::NotWritten(error),
        }
    }
}

impl From<LaneError> for DequeueError {
    fn from(error: LaneError) -> Self {
        match error {
            LaneError::Fenced => Self::Fenced,
            LaneError::Refused => Self::Contended { tries: 1 },
            LaneError::Unknown(reason) => Self::Unknown { reason },
            LaneError::NotWritten(error) => Self::NotWritten(error),
        }
    }
}
