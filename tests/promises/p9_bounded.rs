//! P9: every limit, and what comes of reaching it.

use std::time::Duration;

use throughline::SessionId;
use throughline_client::{CloseCode, SendError};
use throughline_link::Frame;

use crate::{
    game::{self, Answer, Ask},
    journal,
    player::{self, join},
    raw::{self, Seen, Wire},
    watch,
};

const OVERLOADED: u16 = CloseCode::Overloaded.number();

/// That a new connection is turned away, and told when to come again.
async fn is_turned_away(mut wire: Wire) {
    match wire.next().await {
        Seen::Refused { code, retry_after_ms, .. } => {
            assert_eq!(code, OVERLOADED);
            assert!(retry_after_ms > 0);
        }
        other => panic!("a refusal was expected, not {other:?}"),
    }
}

#[tokio::test]
async fn p9_connections_beyond_the_limit_are_refused_and_places_come_back() {
    let node = game::node(|config| config.limits.connections = 3);
    let address = node.link_addresses()[0];
    let mut ann = join(&node, "ann").await;
    let mut others = vec![join(&node, "bob").await, join(&node, "cid").await];
    is_turned_away(Wire::tcp(address).await).await;
    assert_eq!(node.counters().refused(CloseCode::Overloaded), 1);
    player::is_served(&mut ann).await;
    others.pop().unwrap().leave().await;
    watch::until("a free place", || node.counts().0 == 2).await;
    join(&node, "dan").await;
}

#[tokio::test]
async fn p9_connections_of_one_address_beyond_the_limit_are_refused() {
    let node = game::node(|config| config.limits.connections_per_address = 2);
    let mut players = [join(&node, "ann").await, join(&node, "bob").await];
    is_turned_away(Wire::tcp(node.link_addresses()[0]).await).await;
    for player in &mut players {
        player::is_served(player).await;
    }
}

#[tokio::test]
async fn p9_handshakes_beyond_the_limit_are_refused_and_sessions_go_on() {
    // One worker takes the connections in the order in which they came.
    let node = game::node(|config| (config.limits.handshakes, config.node.workers) = (2, 1));
    let address = node.link_addresses()[0];
    let mut ann = join(&node, "ann").await;
    let silent = [Wire::tcp(address).await, Wire::tcp(address).await];
    is_turned_away(Wire::tcp(address).await).await;
    player::is_served(&mut ann).await;
    drop(silent);
    join(&node, "bob").await;
}

#[tokio::test]
async fn p9_sessions_beyond_the_limit_are_refused_and_places_come_back() {
    let node = game::node(|config| config.limits.sessions = 2);
    let address = node.link_addresses()[0];
    let (mut ann, mut bob) = (join(&node, "ann").await, join(&node, "bob").await);
    let mut wire = Wire::tcp(address).await;
    wire.write(&raw::hello("parrot", b"cid")).await;
    is_turned_away(wire).await;
    player::is_served(&mut ann).await;
    bob.leave().await;
    watch::until("a free place", || node.counts().1 == 1).await;
    join(&node, "cid").await;
}

#[tokio::test]
async fn p9_sessions_of_one_address_beyond_the_limit_are_refused() {
    let node = game::node(|config| {
        config.limits.sessions_per_address = 2;
        config.listen.link.push("[::1]:0".parse().unwrap());
    });
    let (mut ann, bob) = (join(&node, "ann").await, join(&node, "bob").await);
    // Away or not, a session counts.
    drop(bob);
    watch::until("bob is away", || node.counts().0 == 1).await;
    let mut wire = Wire::tcp(node.link_addresses()[0]).await;
    wire.write(&raw::hello("parrot", b"cid")).await;
    is_turned_away(wire).await;
    // Who comes from elsewhere has places of their own.
    let elsewhere = player::options(node.link_addresses()[1], "dan");
    player::is_served(&mut player::join_with(elsewhere).await).await;
    player::is_served(&mut ann).await;
    ann.leave().await;
    watch::until("a free place", || node.counts().1 == 2).await;
    join(&node, "cid").await;
}

#[tokio::test]
async fn p9_a_login_payload_beyond_the_limit_is_refused() {
    let node = game::node(|config| config.limits.login_payload = 1_000);
    let options = |bytes| player::options(node.link_addresses()[0], &"x".repeat(bytes));
    player::join_with(options(1_000)).await;
    // A little too long, and too long for any Hello.
    for bytes in [1_001, 5_000, 100_000] {
        let (code, ..) = player::refusal(options(bytes)).await;
        assert_eq!(code, CloseCode::LoginTooLarge, "{bytes}");
    }
    assert_eq!(node.counters().refused(CloseCode::LoginTooLarge), 3);
}

#[tokio::test]
async fn p9_a_frame_beyond_the_limit_is_refused_by_both_senders_and_by_the_node() {
    let node = game::node(|config| config.link.max_frame = 2_048);
    let mut ann = join(&node, "ann").await;
    // The client's own side.
    let error = ann.client().try_send(vec![b' '; 2_048 - 16]).unwrap_err();
    assert_eq!(error, SendError::TooLarge { bytes: 2_032, limit: 2_031 });
    player::is_served(&mut ann).await;
    // The node's side, from a client that does not care.
    let (mut wire, seat) = Wire::session(node.link_addresses()[0], "parrot", "bob").await;
    assert_eq!(seat.max_frame, 2_048);
    wire.data(1, 0, &vec![b' '; 2_048 - 16]).await;
    assert_eq!(wire.code().await, CloseCode::TooLarge.number());
    watch::until("the count", || node.counters().closed(CloseCode::TooLarge) == 1).await;
    // The game's own messages: the turn fails, nothing is cut.
    ann.send(&Ask::Big(1, 3_000)).await.unwrap();
    assert_eq!(player::end_of(&mut ann).await, CloseCode::HandlerFailed);
}

#[tokio::test]
async fn p9_timers_beyond_the_limit_fail_the_session() {
    let node = game::node(|config| config.session.timers = 3);
    let (mut ann, mut bob) = (join(&node, "ann").await, join(&node, "bob").await);
    assert_eq!(player::ask(&mut bob, Ask::Timers(3)).await, Answer::Said(0));
    // Setting them again takes no more room.
    assert_eq!(player::ask(&mut bob, Ask::Timers(3)).await, Answer::Said(0));
    ann.send(&Ask::Timers(4)).await.unwrap();
    assert_eq!(player::end_of(&mut ann).await, CloseCode::HandlerFailed);
    player::is_served(&mut bob).await;
}

#[tokio::test]
async fn p9_messages_for_a_full_mailbox_come_back_to_their_sender() {
    let node = game::node(|config| config.session.mailbox = 4);
    let (mut ann, mut bob) = (join(&node, "ann").await, join(&node, "bob").await);
    let (to, full) = (ann.client().session_id(), "MailboxFull".to_owned());
    ann.send(&Ask::Gate(1)).await.unwrap();
    journal::noted(to, "at the gate").await;
    for number in 0..4 {
        bob.send(&Ask::Tell(to, number)).await.unwrap();
    }
    // The fifth finds no room.
    assert_eq!(player::ask(&mut bob, Ask::Tell(to, 4)).await, Answer::Undelivered(to, full));
    journal::gate(to).add_permits(1);
    assert_eq!(ann.receive::<Answer>(watch::PATIENCE).await.unwrap(), Answer::Said(1));
    let from = bob.client().session_id();
    for number in 0..4 {
        let told: Answer = ann.receive(watch::PATIENCE).await.unwrap();
        assert_eq!(told, Answer::Told(from, number));
    }
    player::is_served(&mut bob).await;
}

#[tokio::test]
async fn p9_a_full_window_holds_the_game_back_until_acks_come() {
    // The window of both sides fits into the mailbox exactly.
    let node = game::node(|config| {
        (config.link.window_messages, config.link.ack_every) = (4, 4);
        config.session.mailbox = 4;
    });
    let (mut wire, seat) = Wire::session(node.link_addresses()[0], "parrot", "ann").await;
    wire.answer::<Answer>().await;
    // Two answers each: after two turns there are four unacknowledged and Started.
    for seq in 1..=4 {
        wire.ask(seq, 0, &Ask::Flood(2)).await;
    }
    let handled = wire.find(|seen| match seen {
        Seen::Ack(ack) | Seen::Data { ack, .. } => (*ack >= 2).then_some(*ack),
        _ => None,
    });
    assert_eq!(handled.await, 2, "a full window stops the game");
    // The client may send two more; its acks come behind them, and must get through.
    wire.ask(5, 0, &Ask::Flood(2)).await;
    wire.ask(6, 0, &Ask::Flood(2)).await;
    let mut last = 5;
    wire.send(Frame::Ack(last)).await;
    while last < 13 {
        match wire.next().await {
            Seen::Data { seq, .. } if seq > last => {
                assert_eq!(seq, last + 1);
                last = seq;
                wire.send(Frame::Ack(last)).await;
            }
            Seen::End(_) => panic!("the connection ended at {last}"),
            _ => {}
        }
    }
    assert_eq!(journal::of(seat.id).len(), 1, "nothing but the login happened");
}

#[tokio::test]
async fn p9_a_client_window_is_told_and_kept_by_the_client() {
    let node = game::node(|config| {
        (config.link.window_messages, config.link.ack_every) = (8, 8);
    });
    let mut ann = join(&node, "ann").await;
    let gate = serde_json::to_vec(&Ask::Gate(1)).unwrap();
    let mut taken = 0;
    let error = loop {
        match ann.client().try_send(&gate) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((taken, error), (8, SendError::WouldBlock));
    let id = ann.client().session_id();
    journal::gate(id).add_permits(8);
    for _ in 0..8 {
        assert_eq!(ann.receive::<Answer>(watch::PATIENCE).await.unwrap(), Answer::Said(1));
    }
    player::is_served(&mut ann).await;
}

#[tokio::test]
async fn p9_ended_sessions_beyond_the_limit_are_forgotten_oldest_first() {
    let node = game::node(|config| config.link.ended_sessions = 2);
    let address = node.link_addresses()[0];
    let mut seats = Vec::new();
    for number in 0..3_u64 {
        let (mut wire, seat) = Wire::session(address, "parrot", "ann").await;
        wire.ask(1, 0, &Ask::End(number)).await;
        assert_eq!(wire.code().await, CloseCode::Ended.number());
        seats.push(seat);
    }
    let resumed = async |seat: &raw::Seat, attempt| {
        let mut wire = Wire::tcp(address).await;
        wire.write(&seat.resume(attempt, 0, 0)).await;
        wire.code().await
    };
    assert_eq!(resumed(&seats[2], 1).await, CloseCode::Ended.number());
    assert_eq!(resumed(&seats[1], 1).await, CloseCode::Ended.number());
    let mut attempt = 1;
    while resumed(&seats[0], attempt).await != CloseCode::Unknown.number() {
        attempt += 1;
        tokio::task::yield_now().await;
        assert!(attempt < 10_000, "the oldest was not forgotten");
    }
}

#[tokio::test]
async fn p9_ended_sessions_that_retain_too_much_are_forgotten_oldest_first() {
    let node = game::node(|config| config.link.ended_bytes = 100_000);
    let address = node.link_addresses()[0];
    let mut seats = Vec::new();
    for number in 0..3_u64 {
        let (mut wire, seat) = Wire::session(address, "parrot", "ann").await;
        wire.ask(1, 0, &Ask::Big(1, 40_000)).await;
        wire.ask(2, 0, &Ask::End(number)).await;
        assert_eq!(wire.code().await, CloseCode::Ended.number());
        seats.push(seat);
    }
    for number in [2, 1] {
        let mut back = Wire::tcp(address).await;
        back.write(&seats[number].resume(1, 0, 0)).await;
        back.welcome().await;
        let echoed = Answer::Echoed("x".repeat(40_000));
        for answer in [Answer::Started("ann".into()), echoed, Answer::Said(number as u64)] {
            assert_eq!(back.answer::<Answer>().await, answer);
        }
        assert_eq!(back.code().await, CloseCode::Ended.number());
    }
    for attempt in 1.. {
        let mut late = Wire::tcp(address).await;
        late.write(&seats[0].resume(attempt, 0, 0)).await;
        if late.code().await == CloseCode::Unknown.number() {
            break;
        }
        assert!(attempt < 10_000, "the oldest was not forgotten");
    }
}

#[tokio::test]
async fn p9_a_client_beyond_its_window_is_read_no_further() {
    let node = game::node(|config| {
        (config.link.max_frame, config.link.window_bytes) = (1 << 20, 64 << 10);
        config.session.turn_deadline = Duration::from_secs(60);
    });
    let (mut wire, seat) = Wire::session(node.link_addresses()[0], "parrot", "ann").await;
    wire.ask(1, 0, &Ask::Gate(1)).await;
    journal::noted(seat.id, "at the gate").await;
    // Far more than the sockets of both sides hold.
    let mut frames = Vec::new();
    let mut ends = Vec::new();
    for seq in 2..=64_u64 {
        let mut payload = serde_json::to_vec(&Ask::Say(seq)).unwrap();
        payload.resize((1 << 20) - 17, b' ');
        let data = throughline_link::Data { seq, ack: 0, payload: &payload };
        Frame::Data(data).write(&mut frames);
        ends.push(frames.len());
    }
    let taken = wire.write_until_it_stalls(&frames).await;
    assert!(taken < frames.len(), "the node took everything");
    // When the turn ends it reads on, and has lost nothing.
    journal::gate(seat.id).add_permits(1);
    let whole = ends.iter().position(|end| *end >= taken).unwrap();
    wire.write(&frames[taken..ends[whole]]).await;
    let mut answers = vec![Answer::Started("ann".into()), Answer::Said(1)];
    answers.extend((2..).take(whole + 1).map(Answer::Said));
    for answer in answers {
        assert_eq!(wire.answer::<Answer>().await, answer);
    }
}

#[tokio::test]
async fn p9_a_silent_connection_is_refused_after_the_handshake_time() {
    let node = game::node(|config| config.limits.handshake_time = Duration::from_millis(100));
    for (name, mut wire) in Wire::each(&node).await {
        // Half a Hello is not one.
        wire.write(&raw::hello("parrot", b"ann")[..9]).await;
        assert_eq!(wire.code().await, CloseCode::HandshakeTimeout.number(), "{name}");
    }
    assert_eq!(node.counters().refused(CloseCode::HandshakeTimeout), 2);
}

#[tokio::test]
async fn p9_a_message_to_nobody_comes_back_to_its_sender() {
    let node = game::node(|_| {});
    let mut ann = join(&node, "ann").await;
    let nobody = SessionId([7; 16]);
    let answer = player::ask(&mut ann, Ask::Tell(nobody, 1)).await;
    assert_eq!(answer, Answer::Undelivered(nobody, "NoSuchSession".into()));
}
