//! A client that sends more than its rate.

use std::time::Duration;

use throughline_client::{CloseCode, TestClient};
use throughline_link::Frame;

use crate::{
    game::{self, Answer, Ask},
    journal,
    player::{self, join},
    raw::{Seen, Wire},
    watch,
};

async fn say(client: &mut TestClient) {
    for number in 0..400_u64 {
        if number >= 64 {
            let answer = Answer::Said(number - 64);
            client.expect(|said: &Answer| *said == answer).await.unwrap();
        }
        client.send(&Ask::Say(number)).await.unwrap();
    }
}

#[tokio::test]
async fn a_client_over_its_rate_is_slowed_down_and_loses_nothing() {
    let node = game::node(|config| {
        config.session.messages_per_second = 500;
        config.session.burst = Duration::from_millis(200);
    });
    let mut ann = join(&node, "ann").await;
    // 400 messages at 500 a second, 100 of them at once: this takes half a second at least.
    let early = tokio::time::timeout(Duration::from_millis(300), say(&mut ann)).await;
    assert!(early.is_err(), "the rate did not hold");
    let mut bob = join(&node, "bob").await;
    say(&mut bob).await;
    assert_eq!(player::ask_past(&mut bob, Ask::Count).await, Answer::Counted(400));
}

#[tokio::test]
async fn a_client_that_floods_is_held_back_and_then_ended() {
    let node = game::node(|config| {
        config.session.messages_per_second = 100;
        config.session.burst = Duration::from_millis(100);
        config.session.flood_time = Duration::from_millis(500);
    });
    let (mut ann, mut other) = (join(&node, "ann").await, join(&node, "other").await);
    let (mut wire, seat) = Wire::session(node.link_addresses()[0], "parrot", "bob").await;
    let (mut seq, mut answers) = (0, 0);
    let code = loop {
        // Always a few more than were answered: it never pauses.
        while seq < answers + 100 {
            seq += 1;
            wire.ask(seq, 0, &Ask::Say(seq)).await;
        }
        match wire.next().await {
            Seen::Data { seq, .. } => {
                answers = seq;
                wire.send(Frame::Ack(seq)).await;
            }
            Seen::Close { code, .. } => break code,
            Seen::End(_) => panic!("no reason was told"),
            _ => {}
        }
    };
    assert_eq!(code, CloseCode::Flooded.number());
    journal::noted(seat.id, "destroyed Flooded").await;
    watch::until("the count", || node.counters().ended(CloseCode::Flooded) == 1).await;
    player::is_served(&mut ann).await;
    player::is_served(&mut other).await;
}

#[tokio::test]
async fn a_client_held_back_is_not_taken_for_dead() {
    let node = game::node(|config| {
        config.link.heartbeat = Duration::from_millis(100);
        config.session.messages_per_second = 10;
        config.session.burst = Duration::from_millis(500);
    });
    let (mut wire, _) = Wire::session(node.link_addresses()[0], "parrot", "bob").await;
    // Twelve at once are 0.7 s of debt: the node reads nothing for longer than two heartbeats.
    for seq in 1..=12 {
        wire.ask(seq, 0, &Ask::Say(seq)).await;
    }
    loop {
        match wire.next().await {
            Seen::Data { seq: 13, .. } => wire.send(Frame::Ping(77)).await,
            Seen::Pong(77) => break,
            Seen::Close { code, .. } => panic!("closed with {code}"),
            Seen::End(_) => panic!("the connection ended"),
            _ => {}
        }
    }
    watch::until("the count", || node.counters().closed(CloseCode::HalfOpen) == 0).await;
}

#[tokio::test]
async fn pings_and_duplicates_count_as_a_flood_too() {
    let node = game::node(|config| {
        config.session.messages_per_second = 100;
        config.session.burst = Duration::from_millis(100);
        config.session.flood_time = Duration::from_millis(500);
    });
    let mut ann = join(&node, "ann").await;
    for what in ["pings", "duplicates"] {
        let (mut wire, seat) = Wire::session(node.link_addresses()[0], "parrot", "bob").await;
        wire.ask(1, 0, &Ask::Say(1)).await;
        let mut answers = 0;
        let code = loop {
            // More after each answer: it never pauses.
            for _ in 0..20 {
                match what {
                    "pings" => wire.send(Frame::Ping(answers)).await,
                    _ => wire.ask(1, 0, &Ask::Say(1)).await,
                }
            }
            let seen = wire.find(|seen| match seen {
                Seen::Pong(_) | Seen::Ack(_) | Seen::Close { .. } => Some(seen.clone()),
                _ => None,
            });
            if let Seen::Close { code, .. } = seen.await {
                break code;
            }
            answers += 1;
            assert!(answers < 2_000, "{what} are not held back");
        };
        assert_eq!(code, CloseCode::Flooded.number(), "{what}");
        journal::noted(seat.id, "destroyed Flooded").await;
    }
    player::is_served(&mut ann).await;
}
