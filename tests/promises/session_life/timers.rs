//! Timers of a session.

use throughline_link::Frame;

use crate::{
    game::{self, Answer, Ask},
    journal,
    player::{self, Neighbour, join},
    raw::{Seen, Wire},
    watch,
};

fn ticked(name: &str) -> Answer {
    Answer::Ticked(name.to_owned())
}

#[tokio::test]
async fn a_timer_fires_once_and_a_repeating_one_until_it_is_cancelled() {
    let node = game::node(|_| {});
    let mut ann = join(&node, "ann").await;
    let id = ann.client().session_id();
    player::ask(&mut ann, Ask::Timer("once".into(), 5)).await;
    assert_eq!(ann.receive::<Answer>(watch::PATIENCE).await.unwrap(), ticked("once"));
    player::ask(&mut ann, Ask::Repeat("tick".into(), 5)).await;
    for _ in 0..5 {
        assert_eq!(ann.receive::<Answer>(watch::PATIENCE).await.unwrap(), ticked("tick"));
    }
    ann.send(&Ask::Cancel("tick".into())).await.unwrap();
    ann.expect(|answer: &Answer| *answer == Answer::Said(0)).await.unwrap();
    let ticks = journal::count(id, "timer tick");
    // A later timer fires, the cancelled one does not.
    player::ask(&mut ann, Ask::Timer("later".into(), 30)).await;
    assert_eq!(ann.receive::<Answer>(watch::PATIENCE).await.unwrap(), ticked("later"));
    assert_eq!(journal::count(id, "timer tick"), ticks);
    assert_eq!(journal::count(id, "timer once"), 1);
}

#[tokio::test]
async fn setting_a_timer_again_replaces_it() {
    let node = game::node(|_| {});
    let mut ann = join(&node, "ann").await;
    let id = ann.client().session_id();
    player::ask(&mut ann, Ask::Timer("turn".into(), 10_000)).await;
    player::ask(&mut ann, Ask::Repeat("turn".into(), 5)).await;
    assert_eq!(ann.receive::<Answer>(watch::PATIENCE).await.unwrap(), ticked("turn"));
    ann.send(&Ask::Timer("turn".into(), 1)).await.unwrap();
    ann.expect(|answer: &Answer| *answer == Answer::Said(0)).await.unwrap();
    assert_eq!(ann.receive::<Answer>(watch::PATIENCE).await.unwrap(), ticked("turn"));
    let ticks = journal::count(id, "timer turn");
    player::ask(&mut ann, Ask::Timer("later".into(), 30)).await;
    assert_eq!(ann.receive::<Answer>(watch::PATIENCE).await.unwrap(), ticked("later"));
    assert_eq!(journal::count(id, "timer turn"), ticks);
}

#[tokio::test]
async fn timers_go_on_while_the_client_is_away() {
    let node = game::node(|_| {});
    let mut ann = join(&node, "ann").await;
    let id = ann.client().session_id();
    player::ask(&mut ann, Ask::Timer("away".into(), 20)).await;
    ann.cut();
    journal::noted(id, "timer away").await;
    assert_eq!(ann.receive::<Answer>(watch::PATIENCE).await.unwrap(), ticked("away"));
}

#[tokio::test]
async fn timers_are_gone_with_their_session() {
    let node = game::node(|_| {});
    let (mut ann, mut bob) = (join(&node, "ann").await, join(&node, "bob").await);
    let id = ann.client().session_id();
    player::ask(&mut ann, Ask::Repeat("tick".into(), 1)).await;
    journal::noted(id, "timer tick").await;
    ann.leave().await;
    journal::noted(id, "destroyed Left").await;
    // Long enough for some ticks, by another session's clock.
    player::ask(&mut bob, Ask::Timer("later".into(), 20)).await;
    assert_eq!(bob.receive::<Answer>(watch::PATIENCE).await.unwrap(), ticked("later"));
    assert_eq!(journal::of(id).last().unwrap(), "destroyed Left");
}

#[tokio::test]
async fn timers_and_other_sessions_go_past_a_client_that_must_wait() {
    let node = game::node(|config| {
        config.node.workers = 1;
        (config.link.window_messages, config.link.ack_every) = (4, 4);
        config.session.mailbox = 4;
    });
    let neighbour = Neighbour::join(&node).await;
    let mut bob = join(&node, "bob").await;
    let (mut wire, seat) = Wire::session(node.link_addresses()[0], "parrot", "ann").await;
    wire.ask(1, 0, &Ask::Repeat("beat".into(), 20)).await;
    // The window towards this client is full; what it asks for next must wait, and fills its share.
    wire.ask(2, 0, &Ask::Flood(4)).await;
    for seq in 3..=6 {
        wire.ask(seq, 0, &Ask::Say(100 + seq)).await;
    }
    wire.is_heard().await;
    let beats = journal::count(seat.id, "timer beat");
    watch::until("timers", || journal::count(seat.id, "timer beat") > beats + 5).await;
    bob.send(&Ask::Tell(seat.id, 5)).await.unwrap();
    let (told, mut said) = (Answer::Told(bob.client().session_id(), 5), Vec::new());
    let read = |payload: &[u8]| serde_json::from_slice::<Answer>(payload).unwrap();
    let is_late = |answer: &Answer| matches!(answer, Answer::Said(100..));
    let last = wire.find(|seen| match seen {
        Seen::Data { seq, payload, .. } => {
            assert!(!is_late(&read(payload)), "the window did not hold");
            (read(payload) == told).then_some(*seq)
        }
        _ => None,
    });
    let last = last.await;
    for _ in 0..20 {
        neighbour.is_served().await;
    }
    // Its acks make room, and nothing was lost.
    wire.send(Frame::Ack(last)).await;
    while said.len() < 4 {
        if let Seen::Data { seq, payload, .. } = wire.next().await {
            wire.send(Frame::Ack(seq)).await;
            said.extend(Some(read(&payload)).filter(is_late));
        }
    }
    assert_eq!(said, [103, 104, 105, 106].map(Answer::Said));
}

#[tokio::test]
async fn a_timer_that_finds_no_room_waits_for_it_and_holds_up_nobody() {
    let node = game::node(|config| (config.node.workers, config.session.mailbox) = (1, 2));
    let neighbour = Neighbour::join(&node).await;
    let (mut ann, mut bob) = (join(&node, "ann").await, join(&node, "bob").await);
    let id = ann.client().session_id();
    assert_eq!(player::ask(&mut ann, Ask::Repeat("beat".into(), 20)).await, Answer::Said(0));
    ann.send(&Ask::Gate(1)).await.unwrap();
    journal::noted(id, "at the gate").await;
    let beats = journal::count(id, "timer beat");
    for number in 0..2 {
        bob.send(&Ask::Tell(id, number)).await.unwrap();
    }
    for _ in 0..50 {
        neighbour.is_served().await;
    }
    player::is_served(&mut bob).await;
    assert_eq!(journal::count(id, "timer beat"), beats, "turns of one session never overlap");
    journal::gate(id).add_permits(1);
    let from = bob.client().session_id();
    for number in 0..2 {
        ann.expect(|answer: &Answer| *answer == Answer::Told(from, number)).await.unwrap();
    }
    watch::until("timers", || journal::count(id, "timer beat") > beats + 3).await;
}
