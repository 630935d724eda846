//! Who gets into a session, and who does not (P10); two connections of one session.

use throughline_link::{
    ClientConfig, ClientLink, CloseCode, Frame, Incoming, Split, defaults::MAX_FRAME, split,
};

use crate::{
    client::Client,
    fixture::{HOME, client, live},
    net::{Arrival, Side},
    pair::{Pair, SECOND},
};

/// Says `opening` over a connection of its own, and returns what the node answers.
fn intrude(pair: &mut Pair, opening: &[u8]) -> Option<CloseCode> {
    let id = pair.net.dial(HOME, pair.now);
    pair.net.write_unchecked(id, Side::Client, opening.to_vec(), pair.now);
    pair.now += 2 * pair.net.latency;
    let (mut answer, mut reached) = (Vec::new(), false);
    while !reached || answer.is_empty() {
        let Some((to, side, arrival)) = pair.net.pop(pair.now) else { break };
        let now = pair.time();
        match (to == id, side, arrival) {
            (true, Side::Node, Arrival::Bytes(bytes)) => {
                pair.host.receive(id, &bytes, &mut pair.net, now);
                pair.host.drain(&mut pair.net, now);
                pair.now += pair.net.latency;
                reached = true;
            }
            (true, Side::Client, Arrival::Bytes(bytes)) => answer = bytes,
            _ => {}
        }
    }
    let Ok(Split::Whole { kind, body, .. }) = split(&answer, MAX_FRAME) else { return None };
    match Frame::read(kind, body) {
        Ok(Frame::Refused(refused)) => Some(refused.code),
        other => panic!("the node answered with {other:?}"),
    }
}

/// A client that has resumed once, so that its Resume is known.
fn resumed() -> Pair {
    let mut pair = live();
    pair.net.break_all(pair.now);
    pair.run(SECOND);
    assert!(pair.client.link.is_live());
    assert_eq!(pair.client.opening[4], 0x02);
    pair
}

#[test]
fn p10_a_replayed_resume_is_refused_and_changes_nothing() {
    let mut pair = resumed();
    let (opening, before) = (pair.client.opening.clone(), pair.host.session().link.export());
    assert_eq!(intrude(&mut pair, &opening), Some(CloseCode::OldAttempt));
    assert_eq!(pair.host.session().link.export(), before);
    pair.client.send().unwrap();
    pair.settle();
    assert!(pair.is_all_through());
    assert_eq!(pair.client.dials.len(), 2);
}

#[test]
fn p10_no_changed_bit_of_a_resume_gets_in() {
    let mut pair = resumed();
    // A fresh attempt, so that only the proof stands between it and the session.
    let mut thief = ClientLink::import(client(), &pair.client.link.export().unwrap()).unwrap();
    let now = pair.time();
    thief.connect(now);
    thief.poll_dial().unwrap();
    thief.handle_connected();
    let mut opening = Vec::new();
    thief.poll_transmit(now, &mut opening, usize::MAX);
    let before = pair.host.session().link.export();
    let secretless = [CloseCode::BadProof, CloseCode::Unknown, CloseCode::BadHandshake];
    for bit in 11 * 8..opening.len() * 8 {
        let mut forged = opening.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        let code = intrude(&mut pair, &forged);
        assert!(code.is_none_or(|code| secretless.contains(&code)), "bit {bit}: {code:?}");
        assert_eq!(pair.host.session().link.export(), before, "bit {bit}");
    }
    assert!(pair.client.link.is_live());
}

#[test]
fn p10_a_resume_of_a_session_that_never_was_is_unknown() {
    let mut pair = resumed();
    let mut opening = pair.client.opening.clone();
    opening[11..27].fill(0xEE);
    assert_eq!(intrude(&mut pair, &opening), Some(CloseCode::Unknown));
}

#[test]
fn p10_a_first_frame_that_is_neither_hello_nor_resume_gets_no_session() {
    for first in [Frame::Ping(1), Frame::Ack(0), Frame::Ignored(0x99)] {
        let mut pair = live();
        let mut opening = Vec::new();
        first.write(&mut opening);
        assert_eq!(intrude(&mut pair, &opening), Some(CloseCode::ProtocolError));
        assert_eq!(pair.host.sessions.len(), 1);
    }
}

/// A second copy of the client, with the link's state of the first.
fn second_copy(pair: &Pair) -> Client {
    let mut copy = Client::new(client());
    copy.link = ClientLink::import(client(), &pair.client.link.export().unwrap()).unwrap();
    (copy.handled, copy.sent) = (pair.client.handled, pair.client.sent);
    copy
}

#[test]
fn p1_a_second_live_resume_takes_over_and_the_first_is_told() {
    let mut pair = live();
    pair.client.send().unwrap();
    pair.run(SECOND);
    let copy = second_copy(&pair);
    let mut first = core::mem::replace(&mut pair.client, copy);
    let connection = first.connection.unwrap();
    pair.connect();
    let mut told = false;
    for _ in 0..10 {
        pair.now += pair.net.latency;
        let now = pair.time();
        while let Some((id, side, arrival)) = pair.net.pop(pair.now) {
            match (id == connection, side, arrival) {
                (true, Side::Client, Arrival::Bytes(bytes)) => first.receive(id, &bytes, now),
                (true, Side::Client, Arrival::End) => first.ended(id, now),
                (_, _, arrival) => pair.deliver(id, side, arrival),
            }
            first.drain(&mut pair.net, now);
            pair.drain();
        }
        told |= first.end() == Some(CloseCode::TakenOver);
    }
    assert!(told, "{:?}", first.events);
    assert!(first.link.is_ended());
    pair.client.send().unwrap();
    pair.host.send();
    pair.settle();
    assert!(pair.is_all_through());
    assert_eq!(pair.host.session().end, None);
}

#[test]
fn p1_a_client_is_back_before_the_node_knows_that_it_was_away() {
    let mut pair = live();
    pair.host.echoes = true;
    for round in 0..20 {
        pair.net.notice = [0, 3 * SECOND];
        pair.client.send().unwrap();
        pair.host.send();
        pair.net.break_all(pair.now);
        pair.run(SECOND / 20 * (round % 5));
    }
    pair.settle();
    assert!(pair.is_all_through());
}

#[test]
fn a_violation_ends_the_connection_and_never_the_session() {
    let gap = Frame::Data(throughline_link::Data { seq: 9, ack: 0, payload: b"gap" });
    let hello_again = {
        let mut link = ClientLink::new(ClientConfig::new(vec![String::new()], "k", b"", 1));
        link.connect(throughline_link::Instant::ZERO);
        link.handle_connected();
        let mut out = Vec::new();
        link.poll_transmit(throughline_link::Instant::ZERO, &mut out, usize::MAX);
        out
    };
    let Ok(Split::Whole { kind, body, .. }) = split(&hello_again, MAX_FRAME) else { panic!() };
    let hello = Frame::read(kind, body).unwrap();
    for frame in [
        gap,
        Frame::Ack(1),
        hello,
        Frame::Data(throughline_link::Data {
            seq: 1,
            ack: 7,
            payload: b"an ack beyond what was sent",
        }),
    ] {
        let mut pair = live();
        let now = pair.time();
        let taken = pair.host.session().link.handle_frame(frame.clone(), now);
        assert_eq!(taken, Incoming::Nothing);
        assert!(pair.host.session().link.violation().is_some());
        let taken = pair.client.link.handle_frame(frame, now);
        assert_eq!(taken, Incoming::Nothing);
        pair.client.send().unwrap();
        pair.host.send();
        pair.settle();
        assert!(pair.is_all_through());
        assert_eq!(pair.host.session().end, None);
    }
}

#[test]
fn bytes_that_are_no_frames_end_the_connection_and_never_the_session() {
    let garbage = [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 4], &[0xFF; 64], &[0, 0, 0, 1, 0x7F]];
    for bytes in garbage {
        for side in Side::BOTH {
            let mut pair = live();
            let id = pair.client.connection.unwrap();
            pair.deliver(id, side, Arrival::Bytes(bytes.to_vec()));
            pair.drain();
            pair.client.send().unwrap();
            pair.host.send();
            pair.settle();
            assert!(pair.is_all_through());
            assert_eq!(pair.client.dials.len(), 2);
        }
    }
}
