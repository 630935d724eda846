//! Messages between sessions of different nodes.

use std::collections::BTreeSet;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;

use throughline::{DeliverError, SessionId, Undelivered};

use crate::{
    cluster::{Cluster, Plan},
    game::{Answer, Ask},
    journal, player,
    raw::Wire,
    watch,
};

#[tokio::test]
async fn messages_to_another_node_come_in_order_by_id_and_by_key() {
    let cluster = Cluster::of(2).await;
    let (mut ann, mut bob) = (cluster.join(1, "ann").await, cluster.join(2, "bob").await);
    let (to, from) = (ann.client().session_id(), bob.client().session_id());
    player::ask(&mut ann, Ask::Key("ann".into())).await;
    for number in 0..100 {
        let ask = match number % 2 {
            0 => Ask::Send(to, number),
            _ => Ask::SendToKey("ann".into(), number),
        };
        bob.send(&ask).await.unwrap();
    }
    for number in 0..100 {
        let told: Answer = ann.receive(watch::PATIENCE).await.unwrap();
        assert_eq!(told, Answer::Told(from, number));
    }
    // To itself, too.
    let told = player::ask(&mut ann, Ask::SendToKey("ann".into(), 7)).await;
    assert_eq!(told, Answer::Told(to, 7));
}

#[tokio::test]
async fn a_message_to_nobody_comes_back() {
    let cluster = Cluster::of(2).await;
    let (mut ann, mut bob) = (cluster.join(1, "ann").await, cluster.join(2, "bob").await);
    let to = ann.client().session_id();
    player::ask(&mut ann, Ask::Key("ann".into())).await;
    ann.leave().await;
    journal::noted(to, "destroyed Left").await;
    let no = "NoSuchSession".to_owned();
    for to in [to, SessionId([7; 16])] {
        let answer = player::ask(&mut bob, Ask::Send(to, 1)).await;
        assert_eq!(answer, Answer::Undelivered(to, no.clone()));
    }
    for key in ["ann", "nobody", ""] {
        let answer = player::ask(&mut bob, Ask::SendToKey(key.into(), 1)).await;
        assert_eq!(answer, Answer::Unfound(key.into(), no.clone()));
    }
}

#[tokio::test]
async fn a_message_to_a_parked_session_comes_back() {
    let mut cluster = Cluster::of(2).await;
    let (mut ann, mut bob) = (cluster.join(1, "ann").await, cluster.join(2, "bob").await);
    let to = ann.client().session_id();
    player::ask(&mut ann, Ask::Key("ann".into())).await;
    assert!(cluster.stop(1).await.is_clean());
    let answer = player::ask(&mut bob, Ask::Send(to, 1)).await;
    assert_eq!(answer, Answer::Undelivered(to, "Parked".into()));
    let answer = player::ask(&mut bob, Ask::SendToKey("ann".into(), 1)).await;
    assert_eq!(answer, Answer::Unfound("ann".into(), "Parked".into()));
    // Back, it is reached.
    ann.client().move_to(cluster.at(2)).unwrap();
    player::is_served(&mut ann).await;
    bob.send(&Ask::SendToKey("ann".into(), 2)).await.unwrap();
    let told: Answer = ann.receive(watch::PATIENCE).await.unwrap();
    assert_eq!(told, Answer::Told(bob.client().session_id(), 2));
}

#[tokio::test]
async fn a_message_to_a_node_that_cannot_be_reached_comes_back() {
    // Nobody declares the node dead meanwhile.
    let plan = Plan::new(2).with(|config| config.cluster.term = Duration::from_secs(120));
    let mut cluster = plan.start().await;
    let (mut ann, mut bob) = (cluster.join(1, "ann").await, cluster.join(2, "bob").await);
    let to = ann.client().session_id();
    bob.send(&Ask::Send(to, 1)).await.unwrap();
    let told: Answer = ann.receive(watch::PATIENCE).await.unwrap();
    assert_eq!(told, Answer::Told(bob.client().session_id(), 1));
    cluster.kill(1).await;
    let answer = player::ask(&mut bob, Ask::Send(to, 2)).await;
    assert_eq!(answer, Answer::Undelivered(to, "Unreachable".into()));
}

#[tokio::test]
async fn no_message_to_a_session_on_its_way_is_lost_in_silence_or_comes_twice() {
    const MESSAGES: usize = 300;
    let cluster = Cluster::of(3).await;
    let (mut ann, mut bob) = (cluster.join(1, "ann").await, cluster.join(2, "bob").await);
    let to = ann.client().session_id();
    let places: Vec<_> = (1..=3).map(|number| cluster.at(number)).collect();
    let returned = Arc::new(AtomicUsize::new(0));
    let known = Arc::clone(&returned);
    // Until each message has come, or has come back.
    let hopping = tokio::spawn(async move {
        let mut told = BTreeSet::new();
        for hop in 0.. {
            if hop % 5 == 0 {
                ann.client().move_to(&places[hop / 5 % 3]).unwrap();
            }
            ann.send(&Ask::Say(0)).await.unwrap();
            loop {
                match ann.receive::<Answer>(watch::PATIENCE).await.unwrap() {
                    Answer::Told(_, number) => assert!(told.insert(number), "{number} came twice"),
                    Answer::Said(_) => break,
                    other => panic!("unasked: {other:?}"),
                }
            }
            if told.len() + known.load(Ordering::Relaxed) >= MESSAGES {
                return;
            }
        }
    });
    watch::soon("all messages, there or back", async {
        for number in 0.. {
            if hopping.is_finished() {
                return;
            }
            if number < MESSAGES {
                bob.send(&Ask::Send(to, number as u64)).await.unwrap();
            }
            bob.send(&Ask::Say(0)).await.unwrap();
            loop {
                match bob.receive::<Answer>(watch::PATIENCE).await.unwrap() {
                    Answer::Said(_) => break,
                    Answer::Undelivered(..) => returned.fetch_add(1, Ordering::Relaxed),
                    other => panic!("unasked: {other:?}"),
                };
            }
        }
    })
    .await;
    hopping.await.unwrap();
}

#[tokio::test]
async fn a_message_that_waits_when_its_session_ends_comes_back_from_another_node() {
    let cluster = Cluster::of(2).await;
    let address = cluster.node(1).link_addresses()[0];
    let mut bob = cluster.join(2, "bob").await;
    let (mut wire, seat) = Wire::session(address, "parrot", "ann").await;
    wire.ask(1, 0, &Ask::Gate(1)).await;
    journal::noted(seat.id, "at the gate").await;
    // It is in the mailbox when the call returns.
    let from_outside = cluster.node(2).send_to_session(seat.id, &1_u64);
    watch::soon("a delivery", from_outside).await.unwrap();
    bob.send(&Ask::Send(seat.id, 2)).await.unwrap();
    player::is_served(&mut bob).await;
    assert!(cluster.node(1).kick(seat.id));
    journal::gate(seat.id).add_permits(1);
    let answer: Answer = bob.receive(watch::PATIENCE).await.unwrap();
    assert_eq!(answer, Answer::Undelivered(seat.id, "NoSuchSession".into()));
}

#[tokio::test]
async fn a_message_from_outside_reaches_every_node() {
    let cluster = Cluster::of(2).await;
    let mut ann = cluster.join(1, "ann").await;
    let id = ann.client().session_id();
    player::ask(&mut ann, Ask::Key("ann".into())).await;
    cluster.node(2).send_to_session(id, &5_u64).await.unwrap();
    let told: Answer = ann.receive(watch::PATIENCE).await.unwrap();
    assert_eq!(told, Answer::Told(id, 5));
    cluster.node(2).send_to_session("ann", &6_u64).await.unwrap();
    let told: Answer = ann.receive(watch::PATIENCE).await.unwrap();
    assert!(matches!(told, Answer::Told(_, 6)), "{told:?}");
    let nobody = cluster.node(2).send_to_session("bob", &7_u64).await.unwrap_err();
    assert!(matches!(nobody, DeliverError::Undelivered(Undelivered::NoSuchSession)));
}
