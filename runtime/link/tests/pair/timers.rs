//! Acks and clocks.

use core::time::Duration;

use throughline_link::{Data, Frame, Incoming, defaults};

use crate::{fixture::live, net::Side, pair::SECOND};

#[test]
fn p1_acks_lost_with_a_connection_are_told_again() {
    let mut pair = live();
    for _ in 0..5 {
        pair.host.send();
    }
    // The messages arrive, and are handled; every ack of them is lost.
    pair.net.hole[Side::Node as usize] = true;
    pair.run(SECOND);
    assert_eq!(pair.client.handled, 5);
    assert_eq!(pair.host.session().link.numbering().retained(), 5);
    pair.net.heal();
    pair.net.break_all(pair.now);
    pair.run(SECOND);
    assert!(pair.client.link.is_live());
    assert_eq!(pair.host.session().link.numbering().retained(), 0);
}

#[test]
fn p1_a_node_that_waits_for_lost_acks_at_its_window_goes_on_after_the_repair() {
    let mut pair = live();
    for _ in 0..defaults::WINDOW_MESSAGES {
        pair.host.send();
    }
    pair.net.hole[Side::Node as usize] = true;
    pair.run(SECOND);
    pair.net.heal();
    // This one is received before the break, and handled only when the acks have come.
    pair.host.holds = true;
    pair.net.break_all(pair.now);
    pair.run(SECOND);
    pair.client.send().unwrap();
    pair.settle();
    assert!(pair.is_all_through());
}

#[test]
fn an_ack_leaves_alone_after_its_delay_and_at_once_after_sixteen() {
    let mut pair = live();
    pair.net.latency = 0;
    pair.host.send();
    pair.run(defaults::ACK_DELAY.as_micros() as u64 - 1);
    assert_eq!(pair.host.session().link.numbering().retained(), 1);
    pair.run(1);
    assert_eq!(pair.host.session().link.numbering().retained(), 0);
    for _ in 0..defaults::ACK_EVERY {
        pair.host.send();
    }
    pair.run(1);
    assert_eq!(pair.host.session().link.numbering().retained(), 0);
}

#[test]
fn an_ack_rides_on_the_answer() {
    let mut pair = live();
    pair.host.echoes = true;
    pair.client.send().unwrap();
    pair.run(11_000);
    assert_eq!(pair.client.handled, 1);
    assert_eq!(pair.client.link.numbering().retained(), 0);
    // Data has 8 bytes of payload here; an Ack alone would have come besides.
    pair.run(SECOND / 100);
    let told = pair.net.carried[Side::Client as usize];
    pair.run(SECOND / 10);
    assert_eq!(pair.net.carried[Side::Client as usize], told);
}

#[test]
fn rtt_and_the_clock_of_the_node_come_with_heartbeats() {
    let mut pair = live();
    pair.run(10 * SECOND);
    assert_eq!(pair.client.link.rtt(), Some(Duration::from_millis(10)));
    let wall = 1_767_225_600_000 + pair.now / 1_000;
    let told = pair.client.link.server_time(pair.time()).unwrap();
    assert!(wall.abs_diff(told) <= 1, "{told} instead of {wall}");
}

#[test]
fn p1_a_message_that_comes_twice_is_handled_once_and_acknowledged_again() {
    let mut pair = live();
    let now = pair.time();
    let frame = || Frame::Data(Data { seq: 1, ack: 0, payload: b"move" });
    let link = &mut pair.host.session().link;
    assert_eq!(link.handle_frame(frame(), now), Incoming::Message { seq: 1, payload: b"move" });
    link.handled(1, now);
    let mut acks = Vec::new();
    link.poll_transmit(now + defaults::ACK_DELAY, 0, &mut acks, usize::MAX);
    assert_eq!(link.handle_frame(frame(), now), Incoming::Nothing);
    assert_eq!(link.violation(), None);
    let mut again = Vec::new();
    link.poll_transmit(now, 0, &mut again, usize::MAX);
    assert_eq!(again, acks);
}
