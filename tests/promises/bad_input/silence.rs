//! Connections that say nothing, clients that never read, clients that never acknowledge.

use std::time::Duration;

use throughline_client::CloseCode;
use throughline_link::Frame;

use crate::{
    game::{self, Answer, Ask},
    journal,
    player::{Neighbour, join},
    raw::{Seen, Wire},
    watch,
};

#[tokio::test]
async fn a_thousand_connections_that_say_nothing_keep_nobody_from_playing() {
    let node = game::node(|config| {
        config.limits.handshakes = 200;
        config.limits.connections_per_address = 0;
        config.limits.handshake_time = Duration::from_secs(2);
    });
    let address = node.link_addresses()[0];
    let neighbour = Neighbour::join(&node).await;
    let mut silent = Vec::new();
    for count in 0..1_000 {
        silent.push(Wire::tcp(address).await);
        if count % 100 == 0 {
            neighbour.is_served().await;
        }
    }
    watch::until("all of them seen", || node.counters().accepted() == 1_001).await;
    neighbour.is_served().await;
    // Each of them is told something in the end: no place, or no time left.
    let mut codes = Vec::new();
    for wire in &mut silent {
        codes.push(wire.code().await);
    }
    let count = |code: CloseCode| codes.iter().filter(|found| **found == code.number()).count();
    let (full, late) = (count(CloseCode::Overloaded), count(CloseCode::HandshakeTimeout));
    assert!(full + late == 1_000 && late >= 200, "{full} without a place, {late} without a word");
    assert_eq!(node.counters().refused(CloseCode::Overloaded), full as u64);
    neighbour.is_served().await;
    drop(silent);
    watch::until("free places", || node.counts().0 == 1).await;
    join(&node, "bob").await;
}

#[tokio::test]
async fn a_client_that_falls_silent_loses_its_connection_and_not_its_session() {
    let node = game::node(|config| config.link.heartbeat = Duration::from_millis(100));
    for (name, mut wire) in Wire::each(&node).await {
        let seat = wire.log_in("parrot", "ann").await;
        assert_eq!(wire.code().await, CloseCode::HalfOpen.number(), "{name}");
        journal::noted(seat.id, "connection lost").await;
        let mut back = Wire::tcp(node.link_addresses()[0]).await;
        back.write(&seat.resume(1, 1, 0)).await;
        assert!(back.welcome().await.resumed, "{name}");
    }
}

#[tokio::test]
async fn a_worker_that_stood_still_reads_what_was_said_meanwhile_before_it_judges_silence() {
    let node = game::node(|config| {
        config.node.workers = 1;
        config.link.heartbeat = Duration::from_millis(100);
    });
    for (name, mut bob) in Wire::each(&node).await {
        bob.log_in("parrot", "bob").await;
        let (mut ann, seat) = Wire::session(node.link_addresses()[0], "parrot", "ann").await;
        ann.ask(1, 0, &Ask::Stall).await;
        // Until none is answered for twice as long as a client may be silent.
        let mut last = 0;
        loop {
            last += 1;
            bob.send(Frame::Ping(last)).await;
            let pong =
                bob.find(|seen| matches!(seen, Seen::Pong(token) if *token == last).then_some(()));
            if tokio::time::timeout(Duration::from_millis(400), pong).await.is_err() {
                break;
            }
        }
        journal::gate(seat.id).add_permits(1);
        loop {
            match bob.next().await {
                Seen::Pong(token) if token == last => break,
                Seen::Close { code, .. } => panic!("{name}: closed with {code}"),
                Seen::End(status) => panic!("{name}: closed ({status:?})"),
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn a_client_that_never_reads_loses_its_connection_and_then_its_session() {
    let node = game::node(|config| {
        config.link.heartbeat = Duration::from_secs(1);
        config.session.timeout = Duration::from_secs(1);
        config.link.window_bytes = 32 << 20;
        config.link.retained_bytes = 64 << 20;
        config.link.retained_messages = 4_096;
    });
    let neighbour = Neighbour::join(&node).await;
    for is_web in [false, true] {
        let mut wire = match is_web {
            true => Wire::web(node.http_addresses()[0]).await,
            false => Wire::tcp(node.link_addresses()[0]).await,
        };
        let seat = wire.log_in("parrot", "bob").await;
        // More than the sockets of both sides hold.
        for seq in 1..=24 {
            wire.ask(seq, 0, &Ask::Big(10, 60_000)).await;
        }
        journal::noted(seat.id, "connection lost").await;
        journal::noted(seat.id, "destroyed Expired").await;
        assert!(node.counters().closed(CloseCode::HalfOpen) > u64::from(is_web));
        neighbour.is_served().await;
        // Held open until here by the client.
        drop(wire);
    }
}

#[tokio::test]
async fn a_session_that_ends_does_not_wait_for_a_client_that_never_reads() {
    let node = game::node(|config| {
        config.link.window_bytes = 8 << 20;
        config.link.retained_bytes = 64 << 20;
        config.link.retained_messages = 4_096;
    });
    let (mut wire, seat) = Wire::session(node.link_addresses()[0], "parrot", "bob").await;
    wire.ask(1, 0, &Ask::Big(240, 60_000)).await;
    wire.ask(2, 0, &Ask::End(1)).await;
    // The window is full: the game hears of the second message when the operator ends it.
    assert!(node.kick(seat.id));
    journal::noted(seat.id, "destroyed Kicked").await;
    watch::until("the connection to go", || node.counts() == (0, 0)).await;
    drop(wire);
}

#[tokio::test]
async fn a_client_that_never_acknowledges_ends_as_a_slow_consumer() {
    let node = game::node(|config| {
        config.link.ack_timeout = Duration::from_secs(1);
        (config.link.window_messages, config.link.ack_every) = (8, 8);
    });
    let neighbour = Neighbour::join(&node).await;
    let (mut wire, seat) = Wire::session(node.link_addresses()[0], "parrot", "bob").await;
    for seq in 1..=200 {
        wire.ask(seq, 0, &Ask::Say(seq)).await;
    }
    let mut answers = 0;
    let code = loop {
        match wire.next().await {
            Seen::Data { .. } => answers += 1,
            Seen::Close { code, .. } => break code,
            Seen::End(_) => panic!("no reason was told"),
            _ => {}
        }
    };
    assert_eq!(code, CloseCode::SlowConsumer.number());
    assert_eq!(answers, 8, "the game went on to the window and no further");
    journal::noted(seat.id, "destroyed SlowConsumer").await;
    watch::until("the count", || node.counters().ended(CloseCode::SlowConsumer) == 1).await;
    neighbour.is_served().await;
}

#[tokio::test]
async fn a_client_that_never_acknowledges_overflows_what_is_retained_for_it() {
    let node = game::node(|config| {
        (config.link.window_messages, config.link.retained_messages) = (16, 32);
    });
    let mut ann = join(&node, "ann").await;
    let (mut wire, seat) = Wire::session(node.link_addresses()[0], "parrot", "bob").await;
    wire.answer::<Answer>().await;
    // Other players' doing does not stop at the window.
    for number in 0..40 {
        ann.send(&Ask::Tell(seat.id, number)).await.unwrap();
    }
    assert_eq!(wire.code().await, CloseCode::RetainedOverflow.number());
    journal::noted(seat.id, "destroyed RetainedOverflow").await;
}

#[tokio::test]
async fn a_client_that_acknowledges_far_too_little_ends_as_a_slow_consumer() {
    let node = game::node(|config| config.link.ack_timeout = Duration::from_secs(1));
    let (mut wire, seat) = Wire::session(node.link_addresses()[0], "parrot", "bob").await;
    wire.ask(1, 0, &Ask::Flood(200)).await;
    // One message every 300 ms: at this rate the last one is a minute old when its turn comes.
    let mut pace = tokio::time::interval(Duration::from_millis(300));
    let mut acked = 0;
    let code = loop {
        tokio::select! {
            seen = wire.next() => match seen {
                Seen::Close { code, .. } => break code,
                Seen::End(_) => panic!("no reason was told"),
                _ => {}
            },
            _ = pace.tick() => {
                wire.send(Frame::Ack(acked)).await;
                acked += 1;
                assert!(acked < 60, "it goes on for ever");
            }
        }
    };
    assert_eq!(code, CloseCode::SlowConsumer.number());
    journal::noted(seat.id, "destroyed SlowConsumer").await;
}

#[tokio::test]
async fn a_client_that_only_answers_pings_stays_connected() {
    // Long enough that an answer is not late on a busy machine.
    let node = game::node(|config| config.link.heartbeat = Duration::from_millis(800));
    let (mut wire, seat) = Wire::session(node.link_addresses()[0], "parrot", "bob").await;
    // Each comes after one and a half heartbeats: without them, two would be the end.
    for _ in 0..3 {
        let token = wire.find(|seen| match seen {
            Seen::Ping(token) => Some(*token),
            _ => None,
        });
        let token = token.await;
        wire.send(Frame::Pong { token, time: 0 }).await;
    }
    wire.is_heard().await;
    assert_eq!(node.counters().closed(CloseCode::HalfOpen), 0);
    assert_eq!(journal::count(seat.id, "connection lost"), 0);
}
