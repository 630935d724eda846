//! Commits whose outcome can be settled.
//!
//! Each goes with a row of its own: it checks what stood there, and changes it. So at most one is
//! under way, whoever has replaced the row has fenced it, and an unknown outcome is settled by a
//! further change of the row (rule 9 of the store's law).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use throughline_store::{Batch, CommitError, GetError, Store};

use crate::defaults::{SETTLE_PAUSE_MAX, SETTLE_PAUSE_MIN, SETTLE_TRIES_MAX};
use crate::metrics::{Counters, add};
use crate::record::Record;
use crate::sender::Common;
use crate::{Pieces, ReadError};

/// Why a commit was not made.
#[derive(Debug, Clone)]
pub(crate) enum LaneError {
    /// A check of the pieces did not hold. Nothing was written.
    Refused,
    /// The row is not what this lane has left there: it is somebody else's, or was swept. Nothing
    /// was written.
    Fenced,
    /// Not known, and not settled so far; the lane settles it before its next commit.
    Unknown(String),
    /// Nothing was written.
    NotWritten(CommitError),
}

/// One row, and the commit that may be under way on it.
#[derive(Debug)]
pub(crate) struct Lane {
    store: Arc<dyn Store>,
    counters: Arc<Counters>,
    key: Bytes,
    life: u64,
    /// What stands in the row, as last read or written.
    known: Option<Record>,
    /// What a commit wrote whose outcome is not known: it is under way, or its future was dropped.
    attempt: Option<Record>,
}

impl Lane {
    pub(crate) fn new(common: &Common, key: Bytes, life: u64, known: Option<Record>) -> Self {
        let Common { store, counters, .. } = common.clone();
        Self { store, counters, key, life, known, attempt: None }
    }

    /// Goes on with what stands in the row now, on a lane that is settled: other handles may have
    /// written it, or a sweep has taken it away.
    pub(crate) async fn reload(&mut self) -> Result<(), ReadError> {
        let value = self.store.get(self.key.clone()).await?;
        self.known = value.as_ref().map(Record::decode).transpose()?;
        Ok(())
    }

    /// The number in the row, as last read or written.
    pub(crate) fn number(&self) -> u64 {
        self.known.map_or(0, |record| record.number)
    }

    /// Whether a commit has to be settled before the next.
    pub(crate) const fn is_unsettled(&self) -> bool {
        self.attempt.is_some()
    }

    /// Makes a commit, on a lane that is settled. `Ok(false)`: it was unknown, and surely has not
    /// landed.
    pub(crate) async fn commit(
        &mut self,
        pieces: Pieces,
        last_ms: u64,
        number: u64,
    ) -> Result<bool, LaneError> {
        let next = Record::after(self.known, self.life, last_ms, number);
        let mut batch = self.change(&next);
        pieces.add_to(&mut batch);
        // Dropped from here on, it is settled by whoever uses the lane next.
        self.attempt = Some(next);
        match self.store.commit(batch).await {
            Ok(()) => {
                self.known = self.attempt.take();
                Ok(true)
            }
            Err(CommitError::Unknown { .. }) => self.settle().await,
            Err(error) => {
                self.attempt = None;
                Err(match error {
                    CommitError::Refused(refusal) if refusal.check == 0 => LaneError::Fenced,
                    CommitError::Refused(_) => LaneError::Refused,
                    error => LaneError::NotWritten(error),
                })
            }
        }
    }

    /// Finds out whether the last commit has landed, and makes sure that it does not land later.
    pub(crate) async fn settle(&mut self) -> Result<bool, LaneError> {
        let mut pause = SETTLE_PAUSE_MIN;
        let mut reason = String::new();
        for _ in 0..SETTLE_TRIES_MAX {
            let Some(attempt) = self.attempt else { return Ok(false) };
            match self.settle_once(attempt).await {
                Ok(Some(landed)) => return Ok(landed),
                Ok(None) => {}
                Err(Unsettled::Fenced) => {
                    self.attempt = None;
                    return Err(LaneError::Fenced);
                }
                Err(Unsettled::Lost) => {
                    self.attempt = None;
                    return Err(LaneError::Unknown("the handle was fenced meanwhile".to_owned()));
                }
                Err(Unsettled::Over(why)) => return Err(LaneError::Unknown(why)),
                Err(Unsettled::Waiting(why)) => {
                    reason = why;
                    tokio::time::sleep(pause).await;
                    pause = SETTLE_PAUSE_MAX.min(pause * 2);
                }
            }
        }
        Err(LaneError::Unknown(reason))
    }

    async fn settle_once(&mut self, attempt: Record) -> Result<Option<bool>, Unsettled> {
        let value = self.store.get(self.key.clone()).await.map_err(|error| match error {
            GetError::Down(_) => waiting(error),
            error => over(error),
        })?;
        let found = value.as_ref().map(Record::decode).transpose().map_err(over)?;
        if found == self.known {
            // Not yet: a bump on what it checked keeps it from landing.
            let number = self.known.map_or(0, |known| known.number);
            let bump = Record { version: attempt.version + 1, number, ..attempt };
            return match self.store.commit(self.change(&bump)).await {
                Ok(()) => {
                    self.settled(bump);
                    Ok(Some(false))
                }
                // Either of the two has landed meanwhile, or may: look again.
                Err(CommitError::Refused(_) | CommitError::Unknown { .. }) => Ok(None),
                Err(error @ CommitError::Down(_)) => Err(waiting(error)),
                Err(error) => Err(over(error)),
            };
        }
        match found {
            Some(found) if found == attempt => {
                self.settled(found);
                Ok(Some(true))
            }
            // A bump of an earlier look, which went in instead.
            Some(found) if found.life == self.life && found.version > attempt.version => {
                self.settled(found);
                Ok(Some(false))
            }
            // Another life: it says which of the two it has found.
            Some(found) if found.life != self.life && found.began == attempt.version => {
                // The next commit is refused.
                self.settled(attempt);
                Ok(Some(true))
            }
            // All versions behind the one that it took over are its own.
            Some(found) if found.life != self.life && found.began < attempt.version => {
                Err(Unsettled::Fenced)
            }
            _ => Err(Unsettled::Lost),
        }
    }

    fn settled(&mut self, found: Record) {
        self.known = Some(found);
        self.attempt = None;
        add(&self.counters.settled, 1);
    }

    /// The check of what stands in the row, and its change.
    fn change(&self, next: &Record) -> Batch {
        let batch = match &self.known {
            Some(known) => Batch::new().check_equals(self.key.clone(), known.encode()),
            None => Batch::new().check_absent(self.key.clone()),
        };
        batch.put(self.key.clone(), next.encode())
    }
}

/// Why one look did not settle it.
enum Unsettled {
    /// It has not landed, and never will.
    Fenced,
    /// Several lives came after it, and the row does not say any more.
    Lost,
    /// The store may say it later.
    Waiting(String),
    /// The store will not say it.
    Over(String),
}

fn over(error: impl std::error::Error) -> Unsettled {
    Unsettled::Over(error.to_string())
}

fn waiting(error: impl std::error::Error) -> Unsettled {
    Unsettled::Waiting(error.to_string())
}

#[cfg(test)]
mod tests;

const _: () = assert!(SETTLE_PAUSE_MIN.as_millis() > Duration::ZERO.as_millis(), "it doubles");
