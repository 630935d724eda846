//! What the cases share.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::conformance::Breach;
use crate::random::Random;
use crate::{Batch, CommitError, Entry, Scan, Store};

/// Tries of a call that answers `Down` or `Unknown`: a store under faults may do so often, but
/// not for ever.
const TRIES_MAX: usize = 1_000;

/// Fails the case with the rule's number and a text unless the condition holds.
macro_rules! ensure {
    ($rule:expr, $condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err($crate::conformance::Breach::new($rule, format!($($text)+)));
        }
    };
}
pub(crate) use ensure;

/// The value of `key`, tried again while the store is down.
pub(crate) async fn get(store: &Arc<dyn Store>, key: &[u8]) -> Result<Option<Bytes>, Breach> {
    let key = Bytes::copy_from_slice(key);
    let mut last = None;
    for _ in 0..TRIES_MAX {
        match store.get(key.clone()).await {
            Ok(value) => return Ok(value),
            Err(crate::GetError::Down(outage)) => last = Some(outage),
            Err(error) => return Err(Breach::new(1, format!("get failed: {error}"))),
        }
    }
    Err(Breach::new(1, format!("get failed {TRIES_MAX} times: {last:?}")))
}

/// Commits a batch that can be repeated without harm, and so is, until it is known to be written.
/// A refusal after an unknown outcome means that the unknown one had landed.
pub(crate) async fn put(store: &Arc<dyn Store>, batch: Batch) -> Result<(), Breach> {
    let (mut last, mut is_unknown) = (None, false);
    for _ in 0..TRIES_MAX {
        match store.commit(batch.clone()).await {
            Ok(()) => return Ok(()),
            Err(CommitError::Refused(_)) if is_unknown => return Ok(()),
            Err(error @ (CommitError::Down(_) | CommitError::Unknown { .. })) => {
                is_unknown |= matches!(error, CommitError::Unknown { .. });
                last = Some(error);
            }
            Err(error) => return Err(Breach::new(2, format!("commit failed: {error}"))),
        }
    }
    Err(Breach::new(2, format!("commit failed {TRIES_MAX} times: {last:?}")))
}

/// Commits a batch whose first check is the only one that does not hold. An unknown outcome is
/// tried again, since a batch that is refused changes nothing.
pub(crate) async fn refused(store: &Arc<dyn Store>, batch: Batch) -> Result<usize, Breach> {
    for _ in 0..TRIES_MAX {
        match store.commit(batch.clone()).await {
            Err(CommitError::Refused(refusal)) => {
                let named = batch.checks().get(refusal.check).map(crate::Check::key);
                ensure!(6, named == Some(&refusal.key), "the refusal names {refusal:?}");
                return Ok(refusal.check);
            }
            Err(CommitError::Down(_) | CommitError::Unknown { .. }) => {}
            other => {
                return Err(Breach::new(5, format!("a check that fails answers {other:?}")));
            }
        }
    }
    Err(Breach::new(6, "no refusal but outages".to_owned()))
}

/// All entries of a range, page by page.
pub(crate) async fn entries(store: &Arc<dyn Store>, scan: Scan) -> Result<Vec<Entry>, Breach> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut scan = scan;
    loop {
        let page = page(store, scan.clone()).await?;
        let next = page.next().cloned();
        ensure!(8, next.is_none() || !page.entries().is_empty(), "a page got no further");
        entries.extend(page.into_entries());
        let Some(next) = next else { return Ok(entries) };
        let last = entries.last().map(|entry| &entry.key);
        ensure!(8, last < Some(&next), "next is {next:?}, not behind {last:?}");
        scan = scan.resume(next);
    }
}

/// One page, tried again while the store is down.
pub(crate) async fn page(store: &Arc<dyn Store>, scan: Scan) -> Result<crate::Page, Breach> {
    for _ in 0..TRIES_MAX {
        match store.scan(scan.clone()).await {
            Ok(page) => return Ok(page),
            Err(crate::ScanError::Down(_)) => {}
            Err(error) => return Err(Breach::new(8, format!("scan failed: {error}"))),
        }
    }
    Err(Breach::new(8, format!("scan failed {TRIES_MAX} times")))
}

/// The whole content.
pub(crate) async fn content(store: &Arc<dyn Store>) -> Result<BTreeMap<Bytes, Bytes>, Breach> {
    let entries = entries(store, Scan::all()).await?;
    Ok(entries.into_iter().map(|entry| (entry.key, entry.value)).collect())
}

/// So many bytes that a mix of two values, a shift or a cut would show.
pub(crate) fn noise(length: usize, seed: u64) -> Bytes {
    let mut random = Random::new(seed);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend(random.next().to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}

/// A number as the bytes of a key or value.
pub(crate) fn number(n: u64) -> Bytes {
    Bytes::copy_from_slice(&n.to_be_bytes())
}

/// The number in these bytes.
pub(crate) fn to_number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}
