//! A commit of unknown outcome that lands late, which no seed makes: a hub that stood still.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use throughline_queue::{Queue, QueueName, QueueOptions};
use throughline_store::{
    About, Batch, CloseError, CommitError, GetError, MemoryStore, Page, Scan, ScanError, Store,
    StoreFuture, Watch, WatchError,
};

/// Keeps one commit back, and answers that it does not know.
#[derive(Debug, Default)]
struct LateStore {
    inner: MemoryStore,
    keeps_next: AtomicBool,
    kept: Arc<Mutex<Option<Batch>>>,
    /// Whether it lands right after the next read.
    lands_after_read: AtomicBool,
}

impl LateStore {
    /// What was kept back lands now, or is refused.
    async fn land(&self) -> Result<(), CommitError> {
        let batch = self.kept.lock().unwrap().take().unwrap();
        self.inner.commit(batch).await
    }
}

impl Store for LateStore {
    fn about(&self) -> About {
        self.inner.about()
    }

    fn get(&self, key: Bytes) -> StoreFuture<Result<Option<Bytes>, GetError>> {
        let read = self.inner.get(key);
        let lands = self.lands_after_read.load(Ordering::SeqCst);
        let (inner, kept) = (self.inner.clone(), self.kept.clone());
        Box::pin(async move {
            let value = read.await;
            let late = if lands { kept.lock().unwrap().take() } else { None };
            if let Some(batch) = late {
                inner.commit(batch).await.unwrap();
            }
            value
        })
    }

    fn scan(&self, scan: Scan) -> StoreFuture<Result<Page, ScanError>> {
        self.inner.scan(scan)
    }

    fn commit(&self, batch: Batch) -> StoreFuture<Result<(), CommitError>> {
        if self.keeps_next.swap(false, Ordering::SeqCst) {
            *self.kept.lock().unwrap() = Some(batch);
            let reason = "kept back".to_owned();
            return Box::pin(async { Err(CommitError::Unknown { reason }) });
        }
        self.inner.commit(batch)
    }

    fn watch(&self, prefix: Bytes) -> Result<Watch, WatchError> {
        self.inner.watch(prefix)
    }

    fn close(&self) -> StoreFuture<Result<(), CloseError>> {
        self.inner.close()
    }
}

const LONG: Duration = Duration::from_secs(1_000_000);

async fn open() -> (Arc<LateStore>, Queue, QueueName) {
    let store = Arc::new(LateStore::default());
    let queue = Queue::open(store.clone(), "p", QueueOptions::default()).await.unwrap();
    (store, queue, QueueName::named("q").unwrap())
}

#[tokio::test]
async fn p6_an_enqueue_that_lands_late_lands_nothing_twice() {
    let (store, queue, name) = open().await;
    store.keeps_next.store(true, Ordering::SeqCst);
    queue.enqueue(&name, "once", LONG).await.unwrap();
    let late = store.land().await;
    assert!(matches!(late, Err(CommitError::Refused(_))), "{late:?}");
    assert_eq!(queue.dequeue_all(&name).await.unwrap().len(), 1);
}

#[tokio::test]
async fn p6_a_dequeue_that_lands_late_takes_nothing_away() {
    for token in [None, Some("token")] {
        let (store, queue, name) = open().await;
        queue.enqueue(&name, "first", LONG).await.unwrap();
        store.keeps_next.store(true, Ordering::SeqCst);
        let taken = match token {
            None => queue.dequeue_all(&name).await.unwrap(),
            Some(token) => queue.dequeue_all_with(&name, token).await.unwrap(),
        };
        assert_eq!(taken.len(), 1);
        queue.enqueue(&name, "second", LONG).await.unwrap();
        let late = store.land().await;
        assert!(matches!(late, Err(CommitError::Refused(_))), "{late:?}");
        assert_eq!(queue.dequeue_all(&name).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn p6_what_lands_while_it_is_settled_has_landed_once() {
    let (store, queue, name) = open().await;
    store.lands_after_read.store(true, Ordering::SeqCst);
    store.keeps_next.store(true, Ordering::SeqCst);
    queue.enqueue(&name, "once", LONG).await.unwrap();
    store.keeps_next.store(true, Ordering::SeqCst);
    assert_eq!(queue.dequeue_all(&name).await.unwrap().len(), 1);
    queue.enqueue(&name, "again", LONG).await.unwrap();
    assert_eq!(queue.dequeue_all(&name).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_ack_that_lands_late_is_settled_before_it_is_made_again() {
    let (store, queue, name) = open().await;
    queue.enqueue(&name, "first", LONG).await.unwrap();
    let peeked = queue.peek_all(&name).await.unwrap();
    store.keeps_next.store(true, Ordering::SeqCst);
    assert_eq!(queue.ack(&peeked).await.unwrap(), 1);
    let late = store.land().await;
    assert!(matches!(late, Err(CommitError::Refused(_))), "{late:?}");
}
