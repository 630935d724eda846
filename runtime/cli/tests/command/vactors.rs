//! `throughline vactors` against two nodes that share a store.

use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use throughline::{Config, Node, RunningNode};
use throughline_store::MemoryStore;
use throughline_store_hub::{Hub, Secret};
use throughline_vactor::prelude::*;
use tokio::runtime::Runtime;

use crate::{fails, live::Listener, succeeds, throughline};

/// Counts its asks.
#[derive(Debug)]
struct Counter(u64);

/// One more; the count.
#[derive(Debug, Serialize, Deserialize)]
struct More;

impl Message for More {
    type Reply = u64;
}

messages! { Counter { "more" => More } }

impl VActor for Counter {
    const KIND: &'static str = "counter";
    type State = u64;

    fn new(_key: &str, count: u64) -> Self {
        Self(count)
    }

    fn state(&self) -> &u64 {
        &self.0
    }
}

impl Handle<More> for Counter {
    async fn handle(&mut self, _: More, _: &mut Context<Self>) -> Result<u64, HandlerError> {
        self.0 += 1;
        Ok(self.0)
    }
}

const SECRET: &str = "sixteen bytes, or more";

/// What lives as long as a test.
struct Pair {
    nodes: [RunningNode; 2],
    _hub: Hub,
    runtime: Runtime,
    _dir: TempDir,
}

impl Pair {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let secret = dir.path().join("secret");
        std::fs::write(&secret, SECRET).unwrap();
        let socket = format!("unix:{}", dir.path().join("hub").display());
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        // The hub goes on while a command or a start of a node blocks the test.
        let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
        let (store, proof) = (Arc::new(MemoryStore::new()), Secret::new(SECRET).unwrap());
        let listens = [socket.parse().unwrap()];
        let hub = runtime.block_on(Hub::serve(store, proof, &listens)).unwrap();
        let node = |number| {
            let free = || vec!["127.0.0.1:0".parse().unwrap()];
            let mut config = Config::default();
            (config.listen.http, config.listen.link) = (Vec::new(), free());
            (config.admin.listen, config.node.workers) = (free(), 1);
            (config.cluster.node, config.store.at) = (number, format!("hub:{socket}"));
            config.cluster.secret_file = secret.display().to_string();
            let builder = Node::builder(config).sessions::<Listener>().vactors::<Counter>();
            builder.start().unwrap()
        };
        let pair = Self { nodes: [node(1), node(2)], _hub: hub, runtime, _dir: dir };
        for number in [1, 2] {
            while !succeeds(&["status", "--admin", &pair.admin(number)]).contains("serving") {
                std::thread::yield_now();
            }
        }
        pair
    }

    fn admin(&self, number: usize) -> String {
        self.nodes[number - 1].admin_addresses()[0].to_string()
    }

    fn more(&self, number: usize, key: &str) -> u64 {
        let (counter, node) = (Counter::at(key), &self.nodes[number - 1]);
        self.runtime.block_on(node.ask(&counter, More)).unwrap()
    }
}

#[test]
fn an_operator_finds_a_vactor_and_moves_it_with_its_state() {
    let pair = Pair::start();
    let (one, two) = (pair.admin(1), pair.admin(2));
    // What is special in a path is part of its key.
    let (key, name) = ("a/b c?d", "counter/a/b c?d");
    assert_eq!(pair.more(1, key), 1);
    for admin in [&one, &two] {
        let said = succeeds(&["vactors", "locate", name, "--admin", admin]);
        assert_eq!(said, format!("{name} is at node 1\n"));
        let said = succeeds(&["vactors", "locate", name, "--json", "--admin", admin]);
        let said: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(said, json!({ "state": "active", "node": 1, "arriving": false }));
    }
    let said = succeeds(&["vactors", "move", name, "2", "--admin", &one]);
    assert_eq!(said, format!("{name} is at node 2\n"));
    // There it stays when it is there already, and has what it counted.
    let said = succeeds(&["vactors", "move", name, "2", "--json", "--admin", &two]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said, json!({ "state": "active", "node": 2, "arriving": false }));
    assert_eq!(pair.more(1, key), 2);
    let said = succeeds(&["vactors", "locate", name, "--admin", &one]);
    assert_eq!(said, format!("{name} is at node 2\n"));
}

#[test]
fn a_vactor_that_is_unknown_and_a_node_that_is_not_there_are_refused_with_status_1() {
    let pair = Pair::start();
    let admin = pair.admin(1);
    let (said, _) = fails(&["vactors", "locate", "counter/ann", "--admin", &admin]);
    assert!(said.contains("counter/ann is unknown"), "{said}");
    let (said, _) = fails(&["vactors", "locate", "counter/ann", "--json", "--admin", &admin]);
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap()["state"], "unknown");
    let (said, error) = fails(&["vactors", "move", "counter/ann", "2", "--admin", &admin]);
    assert!(said.is_empty() && error.contains("there is no such VActor"), "{said}{error}");

    pair.more(1, "ann");
    let nowhere = ["vactors", "move", "counter/ann", "9", "--admin", &admin];
    let (said, error) = fails(&nowhere);
    assert!(said.is_empty() && error.contains("no live node 9 serves its kind"), "{said}{error}");
    let (said, _) = fails(&[&nowhere[..], &["--json"]].concat());
    let said: Value = serde_json::from_str(&said).unwrap();
    assert!(said["error"].as_str().unwrap().contains("no live node 9"), "{said}");
    // It is where it was.
    let said = succeeds(&["vactors", "locate", "counter/ann", "--admin", &admin]);
    assert_eq!(said, "counter/ann is at node 1\n");
    for wrong in [&["locate", "counter"][..], &["move", "counter/ann"], &["move", "x/y", "z"]] {
        let output = throughline(&[&["vactors"], wrong, &["--admin", &admin]].concat());
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
}
