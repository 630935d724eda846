//! `throughline dead-letters`, on stores on disk and at a node.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use throughline::prelude::*;
use throughline::{Config, DeadLetter};
use throughline_queue::{Queue, QueueName, QueueOptions};
use throughline_store::Store;
use throughline_store_sled::SledStore;
use tokio::runtime;

use crate::{fails, succeeds};

const LONG: Duration = Duration::from_secs(1_000_000);

fn block_on<T>(future: impl Future<Output = T>) -> T {
    runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Some dead letters of ann's queue, in a store on disk.
fn filled(count: u8) -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data");
    block_on(async {
        let store: Arc<dyn Store> = Arc::new(SledStore::open(&path).unwrap());
        let queue = Queue::open(store.clone(), "test", QueueOptions::default()).await.unwrap();
        for n in 0..count {
            let letter = DeadLetter {
                to: QueueName::key("ann").unwrap(),
                payload: vec![0x18, 100 + n].into(),
                expires_ms: 2_000_000_000_000,
                dead_ms: 1_000_000_000_000,
                tries: 3,
                kind: "player".to_owned(),
                hook: "queued".to_owned(),
                why: "no such \u{1b}gift".to_owned(),
            };
            queue.enqueue(&QueueName::dead_letters(), letter.encode(), LONG).await.unwrap();
        }
        store.close().await.unwrap();
    });
    let path = path.to_str().unwrap().to_owned();
    (dir, path)
}

/// Runs it with `--json`, where the dead letters are.
fn ask(arguments: &[&str], place: &[&str]) -> Value {
    let all = [&["dead-letters"], arguments, place, &["--json"]].concat();
    serde_json::from_str(&succeeds(&all)).unwrap()
}

fn ids(place: &[&str]) -> Vec<String> {
    let listed = ask(&["list"], place);
    let letters = listed["dead_letters"].as_array().unwrap();
    letters.iter().map(|letter| letter["id"].as_str().unwrap().to_owned()).collect()
}

fn messages_of_ann(path: &str) -> Vec<String> {
    let peeked = succeeds(&["queue", "peek", "key:ann", "--store", path, "--json"]);
    let peeked: Value = serde_json::from_str(&peeked).unwrap();
    let messages = peeked["messages"].as_array().unwrap();
    messages.iter().map(|message| message["payload"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn dead_letters_of_a_store_are_listed_shown_tried_again_and_dropped() {
    let (_dir, path) = filled(4);
    let place = ["--store", &path[..]];
    let said = succeeds(&[&["dead-letters", "list"][..], &place].concat());
    assert!(said.contains("key:ann") && said.contains("no such \\u{1b}gift"), "{said}");
    let ids = ids(&place);
    assert_eq!(ids.len(), 4);
    let first = ask(&["list", "--limit", "3"], &place);
    assert_eq!(first["next"], ids[2].as_str());
    let rest = ask(&["list", "--after", &ids[2]], &place);
    assert_eq!(
        (&rest["dead_letters"][0]["id"], &rest["next"]),
        (&ids[3].as_str().into(), &Value::Null)
    );

    let shown = ask(&["show", &ids[0]], &place);
    assert_eq!((&shown["payload"], &shown["tries"]), (&"1864".into(), &3.into()));
    let text = succeeds(&[&["dead-letters", "show", &ids[0]][..], &place].concat());
    assert!(text.contains("1864") && text.contains("tried 3 times"), "{text}");

    assert_eq!(ask(&["retry", &ids[1]], &place)["retried"], 1);
    assert_eq!(messages_of_ann(&path), ["1865"]);
    assert_eq!(ask(&["drop", &ids[0]], &place)["dropped"], 1);
    for again in [["retry", &ids[1][..]], ["drop", &ids[0]], ["show", "17.0badcafe.1"]] {
        let (_, error) = fails(&[&["dead-letters"], &again[..], &place].concat());
        assert!(error.contains(again[1]) && error.contains("there is no dead letter"), "{error}");
    }
    assert_eq!(ask(&["retry", "--all"], &place)["retried"], 2);
    assert_eq!(messages_of_ann(&path), ["1865", "1866", "1867"]);
    let none = succeeds(&[&["dead-letters", "list"][..], &place].concat());
    assert!(none.contains("no dead letters"), "{none}");
}

#[test]
fn the_queue_of_dead_letters_is_listed_by_its_name() {
    let (_dir, path) = filled(2);
    let said = succeeds(&["queue", "list", "--store", &path]);
    assert!(said.contains("dead-letters"), "{said}");
    assert_eq!(ask(&["drop", "--all"], &["--store", &path])["dropped"], 2);
}

/// Tells nobody of anything.
#[derive(Debug, Serialize, Deserialize)]
struct Nobody;

impl Session for Nobody {
    const KIND: &'static str = "nobody";
    type In = ();
    type Out = ();

    async fn login(_: Login<'_>) -> Result<Self, Refusal> {
        Ok(Self)
    }

    async fn message(&mut self, (): (), _: &mut Context<Self>) -> Outcome {
        Ok(())
    }
}

#[test]
fn a_node_lists_tries_again_and_drops_the_dead_letters_of_its_cluster() {
    let (_dir, path) = filled(3);
    let mut config = Config::default();
    let free = || vec!["127.0.0.1:0".parse().unwrap()];
    (config.listen.http, config.listen.link, config.admin.listen) = (Vec::new(), free(), free());
    config.node.workers = 1;
    config.store.at = format!("sled:{}", Path::new(&path).display());
    let node = Node::builder(config).sessions::<Nobody>().start().unwrap();
    let admin = node.admin_addresses()[0].to_string();
    let place = ["--admin", &admin[..]];
    let ids = ids(&place);
    assert_eq!(ids.len(), 3);
    let listed = ask(&["list", "--limit", "1"], &place);
    assert_eq!(listed["next"], ids[0].as_str());
    let shown = ask(&["show", &ids[2]], &place);
    assert_eq!((&shown["to"], &shown["payload"]), (&"key:ann".into(), &"1866".into()));
    assert_eq!(ask(&["retry", &ids[0]], &place)["retried"], 1);
    assert_eq!(ask(&["drop", &ids[1]], &place)["dropped"], 1);
    for wrong in [["retry", &ids[0][..]], ["show", "17.0badcafe.1"], ["drop", "../drain"]] {
        let (_, error) = fails(&[&["dead-letters"], &wrong[..], &place].concat());
        assert!(error.contains("dead letter"), "{error}");
    }
    assert_eq!(ask(&["drop", "--all"], &place)["dropped"], 1);
    drop(node);
    assert_eq!(messages_of_ann(&path), ["1864"]);
}
