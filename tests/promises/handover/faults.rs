//! Handovers over a store that fails, delays, and does not say what became of a commit.

use throughline_client::TestClient;
use throughline_store::Faults;

use crate::{
    cluster::Plan,
    game::{Answer, Ask},
    player, watch,
};

const FAULTS: Faults = Faults {
    delay_steps_max: 3,
    read_down_percent: 3,
    commit_down_percent: 3,
    commit_unknown_percent: 10,
    unsynced_commits_max: 0,
    torn: false,
};

/// What is said must come once and in order, wherever the client goes.
async fn plays(mut player: TestClient, places: Vec<String>, hops: usize) {
    let (mut sent, mut got) = (0, 0);
    for hop in 0..hops {
        player.client().move_to(&places[hop % places.len()]).unwrap();
        for _ in 0..5 {
            player.client().send(serde_json::to_vec(&Ask::Say(sent)).unwrap()).await.unwrap();
            sent += 1;
        }
        while got + 3 < sent {
            let said: Answer = player.receive(watch::PATIENCE).await.unwrap();
            assert_eq!(said, Answer::Said(got));
            got += 1;
        }
    }
    while got < sent {
        let said: Answer = player.receive(watch::PATIENCE).await.unwrap();
        assert_eq!(said, Answer::Said(got));
        got += 1;
    }
    assert_eq!(player::ask(&mut player, Ask::Count).await, Answer::Counted(sent));
}

#[tokio::test]
async fn handovers_over_a_store_with_faults_lose_nothing_and_repeat_nothing() {
    for seed in 1..=3 {
        let cluster = Plan::new(3).faulty(FAULTS, seed).start().await;
        let places: Vec<_> = (1..=3).map(|number| cluster.at(number)).collect();
        let mut all = tokio::task::JoinSet::new();
        for number in 0..6 {
            let player = cluster.join(number % 3 + 1, "ann").await;
            all.spawn(plays(player, places.clone(), 15));
        }
        while let Some(played) = watch::soon("a player", all.join_next()).await {
            played.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        }
    }
}
