//! Drains that operators order, pause, stop and order again.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use throughline::{Config, RunningNode, StopReport};
use throughline_client::{CloseCode, TestClient};
use throughline_cluster::State;

use super::http::{Answer, get, post};
use super::{node, ready, until};
use crate::{
    cluster::{Gate, Plan, is_in},
    logs, player,
    raw::{Wire, hello},
    watch,
};

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

fn is_begun(answer: &Answer) -> bool {
    state(answer) == "running" && answer.json()["waiting"] != 0
}

/// Stops a node as SIGTERM does.
async fn stopped(node: RunningNode) -> StopReport {
    let stopped = tokio::task::spawn_blocking(move || node.stop());
    watch::soon("the stop of a node", stopped).await.unwrap()
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
    let (_folder, node, admin, _players) = played("stopped-drain").await;
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
    let report = stopped(node).await;
    assert!(report.is_clean() && report.parked >= 1, "{report:?}");
}

/// Nobody resumes it any more, and of its own deadline little may be left.
#[tokio::test]
async fn p4_a_node_that_stops_takes_up_a_drain_that_an_operator_has_paused() {
    let (_folder, node, admin, _players) = played("paused-stop").await;
    assert_eq!(post(admin, "/drain?rate=1", "").await.status, 200);
    until(admin, "/drain", is_begun).await;
    assert_eq!(post(admin, "/drain/pause", "").await.status, 200);
    until(admin, "/drain", |answer| state(answer) == "paused").await;
    let report = stopped(node).await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.parked, report.left), (3, 0), "{report:?}");
}

/// The record of such a login is there, and nobody was welcomed to it.
#[tokio::test]
async fn a_login_that_failed_is_not_lost_when_its_node_drains() {
    // The sweep comes with the beats, and would find the record first.
    let seldom = |config: &mut Config| config.cluster.beat = Duration::from_millis(500);
    let cluster = Plan::new(1).walled().with(seldom).start().await;
    cluster.wall(1).set(Gate::refusing(|batch| is_in(batch, |state| state == State::Running)));
    let mut wire = Wire::tcp(cluster.node(1).link_addresses()[0]).await;
    wire.write(&hello("parrot", b"ann")).await;
    assert_eq!(wire.code().await, CloseCode::StoreDown.number());
    cluster.wall(1).open();
    let report = watch::soon("the drain", cluster.drain(1)).await.unwrap();
    assert!(report.is_clean(), "{report:?}");
}

/// As SIGTERM does it: before anything of it is committed, and so also while the store is away.
#[tokio::test]
async fn a_node_that_stops_is_unready_at_once_though_its_store_does_not_answer() {
    let any = ([127, 0, 0, 1], 0).into();
    let plan = Plan::new(1).walled().with(move |config| config.admin.listen = vec![any]);
    let cluster = plan.start().await;
    let admin = cluster.node(1).admin_addresses()[0];
    ready(admin).await;
    cluster.wall(1).set(Gate::shut());
    assert_eq!(get(admin, "/readyz").await.status, 200, "its lease is not over yet");
    let drained = cluster.drain(1);
    let unready = until(admin, "/readyz", |answer| answer.status == 503).await;
    assert!(unready.error().contains("the node is draining"), "{unready:?}");
    cluster.wall(1).open();
    assert!(drained.await.unwrap().is_clean());
}

#[tokio::test]
async fn a_paused_drain_stands_still_while_time_passes_and_ends_after_it_was_resumed() {
    logs::keep();
    let (_folder, _node, admin, _players) = played("paused-drain").await;
    assert_eq!(post(admin, "/drain?rate=1", "").await.status, 200);
    until(admin, "/drain", is_begun).await;
    assert_eq!(post(admin, "/drain/pause", "").await.status, 200);
    // Who was told before is still parked.
    let is_still = |answer: &Answer| state(answer) == "paused" && answer.json()["leaving"] == 0;
    let before = until(admin, "/drain", is_still).await.json();
    assert!(before["waiting"].as_u64().unwrap() >= 1, "{before}");
    let uptime = |answer: &Answer| answer.json()["uptime_s"].as_u64().unwrap();
    let since = uptime(&get(admin, "/status").await);
    // More than the second in which a drain that runs begins the next one.
    until(admin, "/status", |answer| uptime(answer) >= since + 2).await;
    assert_eq!(get(admin, "/drain").await.json(), before);
    // It tells the log each second.
    let (gone, left) = (&before["parked"], &before["waiting"]);
    let line = format!("drain: {gone} sessions and 0 VActors have gone, {left} are left, paused");
    watch::until("a line in the log", || !logs::with(&line).is_empty()).await;

    assert_eq!(post(admin, "/drain/resume", "").await.status, 200);
    until(admin, "/drain", |answer| state(answer) != "paused").await;
    let drain = until(admin, "/drain?wait=5s", is_over).await.json();
    assert_eq!((&drain["parked"], &drain["stopped"]), (&3.into(), &false.into()), "{drain}");
    let report = &drain["report"];
    assert_eq!((&report["left"], &report["has_left"]), (&0.into(), &true.into()), "{drain}");
}
