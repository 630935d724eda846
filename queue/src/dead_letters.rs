//! What operators do with dead letters: look at them, try them again, drop them.

use throughline_store::{CommitError, Store};

use crate::defaults::{COMMITS_MAX, MESSAGES_MAX};
use crate::{
    DeadLetter, FormError, Inbox, Message, Pieces, Position, Producing, QueueName, ReadError, Size,
    Source,
};

#[cfg(test)]
mod tests;

/// A dead letter where it lies.
#[derive(Debug, Clone)]
pub struct FiledLetter {
    message: Message,
    letter: Result<DeadLetter, FormError>,
}

/// Dead letters, the oldest first.
#[derive(Debug, Clone, Default)]
pub struct DeadLetterPage {
    /// The letters.
    pub letters: Vec<FiledLetter>,
    /// Whether there are more behind the last.
    pub more: bool,
}

/// Why nothing was done with a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeadLetterError {
    /// There is none of this id: it was never there, was tried again or dropped, or its time is
    /// over. The caller's fault.
    #[error(
        "there is no dead letter {id}: it was tried again or dropped before, or is older than 7 \
         days; `list` shows those that are there"
    )]
    NoSuch {
        /// What was asked for.
        id: String,
    },
    /// It cannot be read, so nobody knows where it belongs. A newer build may; or drop it.
    #[error("the dead letter cannot be tried again: {0}")]
    Unreadable(FormError),
    /// The dead letters could not be read; nothing was done. Retrying helps where the store says
    /// so.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Nothing was done. Retrying helps where the store says so.
    #[error(transparent)]
    NotWritten(CommitError),
    /// Whether it was done is not known. Retrying helps: it is done once at most.
    #[error("whether it was done is not known: {reason}; try it again")]
    Unknown {
        /// What happened.
        reason: String,
    },
}

impl FiledLetter {
    fn new(message: Message) -> Self {
        let letter = DeadLetter::decode(&message.payload());
        Self { message, letter }
    }

    /// What operators call it.
    #[must_use]
    pub fn id(&self) -> String {
        self.message.position().to_string()
    }

    /// What it says, unless this build cannot read it.
    ///
    /// # Errors
    /// [`FormError`].
    pub fn letter(&self) -> Result<&DeadLetter, &FormError> {
        self.letter.as_ref()
    }

    /// When it goes by itself, in milliseconds since 1970 UTC.
    #[must_use]
    pub const fn expires_ms(&self) -> u64 {
        self.message.expires_ms()
    }

    /// What takes it out, and puts its message back into the queue that it came from, behind those
    /// that are there. Its payload is what it was.
    fn retried(&self, letter: &DeadLetter, now_ms: u64) -> Pieces {
        let filed = self.message.position();
        let mut producing = Producing { source: Source::again(filed), last_ms: 0 };
        let (expires_ms, number) = (letter.expires_again_ms(now_ms), filed.number);
        let mut pieces = self.message.used_up();
        // It was enqueued before, so it is not too large.
        if let Ok(again) =
            producing.enqueue(&letter.to, &letter.payload, expires_ms, number, now_ms)
        {
            pieces.merge(again.pieces);
        }
        pieces
    }
}

/// Looks at dead letters, tries them again, and drops them.
#[derive(Debug, Clone, Copy)]
pub struct DeadLetters;

impl DeadLetters {
    /// The oldest dead letters, or those behind `after`, at most `most` and what one page has. If
    /// `after` has gone meanwhile, some of its millisecond may come again.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn page(
        store: &dyn Store,
        after: Option<&str>,
        most: usize,
        now_ms: u64,
    ) -> Result<DeadLetterPage, ReadError> {
        let name = QueueName::dead_letters();
        let mut from = after.and_then(before_all_of);
        let mut page = DeadLetterPage::default();
        // Those of its millisecond up to it were shown before.
        let passed = match after {
            Some(id) => Self::find(store, id).await.ok().map(|filed| filed.message.position()),
            None => None,
        };
        from = passed.or(from);
        loop {
            let found = Inbox::read(store, &name, from, most.max(1)).await?;
            for message in found.messages {
                from = Some(message.position());
                if message.is_expired(now_ms) {
                    continue;
                }
                if page.letters.len() == most {
                    page.more = true;
                    return Ok(page);
                }
                page.letters.push(FiledLetter::new(message));
            }
            if !found.more {
                return Ok(page);
            }
        }
    }

    /// The dead letter of this id.
    ///
    /// # Errors
    /// [`DeadLetterError::NoSuch`] or [`DeadLetterError::Read`].
    pub async fn find(store: &dyn Store, id: &str) -> Result<FiledLetter, DeadLetterError> {
        let no_such = || DeadLetterError::NoSuch { id: id.to_owned() };
        let mut from = before_all_of(id);
        let time_ms = time_of(id).ok_or_else(no_such)?;
        loop {
            let page = Inbox::read(store, &QueueName::dead_letters(), from, MESSAGES_MAX).await?;
            for message in page.messages {
                let position = message.position();
                if position.time_ms > time_ms {
                    return Err(no_such());
                }
                from = Some(position);
                if position.to_string() == id {
                    return Ok(FiledLetter::new(message));
                }
            }
            if !page.more {
                return Err(no_such());
            }
        }
    }

    /// Puts the message back into the queue that it came from, and takes the letter away, in one
    /// commit. Limits of that queue are not looked at. To which queue it went.
    ///
    /// # Errors
    /// [`DeadLetterError`].
    pub async fn retry(
        store: &dyn Store,
        id: &str,
        now_ms: u64,
    ) -> Result<QueueName, DeadLetterError> {
        let filed = Self::find(store, id).await?;
        let letter = filed.letter.as_ref().map_err(|e| DeadLetterError::Unreadable(e.clone()))?;
        take(store, id, &filed.retried(letter, now_ms)).await?;
        Ok(letter.to.clone())
    }

    /// Takes a letter away: its message is gone then.
    ///
    /// # Errors
    /// [`DeadLetterError`].
    pub async fn drop(store: &dyn Store, id: &str) -> Result<(), DeadLetterError> {
        let filed = Self::find(store, id).await?;
        take(store, id, &filed.message.used_up()).await
    }

    /// Drops the oldest until there are no more than `max`: how many it dropped.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn trim(store: &dyn Store, max: Size, now_ms: u64) -> Result<u64, ReadError> {
        let name = QueueName::dead_letters();
        let length = Inbox::measure(store, &name, now_ms, u64::MAX, u64::MAX).await?;
        let mut size = length.size.plus(length.expired);
        let (mut from, mut dropped) = (None, 0);
        while size.exceeds(max) {
            let page = Inbox::read(store, &name, from, MESSAGES_MAX).await?;
            from = page.messages.last().map(Message::position);
            if from.is_none() {
                break;
            }
            for message in page.messages {
                if !size.exceeds(max) {
                    break;
                }
                size = size.less(Size::of_payload(message.payload().len()));
                // Refused: an operator was faster, and it is gone all the same.
                let is_in = store.commit(message.used_up().into_batch()).await.is_ok();
                dropped += u64::from(is_in && !message.is_expired(now_ms));
            }
        }
        Ok(dropped)
    }
}

/// Makes the commit that takes a letter. It checks the letter's row, so however often it is made,
/// it takes effect once.
async fn take(store: &dyn Store, id: &str, pieces: &Pieces) -> Result<(), DeadLetterError> {
    let mut unknown = None;
    for _ in 0..COMMITS_MAX {
        match store.commit(pieces.clone().into_batch()).await {
            Ok(()) => return Ok(()),
            // The commit whose outcome was unknown is in, or somebody else was faster.
            Err(CommitError::Refused(_)) if unknown.is_some() => return Ok(()),
            Err(CommitError::Refused(_)) => {
                return Err(DeadLetterError::NoSuch { id: id.to_owned() });
            }
            Err(CommitError::Unknown { reason }) => unknown = Some(reason),
            Err(error) => {
                return Err(match unknown {
                    Some(reason) => DeadLetterError::Unknown { reason },
                    None => DeadLetterError::NotWritten(error),
                });
            }
        }
    }
    Err(DeadLetterError::Unknown { reason: unknown.unwrap_or_default() })
}

/// The time in an id.
fn time_of(id: &str) -> Option<u64> {
    id.split('.').next()?.parse().ok()
}

/// A position in front of all of the millisecond of this id.
fn before_all_of(id: &str) -> Option<Position> {
    let time_ms = time_of(id)?.checked_sub(1)?;
    Some(Position { time_ms, source: Source([0xff; 16]), number: u64::MAX })
}
