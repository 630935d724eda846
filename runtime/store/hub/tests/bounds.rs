//! Memory follows the window: floods, large values, and clients that do not read.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use throughline_store::limits::VALUE_BYTES_MAX;
use throughline_store::{
    About, Batch, CloseError, CommitError, GetError, MemoryStore, Page, Scan, ScanError, Scope,
    Store, StoreFuture, Watch, WatchError,
};
use throughline_store_hub::limits::{CLIENT_UNITS_MAX, CONNECTION_UNITS_MAX, UNIT_BYTES};
use throughline_store_hub::{Hub, HubStore, Options, Secret};
use tokio::sync::Semaphore;

fn secret() -> Secret {
    Secret::new(*b"the secret of these tests").unwrap()
}

async fn lend(store: Arc<dyn Store>) -> (Hub, HubStore) {
    let address = "127.0.0.1:0".parse().unwrap();
    let hub = Hub::serve(store, secret(), &[address]).await.unwrap();
    let options = Options::new(hub.addresses()[0].clone(), secret());
    let store = HubStore::connect(options).await.unwrap();
    (hub, store)
}

/// A store in memory whose calls wait at a gate, as those of a disk that hangs.
#[derive(Debug, Clone)]
struct Gated {
    memory: MemoryStore,
    gate: Arc<Semaphore>,
}

impl Gated {
    fn shut() -> Self {
        Self { memory: MemoryStore::new(), gate: Arc::new(Semaphore::new(0)) }
    }

    /// Opens the gate for good.
    fn open(&self) {
        self.gate.close();
    }

    fn behind_gate<T: 'static>(&self, call: StoreFuture<T>) -> StoreFuture<T> {
        let gate = self.gate.clone();
        Box::pin(async move {
            // An error says that it is open.
            let _ = gate.acquire().await;
            call.await
        })
    }
}

impl Store for Gated {
    fn about(&self) -> About {
        Scope::Process.into()
    }
    fn get(&self, key: Bytes) -> StoreFuture<Result<Option<Bytes>, GetError>> {
        self.behind_gate(self.memory.get(key))
    }
    fn scan(&self, scan: Scan) -> StoreFuture<Result<Page, ScanError>> {
        self.behind_gate(self.memory.scan(scan))
    }
    fn commit(&self, batch: Batch) -> StoreFuture<Result<(), CommitError>> {
        self.behind_gate(self.memory.commit(batch))
    }
    fn watch(&self, prefix: Bytes) -> Result<Watch, WatchError> {
        self.memory.watch(prefix)
    }
    fn close(&self) -> StoreFuture<Result<(), CloseError>> {
        self.memory.close()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_hangs_takes_no_more_than_the_windows() {
    let gated = Gated::shut();
    let (hub, store) = lend(Arc::new(gated.clone())).await;
    let value = Bytes::from(vec![7; VALUE_BYTES_MAX / 8]);
    let asked = 4 * CONNECTION_UNITS_MAX * UNIT_BYTES / value.len();
    let commits: Vec<_> = (0..asked)
        .map(|n| tokio::spawn(store.commit(Batch::new().put(n.to_string(), value.clone()))))
        .collect();
    // Of the client's window, so that the rest waits in the callers' own futures.
    let window = CLIENT_UNITS_MAX * UNIT_BYTES / value.len();
    assert!(asked > 2 * window);
    while hub.counts().calls < window as u64 / 2 {
        tokio::task::yield_now().await;
    }
    assert!(hub.counts().calls <= window as u64, "{:?}", hub.counts());
    gated.open();
    for commit in commits {
        commit.await.unwrap().unwrap();
    }
    assert_eq!(hub.counts().calls, asked as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_of_large_values_wait_for_room_and_all_come() {
    let (hub, store) = lend(Arc::new(MemoryStore::new())).await;
    let value = Bytes::from(vec![7; VALUE_BYTES_MAX]);
    for n in 0..4 {
        store.commit(Batch::new().put(n.to_string(), value.clone())).await.unwrap();
    }
    // Far more than the windows of the connection and the hub, so that both fill.
    let gets = (0..400).map(|n| {
        let (get, value) = (store.get((n % 4).to_string().into()), value.clone());
        async move { assert!(get.await.unwrap() == Some(value)) }
    });
    let scans = (0..40).map(|_| {
        let scan = store.scan(Scan::all());
        async move { assert_eq!(scan.await.unwrap().entries().len(), 3) }
    });
    tokio::join!(join_all(gets), join_all(scans));
    assert_eq!(hub.counts().violations, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_answers_what_it_has_begun_before_it_stops() {
    let gated = Gated::shut();
    let (hub, store) = lend(Arc::new(gated.clone())).await;
    let commit = tokio::spawn(store.commit(Batch::new().put("k", "v")));
    while hub.counts().calls == 0 {
        tokio::task::yield_now().await;
    }
    let stop = tokio::spawn(hub.stop());
    gated.open();
    stop.await.unwrap();
    commit.await.unwrap().unwrap();
    assert!(gated.memory.get("k".into()).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_by_another_process_is_a_hint_and_hints_do_not_pile_up() {
    let memory = Arc::new(MemoryStore::new());
    let (hub, store) = lend(memory.clone()).await;
    let mut watch = store.watch("w/".into()).unwrap();
    // The watch begins at the hub at some moment after this, so changes are made until it is seen.
    let changes = async {
        loop {
            memory.commit(Batch::new().put("w/1", "x")).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        changed = watch.changed() => changed.unwrap(),
        () = changes => {}
    }
    let before = hub.counts().batches;
    for n in 0..10_000 {
        memory.commit(Batch::new().put("w/2", n.to_string())).await.unwrap();
    }
    store.get("w/2".into()).await.unwrap();
    assert!(hub.counts().batches - before < 10_000);
    store.close().await.unwrap();
    // A hint may be left from before; then the end shows.
    let _ = watch.changed().await;
    assert!(watch.changed().await.is_err());
}
