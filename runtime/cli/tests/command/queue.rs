//! `throughline queue` on stores on disk, behind a hub, and on a database.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use throughline_queue::{Queue, QueueName, QueueOptions};
use throughline_store::Store;
use throughline_store_hub::{Hub, Secret};
use throughline_store_postgres::testing::Server;
use throughline_store_postgres::{Options, PostgresStore};
use throughline_store_sled::SledStore;

use crate::{fails, succeeds, throughline};

const SESSION: &str = "00112233445566778899aabbccddeeff";
const LONG: Duration = Duration::from_secs(1_000_000);

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// A store with a message for a session, and three for a key, one of which has expired.
fn filled() -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data");
    block_on(async {
        let store: Arc<dyn Store> = Arc::new(SledStore::open(&path).unwrap());
        let queue = Queue::open(store.clone(), "test", QueueOptions::default()).await.unwrap();
        let id = u128::from_str_radix(SESSION, 16).unwrap().to_be_bytes();
        let session = QueueName::record(&[b"s", &id[..]].concat()).unwrap();
        queue.enqueue(&session, "your move", LONG).await.unwrap();
        let ann = QueueName::key("ann").unwrap();
        // Long enough to be written on a busy machine before it is over.
        let soon = Duration::from_millis(200);
        queue.enqueue(&ann, "too late", soon).await.unwrap();
        while queue.length(&ann).await.unwrap().expired.messages == 0 {
            tokio::time::sleep(soon).await;
        }
        queue.enqueue(&ann, "hello", LONG).await.unwrap();
        queue.enqueue(&ann, vec![0; 100], LONG).await.unwrap();
        store.close().await.unwrap();
    });
    let path = path.to_str().unwrap().to_owned();
    (dir, path)
}

#[test]
fn queues_are_listed_with_what_they_hold() {
    let (_dir, path) = filled();
    let said = succeeds(&["queue", "list", "--store", &path]);
    assert!(said.contains(&format!("session:{SESSION}")) && said.contains("key:ann"), "{said}");
    let listed = succeeds(&["queue", "list", "--store", &path, "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let queues = listed["queues"].as_array().unwrap();
    let ann = queues.iter().find(|queue| queue["queue"] == "key:ann").unwrap();
    assert_eq!((&ann["messages"], &ann["bytes"]), (&2.into(), &105.into()));
    assert_eq!(ann["expired"], 1);
    assert_eq!((queues.len(), &listed["more"]), (2, &false.into()));
}

#[test]
fn a_peek_shows_messages_and_takes_none() {
    let (_dir, path) = filled();
    for _ in 0..2 {
        let said = succeeds(&["queue", "peek", "key:ann", "--store", &path]);
        assert!(said.contains("hello") && !said.contains("too late"), "{said}");
    }
    let limited = succeeds(&["queue", "peek", "key:ann", "--store", &path, "--limit", "1"]);
    assert!(limited.contains("and more"), "{limited}");
    let name = format!("session:{SESSION}");
    let peeked = succeeds(&["queue", "peek", &name, "--store", &path, "--json"]);
    let peeked: Value = serde_json::from_str(&peeked).unwrap();
    assert_eq!(peeked["messages"][0]["payload"], "796f7572206d6f7665");
    let length = succeeds(&["queue", "length", &name, "--store", &path]);
    assert!(length.contains("1 messages, 9 B, the oldest"), "{length}");
    let none = succeeds(&["queue", "length", "vactor:match/m1", "--store", &path]);
    assert!(none.contains("vactor:match/m1: 0 messages"), "{none}");
}

#[test]
fn the_queues_of_a_database_are_shown_while_nodes_use_it() {
    let server = Server::start().unwrap();
    let address = format!("postgres:{}", server.address("postgres"));
    let options = Options::of_address(&address, "throughline").unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store: Arc<dyn Store> = Arc::new(runtime.block_on(PostgresStore::open(options)).unwrap());
    runtime.block_on(async {
        let queue = Queue::open(store.clone(), "test", QueueOptions::default()).await.unwrap();
        queue.enqueue(&QueueName::key("ann").unwrap(), "hello", LONG).await.unwrap();
    });
    let listed = succeeds(&["queue", "list", "--store", &address]);
    assert!(listed.contains("key:ann"), "{listed}");
    let peeked = succeeds(&["queue", "peek", "key:ann", "--store", &address]);
    assert!(peeked.contains("hello"), "{peeked}");
    let length = succeeds(&["queue", "length", "key:ann", "--store", &address]);
    assert!(length.contains("1 messages, 5 B, the oldest"), "{length}");
    runtime.block_on(store.close()).unwrap();
}

#[test]
fn the_queues_behind_a_hub_are_shown_while_nodes_use_it_and_to_nobody_without_the_secret() {
    let (dir, path) = filled();
    let socket = format!("unix:{}/hub", dir.path().display());
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (secret, wrong) =
        (write("secret", "sixteen bytes, or more\n"), write("wrong", "no secret at all"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store: Arc<dyn Store> = Arc::new(SledStore::open(&path).unwrap());
    let listens = [socket.parse().unwrap()];
    let proof = Secret::new("sixteen bytes, or more").unwrap();
    let hub = runtime.block_on(Hub::serve(store.clone(), proof, &listens)).unwrap();

    let address = format!("hub:{socket}");
    let hub_says = |rest: &[&str]| {
        let all = [rest, &["--store", &address, "--secret-file", &secret]].concat();
        succeeds(&all)
    };
    let listed = hub_says(&["queue", "list"]);
    assert!(listed.contains("key:ann") && listed.contains(SESSION), "{listed}");
    let peeked = hub_says(&["queue", "peek", "key:ann"]);
    assert!(peeked.contains("hello") && !peeked.contains("too late"), "{peeked}");
    let length = hub_says(&["queue", "length", "key:ann"]);
    assert!(length.contains("key:ann: 2 messages"), "{length}");
    let stats = succeeds(&["store", "stats", &address, "--secret-file", &secret]);
    assert!(stats.contains("queues"), "{stats}");
    let (_, error) = fails(&["queue", "list", "--store", &address, "--secret-file", &wrong]);
    assert!(error.contains("refuses this secret"), "{error}");
    // What is done to files, or to a store that rests, is not done through it.
    for refused in [
        &["store", "check", &address][..],
        &["store", "compact", &address],
        &["store", "copy", &address, "elsewhere"],
    ] {
        let output = throughline(&[refused, &["--secret-file", &secret]].concat());
        assert!(!output.status.success(), "{refused:?}");
    }
    runtime.block_on(async {
        hub.stop().await;
        store.close().await.unwrap();
    });
    let (_, error) = fails(&["queue", "list", "--store", &address, "--secret-file", &secret]);
    assert!(error.contains("is away"), "{error}");
}

#[test]
fn a_store_in_use_is_refused_and_none_is_created() {
    let (dir, path) = filled();
    let open = SledStore::open(&path).unwrap();
    let (_, error) = fails(&["queue", "list", "--store", &path]);
    assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
    block_on(open.close()).unwrap();
    let gone = dir.path().join("gone").to_str().unwrap().to_owned();
    let (_, error) = fails(&["queue", "list", "--store", &gone]);
    assert!(error.contains(&gone), "{error}");
    assert!(!Path::new(&gone).exists());
}
