//! The space of what has expired comes back.

use bytes::Bytes;
use throughline_store::{Check, CommitError, Entry, Scan, ScanError, Store};

use crate::defaults::{BYTES_MAX, MESSAGES_MAX};
use crate::form::FormError;
use crate::nonempty::Nonempty;
use crate::record::Record;
use crate::token::Kept;
use crate::{Message, Pieces, Totals, keys};

#[cfg(test)]
mod tests;

/// Commits that one call tries, when others use up what it is about to remove.
const COMMITS_MAX: usize = 8;
/// Rows of non-empty queues that one call looks behind: each costs a scan.
const NONEMPTY_MAX: usize = 64;

/// What is walked through, in this order.
const STAGES: [&[u8]; 4] = [keys::MESSAGES, keys::PRODUCERS, keys::TOKENS, keys::NONEMPTY];

/// Why a call did not get on. What it removed before stays removed; the same cursor goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SweepError {
    /// A page did not come. Retrying helps where the store says so.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// A commit was not made. Retrying helps where the store says so.
    #[error(transparent)]
    Commit(CommitError),
}

/// How far a sweep is. The default is its beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SweepCursor {
    stage: usize,
    from: Option<Bytes>,
    totals: Totals,
}

/// What one call did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Where the next call goes on.
    pub cursor: SweepCursor,
    /// Whether it came to the end, so that the next one begins anew.
    pub is_whole: bool,
    /// Rows that it read.
    pub looked_at: u64,
    /// Messages that had expired, and are gone now.
    pub removed: u64,
    /// Bytes of their keys and values.
    pub removed_bytes: u64,
    /// Rows of a form that this build does not read, left as they are.
    pub unreadable: u64,
}

/// Walks on through all messages, and what else of queues ages, by at most `rows_max` rows (within
/// [`MESSAGES_MAX`] and [`BYTES_MAX`]), and removes what has expired. One call is one scan, and a
/// few commits; to see everything, call it again with the cursor that it returns. Several may
/// sweep the same store.
///
/// # Errors
/// [`SweepError`].
pub async fn sweep(
    store: &dyn Store,
    cursor: &SweepCursor,
    now_ms: u64,
    rows_max: usize,
) -> Result<Swept, SweepError> {
    let mut cursor = cursor.clone();
    let stage = STAGES[cursor.stage % STAGES.len()];
    let most = if stage == keys::NONEMPTY { NONEMPTY_MAX } else { MESSAGES_MAX };
    let mut scan = Scan::prefix(stage).entries_max(rows_max.min(most)).bytes_max(BYTES_MAX);
    if let Some(from) = cursor.from.take() {
        scan = scan.resume(from);
    }
    let page = store.scan(scan).await?;
    cursor.from = page.next().cloned();
    let entries = page.into_entries();
    let mut swept = Swept { looked_at: entries.len() as u64, ..Swept::default() };
    let mut over = Vec::new();
    for entry in entries {
        match is_over(store, stage, &entry, now_ms).await? {
            Ok(true) => over.push(entry),
            Ok(false) if stage == keys::MESSAGES => cursor.totals.count(entry, now_ms),
            Ok(false) => {}
            Err(_) => swept.unreadable += 1,
        }
    }
    let gone = remove(store, over).await?;
    if stage == keys::MESSAGES {
        let messages = gone.iter().filter_map(|row| messages_of(row.clone()).ok());
        swept.removed = messages.map(|messages| messages.len() as u64).sum();
        swept.removed_bytes =
            gone.iter().map(|entry| (entry.key.len() + entry.value.len()) as u64).sum();
    }
    if cursor.from.is_none() {
        if stage == keys::MESSAGES {
            let totals = Totals { counted_ms: now_ms, ..cursor.totals };
            // A hint: if it is not written, that of the sweep before stays.
            let _ = store.commit(totals.put()).await;
        }
        cursor.stage += 1;
        if cursor.stage == STAGES.len() {
            swept.is_whole = true;
            cursor = SweepCursor::default();
        }
    }
    swept.cursor = cursor;
    Ok(swept)
}

/// Whether a row is to be removed.
async fn is_over(
    store: &dyn Store,
    stage: &[u8],
    entry: &Entry,
    now_ms: u64,
) -> Result<Result<bool, FormError>, ScanError> {
    if stage != keys::NONEMPTY {
        return Ok(match stage {
            // Those of a shared row go together, with the last of them.
            keys::MESSAGES => messages_of(entry.clone())
                .map(|messages| messages.iter().all(|message| message.is_expired(now_ms))),
            keys::PRODUCERS => Record::decode(&entry.value).map(|record| record.is_stale(now_ms)),
            _ => Kept::expiry(&entry.value).map(|expires_ms| now_ms >= expires_ms),
        });
    }
    let row = match Nonempty::read(entry) {
        Ok(row) => row,
        Err(error) => return Ok(Err(error)),
    };
    let scan = Scan::prefix(keys::messages_of(row.name())).entries_max(1);
    Ok(Ok(store.scan(scan).await?.entries().is_empty()))
}

/// Removes rows that are still what they were, and returns them.
async fn remove(store: &dyn Store, mut over: Vec<Entry>) -> Result<Vec<Entry>, SweepError> {
    for _ in 0..COMMITS_MAX {
        if over.is_empty() {
            break;
        }
        let mut pieces = Pieces::default();
        for Entry { key, value } in &over {
            pieces.checks.push(Check::Equals { key: key.clone(), value: value.clone() });
            pieces.writes.push(throughline_store::Write::Delete { key: key.clone() });
        }
        match store.commit(pieces.into_batch()).await {
            Ok(()) => return Ok(over),
            // Somebody was faster with this one.
            Err(CommitError::Refused(refusal)) => drop(over.remove(refusal.check)),
            // Whether they are gone or not, the next sweep finds what is there.
            Err(CommitError::Unknown { .. }) => break,
            Err(error) => return Err(SweepError::Commit(error)),
        }
    }
    Ok(Vec::new())
}

fn messages_of(row: Entry) -> Result<Vec<Message>, FormError> {
    let mut messages = Vec::new();
    Message::read_row(row, &mut messages).map(|()| messages)
}

impl Totals {
    fn count(&mut self, row: Entry, now_ms: u64) {
        let messages = messages_of(row).unwrap_or_default();
        for message in messages.iter().filter(|message| !message.is_expired(now_ms)) {
            self.messages += 1;
            self.bytes += message.payload().len() as u64;
        }
    }
}
