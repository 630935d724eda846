//! A hub that can be killed and started again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use throughline_store::{MemoryStore, Store};
use throughline_store_hub::{Address, Hub, Secret};
use throughline_store_sled::SledOptions;
use tokio::runtime::Runtime;

/// A hub on threads of its own, since nodes that start and stop block the thread of their test.
pub(crate) struct Lender {
    runtime: Option<Runtime>,
    hub: Option<Hub>,
    store: Arc<dyn Store>,
    memory: MemoryStore,
    on_disk: bool,
    dir: PathBuf,
}

impl Lender {
    /// Lends a store in this directory at a socket in it.
    pub(super) async fn start(dir: &Path, on_disk: bool) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().unwrap();
        let memory = MemoryStore::new();
        let (store, dir) = (Arc::new(memory.clone()) as Arc<dyn Store>, dir.to_owned());
        let mut lender = Self { runtime: Some(runtime), hub: None, store, memory, on_disk, dir };
        lender.restart().await;
        lender
    }

    /// Where it is.
    pub(crate) fn address(&self) -> Address {
        Address::Unix(self.dir.join("hub"))
    }

    /// Ends the hub as a kill would.
    pub(crate) async fn kill(&mut self) {
        if let Some(hub) = self.hub.take() {
            self.on_runtime(async move { hub.abort().await }).await;
        }
        self.store.close().await.unwrap();
    }

    /// Opens the store again, and lends it.
    pub(crate) async fn restart(&mut self) {
        self.store = match self.on_disk {
            true => {
                let path = self.dir.join("store");
                let open = move || SledOptions::new(&path).open().unwrap();
                Arc::new(tokio::task::spawn_blocking(open).await.unwrap())
            }
            false => Arc::new(self.memory.reopen()),
        };
        let secret = Secret::new(*b"no secret at all, but long").unwrap();
        let (store, address) = (Arc::clone(&self.store), self.address());
        let serve = async move { Hub::serve(store, secret, &[address]).await.unwrap() };
        self.hub = Some(self.on_runtime(serve).await);
    }

    async fn on_runtime<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        self.runtime.as_ref().unwrap().spawn(work).await.unwrap()
    }
}

impl Drop for Lender {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
