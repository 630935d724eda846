//! Why a call did not succeed.

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use throughline_store::{
    BatchError, CommitError, Corruption, GetError, KeyError, Outage, Refusal, ScanError,
};

use crate::frame::{Reader, frame, put_key, put_text};
use crate::limits::AWAY_RETRY_AFTER;
use crate::{FrameError, wire};

/// Why a call did not succeed, as it crosses the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The store is down, or it was closed under the hub, which will stop.
    Down(Outage),
    /// The outcome of the commit is unknown.
    Unknown {
        /// What happened.
        reason: String,
    },
    /// Stored bytes are damaged.
    Corrupt(Corruption),
    /// A check did not hold.
    Check(Refusal),
    /// A key, or an end of a range, that no store takes.
    Key(KeyError),
    /// A batch that no store takes.
    Batch(BatchError),
}

impl Failure {
    /// For a store that was closed under its hub: another hub may come, so a client tries again.
    fn closed() -> Self {
        let reason = "the hub's store is closed: the hub is about to stop".to_owned();
        Self::Down(Outage { reason, retry_after: AWAY_RETRY_AFTER })
    }

    /// For an error of a later version of the store's crate.
    fn other(error: impl std::fmt::Display) -> Self {
        let reason = format!("the hub's store failed: {error}");
        Self::Down(Outage { reason, retry_after: AWAY_RETRY_AFTER })
    }

    /// For a failure that does not belong to the call it answers.
    fn misplaced(self) -> Outage {
        let reason = format!("the hub gave an answer that does not belong to the call: {self:?}");
        Outage { reason, retry_after: AWAY_RETRY_AFTER }
    }
}

impl From<GetError> for Failure {
    fn from(error: GetError) -> Self {
        match error {
            GetError::Down(outage) => Self::Down(outage),
            GetError::Key(error) => Self::Key(error),
            GetError::Corrupt(corruption) => Self::Corrupt(corruption),
            GetError::Closed => Self::closed(),
            error => Self::other(error),
        }
    }
}

impl From<ScanError> for Failure {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Down(outage) => Self::Down(outage),
            ScanError::Range(error) => Self::Key(error),
            ScanError::Corrupt(corruption) => Self::Corrupt(corruption),
            ScanError::Closed => Self::closed(),
            error => Self::other(error),
        }
    }
}

impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Refused(refusal) => Self::Check(refusal),
            CommitError::Unknown { reason } => Self::Unknown { reason },
            CommitError::Down(outage) => Self::Down(outage),
            CommitError::Invalid(error) => Self::Batch(error),
            CommitError::Corrupt(corruption) => Self::Corrupt(corruption),
            CommitError::Closed => Self::closed(),
            // Of an error that this version does not know, nothing is known.
            error => Self::Unknown { reason: format!("the hub's store failed: {error}") },
        }
    }
}

impl From<Failure> for GetError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Down(outage) => Self::Down(outage),
            Failure::Key(error) => Self::Key(error),
            Failure::Corrupt(corruption) => Self::Corrupt(corruption),
            other => Self::Down(other.misplaced()),
        }
    }
}

impl From<Failure> for ScanError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Down(outage) => Self::Down(outage),
            Failure::Key(error) => Self::Range(error),
            Failure::Corrupt(corruption) => Self::Corrupt(corruption),
            other => Self::Down(other.misplaced()),
        }
    }
}

impl From<Failure> for CommitError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Check(refusal) => Self::Refused(refusal),
            Failure::Unknown { reason } => Self::Unknown { reason },
            Failure::Down(outage) => Self::Down(outage),
            Failure::Batch(error) => Self::Invalid(error),
            Failure::Key(error) => Self::Invalid(BatchError::Key(error)),
            Failure::Corrupt(corruption) => Self::Corrupt(corruption),
        }
    }
}

const KEY_EMPTY: u8 = 1;
const KEY_TOO_LARGE: u8 = 2;
const VALUE_TOO_LARGE: u8 = 3;
const TOO_MANY_CHECKS: u8 = 4;
const TOO_MANY_WRITES: u8 = 5;
const TOO_LARGE: u8 = 6;
const WRITTEN_TWICE: u8 = 7;

pub(super) fn read(body: &mut Reader<'_>) -> Result<Failure, FrameError> {
    Ok(match body.u8()? {
        wire::FAILED_DOWN => {
            let retry_after = Duration::from_millis(body.u32()?.into());
            Failure::Down(Outage { retry_after, reason: body.text()? })
        }
        wire::FAILED_UNKNOWN => Failure::Unknown { reason: body.text()? },
        wire::FAILED_CORRUPT => Failure::Corrupt(Corruption { detail: body.text()? }),
        wire::FAILED_CHECK => {
            Failure::Check(Refusal { check: body.u16()?.into(), key: body.key()? })
        }
        wire::FAILED_KEY => match body.u8()? {
            KEY_EMPTY => Failure::Key(KeyError::Empty),
            KEY_TOO_LARGE => Failure::Key(KeyError::TooLarge { bytes: number(body)? }),
            tag => return Err(FrameError::Tag { tag }),
        },
        wire::FAILED_BATCH => Failure::Batch(read_batch_error(body)?),
        tag => return Err(FrameError::Tag { tag }),
    })
}

fn read_batch_error(body: &mut Reader<'_>) -> Result<BatchError, FrameError> {
    Ok(match body.u8()? {
        KEY_EMPTY => BatchError::Key(KeyError::Empty),
        KEY_TOO_LARGE => BatchError::Key(KeyError::TooLarge { bytes: number(body)? }),
        VALUE_TOO_LARGE => BatchError::ValueTooLarge { bytes: number(body)?, key: body.key()? },
        TOO_MANY_CHECKS => BatchError::TooManyChecks { count: number(body)? },
        TOO_MANY_WRITES => BatchError::TooManyWrites { count: number(body)? },
        TOO_LARGE => BatchError::TooLarge { bytes: number(body)? },
        WRITTEN_TWICE => BatchError::WrittenTwice { key: body.key()? },
        tag => return Err(FrameError::Tag { tag }),
    })
}

fn number(body: &mut Reader<'_>) -> Result<usize, FrameError> {
    body.u32().map(|number| number as usize)
}

pub(crate) fn write_failed(out: &mut BytesMut, call: u64, failure: &Failure) {
    frame(out, wire::FAILED, |out| {
        out.put_u64(call);
        write(out, failure);
    });
}

fn write(out: &mut BytesMut, failure: &Failure) {
    match failure {
        Failure::Down(outage) => {
            out.put_u8(wire::FAILED_DOWN);
            let millis = outage.retry_after.as_millis();
            out.put_u32(millis.try_into().unwrap_or(u32::MAX));
            put_text(out, &outage.reason);
        }
        Failure::Unknown { reason } => {
            out.put_u8(wire::FAILED_UNKNOWN);
            put_text(out, reason);
        }
        Failure::Corrupt(corruption) => {
            out.put_u8(wire::FAILED_CORRUPT);
            put_text(out, &corruption.detail);
        }
        Failure::Check(refusal) => {
            out.put_u8(wire::FAILED_CHECK);
            out.put_u16(refusal.check.try_into().unwrap_or(u16::MAX));
            put_key(out, &refusal.key);
        }
        Failure::Key(error) => {
            out.put_u8(wire::FAILED_KEY);
            write_key_error(out, *error);
        }
        Failure::Batch(error) => {
            out.put_u8(wire::FAILED_BATCH);
            write_batch_error(out, error);
        }
    }
}

fn write_key_error(out: &mut BytesMut, error: KeyError) {
    match error {
        KeyError::TooLarge { bytes } => put_number(out, KEY_TOO_LARGE, bytes),
        // An error of a later version: the key is none, whatever the reason.
        _ => out.put_u8(KEY_EMPTY),
    }
}

fn write_batch_error(out: &mut BytesMut, error: &BatchError) {
    match error {
        BatchError::Key(error) => write_key_error(out, *error),
        BatchError::ValueTooLarge { key, bytes } => {
            put_number(out, VALUE_TOO_LARGE, *bytes);
            put_key(out, key);
        }
        BatchError::TooManyChecks { count } => put_number(out, TOO_MANY_CHECKS, *count),
        BatchError::TooManyWrites { count } => put_number(out, TOO_MANY_WRITES, *count),
        BatchError::WrittenTwice { key } => {
            out.put_u8(WRITTEN_TWICE);
            put_key(out, key);
        }
        BatchError::TooLarge { bytes } => put_number(out, TOO_LARGE, *bytes),
        // An error of a later version: no limit of this one names it.
        _ => put_number(out, TOO_LARGE, 0),
    }
}

fn put_number(out: &mut BytesMut, tag: u8, number: usize) {
    out.put_u8(tag);
    out.put_u32(number.try_into().unwrap_or(u32::MAX));
}
