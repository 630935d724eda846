//! The disk of the store: the faulty store of the product round one in memory, and what it must
//! hold, whatever happens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use throughline_cluster::keys::{self, Range};
use throughline_cluster::{Member, RecordId, Row};
use throughline_store::{
    Batch, CommitError, Faults, FaultyStore, GetError, MemoryStore, Outage, Page, Scan, ScanError,
    Store, StoreFuture, Watch, WatchError,
};

use crate::truth;

/// What is on it, as nodes see it and as it is.
pub(crate) struct Disk {
    content: MemoryStore,
    /// Of one start of the store's process.
    store: FaultyStore,
    seed: u64,
    /// What each key was last given by a commit that was answered; of those of which nobody heard,
    /// nothing is known.
    answered: BTreeMap<Bytes, Option<Bytes>>,
}

impl Disk {
    pub(crate) fn new(seed: u64) -> Self {
        let content = MemoryStore::new();
        let store = start(&content, seed);
        Self { content, store, seed, answered: BTreeMap::new() }
    }

    /// A commit whose caller hears of it.
    pub(crate) fn commit(&mut self, batch: &Batch) -> Result<(), CommitError> {
        self.write(batch)?;
        for write in batch.writes() {
            self.answered.insert(write.key().clone(), write.value().cloned());
        }
        Ok(())
    }

    /// One whose caller does not.
    pub(crate) fn commit_unheard(&mut self, batch: &Batch) -> Result<(), CommitError> {
        self.write(batch)?;
        for write in batch.writes() {
            self.answered.remove(write.key());
        }
        Ok(())
    }

    fn write(&self, batch: &Batch) -> Result<(), CommitError> {
        let written = now(self.store.commit(batch.clone()));
        written.unwrap_or_else(|| Err(CommitError::Down(outage("a commit in memory waits"))))
    }

    /// The process of the store dies, and is started again: what it has answered is there.
    pub(crate) fn crash(&mut self) {
        if now(self.store.crash()).is_none_or(|crashed| crashed.is_err()) {
            truth::fail(format_args!("the store cannot be killed"));
        }
        self.seed += 1;
        self.store = start(&self.content, self.seed);
        let is_lost = |(key, value): &(&Bytes, &Option<Bytes>)| self.value(key) != **value;
        let lost: Vec<_> = self.answered.iter().filter(is_lost).map(|(key, _)| key).collect();
        if let Some(first) = lost.first() {
            let (count, first) = (lost.len(), first.escape_ascii());
            truth::fail(format_args!(
                "store: {count} writes that were answered are gone after a kill, the first of \
                 {first}"
            ));
        }
    }

    pub(crate) fn value(&self, key: &Bytes) -> Option<Bytes> {
        now(self.content.get(key.clone())).and_then(Result::ok).flatten()
    }

    /// What this node owns, by its index.
    pub(crate) fn owned_by(&self, member: Member) -> Vec<RecordId> {
        let Range { start, end } = keys::owned_by(member);
        let page = self.scan(Scan::range(start, Some(end)));
        let entries = page.map(Page::into_entries).unwrap_or_default();
        let owned = entries.iter().filter_map(|entry| match keys::row_of(&entry.key) {
            Some(Row::Owned(_, id)) => Some(id),
            _ => None,
        });
        owned.collect()
    }

    pub(crate) fn get(&self, key: Bytes) -> Result<Option<Bytes>, GetError> {
        let read = now(self.content.get(key));
        read.unwrap_or_else(|| Err(GetError::Down(outage("a read waits"))))
    }

    pub(crate) fn scan(&self, scan: Scan) -> Result<Page, ScanError> {
        let read = now(self.content.scan(scan));
        read.unwrap_or_else(|| Err(ScanError::Down(outage("a read waits"))))
    }

    pub(crate) fn watch(&self, prefix: Bytes) -> Result<Watch, WatchError> {
        self.content.watch(prefix)
    }
}

/// A process that opens what is there. It makes no faults of its own: those come from outside.
fn start(content: &MemoryStore, seed: u64) -> FaultyStore {
    FaultyStore::new(Arc::new(content.clone()), Faults::default(), seed)
}

/// The answer of a store in memory, which never waits.
fn now<T>(mut call: StoreFuture<T>) -> Option<T> {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match call.as_mut().poll(&mut cx) {
        std::task::Poll::Ready(answer) => Some(answer),
        std::task::Poll::Pending => None,
    }
}

fn outage(reason: &str) -> Outage {
    Outage { reason: reason.to_owned(), retry_after: Duration::from_millis(100) }
}
