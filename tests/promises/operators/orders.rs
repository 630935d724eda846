//! What operators see and order.

use std::time::Duration;

use throughline_link::CloseCode;

use super::http::{ask, get, post};
use super::{node, ready, until};
use crate::{
    game::Ask,
    journal, player,
    raw::{Seen, Wire, hello},
    watch,
};

#[tokio::test]
async fn a_node_that_works_is_healthy_and_ready() {
    let (_node, admin) = node(|_| {});
    ready(admin).await;
    for path in ["/healthz", "/readyz"] {
        let answer = get(admin, path).await;
        assert_eq!((answer.status, &answer.json()["ok"]), (200, &true.into()), "{path}");
        assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
        let head = ask(admin, "HEAD", path, &[], "").await;
        assert_eq!((head.status, head.body.as_str()), (200, ""));
    }
    // As a health check may ask: an old version, and no host.
    let answer = super::http::send(admin, b"GET /readyz HTTP/1.0\r\n\r\n").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn the_status_counts_what_the_node_does() {
    let (node, admin) = node(|config| config.cluster.node = 7);
    ready(admin).await;
    let mut ann = player::join(&node, "ann").await;
    player::is_served(&mut ann).await;
    let status = get(admin, "/status").await.json();
    assert_eq!((&status["node"], &status["state"]), (&7.into(), &"serving".into()));
    assert_eq!((&status["sessions"], &status["connected"]), (&1.into(), &1.into()));
    assert_eq!((&status["maintenance"], &status["drain"]), (&false.into(), &().into()));
    assert_eq!(status["store"], "memory");
    assert!(status["turns"].as_u64().unwrap() >= 2, "{status}");
    assert_eq!(status["incarnation"].as_str().unwrap().len(), 16);
}

#[tokio::test]
async fn sessions_are_listed_page_by_page_with_their_keys() {
    let (node, admin) = node(|_| {});
    let mut players = Vec::new();
    for name in ["ann", "bob", "cyd"] {
        let mut player = player::join(&node, name).await;
        player::ask(&mut player, Ask::Key(format!("key of {name}"))).await;
        players.push(player);
    }
    // A key is the session's once its commit is in, which nobody waits for here.
    let all =
        until(admin, "/sessions", |answer| !answer.body.contains("\"key\":null")).await.json();
    assert_eq!((all["sessions"].as_array().unwrap().len(), &all["next"]), (3, &().into()));
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = get(admin, &format!("/sessions?limit=2{after}")).await.json();
        found.extend(page["sessions"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(found, all["sessions"].as_array().unwrap().clone());
    for (player, name) in players.iter_mut().zip(["ann", "bob", "cyd"]) {
        let id = player.client().session_id().to_string();
        let row = found.iter().find(|row| row["id"] == id.as_str()).unwrap();
        assert_eq!(row["key"], format!("key of {name}"));
    }
}

#[tokio::test]
async fn a_kicked_session_ends_with_the_reason_on_both_sides() {
    let (node, admin) = node(|_| {});
    for (query, code, noted) in [
        ("", CloseCode::Kicked, "destroyed Kicked"),
        ("?reason=ended", CloseCode::Ended, "destroyed Ended"),
    ] {
        let mut ann = player::join(&node, "ann").await;
        let id = ann.client().session_id();
        let answer = post(admin, &format!("/sessions/{id}/kick{query}"), "").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(player::end_of(&mut ann).await, code);
        journal::noted(id, noted).await;
        // It is remembered for its client, but no operator meets it again.
        let gone = async || post(admin, &format!("/sessions/{id}/kick"), "").await.status == 404;
        watch::soon("it is not listed", async {
            while !gone().await {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert!(!get(admin, "/sessions").await.body.contains(&id.to_string()));
    }
}

#[tokio::test]
async fn who_is_not_here_cannot_be_kicked() {
    let (_node, admin) = node(|_| {});
    let id = "00112233445566778899aabbccddeeff";
    let answer = post(admin, &format!("/sessions/{id}/kick"), "").await;
    assert_eq!(answer.status, 404);
    assert!(answer.error().contains(id), "{answer:?}");
}

#[tokio::test]
async fn an_announcement_reaches_the_hook_of_every_session() {
    let (node, admin) = node(|_| {});
    let (mut ann, mut bob) = (player::join(&node, "ann").await, player::join(&node, "bob").await);
    let answer = post(admin, "/announce", "we restart at noon").await;
    assert_eq!((answer.status, &answer.json()["told"]), (200, &2.into()));
    for player in [&mut ann, &mut bob] {
        journal::noted(player.client().session_id(), "announced we restart at noon").await;
    }
}

#[tokio::test]
async fn maintenance_refuses_logins_and_lets_sessions_go_on() {
    let (node, admin) = node(|_| {});
    ready(admin).await;
    let place = node.link_addresses()[0];
    let mut ann = player::join(&node, "ann").await;
    let answer = post(admin, "/maintenance?retry-after=90s", "").await;
    assert_eq!((answer.status, &answer.json()["retry_after_ms"]), (200, &90_000.into()));
    let mut bob = Wire::tcp(place).await;
    bob.write(&hello("parrot", b"bob")).await;
    match bob.next().await {
        Seen::Refused { code, retry_after_ms, text, .. } => {
            assert_eq!((code, retry_after_ms), (CloseCode::NotYet.number(), 90_000));
            assert!(text.contains("maintenance"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    // Who is in stays in, over a new connection too, and the balancer goes on sending resumes.
    player::is_served(&mut ann).await;
    ann.cut();
    player::is_served(&mut ann).await;
    assert_eq!(get(admin, "/readyz").await.status, 200);
    assert_eq!(get(admin, "/status").await.json()["maintenance"], true);

    let answer = ask(admin, "DELETE", "/maintenance", &[], "").await;
    assert_eq!((answer.status, &answer.json()["maintenance"]), (200, &false.into()));
    let mut bob = player::join(&node, "bob").await;
    player::is_served(&mut bob).await;
}

#[tokio::test]
async fn a_worker_that_is_stuck_is_said_to_be() {
    let (node, admin) = node(|config| {
        config.limits.stuck_worker = Duration::from_millis(100);
    });
    ready(admin).await;
    let mut sleeper = player::join(&node, "ann").await;
    sleeper.send(&Ask::Stall).await.unwrap();
    let answer = until(admin, "/healthz", |answer| answer.status == 503).await;
    assert!(answer.error().contains("stuck in a hook"), "{answer:?}");
    assert_eq!(get(admin, "/readyz").await.status, 503);
    journal::gate(sleeper.client().session_id()).add_permits(1);
    until(admin, "/healthz", |answer| answer.status == 200).await;
    ready(admin).await;
}

#[tokio::test]
async fn a_node_whose_store_dies_with_it_refuses_to_drain() {
    let (node, admin) = node(|_| {});
    ready(admin).await;
    let answer = post(admin, "/drain", "").await;
    assert_eq!(answer.status, 409, "{answer:?}");
    assert!(answer.error().contains("memory") && answer.error().contains("store.at"));
    assert_eq!(get(admin, "/drain").await.json()["state"], "none");
    for order in ["pause", "resume", "stop"] {
        assert_eq!(post(admin, &format!("/drain/{order}"), "").await.status, 409, "{order}");
    }
    player::is_served(&mut player::join(&node, "ann").await).await;
    drop(node);
}
