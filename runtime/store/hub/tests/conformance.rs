//! The law of a store, over a hub that lends one in memory, with faults and without, or on disk.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use throughline_store::conformance::{self, Subject, SubjectFuture};
use throughline_store::{Faults, FaultyStore, MemoryStore, Store};
use throughline_store_hub::{Address, Hub, HubStore, Options, Secret};
use throughline_store_sled::SledStore;

fn secret() -> Secret {
    Secret::new(*b"the secret of the suite").unwrap()
}

/// Opens what a hub lends; what was in it before is in it again.
type Reopen = Box<dyn FnMut() -> Result<Arc<dyn Store>, String> + Send>;

/// A store behind a hub. A crash is the hub's: what it lent outlives it, as a disk would.
struct Lent {
    reopen: Reopen,
    address: Address,
    hub: Option<Hub>,
    /// Whether the suite's own thread has a connection of its own; the tasks it starts have not.
    attaches: bool,
}

impl Lent {
    fn new(address: Address, reopen: Reopen) -> Self {
        Self { reopen, address, hub: None, attaches: false }
    }

    async fn try_open(&mut self) -> Result<Arc<dyn Store>, String> {
        if self.hub.is_none() {
            let lent = (self.reopen)()?;
            let hub = Hub::serve(lent, secret(), std::slice::from_ref(&self.address)).await;
            self.hub = Some(hub.map_err(|error| error.to_string())?);
        }
        let hub = self.hub.as_ref().ok_or("no hub")?;
        let store = HubStore::connect(Options::new(hub.addresses()[0].clone(), secret())).await;
        let store = store.map_err(|error| error.to_string())?;
        if self.attaches {
            std::mem::forget(store.attach());
        }
        Ok(Arc::new(store))
    }
}

fn in_memory() -> Reopen {
    let memory = MemoryStore::new();
    Box::new(move || Ok(Arc::new(memory.reopen())))
}

fn with_faults(faults: Faults, mut seed: u64) -> Reopen {
    let memory = MemoryStore::new();
    Box::new(move || {
        seed += 1;
        Ok(Arc::new(FaultyStore::new(Arc::new(memory.reopen()), faults, seed)))
    })
}

fn on_disk() -> Reopen {
    let folder = tempfile::tempdir().unwrap();
    Box::new(move || {
        let store = SledStore::open(folder.path()).map_err(|error| error.to_string())?;
        Ok(Arc::new(store))
    })
}

fn loopback() -> Address {
    "127.0.0.1:0".parse().unwrap()
}

impl Subject for Lent {
    fn open(&mut self) -> SubjectFuture<'_, Arc<dyn Store>> {
        Box::pin(self.try_open())
    }

    fn crash(&mut self, store: Arc<dyn Store>) -> SubjectFuture<'_, ()> {
        let crashed = self.hub.take();
        Box::pin(async move {
            drop(store);
            crashed.ok_or("not open")?.abort().await;
            Ok(())
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_in_memory_lent_over_tcp_keeps_the_law() {
    for seed in 0..2 {
        conformance::run(|| Lent::new(loopback(), in_memory()), seed).await.unwrap();
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_in_memory_lent_over_a_socket_keeps_the_law() {
    let folder = tempfile::tempdir().unwrap();
    let mut subjects = 0;
    let new = || {
        subjects += 1;
        let address = Address::Unix(folder.path().join(format!("hub{subjects}")));
        Lent::new(address, in_memory())
    };
    conformance::run(new, 1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_store_over_the_connections_of_several_threads_keeps_the_law() {
    for seed in 11..13 {
        let new = || Lent { attaches: true, ..Lent::new(loopback(), in_memory()) };
        conformance::run(new, seed).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_on_disk_lent_over_tcp_keeps_the_law() {
    conformance::run(|| Lent::new(loopback(), on_disk()), 3).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delays_failures_and_unknown_outcomes_of_the_lent_store_break_no_rule() {
    let faults = Faults {
        delay_steps_max: 3,
        read_down_percent: 5,
        commit_down_percent: 10,
        commit_unknown_percent: 10,
        ..Faults::default()
    };
    conformance::run(|| Lent::new(loopback(), with_faults(faults, 7)), 7).await.unwrap();
}
