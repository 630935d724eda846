//! What the lent store answers together leaves the hub together.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::thread;

use bytes::Bytes;
use futures_util::future::join_all;
use throughline_store::wake::together;
use throughline_store::{
    About, Batch, CloseError, CommitError, GetError, MemoryStore, Page, Scan, ScanError, Scope,
    Store, StoreFuture, Watch, WatchError,
};
use throughline_store_hub::{Hub, HubStore, Options, Secret};
use tokio::sync::oneshot;

const COMMITS: usize = 64;
/// Looks at the hub between two answers: time enough for one to leave by itself.
const LOOKS: usize = 20;

/// A store that keeps its commits until they are answered as a group.
#[derive(Debug, Default)]
struct Grouping {
    memory: MemoryStore,
    waiting: Mutex<Vec<oneshot::Sender<()>>>,
}

impl Store for Grouping {
    fn about(&self) -> About {
        Scope::Process.into()
    }
    fn get(&self, key: Bytes) -> StoreFuture<Result<Option<Bytes>, GetError>> {
        self.memory.get(key)
    }
    fn scan(&self, scan: Scan) -> StoreFuture<Result<Page, ScanError>> {
        self.memory.scan(scan)
    }
    fn commit(&self, batch: Batch) -> StoreFuture<Result<(), CommitError>> {
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().unwrap().push(answer);
        let commit = self.memory.commit(batch);
        Box::pin(async move {
            answered.await.unwrap();
            commit.await
        })
    }
    fn watch(&self, prefix: Bytes) -> Result<Watch, WatchError> {
        self.memory.watch(prefix)
    }
    fn close(&self) -> StoreFuture<Result<(), CloseError>> {
        self.memory.close()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answers_of_a_group_leave_in_one_write() {
    let lent = Arc::new(Grouping::default());
    let secret = Secret::new(*b"the secret of these tests").unwrap();
    let address = "127.0.0.1:0".parse().unwrap();
    let hub = Hub::serve(lent.clone(), secret.clone(), &[address]).await.unwrap();
    let options = Options::new(hub.addresses()[0].clone(), secret);
    let store = HubStore::connect(options).await.unwrap();
    let commits =
        (0..COMMITS).map(|n| tokio::spawn(store.commit(Batch::new().put(n.to_string(), "v"))));
    let commits: Vec<_> = commits.collect();
    while lent.waiting.lock().unwrap().len() < COMMITS {
        tokio::task::yield_now().await;
    }
    let before = hub.counts().batches;
    // The store's thread; those of the hub are free meanwhile.
    let (lent, looking) = (lent.clone(), hub);
    let hub = tokio::task::spawn_blocking(move || {
        together(|| {
            for answer in lent.waiting.lock().unwrap().drain(..) {
                answer.send(()).unwrap();
                for _ in 0..LOOKS {
                    assert_eq!(looking.counts().batches, before, "one left by itself");
                    thread::yield_now();
                }
            }
        });
        looking
    });
    let hub = hub.await.unwrap();
    for commit in join_all(commits).await {
        commit.unwrap().unwrap();
    }
    assert_eq!(hub.counts().batches, before + 1);
}
