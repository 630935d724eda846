//! Debian's HAProxy in front of three nodes, with the configuration of `samples/haproxy`: what its
//! `README.md` says holds.
//!
//! # Layout
//! - `nodes`: a hub and three nodes, as the sample starts them; `balancer`: HAProxy, and what it
//!   says of them; `ports`: where all of these are
//! - `player`: clients that come in through HAProxy; `http`: plain requests

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod balancer;
mod http;
mod nodes;
mod player;
mod ports;

use throughline_tests::watch;

use balancer::{Balancer, Checks};
use nodes::{NODES, Nodes};
use player::{Door, Play, Player};

/// At each door, so that each node has some of both kinds.
const PLAYERS_PER_DOOR: usize = 6;

/// So many answers are play, not a coincidence.
const SOME: u64 = 40;

async fn both(limits: &[&str], checks: Checks) -> (Nodes, Balancer) {
    let nodes = Nodes::start(limits).await;
    let balancer = Balancer::start(&nodes, checks).await;
    (nodes, balancer)
}

/// Players at both doors, who play.
async fn plays(balancer: &Balancer) -> Vec<Play> {
    let mut plays = Vec::new();
    for number in 0..PLAYERS_PER_DOOR {
        for door in Door::BOTH {
            let player = Player::join(balancer, door, &format!("{door:?} {number}")).await;
            plays.push(player.play().await);
        }
    }
    assert!(plays.iter().any(|play| play.node == 1), "the one with the fewest connections");
    plays
}

#[tokio::test]
async fn the_sample_is_a_configuration_that_haproxy_has_nothing_against() {
    balancer::sample_is_well().await;
}

#[tokio::test]
async fn a_node_sees_the_players_address_and_not_the_load_balancers() {
    let (nodes, balancer) = both(&["--limits.sessions-per-address", "1"], Checks::Admin).await;
    for door in Door::BOTH {
        let address = player::refused(&balancer, door).await;
        let line = format!("refused {address}: ");
        watch::until(&line, || nodes.logs().contains(&line)).await;
    }
    // Two for each node, which would refuse the second one if both had HAProxy's address.
    let mut plays = Vec::new();
    for number in 0..2 * NODES {
        let door = Door::BOTH[number as usize % 2];
        let player = Player::join_from(balancer.door(door), door, "ann", number).await;
        plays.push(player.play().await);
    }
    player::all_go_on(&plays, SOME).await;
    let page = http::get(balancer.door(Door::Http), "/").await;
    assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
}

/// A drain that is paused goes on for as long as a test likes.
async fn who_is_not_ready_is_left_alone(checks: Checks) {
    let (mut nodes, balancer) = both(&[], checks).await;
    let mut players = plays(&balancer).await;
    nodes.order(1, "/drain?rate=1").await;
    nodes.order(1, "/drain/pause").await;
    balancer.sees("DOWN", 1).await;
    let mut late = Vec::new();
    for number in 0..2 * NODES {
        let door = Door::BOTH[number as usize % 2];
        let play = Player::join(&balancer, door, "late").await.play().await;
        assert_ne!(play.node, 1, "it is not ready");
        late.push(play);
    }
    // Who was told to leave before the pause is gone by then; the others keep their connections.
    let drain = nodes.settled_drain(1).await;
    let mut stayed = 0;
    for play in std::mem::take(&mut players) {
        let before = play.node;
        let player = play.stop().await;
        let is_undisturbed = player.repairs() == 0;
        let play = player.play().await;
        assert!(before == 1 || is_undisturbed, "nothing happened to node {before}");
        assert_eq!(play.node == before, is_undisturbed);
        stayed += u64::from(play.node == 1);
        players.push(play);
    }
    assert_eq!(Some(stayed), drain["waiting"].as_u64(), "{drain}");
    nodes.order(1, "/drain/resume").await;
    assert_eq!(nodes.exit_status(1).await, Some(0));
    players.append(&mut late);
    player::all_go_on(&players, SOME).await;
    for play in players {
        assert_ne!(play.stop().await.node().await, 1);
    }
}

#[tokio::test]
async fn a_node_that_is_not_ready_gets_no_connection_and_keeps_its_old_ones() {
    who_is_not_ready_is_left_alone(Checks::Admin).await;
}

#[tokio::test]
async fn the_same_holds_where_haproxy_asks_from_another_machine() {
    who_is_not_ready_is_left_alone(Checks::Http).await;
}

#[tokio::test]
async fn a_drain_under_play_loses_nothing_and_the_node_is_used_again_when_it_is_back() {
    let (mut nodes, balancer) = both(&[], Checks::Admin).await;
    let mut players = plays(&balancer).await;
    player::all_go_on(&players, SOME).await;

    nodes.terminate(1).await;
    assert_eq!(nodes.exit_status(1).await, Some(0));
    player::all_go_on(&players, SOME).await;

    nodes.start_node(1).await;
    balancer.sees("UP", 1).await;
    let mut late = Vec::new();
    for door in Door::BOTH {
        let play = Player::join(&balancer, door, "late").await.play().await;
        assert_eq!(play.node, 1, "the one with the fewest connections");
        late.push(play);
    }
    players.append(&mut late);
    player::all_go_on(&players, SOME).await;

    let late = players.split_off(2 * PLAYERS_PER_DOOR);
    for play in players {
        let (id, before) = (play.session_id, play.node);
        let mut player = play.stop().await;
        let now = player.node().await;
        assert_eq!(player.session_id(), id);
        if before == 1 {
            assert!(player.repairs() > 0 && now != 1, "its node has gone: {now}");
        } else {
            assert_eq!((player.repairs(), now), (0, before), "nothing happened to its node");
        }
    }
    for play in late {
        play.stop().await;
    }
}
