//! Drains that operators order, pause, stop and order again.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::Value;
use throughline::RunningNode;
use throughline_client::TestClient;

use super::http::{Answer, get, post};
use super::{node, ready, until};
use crate::player;

/// A directory that is removed with its test.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A node with a store of its own on disk, and some players.
async fn played(name: &str) -> (Folder, RunningNode, SocketAddr, Vec<TestClient>) {
    let name = format!("throughline-{name}-{}", std::process::id());
    let folder = Folder(std::env::temp_dir().join(name));
    let (node, admin) = node(|config| {
        config.store.at = format!("sled:{}", folder.0.display());
    });
    ready(admin).await;
    let mut players = Vec::new();
    for name in ["ann", "bob", "cyd"] {
        players.push(player::join(&node, name).await);
    }
    (folder, node, admin, players)
}

fn is_over(answer: &Answer) -> bool {
    state(answer) == "over"
}

fn state(answer: &Answer) -> Value {
    answer.json()["state"].clone()
}

#[tokio::test]
async fn a_drain_makes_the_node_unready_at_once_and_ends_with_a_report() {
    let (_folder, _node, admin, _players) = played("drain").await;
    assert_eq!(state(&get(admin, "/drain").await), "none");
    assert_eq!(post(admin, "/drain?rate=0", "").await.status, 200);
    let readiness = get(admin, "/readyz").await;
    assert_eq!(readiness.status, 503);
    // It works all the same.
    assert_eq!(get(admin, "/healthz").await.status, 200);
    // A second order changes nothing.
    assert_eq!(post(admin, "/drain", "").await.status, 200);
    let drain = until(admin, "/drain?wait=5s", is_over).await.json();
    assert_eq!((&drain["parked"], &drain["report"]["parked"]), (&3.into(), &3.into()), "{drain}");
    assert_eq!(drain["report"]["has_left"], true, "{drain}");
    // What was parked is in the store first, and out of memory a moment later.
    let is_empty = |answer: &Answer| answer.json()["sessions"] == 0;
    let status = until(admin, "/status", is_empty).await;
    assert_eq!(state(&status), "left");
    for order in ["/drain", "/drain/pause", "/drain/stop"] {
        let answer = post(admin, order, "").await;
        assert_eq!(answer.status, 409, "{order}");
        assert!(answer.error().contains("over"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_paused_drain_begins_nothing_and_a_stopped_one_says_what_is_left() {
    let (_folder, _node, admin, _players) = played("stopped-drain").await;
    // At this rate the second session is begun a second after the first.
    post(admin, "/drain?rate=1", "").await;
    let answer = post(admin, "/drain/pause", "").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    until(admin, "/drain", |answer| state(answer) == "paused").await;
    assert_eq!(post(admin, "/drain/stop", "").await.status, 200);
    let drain = until(admin, "/drain?wait=5s", is_over).await.json();
    assert_eq!(drain["stopped"], true, "{drain}");
    let left = drain["report"]["left"].as_u64().unwrap();
    assert!(left >= 1, "{drain}");
    assert_eq!(drain["report"]["left_sessions"].as_array().unwrap().len(), left as usize);
    // It takes nobody new, and waits for its end.
    assert_eq!(get(admin, "/readyz").await.status, 503);
    let answer = post(admin, "/drain", "").await;
    assert_eq!(answer.status, 409);
    assert!(answer.error().contains("SIGTERM"), "{answer:?}");
}
