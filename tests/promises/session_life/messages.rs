//! Messages between the sessions of a node, and from outside.

use throughline::{DeliverError, SessionId, Undelivered};
use throughline_client::CloseCode;
use throughline_link::{Close, Frame};

use crate::{
    game::{self, Answer, Ask},
    journal,
    player::{self, join},
    raw::Wire,
    watch,
};

#[tokio::test]
async fn messages_between_sessions_come_in_order_and_say_from_whom() {
    let node = game::node(|_| {});
    let (mut ann, mut bob) = (join(&node, "ann").await, join(&node, "bob").await);
    let (to, from) = (ann.client().session_id(), bob.client().session_id());
    for number in 0..100 {
        bob.send(&Ask::Tell(to, number)).await.unwrap();
    }
    for number in 0..100 {
        let told: Answer = ann.receive(watch::PATIENCE).await.unwrap();
        assert_eq!(told, Answer::Told(from, number));
    }
}

#[tokio::test]
async fn a_message_from_outside_any_session_is_delivered_or_refused() {
    let node = game::node(|_| {});
    let mut ann = join(&node, "ann").await;
    let id = ann.client().session_id();
    node.send_to_local_session(id, &5_u64).unwrap();
    let told: Answer = ann.receive(watch::PATIENCE).await.unwrap();
    assert_eq!(told, Answer::Told(id, 5));
    let nobody = node.send_to_local_session(SessionId([3; 16]), &5_u64).unwrap_err();
    assert!(matches!(nobody, DeliverError::Undelivered(Undelivered::NoSuchSession)));
}

#[tokio::test]
async fn a_message_to_a_session_that_has_ended_comes_back() {
    let node = game::node(|_| {});
    let (mut ann, mut bob) = (join(&node, "ann").await, join(&node, "bob").await);
    let to = ann.client().session_id();
    ann.leave().await;
    journal::noted(to, "destroyed Left").await;
    let answer = player::ask(&mut bob, Ask::Tell(to, 1)).await;
    assert_eq!(answer, Answer::Undelivered(to, "NoSuchSession".into()));
}

#[tokio::test]
async fn a_message_that_waits_when_its_session_ends_comes_back() {
    let node = game::node(|_| {});
    let mut bob = join(&node, "bob").await;
    for code in [CloseCode::Kicked, CloseCode::HandlerFailed, CloseCode::Left] {
        let (mut wire, seat) = Wire::session(node.link_addresses()[0], "parrot", "ann").await;
        wire.ask(1, 0, &Ask::Gate(1)).await;
        journal::noted(seat.id, "at the gate").await;
        if code == CloseCode::HandlerFailed {
            wire.ask(2, 0, &Ask::Panic).await;
            wire.is_heard().await;
        }
        bob.send(&Ask::Tell(seat.id, 1)).await.unwrap();
        // Whoever is answered has been heard: the message waits for the end of the turn.
        player::is_served(&mut bob).await;
        match code {
            CloseCode::Kicked => {
                assert!(node.kick(seat.id));
                watch::until("the kick", || node.counters().ended(code) == 1).await;
            }
            CloseCode::Left => {
                wire.send(Frame::Close(Close { code, ack: 0, text: "" })).await;
                wire.rest().await;
            }
            _ => {}
        }
        journal::gate(seat.id).add_permits(1);
        if code == CloseCode::Kicked {
            // Not before the end is written, which waits for the turn.
            assert_eq!(wire.code().await, code.number());
        }
        let answer: Answer = bob.receive(watch::PATIENCE).await.unwrap();
        assert_eq!(answer, Answer::Undelivered(seat.id, "NoSuchSession".into()), "{code}");
        watch::until("the count", || node.counters().ended(code) == 1).await;
    }
}
