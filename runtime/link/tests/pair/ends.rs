//! Sessions end: both sides are told why, and a node forgets when it may.

use throughline_link::{ClientEvent, CloseCode, LinkConfig, SendError};

use crate::{
    fixture::{client, live, live_with},
    pair::{Pair, SECOND},
};

fn ends(pair: &mut Pair) -> [Option<CloseCode>; 2] {
    [pair.client.end(), pair.host.session().end]
}

#[test]
fn an_end_is_told_after_the_last_message_and_forgotten_once_answered() {
    let mut pair = live();
    pair.host.send();
    pair.host.session().link.end(CloseCode::Ended);
    pair.run(SECOND);
    assert_eq!(pair.client.handled, 1);
    assert_eq!(ends(&mut pair), [Some(CloseCode::Ended); 2]);
    assert_eq!(pair.host.forgotten.len(), 1);
    assert_eq!(pair.client.send(), Err(SendError::Ended));
    assert!(!pair.host.send());
}

#[test]
fn p2_a_late_resume_of_an_ended_session_gets_its_last_messages_and_the_reason() {
    let mut pair = live();
    pair.net.down = true;
    pair.net.break_all(pair.now);
    pair.run(SECOND / 2);
    pair.host.send();
    pair.host.send();
    pair.host.session().link.end(CloseCode::KeyTaken);
    pair.run(SECOND);
    assert_eq!(ends(&mut pair), [None, Some(CloseCode::KeyTaken)]);
    pair.settle();
    assert_eq!(pair.client.handled, 2);
    assert_eq!(pair.client.end(), Some(CloseCode::KeyTaken));
    assert_eq!(pair.host.forgotten.len(), 1);
}

#[test]
fn an_ended_session_whose_client_never_came_is_remembered_over_a_handover() {
    let mut pair = live();
    pair.net.down = true;
    pair.net.break_all(pair.now);
    pair.host.send();
    pair.host.session().link.end(CloseCode::Kicked);
    pair.run(SECOND);
    pair.handover();
    pair.settle();
    assert_eq!(pair.client.handled, 1);
    assert_eq!(ends(&mut pair), [Some(CloseCode::Kicked); 2]);
}

#[test]
fn p2_a_forgotten_session_is_unknown() {
    let mut pair = live();
    let saved = pair.client.save().unwrap();
    pair.client.link.leave();
    pair.run(SECOND);
    assert_eq!(ends(&mut pair), [Some(CloseCode::Left); 2]);
    assert_eq!(pair.host.forgotten.len(), 1);
    pair.load_client(&saved);
    pair.run(SECOND);
    assert_eq!(pair.client.end(), Some(CloseCode::Unknown));
}

#[test]
fn a_session_without_a_connection_expires_and_its_client_is_told() {
    let mut pair = live();
    pair.net.down = true;
    pair.net.break_all(pair.now);
    pair.run(59 * SECOND);
    assert_eq!(pair.host.session().end, None);
    pair.run(2 * SECOND);
    assert_eq!(pair.host.session().end, Some(CloseCode::Expired));
    assert!(pair.client.events.contains(&ClientEvent::RepairFailed));
    pair.settle();
    assert_eq!(pair.client.end(), Some(CloseCode::Expired));
}

#[test]
fn an_idle_player_is_told_so_and_a_busy_one_is_not() {
    let limit = core::time::Duration::from_secs(30);
    let mut pair = live_with(LinkConfig { idle_limit: Some(limit), ..LinkConfig::default() });
    for _ in 0..4 {
        pair.client.send().unwrap();
        pair.run(20 * SECOND);
        assert_eq!(ends(&mut pair), [None; 2]);
    }
    pair.run(11 * SECOND);
    assert_eq!(ends(&mut pair), [Some(CloseCode::Idle); 2]);
}

#[test]
fn a_player_who_is_gone_is_not_idle() {
    let limit = core::time::Duration::from_secs(30);
    let mut pair = live_with(LinkConfig { idle_limit: Some(limit), ..LinkConfig::default() });
    pair.net.down = true;
    pair.net.break_all(pair.now);
    pair.run(40 * SECOND);
    pair.settle();
    assert_eq!(ends(&mut pair), [None; 2]);
}

#[test]
fn a_repair_fails_after_its_tries_and_begins_again_only_when_asked() {
    let mut pair = live();
    pair.net.down = true;
    pair.net.break_all(pair.now);
    pair.run(55 * SECOND);
    assert!(pair.client.link.is_resting());
    assert_eq!(pair.client.dials.len() as u32, 1 + client().tries);
    pair.net.heal();
    pair.run(2 * SECOND);
    assert_eq!(pair.client.dials.len() as u32, 1 + client().tries);
    pair.connect();
    pair.run(SECOND);
    assert!(pair.client.link.is_live());
    assert_eq!(pair.client.saw(&ClientEvent::Repaired), 1);
}
