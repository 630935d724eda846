//! A node that stops.

use std::time::Duration;

use throughline_client::CloseCode;

use crate::{
    game::{self, Ask},
    journal,
    player::{self, join},
    raw::Wire,
    watch,
};

#[tokio::test]
async fn a_stopping_node_lets_every_session_run_its_last_turn() {
    let node = game::node(|_| {});
    let mut players = Vec::new();
    for _ in 0..20 {
        players.push(join(&node, "ann").await);
    }
    let counters = node.counters();
    let stopping = tokio::task::spawn_blocking(move || node.stop());
    for player in &mut players {
        assert_eq!(player::end_of(player).await, CloseCode::NodeStopped);
        let id = player.client().session_id();
        journal::noted(id, "destroyed NodeStopped").await;
    }
    let report = watch::soon("the stop", stopping).await.unwrap();
    assert_eq!((report.ended, report.left), (20, 0));
    assert_eq!(counters.ended(CloseCode::NodeStopped), 20);
}

#[tokio::test]
async fn a_session_that_does_not_end_in_time_is_named_as_left() {
    let node = game::node(|config| config.node.shutdown_time = Duration::from_millis(200));
    let mut ann = join(&node, "ann").await;
    let id = ann.client().session_id();
    ann.send(&Ask::Gate(1)).await.unwrap();
    journal::noted(id, "at the gate").await;
    let stopping = tokio::task::spawn_blocking(move || node.stop());
    let report = watch::soon("the stop", stopping).await.unwrap();
    assert_eq!((report.ended, report.left), (0, 1));
}

#[tokio::test]
async fn a_stop_waits_for_nobody_who_has_no_session() {
    // Within patience only if nothing of this is waited for.
    let node = game::node(|config| {
        config.limits.handshake_time = Duration::from_secs(60);
        config.node.shutdown_time = Duration::from_secs(600);
    });
    let _silent = Wire::tcp(node.link_addresses()[0]).await;
    let _page = Wire::tcp(node.http_addresses()[0]).await;
    let mut kept = Wire::tcp(node.http_addresses()[0]).await;
    kept.write(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    watch::until("all of them seen", || node.counters().accepted() == 3).await;
    let stopping = tokio::task::spawn_blocking(move || node.stop());
    let report = watch::soon("the stop", stopping).await.unwrap();
    assert_eq!((report.ended, report.left), (0, 0));
}

#[tokio::test]
async fn a_node_that_is_dropped_lets_its_ports_go() {
    let node = game::node(|_| {});
    let (link, http) = (node.link_addresses()[0], node.http_addresses()[0]);
    let _ann = join(&node, "ann").await;
    drop(node);
    let again = game::node(|config| {
        config.listen.link = vec![link];
        config.listen.http = vec![http];
    });
    player::is_served(&mut join(&again, "ann").await).await;
}
