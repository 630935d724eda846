//! P4: a graceful stop loses nothing.

use std::time::Duration;

use throughline::StopReport;
use throughline_client::{CloseCode, TestClient};
use tokio::sync::watch as cell;
use tokio::task::JoinSet;

use crate::{
    cluster::{Cluster, Plan},
    game::{Answer, Ask, Mood},
    journal, player,
    raw::{Seen, Wire, hello},
    watch,
};

/// Says numbers, each of which must be answered, until told to stop; how many were said.
async fn plays(mut player: TestClient, over: cell::Receiver<bool>) -> (TestClient, u64) {
    let mut said = 0;
    while !*over.borrow() {
        assert_eq!(player::ask(&mut player, Ask::Say(said)).await, Answer::Said(said));
        said += 1;
        tokio::task::yield_now().await;
    }
    (player, said)
}

async fn drained(drain: tokio::task::JoinHandle<StopReport>) -> StopReport {
    watch::soon("the drain", drain).await.unwrap()
}

#[tokio::test]
async fn a_node_that_stops_moves_who_plays_and_parks_who_is_away() {
    let mut cluster = Plan::new(3).advertised().start().await;
    let (tell, over) = cell::channel(false);
    let mut playing = JoinSet::new();
    let mut away = Vec::new();
    for number in 0..10 {
        let player = cluster.join(1, &format!("player{number}")).await;
        playing.spawn(plays(player, over.clone()));
        let mut idle = cluster.join(1, &format!("idle{number}")).await;
        player::ask(&mut idle, Ask::Say(number)).await;
        idle.cut();
        away.push(idle);
    }
    // One ends by itself, before or while the node stops.
    let mut gone = cluster.join(1, "gone").await;
    gone.leave().await;
    let report = cluster.stop(1).await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.moved + report.parked, 20, "{report:?}");
    assert!(report.ended <= 1, "{report:?}");
    assert!(report.parked >= 10, "{report:?}");
    assert!(report.left_sessions.is_empty() && report.pause_p99_ms >= report.pause_p50_ms);
    tell.send_replace(true);
    while let Some(played) = watch::soon("a player", playing.join_next()).await {
        let (mut player, said) = played.unwrap();
        assert_eq!(player::ask(&mut player, Ask::Count).await, Answer::Counted(said));
    }
    for mut player in away {
        player.client().move_to(cluster.at(2)).unwrap();
        assert_eq!(player::ask(&mut player, Ask::Count).await, Answer::Counted(1));
    }
    assert_eq!(cluster.sessions()[0], 0);
}

#[tokio::test]
async fn every_node_restarted_in_turn_loses_nothing() {
    let mut cluster = Plan::new(3).advertised().start().await;
    let (tell, over) = cell::channel(false);
    let mut playing = JoinSet::new();
    for number in 1..=9 {
        let player = cluster.join(number % 3 + 1, &format!("player{number}")).await;
        playing.spawn(plays(player, over.clone()));
    }
    for number in 1..=3 {
        let report = cluster.stop(number).await;
        assert!(report.is_clean(), "{report:?}");
        cluster.start_node(number).await;
    }
    tell.send_replace(true);
    while let Some(played) = watch::soon("a player", playing.join_next()).await {
        let (mut player, said) = played.unwrap();
        assert_eq!(player::ask(&mut player, Ask::Count).await, Answer::Counted(said));
    }
}

#[tokio::test]
async fn what_cannot_go_is_named_with_the_reason() {
    let plan = Plan::new(2).with(|config| {
        config.session.snapshot_max = 4_096;
        config.drain.deadline = Duration::from_secs(2);
        config.drain.rate = 100;
    });
    let cluster = plan.start().await;
    let mut ann = cluster.join(1, "ann").await;
    let id = ann.client().session_id();
    player::ask(&mut ann, Ask::Carry(5_000)).await;
    let mut bob = cluster.join(1, "bob").await;
    player::ask(&mut bob, Ask::Say(1)).await;
    bob.cut();
    let report = drained(cluster.drain(1)).await;
    assert!(!report.is_clean(), "{report:?}");
    assert_eq!((report.parked, report.left, report.has_left), (1, 1, false), "{report:?}");
    let [(left, why)] = &report.left_sessions[..] else { panic!("{report:?}") };
    assert!(left.contains(&id.to_string()) && why.contains("session.snapshot-max"), "{report:?}");
    // It is as it was, with its client, and nothing was lost.
    ann.client().move_to(cluster.at(1)).unwrap();
    player::ask(&mut ann, Ask::Carry(0)).await;
    // Lighter, it can go.
    let report = drained(cluster.drain(1)).await;
    assert!(report.is_clean(), "{report:?}");
}

#[tokio::test]
async fn a_turn_under_way_is_finished_before_its_session_goes() {
    let cluster = Plan::new(2).advertised().start().await;
    let mut ann = cluster.join(1, "ann").await;
    let id = ann.client().session_id();
    ann.send(&Ask::Gate(7)).await.unwrap();
    journal::noted(id, "at the gate").await;
    let drain = cluster.drain(1);
    ann.client().move_to(cluster.at(2)).unwrap();
    // While the turn takes its time, the session is nowhere else.
    let mut neighbour = cluster.join(2, "bob").await;
    player::is_served(&mut neighbour).await;
    assert_eq!((journal::count(id, "swap out"), cluster.sessions()), (0, vec![1, 1]));
    journal::gate(id).add_permits(1);
    let said: Answer = ann.expect(|answer| matches!(answer, Answer::Said(_))).await.unwrap();
    assert_eq!(said, Answer::Said(7));
    assert_eq!(journal::count(id, "at the gate"), 1);
    let report = drained(drain).await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.moved + report.parked, 1, "{report:?}");
}

#[tokio::test]
async fn a_session_that_ends_instead_of_leaving_tells_its_client() {
    let cluster = Plan::new(2).advertised().start().await;
    let mut ann = cluster.join(1, "ann").await;
    player::ask(&mut ann, Ask::Be(Mood::Homesick)).await;
    let mut bob = cluster.join(1, "bob").await;
    player::ask(&mut bob, Ask::Be(Mood::Homesick)).await;
    // Away, he hears of it when he comes back, wherever that is.
    bob.cut();
    let drain = cluster.drain(1);
    assert_eq!(player::end_of(&mut ann).await, CloseCode::Ended);
    let report = drained(drain).await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.ended, report.moved + report.parked), (2, 0), "{report:?}");
    bob.client().move_to(cluster.at(2)).unwrap();
    assert_eq!(player::end_of(&mut bob).await, CloseCode::Ended);
    for player in [&mut ann, &mut bob] {
        journal::noted(player.client().session_id(), "destroyed Ended").await;
    }
}

#[tokio::test]
async fn what_the_last_turn_sends_arrives_at_the_next_node() {
    let mut cluster = Cluster::of(2).await;
    let mut ann = cluster.join(1, "ann").await;
    player::ask(&mut ann, Ask::Be(Mood::Polite)).await;
    let report = cluster.stop(1).await;
    assert!(report.is_clean(), "{report:?}");
    ann.client().move_to(cluster.at(2)).unwrap();
    let told: Answer = ann.receive(watch::PATIENCE).await.unwrap();
    assert_eq!(told, Answer::Ticked("leaving".into()));
}

#[tokio::test]
async fn a_key_that_the_last_turn_asks_for_is_the_sessions_at_the_next_node() {
    let mut cluster = Cluster::of(2).await;
    let mut old = cluster.join(2, "bob").await;
    player::ask(&mut old, Ask::Key("traveller".into())).await;
    let mut ann = cluster.join(1, "ann").await;
    player::ask(&mut ann, Ask::Be(Mood::Named)).await;
    let report = cluster.stop(1).await;
    assert!(report.is_clean(), "{report:?}");
    ann.client().move_to(cluster.at(2)).unwrap();
    player::is_served(&mut ann).await;
    assert_eq!(player::end_of(&mut old).await, CloseCode::KeyTaken);
    let id = ann.client().session_id();
    assert_eq!(cluster.node(2).session_of_key("traveller"), Some(id));
}

#[tokio::test]
async fn a_login_at_a_node_that_drains_is_sent_elsewhere_or_told_to_wait() {
    for (nodes, code) in [(1, CloseCode::NotYet), (2, CloseCode::GoElsewhere)] {
        let cluster = Plan::new(nodes).advertised().start().await;
        let address = cluster.node(1).link_addresses()[0];
        let (mut ann, seat) = Wire::session(address, "parrot", "ann").await;
        ann.ask(1, 0, &Ask::Gate(1)).await;
        journal::noted(seat.id, "at the gate").await;
        let drain = cluster.drain(1);
        watch::soon("a refusal", async {
            loop {
                let mut wire = Wire::tcp(address).await;
                wire.write(&hello("parrot", b"bob")).await;
                match wire.next().await {
                    // The order to drain was on its way.
                    Seen::Welcome(_) => {}
                    // A node that has joined a moment ago knows of no other.
                    Seen::Refused { code: found, .. }
                        if nodes > 1 && found == CloseCode::NotYet.number() => {}
                    Seen::Refused { code: found, retry_after_ms, .. } => {
                        assert_eq!(found, code.number());
                        assert!(retry_after_ms > 0);
                        return;
                    }
                    other => panic!("not an answer: {other:?}"),
                }
            }
        })
        .await;
        journal::gate(seat.id).add_permits(1);
        let report = drained(drain).await;
        assert!(report.is_clean(), "{report:?}");
    }
}

#[tokio::test]
async fn the_last_node_parks_everything() {
    let mut cluster = Plan::new(1).on_disk().start().await;
    let mut ann = cluster.join(1, "ann").await;
    player::ask(&mut ann, Ask::Say(1)).await;
    let report = cluster.stop(1).await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.moved, report.parked, report.left), (0, 1, 0), "{report:?}");
    cluster.start_node(1).await;
    ann.client().move_to(cluster.at(1)).unwrap();
    assert_eq!(player::ask(&mut ann, Ask::Count).await, Answer::Counted(1));
}

#[tokio::test]
async fn what_a_session_sends_to_others_in_its_last_turn_leaves_before_its_node_ends() {
    let mut cluster = Cluster::of(2).await;
    let mut heir = cluster.join(2, "heir").await;
    let mut ids = Vec::new();
    for _ in 0..10 {
        let mut ann = cluster.join(1, "ann").await;
        player::ask(&mut ann, Ask::Heir(heir.client().session_id())).await;
        player::ask(&mut ann, Ask::Be(Mood::Homesick)).await;
        ids.push(ann.client().session_id());
    }
    let report = cluster.stop(1).await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.ended, 10);
    for _ in 0..10 {
        let told: Answer = heir.receive(watch::PATIENCE).await.unwrap();
        let Answer::Told(from, 13) = told else { panic!("unasked: {told:?}") };
        assert!(ids.contains(&from));
    }
}
