//! A hub that is killed under play.

use std::time::Duration;

use throughline_client::TestClient;

use crate::{
    cluster::{Cluster, Plan},
    game::{Answer, Ask},
    player, watch,
};

#[tokio::test]
async fn sessions_go_on_while_the_hub_is_away_and_logins_wait_for_it() {
    let mut cluster = Cluster::of(2).await;
    let mut ann = cluster.join(1, "ann").await;
    let id = ann.client().session_id();
    for round in 0..3 {
        cluster.lender().kill().await;
        for number in 0..10 {
            assert_eq!(player::ask(&mut ann, Ask::Say(number)).await, Answer::Said(number));
        }
        let login = player::join_with(cluster.options(2, "bob"));
        let restart = async {
            tokio::task::yield_now().await;
            cluster.lender().restart().await;
        };
        let (mut bob, ()) = tokio::join!(login, restart);
        player::is_served(&mut bob).await;
        ann.client().move_to(cluster.at(round % 2 + 1)).unwrap();
        player::is_served(&mut ann).await;
        assert_eq!(ann.client().session_id(), id);
    }
    assert_eq!(player::ask(&mut ann, Ask::Count).await, Answer::Counted(33));
}

/// An answer within this is one while a lease holds.
const MOMENT: Duration = Duration::from_millis(300);

async fn is_answered(client: &mut TestClient, number: u64) -> bool {
    client.send(&Ask::Say(number)).await.unwrap();
    client.receive::<Answer>(MOMENT).await.is_ok()
}

#[tokio::test]
async fn an_outage_longer_than_the_lease_suspends_sessions_and_kills_nobody() {
    let mut cluster = Plan::new(3).on_disk().quick().start().await;
    let mut ann = cluster.join(1, "ann").await;
    let id = ann.client().session_id();
    cluster.lender().kill().await;
    let mut number = 0;
    watch::soon("the end of the lease", async {
        while is_answered(&mut ann, number).await {
            number += 1;
        }
    })
    .await;
    cluster.lender().restart().await;
    let said: Answer = ann.expect(|said| *said == Answer::Said(number)).await.unwrap();
    assert_eq!(said, Answer::Said(number));
    for place in [2, 3, 1] {
        ann.client().move_to(cluster.at(place)).unwrap();
        let counted = player::ask_past(&mut ann, Ask::Count).await;
        assert_eq!(counted, Answer::Counted(number + 1));
    }
    assert_eq!(ann.client().session_id(), id);
}
