//! P2: where messages would be lost, the session ends with a reason on both sides.

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
async fn p2_too_much_retained_ends_the_session_on_both_sides() {
    for (ask, limit) in [(Ask::Flood(100), "messages"), (Ask::Big(40, 1_000), "bytes")] {
        let node = game::node(|config| {
            (config.link.window_messages, config.link.retained_messages) = (16, 64);
            (config.link.window_bytes, config.link.retained_bytes) = (8 * 1024, 32 * 1024);
        });
        let mut ann = join(&node, "ann").await;
        let id = ann.client().session_id();
        ann.send(&ask).await.unwrap();
        assert_eq!(player::end_of(&mut ann).await, CloseCode::RetainedOverflow, "{limit}");
        journal::noted(id, "destroyed RetainedOverflow").await;
        assert_eq!(node.counters().ended(CloseCode::RetainedOverflow), 1);
    }
}

#[tokio::test]
async fn p2_what_was_sent_before_an_overflow_comes_without_a_gap() {
    let node = game::node(|config| {
        (config.link.window_messages, config.link.retained_messages) = (16, 64);
    });
    let mut ann = join(&node, "ann").await;
    ann.send(&Ask::Flood(100)).await.unwrap();
    for number in 0..60 {
        let answer: Answer = ann.receive(watch::PATIENCE).await.unwrap();
        assert_eq!(answer, Answer::Said(number));
    }
}

#[tokio::test]
async fn p2_a_session_whose_client_stays_away_expires_and_a_late_client_learns_it() {
    let node = game::node(|config| config.session.timeout = Duration::from_secs(1));
    let address = node.link_addresses()[0];
    let (mut wire, seat) = Wire::session(address, "parrot", "ann").await;
    // What the client has not handled yet still comes to it, before the reason.
    wire.ask(1, 0, &Ask::Say(7)).await;
    assert_eq!(wire.answer::<Answer>().await, Answer::Started("ann".into()));
    drop(wire);
    journal::noted(seat.id, "destroyed Expired").await;
    let mut late = Wire::tcp(address).await;
    late.write(&seat.resume(1, 1, 0)).await;
    assert_eq!(late.welcome().await.id, seat.id);
    assert_eq!(late.answer::<Answer>().await, Answer::Said(7));
    assert_eq!(late.code().await, CloseCode::Expired.number());
    assert_eq!(node.counters().ended(CloseCode::Expired), 1);
}

#[tokio::test]
async fn p2_numbers_that_do_not_fit_end_the_session_as_lost_on_both_sides() {
    let node = game::node(|_| {});
    let address = node.link_addresses()[0];
    // Received what was never sent; saw acknowledged what was never sent; needs what is gone.
    let misfits = [("received", 99, 0), ("acked", 1, 5), ("gone", 0, 0)];
    for (count, (what, received, acked)) in misfits.into_iter().enumerate() {
        let (mut wire, seat) = Wire::session(address, "parrot", "ann").await;
        assert_eq!(wire.answer::<Answer>().await, Answer::Started("ann".into()));
        wire.send(Frame::Ack(1)).await;
        wire.ask(1, 1, &Ask::Say(1)).await;
        wire.answer::<Answer>().await;
        let mut other = Wire::tcp(address).await;
        other.write(&seat.resume(1, received, acked)).await;
        let seen = other.next().await;
        assert!(matches!(seen, Seen::Refused { code: 109, .. }), "{what}: {seen:?}");
        journal::noted(seat.id, "destroyed Lost").await;
        assert!(matches!(wire.rest().await.last(), Some(Seen::End(_))));
        let ended = node.counters().ended(CloseCode::Lost);
        assert_eq!(ended, count as u64 + 1, "{what}");
        // And it stays so.
        let mut again = Wire::tcp(address).await;
        again.write(&seat.resume(2, 2, 0)).await;
        assert!(matches!(again.next().await, Seen::Welcome(_)));
        assert_eq!(again.code().await, CloseCode::Lost.number(), "{what}");
    }
}

#[tokio::test]
async fn p2_a_node_that_stops_ends_its_sessions_with_a_reason() {
    let node = game::node(|_| {});
    let mut ann = join(&node, "ann").await;
    let mut bob = join(&node, "bob").await;
    bob.cut();
    let ids = [ann.client().session_id(), bob.client().session_id()];
    let stopping = tokio::task::spawn_blocking(move || node.stop());
    assert_eq!(player::end_of(&mut ann).await, CloseCode::NodeStopped);
    drop(bob);
    let report = watch::soon("the stop", stopping).await.unwrap();
    assert_eq!((report.ended, report.left), (2, 0));
    for id in ids {
        assert_eq!(journal::count(id, "destroyed NodeStopped"), 1);
    }
}
