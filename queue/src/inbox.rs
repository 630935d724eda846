//! Reading queues without taking anything out.

use bytes::Bytes;
use throughline_store::{CommitError, GetError, Scan, ScanError, Store};

use crate::defaults::{BYTES_MAX, MESSAGES_MAX, NONEMPTY_MAX, ROWS_FIRST};
use crate::nonempty::Nonempty;
use crate::{FormError, Message, Position, QueueName, Size, keys};

/// Why a queue could not be read. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// A page did not come. Retrying helps where the store says so.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// A row did not come. Retrying helps where the store says so.
    #[error(transparent)]
    Get(#[from] GetError),
    /// A row has another form than this build knows.
    #[error(transparent)]
    Form(#[from] FormError),
}

/// Messages of one queue, in order, the expired ones included.
#[derive(Debug, Clone, Default)]
pub struct InboxPage {
    /// The messages.
    pub messages: Vec<Message>,
    /// Whether there are more: go on behind the last.
    pub more: bool,
}

/// Queues that may have messages.
#[derive(Debug, Clone, Default)]
pub struct NonemptyPage {
    /// Their rows.
    pub rows: Vec<Nonempty>,
    /// Where the next page begins; `None` if there are no more.
    pub next: Option<Bytes>,
}

/// How much a queue holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Length {
    /// What may still be delivered.
    pub size: Size,
    /// What has expired, and is not removed yet.
    pub expired: Size,
    /// How long the oldest of what may be delivered has been there, in milliseconds.
    pub oldest_ms: Option<u64>,
    /// Whether there is more than was counted.
    pub more: bool,
}

/// Reads queues.
#[derive(Debug, Clone, Copy)]
pub struct Inbox;

impl Inbox {
    /// The first messages of a queue, or those behind `after`: at most `most` (more only if they
    /// share a row), [`MESSAGES_MAX`], and [`BYTES_MAX`]. Positions of several producers do not
    /// arrive in order, so a position is good for the next page of one walk, and not for what comes
    /// later. `after` must be that of the last message of a page.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn read(
        store: &dyn Store,
        name: &QueueName,
        after: Option<Position>,
        most: usize,
    ) -> Result<InboxPage, ReadError> {
        let most = most.clamp(1, MESSAGES_MAX);
        let mut scan = Scan::prefix(keys::messages_of(name));
        if let Some(position) = after {
            // The first key behind it.
            let key = [&keys::message(name, position)[..], &[0]].concat();
            scan = scan.resume(key.into());
        }
        let (mut page, mut rows, mut bytes) = (InboxPage::default(), 0, 0);
        loop {
            // How many messages share a row is known from those before.
            let left = most - page.messages.len();
            let rows_max = match rows {
                0 => ROWS_FIRST.min(most),
                rows => (left * rows).div_ceil(page.messages.len()),
            };
            let bytes_max = BYTES_MAX - bytes;
            let found = store.scan(scan.clone().entries_max(rows_max).bytes_max(bytes_max)).await?;
            let next = found.next().cloned();
            for row in found.into_entries() {
                let (before, row_bytes) = (page.messages.len(), row.key.len() + row.value.len());
                Message::read_row(row, &mut page.messages)?;
                // Rows are whole, and the first is always taken.
                let fits = page.messages.len() <= most && bytes + row_bytes <= BYTES_MAX;
                if !fits && before > 0 {
                    page.messages.truncate(before);
                    page.more = true;
                    return Ok(page);
                }
                rows += 1;
                bytes += row_bytes;
            }
            let Some(next) = next else { return Ok(page) };
            if page.messages.len() >= most || bytes >= BYTES_MAX {
                page.more = true;
                return Ok(page);
            }
            scan = scan.resume(next);
        }
    }

    /// The queues that may have messages, from `from` on: at most `most` and [`NONEMPTY_MAX`].
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn nonempty(
        store: &dyn Store,
        from: Option<Bytes>,
        most: usize,
    ) -> Result<NonemptyPage, ReadError> {
        let mut scan = Scan::prefix(keys::NONEMPTY);
        if let Some(from) = from {
            scan = scan.resume(from);
        }
        let page = store.scan(scan.entries_max(most.min(NONEMPTY_MAX))).await?;
        let next = page.next().cloned();
        // A row that this build cannot read is left alone: it must not hide the others.
        let rows = page.entries().iter().filter_map(|row| Nonempty::read(row).ok()).collect();
        Ok(NonemptyPage { rows, next })
    }

    /// Counts a queue, up to so many messages and bytes of payload, by pages.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn measure(
        store: &dyn Store,
        name: &QueueName,
        now_ms: u64,
        messages_max: u64,
        bytes_max: u64,
    ) -> Result<Length, ReadError> {
        let (mut length, mut after) = (Length::default(), None);
        loop {
            let page = Self::read(store, name, after, MESSAGES_MAX).await?;
            for message in &page.messages {
                let seen = length.size.plus(length.expired);
                if seen.messages >= messages_max || seen.bytes >= bytes_max {
                    return Ok(Length { more: true, ..length });
                }
                length.add(message, now_ms);
            }
            after = page.messages.last().map(Message::position);
            if !page.more || after.is_none() {
                return Ok(length);
            }
        }
    }

    /// Takes the queue's row away if the queue is empty: whether it is. For those who emptied it.
    ///
    /// # Errors
    /// [`ReadError`]. What the commit answers is no error: the row is a hint, and the next who
    /// finds the queue empty takes it away.
    pub async fn tidy(store: &dyn Store, name: &QueueName) -> Result<bool, ReadError> {
        let key = keys::nonempty(name);
        let Some(value) = store.get(key.clone()).await? else { return Ok(true) };
        let row = Nonempty::read(&throughline_store::Entry { key, value })?;
        let page = Self::read(store, name, None, 1).await?;
        if !page.messages.is_empty() {
            return Ok(false);
        }
        let outcome = store.commit(row.found_empty().into_batch()).await;
        Ok(!matches!(outcome, Err(CommitError::Refused(_))))
    }
}

impl Length {
    fn add(&mut self, message: &Message, now_ms: u64) {
        let size = Size::of_payload(message.payload().len());
        if message.is_expired(now_ms) {
            self.expired = self.expired.plus(size);
            return;
        }
        self.size = self.size.plus(size);
        let age_ms = now_ms.saturating_sub(message.position().time_ms);
        self.oldest_ms = Some(self.oldest_ms.map_or(age_ms, |oldest| oldest.max(age_ms)));
    }
}
