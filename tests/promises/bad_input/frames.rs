//! Bad frames within a session: the connection ends with a code, the session goes on.

use throughline_client::CloseCode;
use throughline_link::{Frame, wire};

use crate::{
    game::{self, Answer, Ask},
    player::Neighbour,
    raw::{self, Seen, Wire},
    watch,
};

fn data(seq: u64, ack: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Frame::Data(throughline_link::Data { seq, ack, payload }).write(&mut bytes);
    bytes
}

fn cases() -> Vec<(&'static str, Vec<u8>, CloseCode)> {
    let garbage = b"\0\0\0\x20\x33 and so on, this is no frame at all".to_vec();
    vec![
        ("a gap", data(3, 0, b"{}"), CloseCode::ProtocolError),
        ("number 0 of a later one", data(u64::MAX, 0, b"{}"), CloseCode::ProtocolError),
        ("an ack beyond sent", data(2, 99, b"{}"), CloseCode::ProtocolError),
        ("an ack alone beyond sent", raw::frame(wire::ACK, &99_u64.to_be_bytes()), {
            CloseCode::ProtocolError
        }),
        ("length 0", vec![0; 4], CloseCode::ProtocolError),
        ("length of 4 GiB", vec![0xff; 4], CloseCode::TooLarge),
        ("a byte too long", 65_537_u32.to_be_bytes().to_vec(), CloseCode::TooLarge),
        ("an unknown type", raw::frame(0x42, b"x"), CloseCode::ProtocolError),
        ("garbage", garbage, CloseCode::ProtocolError),
        ("a short ack", raw::frame(wire::ACK, &[0; 7]), CloseCode::ProtocolError),
        ("a second hello", raw::hello("parrot", b"ann"), CloseCode::ProtocolError),
        ("a malformed hello", raw::frame(wire::HELLO, b"x"), CloseCode::ProtocolError),
        ("a frame of a node", raw::frame(wire::RESTARTING, &[0; 5]), CloseCode::ProtocolError),
    ]
}

#[tokio::test]
async fn every_bad_frame_ends_the_connection_and_not_the_session() {
    let node = game::node(|_| {});
    let neighbour = Neighbour::join(&node).await;
    for (what, bytes, code) in cases() {
        for (name, mut wire) in Wire::each(&node).await {
            let before = node.counters().closed(code);
            let seat = wire.log_in("parrot", "bob").await;
            wire.ask(1, 0, &Ask::Say(1)).await;
            assert_eq!(wire.answer::<Answer>().await, Answer::Started("bob".into()));
            assert_eq!(wire.answer::<Answer>().await, Answer::Said(1));
            wire.write(&bytes).await;
            assert_eq!(wire.code().await, code.number(), "{what} over {name}");
            match wire.next().await {
                Seen::End(Some(status)) => assert_eq!(status, 4_000 + code.number(), "{what}"),
                seen => assert_eq!((seen, name), (Seen::End(None), "tcp"), "{what}"),
            }
            watch::until(what, || node.counters().closed(code) == before + 1).await;
            // Nothing is lost: the client goes on where it was.
            let mut back = Wire::tcp(node.link_addresses()[0]).await;
            back.write(&seat.resume(1, 2, 1)).await;
            let welcome = back.welcome().await;
            assert_eq!((welcome.resumed, welcome.ack), (true, 1), "{what} over {name}");
            back.ask(2, 2, &Ask::Say(2)).await;
            assert_eq!(back.answer::<Answer>().await, Answer::Said(2), "{what} over {name}");
        }
        neighbour.is_served().await;
    }
}

#[tokio::test]
async fn a_bad_length_that_comes_in_two_parts_ends_the_connection_at_once() {
    let node = game::node(|_| {});
    let address = node.link_addresses()[0];
    let neighbour = Neighbour::join(&node).await;
    let lengths = [
        (0, CloseCode::ProtocolError),
        (65_537, CloseCode::TooLarge),
        (u32::MAX, CloseCode::TooLarge),
    ];
    let cases = lengths.into_iter().flat_map(|bad| [1, 2, 3].map(|at| (bad, at)));
    for ((length, code), at) in cases {
        // With nothing behind it, and with more than may ever be collected.
        for behind in [0, 4 << 20] {
            let before = node.counters().closed(code);
            let (mut wire, seat) = Wire::session(address, "parrot", "bob").await;
            let bytes = u32::to_be_bytes(length);
            // In one piece with a Ping: its answer says that the first part was read, too.
            let ping = raw::frame(wire::PING, &7_u64.to_be_bytes());
            wire.write(&[&ping[..], &bytes[..at]].concat()).await;
            wire.find(|seen| (*seen == Seen::Pong(7)).then_some(())).await;
            wire.write(&[&bytes[at..], &vec![0x55; behind]].concat()).await;
            assert_eq!(wire.code().await, code.number(), "{length} cut at {at}, {behind} behind");
            assert_eq!(wire.next().await, Seen::End(None), "{length} cut at {at}");
            watch::until("the count", || node.counters().closed(code) == before + 1).await;
            let mut back = Wire::tcp(address).await;
            back.write(&seat.resume(1, 0, 0)).await;
            assert!(back.welcome().await.resumed);
        }
    }
    neighbour.is_served().await;
}

#[tokio::test]
async fn a_text_message_in_a_session_ends_the_connection_only() {
    let node = game::node(|_| {});
    let mut wire = Wire::web(node.http_addresses()[0]).await;
    let seat = wire.log_in("parrot", "ann").await;
    wire.write_text("hello").await;
    assert_eq!(wire.code().await, CloseCode::TextFrame.number());
    assert_eq!(wire.next().await, Seen::End(Some(4_204)));
    watch::until("the count", || node.counters().closed(CloseCode::TextFrame) == 1).await;
    let mut back = Wire::web(node.http_addresses()[0]).await;
    back.write(&seat.resume(1, 0, 0)).await;
    assert!(back.welcome().await.resumed);
}

#[tokio::test]
async fn a_frame_cut_over_two_websocket_messages_ends_the_connection_only() {
    let node = game::node(|_| {});
    let mut wire = Wire::web(node.http_addresses()[0]).await;
    wire.log_in("parrot", "ann").await;
    wire.write(&data(1, 0, br#"{"Say":1}"#)[..10]).await;
    assert_eq!(wire.code().await, CloseCode::ProtocolError.number());
    watch::until("the count", || node.counters().closed(CloseCode::ProtocolError) == 1).await;
}

#[tokio::test]
async fn a_websocket_message_beyond_every_limit_ends_the_connection_only() {
    let node = game::node(|_| {});
    let neighbour = Neighbour::join(&node).await;
    let mut wire = Wire::web(node.http_addresses()[0]).await;
    let seat = wire.log_in("parrot", "bob").await;
    // The head of a binary message that claims a terabyte.
    wire.write_under(&[0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4]).await;
    assert_eq!(wire.code().await, CloseCode::TooLarge.number());
    watch::until("the count", || node.counters().closed(CloseCode::TooLarge) == 1).await;
    let mut back = Wire::web(node.http_addresses()[0]).await;
    back.write(&seat.resume(1, 0, 0)).await;
    assert!(back.welcome().await.resumed);
    neighbour.is_served().await;
}

#[tokio::test]
async fn duplicates_are_dropped_and_acknowledged_again() {
    let node = game::node(|_| {});
    let (mut wire, _) = Wire::session(node.link_addresses()[0], "parrot", "ann").await;
    wire.answer::<Answer>().await;
    for _ in 0..3 {
        wire.ask(1, 0, &Ask::Say(1)).await;
    }
    wire.ask(2, 0, &Ask::Count).await;
    assert_eq!(wire.answer::<Answer>().await, Answer::Said(1));
    assert_eq!(wire.answer::<Answer>().await, Answer::Counted(1));
    wire.ask(1, 0, &Ask::Say(1)).await;
    let ack = wire.find(|seen| match seen {
        Seen::Ack(ack) => Some(*ack),
        _ => None,
    });
    assert_eq!(ack.await, 2);
}

#[tokio::test]
async fn frames_of_a_later_version_are_skipped() {
    let node = game::node(|_| {});
    let (mut wire, _) = Wire::session(node.link_addresses()[0], "parrot", "ann").await;
    wire.answer::<Answer>().await;
    wire.write(&raw::frame(0x80, b"from a later version")).await;
    wire.write(&raw::frame(wire::ACK, &[&1_u64.to_be_bytes()[..], b"more"].concat())).await;
    wire.write(&raw::frame(0xff, b"")).await;
    wire.ask(1, 1, &Ask::Say(1)).await;
    assert_eq!(wire.answer::<Answer>().await, Answer::Said(1));
}
