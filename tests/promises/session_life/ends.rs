//! How sessions end.

use std::time::Duration;

use throughline_client::CloseCode;
use throughline_link::Frame;

use crate::{
    game::{self, Answer, Ask},
    journal,
    player::{self, join},
    raw::{Seen, Wire},
    watch,
};

#[tokio::test]
async fn the_last_message_comes_before_the_end() {
    let node = game::node(|_| {});
    let mut ann = join(&node, "ann").await;
    let id = ann.client().session_id();
    assert_eq!(player::ask(&mut ann, Ask::End(7)).await, Answer::Said(7));
    assert_eq!(player::end_of(&mut ann).await, CloseCode::Ended);
    journal::noted(id, "destroyed Ended").await;
    // The client has answered: nothing is remembered.
    watch::until("a free place", || node.counts() == (0, 0)).await;
}

#[tokio::test]
async fn the_last_message_arrives_though_the_connection_was_cut_before_it() {
    let node = game::node(|_| {});
    let address = node.link_addresses()[0];
    let (mut wire, seat) = Wire::session(address, "parrot", "ann").await;
    wire.answer::<Answer>().await;
    wire.ask(1, 1, &Ask::Gate(1)).await;
    wire.ask(2, 1, &Ask::End(2)).await;
    journal::noted(seat.id, "at the gate").await;
    drop(wire);
    watch::until("the loss", || node.counts().0 == 0).await;
    journal::gate(seat.id).add_permits(1);
    journal::noted(seat.id, "destroyed Ended").await;
    // Also a second time, if the connection breaks again before the client has answered.
    for attempt in 1..=2 {
        let mut back = Wire::tcp(address).await;
        back.write(&seat.resume(attempt, 1, 0)).await;
        assert_eq!(back.welcome().await.ack, 2);
        assert_eq!(back.answer::<Answer>().await, Answer::Said(1));
        assert_eq!(back.answer::<Answer>().await, Answer::Said(2));
        assert_eq!(back.code().await, CloseCode::Ended.number());
        if attempt == 2 {
            let code = CloseCode::Ended;
            back.send(Frame::Close(throughline_link::Close { code, ack: 3, text: "" })).await;
            back.rest().await;
        }
    }
    // The answer has been read when the connection is gone: then the session is forgotten.
    for attempt in 3.. {
        watch::until("the goodbye", || node.counts().0 == 0).await;
        let mut late = Wire::tcp(address).await;
        late.write(&seat.resume(attempt, 3, 0)).await;
        if let Seen::Refused { code, .. } = late.next().await {
            assert_eq!(code, CloseCode::Unknown.number());
            break;
        }
        // It came between the goodbye and the forgetting, which are one wake-up.
        assert!(attempt < 10, "it was not forgotten");
    }
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_session() {
    let node = game::node(|_| {});
    for address in [node.link_addresses()[0].to_string(), player::web(node.http_addresses()[0])] {
        let mut ann = player::join_with(player::options(address, "ann")).await;
        let id = ann.client().session_id();
        ann.leave().await;
        journal::noted(id, "destroyed Left").await;
    }
    assert_eq!(node.counters().ended(CloseCode::Left), 2);
    watch::until("free places", || node.counts() == (0, 0)).await;
}

#[tokio::test]
async fn a_client_that_is_idle_for_too_long_is_ended() {
    let node = game::node(|config| config.session.idle_limit = Duration::from_millis(300));
    let mut ann = join(&node, "ann").await;
    let id = ann.client().session_id();
    assert_eq!(player::end_of(&mut ann).await, CloseCode::Idle);
    journal::noted(id, "destroyed Idle").await;
    assert_eq!(node.counters().ended(CloseCode::Idle), 1);
}

#[tokio::test]
async fn an_operator_can_end_a_session() {
    let node = game::node(|_| {});
    let mut ann = join(&node, "ann").await;
    let id = ann.client().session_id();
    assert!(node.kick(id));
    assert_eq!(player::end_of(&mut ann).await, CloseCode::Kicked);
    journal::noted(id, "destroyed Kicked").await;
    assert!(!node.kick(throughline::SessionId([1; 16])));
}

#[tokio::test]
async fn an_ended_session_is_forgotten_after_its_time() {
    let node = game::node(|config| config.link.ended_memory = Duration::ZERO);
    let address = node.link_addresses()[0];
    let (mut wire, seat) = Wire::session(address, "parrot", "ann").await;
    wire.ask(1, 0, &Ask::End(1)).await;
    journal::noted(seat.id, "destroyed Ended").await;
    drop(wire);
    watch::until("a free place", || node.counts() == (0, 0)).await;
    let mut late = Wire::tcp(address).await;
    late.write(&seat.resume(1, 0, 0)).await;
    assert_eq!(late.code().await, CloseCode::Unknown.number());
}

#[tokio::test]
async fn what_comes_after_the_end_is_not_handled() {
    let node = game::node(|_| {});
    let (mut wire, seat) = Wire::session(node.link_addresses()[0], "parrot", "ann").await;
    wire.ask(1, 0, &Ask::End(1)).await;
    wire.ask(2, 0, &Ask::Say(2)).await;
    wire.ask(3, 0, &Ask::Panic).await;
    let (code, ack) = wire
        .find(|seen| match seen {
            Seen::Close { code, ack, .. } => Some((*code, *ack)),
            Seen::Data { payload, .. } => {
                assert_ne!(payload, br#"{"Said":2}"#);
                None
            }
            _ => None,
        })
        .await;
    assert_eq!((code, ack), (CloseCode::Ended.number(), 1));
    journal::noted(seat.id, "destroyed Ended").await;
}
