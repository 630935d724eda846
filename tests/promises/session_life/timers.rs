//! Timers of a session.

use crate::{
    game::{self, Answer, Ask},
    journal,
    player::{self, join},
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
