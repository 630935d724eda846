//! Who may serve where, and who may connect.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use throughline_store::{Batch, GetError, MemoryStore, Scope, Store};
use throughline_store_hub::{Address, ConnectError, Hub, HubStore, Options, Secret, ServeError};

fn secret() -> Secret {
    Secret::new(*b"the secret of these tests").unwrap()
}

fn loopback() -> Address {
    "127.0.0.1:0".parse().unwrap()
}

async fn serve(address: Address) -> Result<Hub, ServeError> {
    Hub::serve(Arc::new(MemoryStore::new()), secret(), &[address]).await
}

async fn connect(hub: &Hub, secret: Secret) -> Result<HubStore, ConnectError> {
    HubStore::connect(Options::new(hub.addresses()[0].clone(), secret)).await
}

#[tokio::test]
async fn an_address_that_other_machines_reach_is_refused() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let refused = serve(address.parse().unwrap()).await;
        assert!(matches!(refused, Err(ServeError::NotLoopback { .. })), "{address}: {refused:?}");
    }
    let refused = Hub::serve(Arc::new(MemoryStore::new()), secret(), &[]).await;
    assert!(matches!(refused, Err(ServeError::NoAddress)));
}

#[tokio::test]
async fn two_hubs_do_not_share_a_port() {
    let hub = serve(loopback()).await.unwrap();
    let second = serve(hub.addresses()[0].clone()).await;
    assert!(matches!(second, Err(ServeError::InUse { .. })), "{second:?}");
}

#[tokio::test]
async fn a_wrong_secret_is_refused_and_counted() {
    let hub = serve(loopback()).await.unwrap();
    for n in 1..=3 {
        let refused = connect(&hub, Secret::new([7; 16]).unwrap()).await;
        assert!(matches!(refused, Err(ConnectError::WrongSecret { .. })), "{refused:?}");
        assert_eq!(hub.counts().wrong_secrets, n);
    }
    let store = connect(&hub, secret()).await.unwrap();
    assert_eq!(store.about().scope, Scope::Machine);
    assert_eq!((hub.counts().welcomed, hub.counts().connections), (1, 1));
}

#[tokio::test]
async fn a_hub_that_is_away_is_reported_after_the_wait() {
    let hub = serve(loopback()).await.unwrap();
    let address = hub.addresses()[0].clone();
    hub.stop().await;
    let mut options = Options::new(address, secret());
    options.call_wait(std::time::Duration::ZERO);
    let away = HubStore::connect(options).await;
    assert!(matches!(away, Err(ConnectError::Away { .. })), "{away:?}");
}

#[tokio::test]
async fn a_store_of_two_addresses_is_one_store() {
    let memory = Arc::new(MemoryStore::new());
    let hub = Hub::serve(memory.clone(), secret(), &[loopback(), loopback()]).await.unwrap();
    for address in hub.addresses() {
        let options = Options::new(address.clone(), secret());
        let store = HubStore::connect(options).await.unwrap();
        store.commit(Batch::new().put(address.to_string(), "")).await.unwrap();
        store.close().await.unwrap();
    }
    for address in hub.addresses() {
        assert!(memory.get(address.to_string().into()).await.unwrap().is_some());
    }
    hub.stop().await;
}

/// Waits until the hub counts so many connections.
async fn connections(hub: &Hub, count: usize) {
    while hub.counts().connections != count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_thread_that_attaches_has_a_connection_of_its_own_until_it_lets_go() {
    let hub = serve(loopback()).await.unwrap();
    let store = connect(&hub, secret()).await.unwrap();
    let attached = store.attach();
    connections(&hub, 2).await;
    store.commit(Batch::new().put("by this thread", "1")).await.unwrap();
    // Another thread has no other content, and the store's first connection.
    let (other, key) = (store.clone(), "by this thread");
    let runtime = tokio::runtime::Handle::current();
    let read = std::thread::spawn(move || runtime.block_on(other.get(key.into())));
    while !read.is_finished() {
        tokio::task::yield_now().await;
    }
    assert_eq!(read.join().unwrap().unwrap().as_deref(), Some(&b"1"[..]));
    drop(attached);
    connections(&hub, 1).await;
    assert!(store.get(key.into()).await.unwrap().is_some());
    hub.stop().await;
}

#[tokio::test]
async fn a_closed_store_refuses_the_calls_of_attached_threads_too() {
    let hub = serve(loopback()).await.unwrap();
    let store = connect(&hub, secret()).await.unwrap();
    let _attached = store.attach();
    store.commit(Batch::new().put("key", "value")).await.unwrap();
    store.close().await.unwrap();
    let refused = store.get("key".into()).await;
    assert!(matches!(refused, Err(GetError::Closed)), "{refused:?}");
    connections(&hub, 0).await;
    hub.stop().await;
}

#[tokio::test]
async fn a_hub_that_is_away_is_named_as_trouble_until_it_is_back() {
    let memory = Arc::new(MemoryStore::new());
    let hub = serve(loopback()).await.unwrap();
    let address = hub.addresses()[0].clone();
    let store = connect(&hub, secret()).await.unwrap();
    let attached = store.attach();
    connections(&hub, 2).await;
    while store.about().trouble.is_some() {
        tokio::task::yield_now().await;
    }
    hub.stop().await;
    while store.about().trouble.is_none() {
        tokio::task::yield_now().await;
    }
    let trouble = store.about().trouble.unwrap();
    assert!(trouble.contains(&address.to_string()), "{trouble}");
    // A call that comes meanwhile waits.
    let reading = store.get("key".into());
    let hub = Hub::serve(memory, secret(), &[address]).await.unwrap();
    assert_eq!(reading.await.unwrap(), None);
    drop(attached);
    assert_eq!(store.get("key".into()).await.unwrap(), None);
    assert_eq!(store.about().trouble, None);
    hub.stop().await;
}

#[cfg(unix)]
mod socket {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;
    use std::path::Path;

    use super::*;

    fn address(path: &Path) -> Address {
        Address::Unix(path.to_owned())
    }

    #[tokio::test]
    async fn the_socket_of_a_live_hub_is_not_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub");
        let hub = serve(address(&path)).await.unwrap();
        let second = serve(address(&path)).await;
        assert!(matches!(second, Err(ServeError::InUse { .. })), "{second:?}");
        assert!(connect(&hub, secret()).await.is_ok());
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        hub.stop().await;
        assert!(!path.exists());
        assert!(serve(address(&path)).await.is_ok());
    }

    #[tokio::test]
    async fn the_socket_of_a_dead_hub_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub");
        // As a kill leaves it: the socket is there, and nobody listens.
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let hub = serve(address(&path)).await.unwrap();
        assert!(connect(&hub, secret()).await.is_ok());
    }

    #[tokio::test]
    async fn the_socket_of_another_program_is_not_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub");
        let _listener = UnixListener::bind(&path).unwrap();
        let refused = serve(address(&path)).await;
        assert!(matches!(refused, Err(ServeError::InUse { .. })), "{refused:?}");
    }

    #[tokio::test]
    async fn a_file_at_the_path_of_the_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub");
        std::fs::write(&path, "precious").unwrap();
        let refused = serve(address(&path)).await;
        assert!(matches!(refused, Err(ServeError::NotASocket { .. })), "{refused:?}");
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }
}
