//! The records go over, in batches that can be interrupted anywhere.
//!
//! The row of the copy stands in the store that is written to from the first batch on. Each batch
//! checks it as it was, and writes it anew with the records that it copies. It goes when both
//! stores were compared.

use bytes::Bytes;
use indicatif::ProgressBar;
use throughline_cluster::{HalfCopy, keys};
use throughline_store::{Batch, CommitError, Scan};
use tokio::time::sleep;

use super::{error::CopyError, sum::Sum};
use crate::{
    error::Error,
    pages::{Side, TRIES_MAX, TRY_EVERY},
};

/// Bytes of a batch, unless its one record is larger: what sled writes safely at once, a segment of
/// its log, and PostgreSQL in some milliseconds.
const BATCH_BYTES_MAX: usize = 512 * 1024;
/// Records of a batch: enough that the wait for a disk is shared by many small ones.
const BATCH_RECORDS_MAX: usize = 2_000;

/// The key of the copy's row.
const ROW: &[u8] = keys::HALF_COPY;

/// Where a copy begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// Behind what this row says.
    At(HalfCopy),
    /// Not at all: all is there.
    Whole,
}

/// Finds out where to begin, and leaves the copy's row in a store that is empty.
pub(super) async fn begin(
    from: &Side,
    to: &Side,
    sum: &Sum,
    bar: &ProgressBar,
) -> Result<Begin, Error> {
    if let Some(row) = to.get(ROW.into()).await? {
        let row = resume(from, to, sum, &row)?;
        refuse_others(to, behind(&row.last)).await?;
        return Ok(Begin::At(row));
    }
    if let Some(key) = first(to, Bytes::new()).await? {
        // A copy that was killed behind its last commit is whole.
        let is_like = first(from, Bytes::new()).await? == Some(key.clone());
        if is_like && Sum::of(to, bar).await? == *sum {
            return Ok(Begin::Whole);
        }
        return Err(not_empty(to, &key));
    }
    let Sum { records, bytes, digest } = *sum;
    let last = Bytes::new();
    let row = HalfCopy { from: from.name.clone(), records, bytes, digest, copied: 0, last };
    let (batch, written) = (Batch::new().check_absent(ROW), row.encode());
    commit(to, batch.put(ROW, written.clone()), Some(written)).await?;
    // Whoever came in between has not seen the row, and is seen here.
    if let Err(error) = refuse_others(to, Bytes::new()).await {
        commit(to, Batch::new().check_equals(ROW, row.encode()).delete(ROW), None).await?;
        return Err(error);
    }
    Ok(Begin::At(row))
}

/// The row of a copy of the same records.
fn resume(from: &Side, to: &Side, sum: &Sum, row: &Bytes) -> Result<HalfCopy, Error> {
    let unreadable = |why| CopyError::UnreadableCopy { to: to.name.clone(), why };
    let row = HalfCopy::decode(row).map_err(unreadable)?;
    let expected = Sum { records: row.records, bytes: row.bytes, digest: row.digest };
    if expected == *sum {
        return Ok(row);
    }
    let (to, from, found) = (to.name.clone(), from.name.clone(), *sum);
    Err(CopyError::OtherCopy { to, of: row.from, from, expected, found }.into())
}

/// Copies what is left behind `row`, which then says that all is there.
pub(super) async fn copy(
    from: &Side,
    to: &Side,
    row: &mut HalfCopy,
    bar: &ProgressBar,
) -> Result<(), Error> {
    let scan = Scan::range(behind(&row.last), None);
    let scan = scan.entries_max(BATCH_RECORDS_MAX).bytes_max(BATCH_BYTES_MAX);
    let mut pages = from.pages(scan);
    while let Some(page) = pages.next().await? {
        let Some(last) = page.last() else { continue };
        let mut batch = Batch::new().check_equals(ROW, row.encode());
        row.copied += page.len() as u64;
        row.last = last.key.clone();
        for entry in page {
            batch = batch.put(entry.key, entry.value);
        }
        let written = row.encode();
        commit(to, batch.put(ROW, written.clone()), Some(written)).await?;
        bar.set_position(row.copied);
    }
    Ok(())
}

/// Takes the copy's row away: nodes may start.
pub(super) async fn end(to: &Side, row: &HalfCopy) -> Result<(), Error> {
    commit(to, Batch::new().check_equals(ROW, row.encode()).delete(ROW), None).await
}

/// Commits a batch that checks the copy's row, and leaves it as `after`. One of unknown outcome is
/// committed again: if it has landed, the row is `after` already, and if not, it no longer can.
async fn commit(to: &Side, batch: Batch, after: Option<Bytes>) -> Result<(), Error> {
    let mut tries = 1;
    loop {
        match to.store.commit(batch.clone()).await {
            Ok(()) => return Ok(()),
            Err(CommitError::Refused(_)) if to.get(ROW.into()).await? == after => return Ok(()),
            Err(CommitError::Refused(_)) => {
                return Err(CopyError::TwoCopies { to: to.name.clone() }.into());
            }
            Err(CommitError::Down(_) | CommitError::Unknown { .. }) if tries < TRIES_MAX => {
                sleep(TRY_EVERY).await;
            }
            Err(source) => return Err(Error::Commit { at: to.name.clone(), source }),
        }
        tries += 1;
    }
}

/// The first key that is behind all up to this one.
fn behind(last: &Bytes) -> Bytes {
    if last.is_empty() { Bytes::new() } else { [last, &[0][..]].concat().into() }
}

/// The first key from `start` on that is not the copy's row.
async fn first(side: &Side, start: Bytes) -> Result<Option<Bytes>, Error> {
    let mut pages = side.pages(Scan::range(start, None).entries_max(2));
    while let Some(page) = pages.next().await? {
        if let Some(entry) = page.into_iter().find(|entry| entry.key != ROW) {
            return Ok(Some(entry.key));
        }
    }
    Ok(None)
}

async fn refuse_others(to: &Side, start: Bytes) -> Result<(), Error> {
    match first(to, start).await? {
        Some(key) => Err(not_empty(to, &key)),
        None => Ok(()),
    }
}

fn not_empty(to: &Side, key: &Bytes) -> Error {
    CopyError::NotEmpty { to: to.name.clone(), key: key.escape_ascii().to_string() }.into()
}
