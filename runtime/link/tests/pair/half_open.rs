//! A connection that is dead and does not say so: found within two heartbeats, from either side,
//! and within one by a client that waits for an answer.

use std::sync::Arc;

use throughline_link::{
    ClientEvent, CloseCode, Frame, Instant, LinkConfig, NodeLink, Secret, SessionId, Split, split,
};

use crate::{
    fixture::live,
    net::Side,
    pair::{Pair, SECOND},
};

/// Two heartbeats of the defaults, and the latency.
const FOUND_IN: u64 = 5 * SECOND + SECOND / 10;

/// One heartbeat, and the latency.
const ANSWERED_IN: u64 = 5 * SECOND / 2 + SECOND / 10;

fn fall_silent_towards(sides: &[Side]) -> Pair {
    let mut pair = live();
    // Heartbeats have gone to and fro for a while.
    pair.run(20 * SECOND);
    for side in sides {
        pair.net.hole[*side as usize] = true;
    }
    pair
}

#[test]
fn a_client_finds_a_dead_connection_in_two_heartbeats() {
    for sides in [&[Side::Client][..], &Side::BOTH] {
        let mut pair = fall_silent_towards(sides);
        pair.run(FOUND_IN);
        assert_eq!(pair.client.saw(&ClientEvent::RepairStarted), 1, "{sides:?}");
        pair.settle();
        assert_eq!(pair.client.saw(&ClientEvent::Repaired), 1);
    }
}

#[test]
fn a_client_that_speaks_finds_a_dead_connection_in_one_heartbeat() {
    for sides in [&[Side::Client][..], &Side::BOTH] {
        let mut pair = fall_silent_towards(sides);
        pair.client.send().unwrap();
        pair.run(ANSWERED_IN);
        assert_eq!(pair.client.saw(&ClientEvent::RepairStarted), 1, "{sides:?}");
        pair.settle();
        assert!(pair.is_all_through());
    }
}

#[test]
fn signs_of_life_keep_a_client_whose_messages_have_no_answer() {
    let mut pair = fall_silent_towards(&[Side::Node]);
    for _ in 0..60 {
        // Nothing of the client arrives, as if the node did not read; so nothing is answered.
        let _ = pair.client.send();
        let (now, mut out) = (pair.time(), Vec::new());
        assert!(pair.host.session().link.write_sign_of_life(now, &mut out));
        let Ok(Split::Whole { kind, body, .. }) = split(&out, u32::MAX) else { panic!("{out:?}") };
        pair.client.link.handle_frame(Frame::read(kind, body).unwrap(), now);
        pair.host.session().link.forgive_silence(now);
        pair.run(SECOND);
    }
    assert_eq!(pair.client.saw(&ClientEvent::RepairStarted), 0);
}

#[test]
fn no_sign_of_life_comes_before_the_welcome_or_after_the_goodbye() {
    let config = Arc::new(LinkConfig::default());
    let (id, secret, now) = (SessionId([1; 16]), Secret([2; 32]), Instant::ZERO);
    let mut link = NodeLink::new(config, id, secret, now, 0);
    let mut out = Vec::new();
    assert!(!link.write_sign_of_life(now, &mut out));
    assert!(out.is_empty());
    link.poll_transmit(now, 0, &mut out, usize::MAX);
    assert!(link.write_sign_of_life(now, &mut out));
    link.end(CloseCode::Left);
    assert!(!link.write_sign_of_life(now, &mut out));
}

#[test]
fn a_node_finds_a_dead_connection_in_two_heartbeats_and_keeps_the_session() {
    for sides in [&[Side::Node][..], &Side::BOTH] {
        let mut pair = fall_silent_towards(sides);
        // The node lingers for a second after its Close, since no end of the connection comes.
        pair.run(FOUND_IN + SECOND);
        assert_eq!(pair.host.session().end, None);
        assert!(!pair.host.session().link.is_connected(), "{sides:?}");
        pair.settle();
        assert_eq!(pair.host.session().end, None);
        assert!(pair.client.link.is_live());
    }
}

#[test]
fn a_client_that_is_told_half_open_comes_back_at_once() {
    let mut pair = fall_silent_towards(&[Side::Node]);
    // By now a heartbeat is missing, so this connection is lost for good.
    pair.run(3 * SECOND);
    pair.net.heal();
    pair.run(FOUND_IN - 3 * SECOND);
    assert!(pair.client.link.is_live());
    assert_eq!(pair.client.saw(&ClientEvent::Repaired), 1);
}

#[test]
fn p1_messages_sent_into_a_dead_connection_arrive_after_the_repair() {
    for sides in [&[Side::Client][..], &[Side::Node], &Side::BOTH] {
        let mut pair = fall_silent_towards(sides);
        for _ in 0..20 {
            pair.client.send().unwrap();
            pair.host.send();
            pair.run(SECOND);
        }
        pair.settle();
        assert!(pair.is_all_through());
    }
}

#[test]
fn a_quiet_connection_that_is_well_stays() {
    let mut pair = live();
    pair.run(3_600 * SECOND);
    assert_eq!(pair.client.dials.len(), 1);
    assert!(pair.client.link.is_live());
    assert!(pair.host.session().link.is_connected());
}

#[test]
fn a_connection_that_is_given_up_gets_a_close_and_no_more() {
    let mut pair = live();
    let now = pair.time();
    let link = &mut pair.host.session().link;
    link.close(CloseCode::HalfOpen);
    link.send(b"for the next connection").unwrap();
    let mut out = Vec::new();
    link.poll_transmit(now, 0, &mut out, usize::MAX);
    assert_eq!(out[4], 0x15);
    assert_eq!(out.len(), 17);
    assert!(!link.wants_transmit(now));
}
