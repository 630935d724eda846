//! A store in memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use throughline_canary::canary;

use crate::limits::check_key;
use crate::{
    About, Batch, CloseError, CommitError, GetError, Page, Refusal, Scan, ScanError, Scope, Store,
    StoreFuture, Watch, WatchError, Watches,
};

/// Of a planted bug: batches with so many writes lose one.
const TORN_FROM: usize = 4;

/// A store in memory: for tests, and for one node that may forget. Its content lasts as long as
/// any handle on it, including those made by [`reopen`](Self::reopen). A clone is the same handle.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    content: Content,
    handle: Arc<Handle>,
}

#[derive(Debug, Clone, Default)]
struct Content(Arc<Mutex<BTreeMap<Bytes, Bytes>>>);

#[derive(Debug, Default)]
struct Handle {
    closed: AtomicBool,
    watches: Watches,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new handle on the same content, open even if this one is closed: what a store on disk
    /// would be after it was opened again.
    pub fn reopen(&self) -> Self {
        Self { content: self.content.clone(), handle: Arc::default() }
    }

    fn is_closed(&self) -> bool {
        self.handle.closed.load(Ordering::Acquire)
    }

    fn apply(&self, batch: &Batch) -> Result<(), CommitError> {
        batch.validate().map_err(CommitError::Invalid)?;
        let mut map = self.content.lock();
        // Under the lock, so that no commit lands after `close` has returned.
        if self.is_closed() {
            return Err(CommitError::Closed);
        }
        let left_out = usize::from(canary!(StoreSkipsLastCheck));
        let checked = batch.checks().len().saturating_sub(left_out);
        for (index, check) in batch.checks()[..checked].iter().enumerate() {
            if !check.holds(map.get(check.key()).map(|value| &value[..])) {
                let key = check.key().clone();
                return Err(CommitError::Refused(Refusal { check: index, key }));
            }
        }
        let is_torn = canary!(StoreTornBatch) && batch.writes().len() >= TORN_FROM;
        for write in batch.writes().iter().skip(usize::from(is_torn)) {
            match write.value() {
                Some(value) => map.insert(write.key().clone(), value.clone()),
                None => map.remove(write.key()),
            };
        }
        drop(map);
        self.handle.watches.tell(batch.writes().iter());
        Ok(())
    }

    fn page(&self, scan: &Scan) -> Result<Page, ScanError> {
        if self.is_closed() {
            return Err(ScanError::Closed);
        }
        scan.validate().map_err(ScanError::Range)?;
        let mut page = scan.page();
        if scan.is_empty() {
            return Ok(page);
        }
        let to = scan.to().map_or(Bound::Unbounded, Bound::Excluded);
        let map = self.content.lock();
        for (key, value) in map.range::<Bytes, _>((Bound::Included(scan.from()), to)) {
            if !page.push(key.clone(), value.clone()) {
                break;
            }
        }
        Ok(page)
    }
}

impl Content {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Bytes, Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn about(&self) -> About {
        Scope::Process.into()
    }

    fn get(&self, key: Bytes) -> StoreFuture<Result<Option<Bytes>, GetError>> {
        let store = self.clone();
        Box::pin(async move {
            if store.is_closed() {
                return Err(GetError::Closed);
            }
            check_key(&key).map_err(GetError::Key)?;
            Ok(store.content.lock().get(&key).cloned())
        })
    }

    fn scan(&self, scan: Scan) -> StoreFuture<Result<Page, ScanError>> {
        let store = self.clone();
        Box::pin(async move { store.page(&scan) })
    }

    fn commit(&self, batch: Batch) -> StoreFuture<Result<(), CommitError>> {
        let store = self.clone();
        Box::pin(async move { store.apply(&batch) })
    }

    fn watch(&self, prefix: Bytes) -> Result<Watch, WatchError> {
        self.handle.watches.watch(prefix)
    }

    fn close(&self) -> StoreFuture<Result<(), CloseError>> {
        let store = self.clone();
        Box::pin(async move {
            let _content = store.content.lock();
            store.handle.closed.store(true, Ordering::Release);
            store.handle.watches.close();
            Ok(())
        })
    }
}
