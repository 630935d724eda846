//! P2, of turns that fail: no effect, a reason on both sides, and nobody else feels it.

use std::time::Duration;

use throughline_client::{CloseCode, Options, TestClient};

use crate::{
    game::{self, Answer, Ask},
    journal, logs,
    player::{self, Neighbour, join},
    raw::Wire,
    watch,
};

#[tokio::test]
async fn p2_a_panic_ends_its_session_with_a_reason_and_no_other() {
    let node = game::node(|config| config.node.workers = 1);
    let mut bob = join(&node, "bob").await;
    for (count, fault) in [Ask::Panic, Ask::Fail, Ask::BlockPanic].into_iter().enumerate() {
        let mut ann = join(&node, "ann").await;
        ann.send(&fault).await.unwrap();
        assert_eq!(player::end_of(&mut ann).await, CloseCode::HandlerFailed, "{fault:?}");
        assert_eq!(node.counters().ended(CloseCode::HandlerFailed), count as u64 + 1);
        player::is_served(&mut bob).await;
    }
}

#[tokio::test]
async fn p2_a_panic_while_a_message_is_read_ends_its_session_only() {
    let node = game::node(|config| config.node.workers = 1);
    let (mut ann, mut bob) = (join(&node, "ann").await, join(&node, "bob").await);
    ann.send_bytes(r#"{"Rotten":null}"#).await.unwrap();
    let code = player::end_of(&mut ann).await;
    assert_eq!(code, CloseCode::HandlerFailed);
    player::is_served(&mut bob).await;
}

#[tokio::test]
async fn p2_a_turn_that_fails_has_no_effect() {
    let node = game::node(|_| {});
    let (mut ann, mut bob) = (join(&node, "ann").await, join(&node, "bob").await);
    let id = ann.client().session_id();
    let undo = Ask::Undo(bob.client().session_id());
    ann.send(&undo).await.unwrap();
    let ended = watch::soon("the end", ann.receive::<Answer>(watch::PATIENCE)).await;
    // Nothing comes before the end.
    assert!(ended.unwrap_err().to_string().contains("HandlerFailed"));
    player::is_served(&mut bob).await;
    assert_eq!(node.session_of_key("undone"), None);
    assert_eq!(journal::count(id, "timer undone"), 0);
}

#[tokio::test]
async fn p2_a_turn_over_its_deadline_fails() {
    let node = game::node(|config| {
        config.node.workers = 1;
        config.session.turn_deadline = Duration::from_millis(100);
    });
    let (mut ann, mut bob) = (join(&node, "ann").await, join(&node, "bob").await);
    ann.send(&Ask::Hang).await.unwrap();
    player::is_served(&mut bob).await;
    assert_eq!(player::end_of(&mut ann).await, CloseCode::HandlerFailed);
    player::is_served(&mut bob).await;
}

/// What it waits for cannot come while nothing runs.
#[tokio::test]
async fn p2_a_turn_whose_worker_stood_still_beyond_its_deadline_has_its_time_left() {
    let deadline = Duration::from_secs(2);
    let node = game::node(|config| {
        config.node.workers = 1;
        config.session.turn_deadline = deadline;
    });
    let (mut ann, mut bob) = (join(&node, "ann").await, join(&node, "bob").await);
    let [waits, blocks] = [&mut ann, &mut bob].map(|client| client.client().session_id());
    ann.send(&Ask::Gate(7)).await.unwrap();
    journal::noted(waits, "at the gate").await;
    bob.send(&Ask::Stall).await.unwrap();
    assert!(ann.receive::<Answer>(deadline * 2).await.is_err(), "its gate is shut");
    journal::gate(blocks).add_permits(1);
    // By then it was looked at again, and had to wait on.
    for _ in 0..2 {
        player::is_served(&mut bob).await;
    }
    journal::gate(waits).add_permits(1);
    let answer = watch::soon("what it waits for", ann.receive::<Answer>(watch::PATIENCE)).await;
    assert_eq!(answer.unwrap(), Answer::Said(7));
    assert_eq!(node.counters().failed_turns(), 0);
}

#[tokio::test]
async fn p2_a_session_that_failed_does_not_come_back() {
    let node = game::node(|_| {});
    let mut ann = join(&node, "ann").await;
    ann.send(&Ask::Panic).await.unwrap();
    ann.client().flush().await;
    let state = ann.client().export();
    watch::until("the end", || node.counters().ended(CloseCode::HandlerFailed) == 1).await;
    ann.cut();
    drop(ann);
    // The client missed the reason; it learns it when it comes back.
    let options = player::options(node.link_addresses()[0], "ann");
    let mut late = throughline_client::Client::resume(options, &state).await.unwrap();
    let ended = watch::soon("the end", async {
        loop {
            if let throughline_client::Event::Ended(code, _) = late.next().await {
                return code;
            }
        }
    });
    assert_eq!(ended.await, CloseCode::HandlerFailed);
}

async fn careful(node: &throughline::RunningNode) -> TestClient {
    let address = node.link_addresses()[0].to_string();
    TestClient::connect(Options::new([address]).kind("careful").login("ann")).await.unwrap()
}

#[tokio::test]
async fn p2_a_kind_that_keeps_copies_goes_on_behind_a_poisonous_message() {
    logs::keep();
    let node = game::node(|config| {
        config.session.poison_tries = 4;
        config.session.turn_deadline = Duration::from_millis(200);
    });
    let mut ann = careful(&node).await;
    let id = ann.client().session_id();
    for number in [1_u64, 13, 2, 14, 15] {
        ann.send(&number).await.unwrap();
    }
    let mut sums = Vec::new();
    for _ in 0..4 {
        sums.push(ann.receive::<u64>(watch::PATIENCE).await.unwrap());
    }
    // 13 never counts, and what its turns sent never came; 14 fails once, 15 hangs once.
    assert_eq!(sums, [1, 3, 17, 32]);
    assert_eq!(journal::count(id, "tried 13 at 1"), 4);
    assert_eq!(journal::count(id, "tried 14 at 3"), 2);
    assert_eq!(journal::count(id, "tried 15 at 17"), 2);
    assert_eq!(node.counters().set_aside(), 1);
    let lines = logs::with("set aside");
    assert!(lines.iter().any(|line| line.contains(&id.to_string())), "{lines:?}");
}

#[tokio::test]
async fn p2_a_state_that_panics_when_it_is_dropped_leaves_no_ghost() {
    let node = game::node(|config| config.node.workers = 1);
    let address = node.link_addresses()[0];
    let neighbour = Neighbour::join(&node).await;
    for (kind, ask, code) in [
        ("sore", 0, CloseCode::Ended),
        ("sore", 13, CloseCode::HandlerFailed),
        ("sore-copy", 0, CloseCode::Ended),
    ] {
        let (mut wire, seat) = Wire::session(address, kind, "ann").await;
        wire.ask(1, 0, &ask).await;
        assert_eq!(wire.code().await, code.number(), "{kind} {ask}");
        drop(wire);
        // A late client gets a verdict, and the place is free again.
        let mut back = Wire::tcp(address).await;
        back.write(&seat.resume(1, 0, 0)).await;
        assert_eq!(back.code().await, code.number(), "{kind} {ask}");
        watch::until("a free place", || node.counts().1 == 1).await;
        neighbour.is_served().await;
    }
    // One that keeps copies goes on with a fresh one, whatever becomes of the old one.
    let (mut wire, _) = Wire::session(address, "sore-copy", "ann").await;
    wire.ask(1, 0, &13).await;
    wire.ask(2, 0, &7).await;
    assert_eq!(wire.answer::<u64>().await, 7);
    assert_eq!(node.counters().set_aside(), 1);
    neighbour.is_served().await;
}
