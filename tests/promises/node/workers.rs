//! Sessions and their connections stay on one worker.

use crate::{
    game,
    player::{self, join},
};

#[tokio::test]
async fn a_resumed_connection_moves_to_the_worker_of_its_session() {
    let node = game::node(|config| config.node.workers = 4);
    let mut players = Vec::new();
    for _ in 0..6 {
        players.push(join(&node, "ann").await);
    }
    for _ in 0..10 {
        for player in &mut players {
            player.cut();
            player::is_served(player).await;
        }
    }
    assert!(node.counters().moved() >= 60, "{}", node.counters().moved());
    assert_eq!(node.counters().foreign_polls(), 0);
}

#[tokio::test]
async fn one_worker_serves_many_players() {
    let node = game::node(|config| config.node.workers = 1);
    let mut players = Vec::new();
    for _ in 0..50 {
        players.push(join(&node, "ann").await);
    }
    for player in &mut players {
        player::is_served(player).await;
    }
    assert_eq!(node.counts(), (50, 50));
}
