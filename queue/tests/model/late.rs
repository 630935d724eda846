//! A commit of unknown outcome that lands late, which no seed makes: a hub that stood still, or a
//! process that was killed while its commit was on the way.

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use throughline_queue::{Clock, DequeueError, Messages, Queue, QueueName, QueueOptions};
use throughline_store::{
    About, Batch, CloseError, CommitError, GetError, MemoryStore, Outage, Page, Scan, ScanError,
    Store, StoreFuture, Watch, WatchError,
};

/// Keeps one commit back, and answers that it does not know.
#[derive(Debug, Default)]
struct LateStore {
    inner: MemoryStore,
    keeps_next: AtomicBool,
    kept: Arc<Mutex<Option<Batch>>>,
    /// What is kept back is not answered at all.
    is_silent: AtomicBool,
    /// What is kept back lands right after a read of a key that begins so.
    lands_after: Mutex<Option<&'static [u8]>>,
    /// Nothing is read any more once one was kept back.
    goes_down: AtomicBool,
    is_down: AtomicBool,
    now_ms: Arc<AtomicU64>,
}

/// Keys of every kind; of tokens; of what the handle "p" has for its first dequeue.
const ANY: &[u8] = b"";
const TOKENS: &[u8] = b"xt";
const LANE_1: &[u8] = b"xp\x01p\x00\x01";

impl LateStore {
    /// What was kept back lands now, or is refused.
    async fn land(&self) -> Result<(), CommitError> {
        let batch = self.kept.lock().unwrap().take().unwrap();
        self.inner.commit(batch).await
    }

    fn keep_next(&self) {
        self.keeps_next.store(true, Ordering::SeqCst);
    }

    fn land_after(&self, prefix: &'static [u8]) {
        *self.lands_after.lock().unwrap() = Some(prefix);
    }

    async fn open(self: &Arc<Self>, producer: &str) -> Queue {
        let now_ms = self.now_ms.clone();
        let mut options = QueueOptions::default();
        options.clock = Clock::new(move || now_ms.load(Ordering::SeqCst));
        Queue::open(self.clone(), producer, options).await.unwrap()
    }

    /// A process that is killed while its next commit is on the way to the store.
    async fn kill_in_commit(&self, call: impl Future) {
        self.is_silent.store(true, Ordering::SeqCst);
        self.keep_next();
        let mut call = pin!(call);
        let has_ended = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_ready())).await;
        assert!(!has_ended && self.kept.lock().unwrap().is_some(), "it waits for its commit");
        self.is_silent.store(false, Ordering::SeqCst);
    }
}

impl Store for LateStore {
    fn about(&self) -> About {
        self.inner.about()
    }

    fn get(&self, key: Bytes) -> StoreFuture<Result<Option<Bytes>, GetError>> {
        if self.is_down.load(Ordering::SeqCst) {
            let outage = Outage { reason: "away".to_owned(), retry_after: Duration::ZERO };
            return Box::pin(async { Err(GetError::Down(outage)) });
        }
        let lands = self.lands_after.lock().unwrap().is_some_and(|prefix| key.starts_with(prefix));
        let read = self.inner.get(key);
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
            self.is_down.store(self.goes_down.load(Ordering::SeqCst), Ordering::SeqCst);
            if self.is_silent.load(Ordering::SeqCst) {
                return Box::pin(pending());
            }
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
    let queue = store.open("p").await;
    (store, queue, QueueName::named("q").unwrap())
}

#[track_caller]
fn assert_texts(taken: Result<Messages, DequeueError>, expected: &[&str]) {
    let taken = taken.unwrap();
    assert_eq!(taken.payloads().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn p6_an_enqueue_that_lands_late_lands_nothing_twice() {
    let (store, queue, name) = open().await;
    store.keep_next();
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
        store.keep_next();
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
    store.land_after(ANY);
    store.keep_next();
    queue.enqueue(&name, "once", LONG).await.unwrap();
    store.keep_next();
    assert_eq!(queue.dequeue_all(&name).await.unwrap().len(), 1);
    queue.enqueue(&name, "again", LONG).await.unwrap();
    store.keep_next();
    assert_texts(queue.dequeue_all_with(&name, "token").await, &["again"]);
}

/// The same token finds the queue empty, since its first commit has just landed.
#[tokio::test]
async fn p6_a_token_gets_its_batch_though_the_queue_was_emptied_under_it_meanwhile() {
    let (store, queue, name) = open().await;
    queue.enqueue(&name, "once", LONG).await.unwrap();
    store.kill_in_commit(queue.dequeue_all_with(&name, "token")).await;
    let queue = store.open("p").await;
    store.land_after(TOKENS);
    assert_texts(queue.dequeue_all_with(&name, "token").await, &["once"]);
    assert_texts(queue.dequeue_all_with(&name, "token").await, &["once"]);
}

/// The same, and what is left in the queue has expired.
#[tokio::test]
async fn p6_a_token_gets_its_batch_though_only_expired_messages_are_left_meanwhile() {
    let (store, queue, name) = open().await;
    queue.enqueue(&name, "once", LONG).await.unwrap();
    store.kill_in_commit(queue.dequeue_all_with(&name, "token")).await;
    queue.enqueue(&name, "short", Duration::from_millis(5)).await.unwrap();
    store.now_ms.store(5, Ordering::SeqCst);
    store.land_after(TOKENS);
    assert_texts(queue.dequeue_all_with(&name, "token").await, &["once"]);
}

#[tokio::test]
async fn p6_a_failure_behind_an_unknown_outcome_does_not_say_that_nothing_was_removed() {
    let (store, queue, name) = open().await;
    queue.enqueue(&name, "once", LONG).await.unwrap();
    store.is_down.store(true, Ordering::SeqCst);
    let failed = queue.dequeue_all_with(&name, "token").await;
    assert!(matches!(failed, Err(DequeueError::Read(_))), "nothing was tried: {failed:?}");
    store.is_down.store(false, Ordering::SeqCst);
    store.goes_down.store(true, Ordering::SeqCst);
    store.keep_next();
    let failed = queue.dequeue_all_with(&name, "token").await;
    assert!(matches!(failed, Err(DequeueError::Unknown { .. })), "{failed:?}");
    store.is_down.store(false, Ordering::SeqCst);
    store.land().await.unwrap();
    assert_texts(queue.dequeue_all_with(&name, "token").await, &["once"]);
}

/// A restarted process has read its row when the dequeue of the one before it lands.
#[tokio::test]
async fn a_handle_goes_on_though_a_dequeue_of_the_one_before_it_lands_late() {
    let (store, old, name) = open().await;
    old.enqueue(&name, "old", LONG).await.unwrap();
    store.kill_in_commit(old.dequeue_all(&name)).await;
    let new = store.open("p").await;
    let other = QueueName::named("other").unwrap();
    new.enqueue(&other, "new", LONG).await.unwrap();
    // The last row that it reads before its commit.
    store.land_after(LANE_1);
    assert_texts(new.dequeue_all(&other).await, &["new"]);
    assert!(store.kept.lock().unwrap().is_none(), "it has landed");
    new.enqueue(&other, "more", LONG).await.unwrap();
    assert_texts(new.dequeue_all(&other).await, &["more"]);
}

#[tokio::test]
async fn an_ack_that_lands_late_is_settled_before_it_is_made_again() {
    let (store, queue, name) = open().await;
    queue.enqueue(&name, "first", LONG).await.unwrap();
    let peeked = queue.peek_all(&name).await.unwrap();
    store.keep_next();
    assert_eq!(queue.ack(&peeked).await.unwrap(), 1);
    let late = store.land().await;
    assert!(matches!(late, Err(CommitError::Refused(_))), "{late:?}");
}
