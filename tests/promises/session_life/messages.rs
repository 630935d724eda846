//! Messages between the sessions of a node, and from outside.

use throughline::{DeliverError, SessionId, Undelivered};

use crate::{
    game::{self, Answer, Ask},
    journal,
    player::{self, join},
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
