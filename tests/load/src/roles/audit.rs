//! A second look at every commit that a store accepted: was it stale?
//!
//! It rests on the store's answers alone, not on its checks: of two accepted commits that have read
//! the same header of a record, one was stale, in whatever order they arrived.

use std::collections::HashSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use throughline_cluster::{Header, Row, keys};
use throughline_store::{
    About, Batch, Check, CloseError, CommitError, GetError, Page, Scan, ScanError, Store,
    StoreFuture, Watch, WatchError,
};

use crate::error::Error;

/// Headers remembered as overwritten, 8 bytes each: more than a run of minutes writes. What comes
/// beyond is not looked at, and a run that long reports so by its commits.
const SEEN_MAX: usize = 8_000_000;

/// Names of the files that auditors of several processes write begin so.
const FILE: &str = "audit-";

/// A store with an auditor.
#[derive(Debug)]
pub(crate) struct Audited {
    store: Arc<dyn Store>,
    auditor: Arc<Auditor>,
}

impl Audited {
    /// All commits of the store go through this one.
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, auditor: Arc::default() }
    }

    /// Others have auditors of their own: what it sees is written to a file of this folder, to be
    /// judged together by [`judge`].
    pub(crate) fn among_others(store: Arc<dyn Store>, folder: &Path) -> Result<Self, Error> {
        let path = folder.join(format!("{FILE}{}", std::process::id()));
        let file = File::create(&path).map_err(Error::io(format!("making {}", path.display())))?;
        let auditor = Auditor { seen: Mutex::new(Seen::Written(file)), ..Auditor::default() };
        Ok(Self { store, auditor: Arc::new(auditor) })
    }

    /// Accepted changes of headers that were looked at.
    pub(crate) fn audited(&self) -> u64 {
        self.auditor.audited.load(Ordering::Relaxed)
    }

    /// Those of them that were stale.
    pub(crate) fn stale_accepted(&self) -> u64 {
        self.auditor.stale.load(Ordering::Relaxed)
    }
}

/// What was written about a change whose staleness the other changes decide.
const FRESH: u64 = 0;
const STALE: u64 = 1;

/// How many changes the auditors of a folder have looked at, and how many of them were stale.
pub(crate) fn judge(folder: &Path) -> Result<(u64, u64), Error> {
    let failed = || Error::io(format!("reading what the auditors wrote to {}", folder.display()));
    let (mut seen, mut audited, mut stale) = (HashSet::new(), 0, 0);
    for entry in std::fs::read_dir(folder).map_err(failed())? {
        let entry = entry.map_err(failed())?;
        if !entry.file_name().to_string_lossy().starts_with(FILE) {
            continue;
        }
        let bytes = std::fs::read(entry.path()).map_err(failed())?;
        // A process that was killed has left half of its last word.
        for word in bytes.chunks_exact(8) {
            let word = u64::from_be_bytes(word.try_into().unwrap_or_default());
            audited += 1;
            stale += u64::from(word == STALE || word != FRESH && !seen.insert(word));
        }
    }
    Ok((audited, stale))
}

/// The headers that accepted commits have replaced.
#[derive(Debug)]
enum Seen {
    Here(HashSet<u64>),
    /// Eight bytes for each change: a hash, or what was found out without the others.
    Written(File),
}

impl Default for Seen {
    fn default() -> Self {
        Self::Here(HashSet::new())
    }
}

impl Seen {
    /// Whether it was replaced before, as far as this process knows.
    fn replace(&mut self, hash: u64) -> io::Result<bool> {
        match self {
            Self::Here(seen) => Ok(seen.len() < SEEN_MAX && !seen.insert(hash)),
            Self::Written(file) => file.write_all(&hash.to_be_bytes()).map(|()| false),
        }
    }

    fn note(&mut self, is_stale: bool) -> io::Result<()> {
        match self {
            Self::Here(_) => Ok(()),
            Self::Written(file) => {
                file.write_all(&if is_stale { STALE } else { FRESH }.to_be_bytes())
            }
        }
    }
}

/// Knows every header that an accepted commit has replaced.
#[derive(Debug, Default)]
struct Auditor {
    seen: Mutex<Seen>,
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
            // One that cannot be written down must not pass for fresh.
            let is_stale = self.is_stale(change).unwrap_or(true);
            self.stale.fetch_add(u64::from(is_stale), Ordering::Relaxed);
        }
    }

    fn is_stale(&self, change: &Change) -> io::Result<bool> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let goes_back = match (&change.read, &change.written) {
            (Some(read), Some(written)) => match (Header::decode(read), Header::decode(written)) {
                (Ok(read), Ok(written)) => {
                    written.version <= read.version || written.epoch < read.epoch
                }
                // A header that nobody can read protects nothing.
                _ => true,
            },
            _ => false,
        };
        match &change.read {
            Some(read) if change.checked && !goes_back => seen.replace(hash(&change.key, read)),
            _ => {
                let is_stale = goes_back || !change.checked;
                seen.note(is_stale)?;
                Ok(is_stale)
            }
        }
    }
}

/// The same in every process of a run; never what stands for no hash.
fn hash(key: &Bytes, read: &Bytes) -> u64 {
    let mut hasher = DefaultHasher::new();
    (key, read).hash(&mut hasher);
    hasher.finish().max(STALE + 1)
}

impl Store for Audited {
    fn about(&self) -> About {
        self.store.about()
    }

    fn get(&self, key: Bytes) -> StoreFuture<Result<Option<Bytes>, GetError>> {
        self.store.get(key)
    }

    fn scan(&self, scan: Scan) -> StoreFuture<Result<Page, ScanError>> {
        self.store.scan(scan)
    }

    fn commit(&self, batch: Batch) -> StoreFuture<Result<(), CommitError>> {
        let changes = Auditor::changes(&batch);
        let (commit, auditor) = (self.store.commit(batch), Arc::clone(&self.auditor));
        Box::pin(async move {
            commit.await?;
            auditor.accepted(&changes);
            Ok(())
        })
    }

    fn watch(&self, prefix: Bytes) -> Result<Watch, WatchError> {
        self.store.watch(prefix)
    }

    fn close(&self) -> StoreFuture<Result<(), CloseError>> {
        self.store.close()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
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
    fn auditors_of_several_processes_find_it_together() {
        let folder = tempfile::tempdir().unwrap();
        let auditor = |name: &str| {
            let file = File::create(folder.path().join(format!("{FILE}{name}"))).unwrap();
            Auditor { seen: Mutex::new(Seen::Written(file)), ..Auditor::default() }
        };
        let (one, other) = (auditor("1"), auditor("2"));
        one.accepted(&[change(None, true), change(Some("1"), true), change(Some("2"), true)]);
        assert_eq!(judge(folder.path()).unwrap(), (3, 0));
        other.accepted(&[change(Some("3"), true), change(Some("2"), true), change(None, false)]);
        assert_eq!(judge(folder.path()).unwrap(), (6, 2));
    }

    #[test]
    fn a_header_written_unseen_is_found() {
        let auditor = Auditor::default();
        auditor.accepted(&[change(None, false)]);
        assert_eq!(auditor.stale.load(Ordering::Relaxed), 1);
    }
}
