//! Connections that come and go, as the game sees them; work on other threads; simulated networks.

use std::time::Duration;

use crate::{
    game::{self, Answer, Ask},
    journal,
    player::{self, join},
    raw::Wire,
    watch,
};

#[tokio::test]
async fn a_lost_connection_and_its_repair_are_told_to_the_game() {
    let node = game::node(|_| {});
    let mut ann = join(&node, "ann").await;
    let id = ann.client().session_id();
    for _ in 0..3 {
        ann.cut();
        player::is_served(&mut ann).await;
    }
    let round = ["connection lost", "repaired from 127.0.0.1"];
    assert_eq!(journal::of(id)[1..], round.repeat(3));
}

#[tokio::test]
async fn what_is_sent_while_the_client_is_away_waits_for_it() {
    let node = game::node(|_| {});
    let (mut ann, mut bob) = (join(&node, "ann").await, join(&node, "bob").await);
    let id = ann.client().session_id();
    ann.cut();
    journal::noted(id, "connection lost").await;
    for number in 0..20 {
        bob.send(&Ask::Tell(id, number)).await.unwrap();
    }
    player::is_served(&mut bob).await;
    let from = bob.client().session_id();
    for number in 0..20 {
        let told: Answer = ann.receive(watch::PATIENCE).await.unwrap();
        assert_eq!(told, Answer::Told(from, number));
    }
}

#[tokio::test]
async fn a_client_that_flaps_during_one_turn_is_told_in_the_end_as_it_is() {
    let node = game::node(|_| {});
    let address = node.link_addresses()[0];
    let (mut wire, seat) = Wire::session(address, "parrot", "ann").await;
    wire.ask(1, 0, &Ask::Gate(1)).await;
    journal::noted(seat.id, "at the gate").await;
    for attempt in 1..=3 {
        drop(wire);
        watch::until("the loss", || node.counts().0 == 0).await;
        wire = Wire::tcp(address).await;
        wire.write(&seat.resume(attempt, 0, 0)).await;
        wire.welcome().await;
    }
    drop(wire);
    watch::until("the loss", || node.counts().0 == 0).await;
    journal::gate(seat.id).add_permits(1);
    journal::noted(seat.id, "connection lost").await;
    let mut back = Wire::tcp(address).await;
    back.write(&seat.resume(9, 0, 1)).await;
    back.welcome().await;
    // Handled after all of these.
    back.ask(2, 0, &Ask::Say(2)).await;
    while back.answer::<Answer>().await != Answer::Said(2) {}
    let notes = journal::of(seat.id);
    let is_lost = |note: &String| note == "connection lost";
    assert!(notes.iter().filter(|note| is_lost(note)).count() <= 4, "{notes:?}");
    // Lost and repaired take turns, so the game is never told what it knows.
    let pairs: Vec<_> = notes[2..].iter().map(is_lost).collect();
    assert!(pairs.chunks(2).all(|pair| pair == [true, false]), "{notes:?}");
}

#[tokio::test]
async fn blocking_work_runs_elsewhere_and_its_result_comes_back() {
    let node = game::node(|config| config.node.workers = 1);
    let mut ann = join(&node, "ann").await;
    assert_eq!(player::ask(&mut ann, Ask::Block(21)).await, Answer::Said(42));
}

#[tokio::test]
async fn a_session_that_waits_holds_up_no_other() {
    let node = game::node(|config| config.node.workers = 1);
    let (mut ann, mut bob) = (join(&node, "ann").await, join(&node, "bob").await);
    let id = ann.client().session_id();
    ann.send(&Ask::Gate(1)).await.unwrap();
    ann.send(&Ask::Say(2)).await.unwrap();
    journal::noted(id, "at the gate").await;
    player::is_served(&mut bob).await;
    journal::gate(id).add_permits(1);
    for number in [1, 2] {
        let said: Answer = ann.receive(watch::PATIENCE).await.unwrap();
        assert_eq!(said, Answer::Said(number), "turns of one session do not overlap");
    }
}

#[tokio::test]
async fn simulate_link_is_refused_unless_the_configuration_allows_it() {
    let node = game::node(|_| {});
    let mut ann = join(&node, "ann").await;
    match player::ask(&mut ann, Ask::Simulate(10)).await {
        Answer::Refused(why) => assert!(why.contains("development.simulate-link"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn simulate_link_delays_and_goes_on_over_a_repair() {
    let node = game::node(|config| config.development.simulate_link = true);
    for address in [node.link_addresses()[0].to_string(), player::web(node.http_addresses()[0])] {
        let mut ann = player::join_with(player::options(address, "ann")).await;
        assert_eq!(player::ask(&mut ann, Ask::Simulate(150)).await, Answer::Said(150));
        for cuts in 0..2 {
            ann.send(&Ask::Say(cuts)).await.unwrap();
            // There and back takes 300 ms: nothing can come in half of that.
            let early = ann.receive::<Answer>(Duration::from_millis(150)).await;
            assert!(early.is_err(), "{early:?} after {cuts} cuts");
            let said: Answer = ann.receive(watch::PATIENCE).await.unwrap();
            assert_eq!(said, Answer::Said(cuts));
            ann.cut();
        }
        assert_eq!(player::ask(&mut ann, Ask::Simulate(0)).await, Answer::Said(0));
        player::is_served(&mut ann).await;
    }
}
