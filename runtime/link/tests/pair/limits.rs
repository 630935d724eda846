//! P9: every buffer has a limit, and a typed outcome when it is hit.

use throughline_link::{CloseCode, Frame, LinkConfig, SendError, defaults};

use crate::{
    fixture::{live, live_with, strangers},
    net::Side,
    pair::SECOND,
};

#[test]
fn p9_too_much_for_a_client_that_is_away_ends_the_session_on_both_sides() {
    let mut pair = live();
    pair.net.down = true;
    pair.net.break_all(pair.now);
    pair.run(SECOND);
    for _ in 0..defaults::RETAINED_MESSAGES {
        assert!(pair.host.send());
    }
    pair.run(SECOND);
    assert_eq!(pair.host.session().end, None);
    pair.host.send();
    pair.run(SECOND);
    assert_eq!(pair.host.session().end, Some(CloseCode::RetainedOverflow));
    assert!(!pair.host.send());
    pair.settle();
    assert_eq!(pair.client.end(), Some(CloseCode::RetainedOverflow));
    assert_eq!(pair.client.handled, u64::from(defaults::RETAINED_MESSAGES) + 1);
}

#[test]
fn p9_too_many_bytes_for_a_client_end_the_session() {
    let config = LinkConfig { retained_bytes: 1_000, ..LinkConfig::default() };
    let mut pair = live_with(config);
    pair.client.holds = true;
    while pair.host.session().end.is_none() {
        pair.host.send();
        pair.run(SECOND / 100);
        assert!(pair.host.session().sent < 200, "1,000 bytes hold less than 200 messages");
    }
    assert_eq!(pair.host.session().end, Some(CloseCode::RetainedOverflow));
    pair.run(SECOND);
    assert_eq!(pair.client.end(), Some(CloseCode::RetainedOverflow));
}

#[test]
fn p9_a_client_that_handles_nothing_is_a_slow_consumer() {
    let mut pair = live();
    pair.client.holds = true;
    pair.host.send();
    pair.run(29 * SECOND);
    assert_eq!(pair.host.session().end, None);
    pair.run(2 * SECOND);
    assert_eq!(pair.host.session().end, Some(CloseCode::SlowConsumer));
    assert_eq!(pair.client.end(), Some(CloseCode::SlowConsumer));
}

#[test]
fn p9_a_client_that_handles_nothing_is_a_slow_consumer_after_a_resume_too() {
    let mut pair = live();
    pair.client.holds = true;
    pair.host.send();
    pair.run(10 * SECOND);
    pair.net.break_all(pair.now);
    pair.run(40 * SECOND);
    assert_eq!(pair.host.session().end, Some(CloseCode::SlowConsumer));
    assert_eq!(pair.client.end(), Some(CloseCode::SlowConsumer));
}

#[test]
fn a_client_that_is_away_is_no_slow_consumer() {
    let mut pair = live();
    pair.net.down = true;
    pair.net.break_all(pair.now);
    pair.host.send();
    pair.run(45 * SECOND);
    pair.settle();
    assert!(pair.is_all_through());
}

#[test]
fn p9_a_client_stops_at_the_window_and_goes_on_when_acks_come() {
    let mut pair = live();
    pair.host.holds = true;
    for _ in 0..defaults::WINDOW_MESSAGES {
        pair.client.send().unwrap();
    }
    assert_eq!(pair.client.send(), Err(SendError::WouldBlock));
    pair.run(SECOND);
    assert_eq!(pair.client.send(), Err(SendError::WouldBlock));
    pair.host.holds = false;
    pair.run(SECOND);
    assert_eq!(pair.client.send(), Ok(()));
    pair.settle();
    assert!(pair.is_all_through());
}

#[test]
fn p9_one_message_fits_into_every_window_and_a_second_only_below_its_bytes() {
    let config = LinkConfig { window_bytes: 4, ..LinkConfig::default() };
    let mut pair = live_with(config);
    for _ in 0..10 {
        assert_eq!(pair.client.send(), Ok(()));
        assert_eq!(pair.client.send(), Err(SendError::WouldBlock));
        pair.run(SECOND / 10);
    }
    assert_eq!(pair.host.session().handled, 10);
}

#[test]
fn a_message_above_the_frame_limit_fails_at_its_sender_and_nothing_else_happens() {
    let mut pair = live();
    let limit = defaults::MAX_FRAME as usize - 17;
    let error = SendError::TooLarge { bytes: limit + 1, limit };
    assert_eq!(pair.client.link.send(&vec![0; limit + 1]), Err(error));
    assert_eq!(pair.host.session().link.send(&vec![0; limit + 1]), Err(error));
    assert_eq!(pair.client.link.stats().sent, 0);
    pair.client.send().unwrap();
    pair.host.send();
    pair.settle();
    assert!(pair.is_all_through());
}

#[test]
fn p9_a_node_at_its_window_handles_no_more_of_the_client_until_acks_come() {
    let mut pair = live();
    pair.host.echoes = true;
    pair.client.holds = true;
    for _ in 0..defaults::WINDOW_MESSAGES {
        pair.host.send();
    }
    pair.client.send().unwrap();
    pair.run(SECOND);
    assert!(pair.host.session().link.is_window_full());
    assert_eq!(pair.host.session().handled, 0);
    pair.client.holds = false;
    pair.run(SECOND);
    assert_eq!(pair.host.session().handled, 1);
    pair.settle();
}

#[test]
fn p9_pings_of_a_peer_that_never_reads_are_answered_up_to_a_limit() {
    let mut pair = live();
    let now = pair.time();
    for token in 0..100_000 {
        pair.client.link.handle_frame(Frame::Ping(token), now);
        pair.host.session().link.handle_frame(Frame::Ping(token), now);
    }
    let (mut out, budget) = (Vec::new(), usize::MAX);
    pair.client.link.poll_transmit(now, &mut out, budget);
    assert!((1..20_000).contains(&out.len()), "{} bytes", out.len());
    out.clear();
    pair.host.session().link.poll_transmit(now, 0, &mut out, budget);
    assert!((1..20_000).contains(&out.len()), "{} bytes", out.len());
}

#[test]
fn p9_a_transmit_stops_at_its_budget_after_whole_frames() {
    let mut pair = live();
    for _ in 0..200 {
        pair.host.session().link.send(&[7; 1_000]).unwrap();
    }
    let (now, mut total) = (pair.time(), 0);
    while pair.host.session().link.wants_transmit(now) {
        let mut out = Vec::new();
        pair.host.session().link.poll_transmit(now, 0, &mut out, 4_096);
        assert!((1..4_096 + 1_021).contains(&out.len()));
        assert_eq!(out.len() % 1_021, 0);
        total += out.len();
    }
    assert_eq!(total, 200 * 1_021);
}

#[test]
fn p9_a_node_that_only_says_welcome_is_left_alone_after_bounded_tries() {
    let mut pair = live();
    for _ in 0..1_000 {
        // Each new connection breaks as soon as Welcome is through.
        let to = Side::Client;
        pair.net.cut = Some((to, pair.net.carried[to as usize] + 73));
        pair.net.break_all(pair.now);
        pair.run(SECOND / 10);
    }
    assert!(pair.client.link.is_resting());
    assert!(pair.client.dials.len() < 12, "{} dials", pair.client.dials.len());
}

#[test]
fn what_is_sent_before_the_first_connection_arrives_with_it() {
    let mut pair = strangers();
    pair.client.send().unwrap();
    pair.client.send().unwrap();
    pair.connect();
    pair.settle();
    assert!(pair.is_all_through());
    assert_eq!(pair.host.session().handled, 2);
}
