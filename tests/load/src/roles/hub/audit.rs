//! A second look at every commit that a store accepted: was it stale?
//!
//! It rests on the store's answers alone, not on its checks: of two accepted commits that have read
//! the same header of a record, one was stale, in whatever order they arrived.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use throughline_cluster::{Header, Row, keys};
use throughline_store::{
    Batch, Check, CloseError, CommitError, GetError, Page, Scan, ScanError, Scope, Store,
    StoreFuture, Watch, WatchError,
};
use throughline_store_sled::SledStore;

/// Headers remembered as overwritten, 8 bytes each: more than a run of minutes writes. What comes
/// beyond is not looked at, and a run that long reports so by its commits.
const SEEN_MAX: usize = 8_000_000;

/// sled with an auditor.
#[derive(Debug)]
pub(super) struct Audited {
    sled: Arc<SledStore>,
    auditor: Arc<Auditor>,
}

impl Audited {
    pub(super) fn new(sled: Arc<SledStore>) -> Self {
        Self { sled, auditor: Arc::default() }
    }

    /// Accepted changes of headers that were looked at.
    pub(super) fn audited(&self) -> u64 {
        self.auditor.audited.load(Ordering::Relaxed)
    }

    /// Those of them that were stale.
    pub(super) fn stale_accepted(&self) -> u64 {
        self.auditor.stale.load(Ordering::Relaxed)
    }
}

/// Knows every header that an accepted commit has replaced.
#[derive(Debug, Default)]
struct Auditor {
    seen: Mutex<HashSet<u64>>,
    random: RandomState,
    audited: AtomicU64,
    stale: AtomicU64,
}

/// A header that a commit writes, and the one it has read.
#[derive(Debug)]
struct Change {
    key: Bytes,
    read: Option<Bytes>,
    written: Option<Bytes>,
    /// Whether the commit checked the header at all.
    checked: bool,
}

impl Auditor {
    /// The changes of headers that a batch wants.
    fn changes(batch: &Batch) -> Vec<Change> {
        let is_header = |key: &Bytes| matches!(keys::row_of(key), Some(Row::Header(_)));
        let written = batch.writes().iter().filter(|write| is_header(write.key()));
        let change = |write: &throughline_store::Write| {
            let check = batch.checks().iter().find(|check| check.key() == write.key());
            let read = match check {
                Some(Check::Equals { value, .. }) => Some(value.clone()),
                _ => None,
            };
            let (key, written) = (write.key().clone(), write.value().cloned());
            Change { key, read, written, checked: check.is_some() }
        };
        written.map(change).collect()
    }

    /// These changes were accepted.
    fn accepted(&self, changes: &[Change]) {
        for change in changes {
            self.audited.fetch_add(1, Ordering::Relaxed);
            self.stale.fetch_add(u64::from(self.is_stale(change)), Ordering::Relaxed);
        }
    }

    fn is_stale(&self, change: &Change) -> bool {
        if !change.checked {
            return true;
        }
        let Some(read) = &change.read else { return false };
        let hash = self.random.hash_one((&change.key, read));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < SEEN_MAX && !seen.insert(hash) {
            return true;
        }
        drop(seen);
        let Some(written) = &change.written else { return false };
        match (Header::decode(read), Header::decode(written)) {
            (Ok(read), Ok(written)) => {
                written.version <= read.version || written.epoch < read.epoch
            }
            // A header that nobody can read protects nothing.
            _ => true,
        }
    }
}

impl Store for Audited {
    fn scope(&self) -> Scope {
        self.sled.scope()
    }

    fn get(&self, key: Bytes) -> StoreFuture<Result<Option<Bytes>, GetError>> {
        self.sled.get(key)
    }

    fn scan(&self, scan: Scan) -> StoreFuture<Result<Page, ScanError>> {
        self.sled.scan(scan)
    }

    fn commit(&self, batch: Batch) -> StoreFuture<Result<(), CommitError>> {
        let changes = Auditor::changes(&batch);
        let (commit, auditor) = (self.sled.commit(batch), Arc::clone(&self.auditor));
        Box::pin(async move {
            commit.await?;
            auditor.accepted(&changes);
            Ok(())
        })
    }

    fn watch(&self, prefix: Bytes) -> Result<Watch, WatchError> {
        self.sled.watch(prefix)
    }

    fn close(&self) -> StoreFuture<Result<(), CloseError>> {
        self.sled.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(read: Option<&'static str>, checked: bool) -> Change {
        let read = read.map(|text| Bytes::from_static(text.as_bytes()));
        Change { key: Bytes::from_static(b"h1"), read, written: None, checked }
    }

    #[test]
    fn two_commits_that_read_the_same_header_are_found() {
        let auditor = Auditor::default();
        auditor.accepted(&[change(None, true), change(Some("1"), true), change(Some("2"), true)]);
        assert_eq!(auditor.stale.load(Ordering::Relaxed), 0);
        auditor.accepted(&[change(Some("1"), true)]);
        assert_eq!(auditor.stale.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_header_written_unseen_is_found() {
        let auditor = Auditor::default();
        auditor.accepted(&[change(None, false)]);
        assert_eq!(auditor.stale.load(Ordering::Relaxed), 1);
    }
}
