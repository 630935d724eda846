//! A store of several machines that no node reaches for longer than a lease lasts.

use std::time::{Duration, Instant};

use throughline_client::TestClient;

use crate::{
    cluster::{Cluster, Gate, Plan},
    game::{Answer, Ask},
    player, watch,
};

/// Three terms of the nodes here.
const OUTAGE: Duration = Duration::from_secs(3);

/// An answer within this is one of a node that acts.
const MOMENT: Duration = Duration::from_millis(300);

async fn start(nodes: u32) -> Cluster {
    let cluster = Plan::new(nodes).walled().wide().quick().start().await;
    // Each has seen the others, and its beats say so.
    let others = nodes as usize - 1;
    let know = || (1..=nodes).all(|number| cluster.wall(1).known_to(number) == others);
    watch::until("nodes that know each other", know).await;
    cluster
}

fn shut(cluster: &Cluster, nodes: u32) {
    for number in 1..=nodes {
        cluster.wall(number).set(Gate::shut());
    }
}

async fn plays_for(client: &mut TestClient, time: Duration, number: &mut u64) {
    let began = Instant::now();
    while began.elapsed() < time {
        assert_eq!(player::ask(client, Ask::Say(*number)).await, Answer::Said(*number));
        *number += 1;
    }
}

#[tokio::test]
async fn players_play_on_while_no_node_reaches_the_store() {
    let cluster = start(3).await;
    let mut players = [cluster.join(1, "ann").await, cluster.join(2, "bob").await];
    let mut said = vec![0; players.len()];
    shut(&cluster, 3);
    for (client, said) in players.iter_mut().zip(&mut said) {
        // The clock of the test starts for each: both are beyond the lease by far.
        plays_for(client, OUTAGE, said).await;
    }
    for number in 1..=3 {
        cluster.wall(number).open();
    }
    for (client, said) in players.iter_mut().zip(said) {
        client.client().move_to(cluster.at(3)).unwrap();
        assert_eq!(player::ask_past(client, Ask::Count).await, Answer::Counted(said));
    }
    for number in 1..=3 {
        assert_eq!(cluster.wall(number).deaths(number), 0, "nobody was declared dead");
    }
}

/// It may be the one that reads the store.
#[tokio::test]
async fn a_node_that_another_one_does_not_answer_stands_still_until_the_store_is_back() {
    let mut cluster = start(2).await;
    let mut ann = cluster.join(1, "ann").await;
    shut(&cluster, 2);
    cluster.kill(2).await;
    let mut number = 0;
    watch::soon("the end of what the other has said", async {
        loop {
            ann.send(&Ask::Say(number)).await.unwrap();
            if ann.receive::<Answer>(MOMENT).await.is_err() {
                return;
            }
            number += 1;
        }
    })
    .await;
    cluster.wall(1).open();
    let said: Answer = ann.expect(|said| *said == Answer::Said(number)).await.unwrap();
    assert_eq!(said, Answer::Said(number));
    assert_eq!(player::ask(&mut ann, Ask::Count).await, Answer::Counted(number + 1));
}
