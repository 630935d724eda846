//! The child that has the disk.

use std::io::{self, Read};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use throughline_store::Store;
use throughline_store_hub::{Hub, HubStore, Options, Secret};
use throughline_store_sled::SledStore;

use crate::child::say;

/// Longer than any slow machine takes: these tests are about outcomes, not about times.
const LONG: Duration = Duration::from_secs(100);

fn secret() -> Secret {
    Secret::new(*b"the secret of these processes").unwrap()
}

/// Lends a store until it is killed, or until its parent ends.
pub(crate) async fn lend(address: &str, path: &str) {
    let store = Arc::new(SledStore::open(path).expect("opens after every kill"));
    let _hub = Hub::serve(store, secret(), &[address.parse().unwrap()]).await.unwrap();
    say("serving");
    let end = tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new()));
    let _ = end.await.unwrap();
}

/// Connects to it, and waits for it whenever it is away.
pub(crate) async fn connect(address: &str) -> Arc<dyn Store> {
    let mut options = Options::new(address.parse().unwrap(), secret());
    options.call_wait(LONG).read_deadline(LONG).commit_deadline(LONG);
    Arc::new(HubStore::connect(options).await.unwrap())
}

/// A loopback address that was free a moment ago, so that a hub can come back on it.
pub(crate) fn free_loopback() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}
