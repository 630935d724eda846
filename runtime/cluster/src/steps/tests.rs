use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use throughline_link::{Secret, SessionId};

use super::*;
use crate::{
    entry::{Beat, NodeInfo, NodeState, Readable, Standing},
    header::{Identity, State},
    id::{Member, NodeId, RecordId, SessionKey},
    plan::{Holder, Request},
};

fn node(n: u32, state: NodeState) -> Entry {
    let readable = vec![Readable { kind: "game".to_owned(), oldest: 1, newest: 2 }];
    let info = Arc::new(NodeInfo::new("127.0.0.1:7778", readable).unwrap());
    let member = Member { node: NodeId(n), incarnation: 100 + u64::from(n) };
    Entry { member, standing: Some(Standing { state, info }) }
}

fn me() -> Entry {
    node(1, NodeState::Alive)
}

fn creation(n: u8) -> Creation {
    let identity = Identity::new("game", b"ann", Secret([1; 32])).unwrap();
    Creation {
        id: RecordId::session(SessionId([n; 16])),
        identity: Arc::new(identity),
        life: 77,
        state_version: 2,
        attempt: 0,
    }
}

fn law() -> Law {
    Law::default()
}

fn ending(reason: u16) -> Ending {
    Ending { reason, last: Bytes::from_static(b"last"), until: 5_000 }
}

fn running(n: u8) -> Header {
    let new = law().create(&creation(n), &me()).unwrap().after.unwrap();
    let turn = Turn { state: TurnState::Running, attempt: 1, due: None, more: Commit::default() };
    law().turn(&new, turn).unwrap().after.unwrap()
}

fn committed(n: u8) -> Header {
    let state = TurnState::Committed { snapshot: Bytes::from_static(b"s"), state_version: 2 };
    let turn = Turn { state, attempt: 1, due: Some(9), more: Commit::default() };
    law().turn(&running(n), turn).unwrap().after.unwrap()
}

fn parked(n: u8) -> Header {
    law().park(&running(n), Bytes::from_static(b"s"), 2, 3, Some(4_000)).unwrap().after.unwrap()
}

fn taken(attempt: Option<u64>) -> Taken {
    Taken { attempt, expires: 4_000, lost: ending(9), life: 78 }
}

/// One of every step, with the rules it must have.
fn every_step() -> Vec<(Step, Vec<Rule>)> {
    let law = law();
    let (b, dead) = (node(2, NodeState::Alive), node(1, NodeState::Dead));
    let draining = node(1, NodeState::Draining);
    let key = SessionKey::new("ann").unwrap();
    let with_key = law.take_key(&running(1), &key, &Found::Nobody, &ending(8)).unwrap();
    let keyed = with_key.after.clone().unwrap();
    let found = |header: &Header, owner: Option<Entry>| Found::Session {
        holder: Holder { id: header.id.clone(), life: header.life },
        header: Some(Box::new(header.clone())),
        owner,
    };
    let parked_keyed = law.park(&keyed, Bytes::new(), 2, 1, Some(4_000)).unwrap().after.unwrap();
    let beat = Beat::new(1, 1);
    let request = Request { epoch: 1, attempt: 5, from: b.member };
    let info = Arc::clone(&b.standing.as_ref().unwrap().info);
    let body = Bytes::from_static(b"s");
    let turn = Turn { state: TurnState::Running, attempt: 1, due: None, more: Commit::default() };
    let expired = law.remove(&parked_keyed, 4_000).unwrap();
    let dead_keyed = found(&keyed, Some(dead.clone()));
    let in_one = found(&parked_keyed, None);
    vec![
        (law.create(&creation(1), &me()).unwrap(), vec![Rule::CreateAbsent, Rule::CreateAlive]),
        (law.turn(&running(1), turn).unwrap(), vec![Rule::TurnHeader]),
        (law.settle(&running(1), 9), vec![Rule::TurnHeader]),
        (law.park(&running(1), body.clone(), 2, 1, Some(1)).unwrap(), vec![Rule::ParkHeader]),
        (law.end(&running(1), &ending(1)).unwrap(), vec![Rule::EndHeader]),
        (law.end(&keyed, &ending(1)).unwrap(), vec![Rule::EndHeader, Rule::EndKey]),
        (
            law.yield_to(&running(1), &b, body, 2, 5, None).unwrap(),
            vec![Rule::YieldHeader, Rule::YieldAlive],
        ),
        (law.claim(&parked(1), &b, Some(5)).unwrap(), vec![Rule::ClaimHeader, Rule::ClaimAlive]),
        (
            law.take(&committed(1), &dead, &b, &taken(Some(5))).unwrap(),
            vec![Rule::TakeHeader, Rule::TakeDead, Rule::TakeAlive],
        ),
        (law.seize(&committed(1), &b, 5).unwrap(), vec![Rule::SeizeHeader, Rule::SeizeAlive]),
        (law.request(&running(1), &me(), request).unwrap(), vec![Rule::RequestOwner]),
        (with_key, vec![Rule::KeyHeader, Rule::KeyHolder]),
        (
            law.take_key(&running(2), &key, &in_one, &ending(8)).unwrap(),
            vec![Rule::KeyHeader, Rule::KeyHolder, Rule::KeyLoser],
        ),
        (
            law.take_key(&running(2), &key, &dead_keyed, &ending(8)).unwrap(),
            vec![Rule::KeyHeader, Rule::KeyHolder, Rule::KeyLoser, Rule::KeyDead],
        ),
        (expired, vec![Rule::RemoveHeader, Rule::EndKey]),
        (
            law.join(b.member, &info, Some(&dead), beat.clone()).unwrap(),
            vec![Rule::JoinGone, Rule::JoinNode],
        ),
        (law.beat(&me(), beat.clone()), vec![Rule::BeatAlive]),
        (law.mark_dead(&me(), beat).unwrap(), vec![Rule::MarkStanding, Rule::MarkBeat]),
        (law.drain(&me()).unwrap(), vec![Rule::DrainAlive]),
        (law.leave(&draining, 0).unwrap(), vec![Rule::LeaveEmpty]),
        (law.forget(&dead, 0, &[creation(1).id]).unwrap(), vec![Rule::ForgetGone]),
    ]
}

#[test]
fn every_step_has_each_of_its_checks_exactly_once() {
    for (step, rules) in every_step() {
        let found: Vec<_> = step.commit.guards.iter().map(|guard| guard.rule).collect();
        assert_eq!(found, rules, "{}", step.name);
        let rows: BTreeSet<_> = step.commit.guards.iter().map(|guard| &guard.row).collect();
        assert_eq!(rows.len(), found.len(), "{}: a row is checked twice", step.name);
    }
}

#[test]
fn no_step_writes_a_row_twice_and_stores_refuse_none() {
    for (step, _) in every_step() {
        let rows: BTreeSet<_> = step.commit.writes.iter().map(|(row, _)| row).collect();
        assert_eq!(rows.len(), step.commit.writes.len(), "{}", step.name);
        let batch = step.commit.batch();
        assert_eq!(batch.checks.len(), step.commit.guards.len());
        assert_eq!(batch.writes.len(), step.commit.writes.len());
    }
}

#[test]
fn every_commit_for_a_record_bumps_its_version() {
    for (step, _) in every_step() {
        let read = step.commit.guards.iter().find_map(|guard| match &guard.expected {
            Some(Value::Header(header)) => Some(header.version),
            _ => None,
        });
        if let (Some(read), Some(after)) = (read, &step.after) {
            assert!(after.version > read, "{}", step.name);
        }
    }
}

#[test]
fn every_value_reads_back_from_its_row() {
    for (step, _) in every_step() {
        for (row, value) in step.commit.writes {
            let Some(value) = value else { continue };
            assert_eq!(Value::decode(&row, &value.encode()), Ok(value));
        }
    }
}

#[test]
fn a_draining_node_is_given_nothing() {
    let draining = node(2, NodeState::Draining);
    let not = NotNow::NotAlive(draining.member);
    let law = law();
    assert_eq!(law.create(&creation(1), &draining), Err(not.clone()));
    assert_eq!(law.claim(&parked(1), &draining, Some(9)), Err(not.clone()));
    assert_eq!(law.seize(&committed(1), &draining, 9), Err(not.clone()));
    assert_eq!(law.yield_to(&running(1), &draining, Bytes::new(), 2, 9, None), Err(not.clone()));
    let dead = node(1, NodeState::Dead);
    assert_eq!(law.take(&committed(1), &dead, &draining, &taken(Some(9))), Err(not));
}

#[test]
fn a_state_of_an_unknown_newer_version_is_not_taken() {
    let b = node(2, NodeState::Alive);
    let newer = law().park(&running(1), Bytes::new(), 3, 1, Some(1)).unwrap().after.unwrap();
    let unreadable = |e: &NotNow| matches!(e, NotNow::Unreadable { version: 3, .. });
    assert!(law().claim(&newer, &b, Some(9)).is_err_and(|e| unreadable(&e)));
    assert!(
        law().yield_to(&running(1), &b, Bytes::new(), 3, 9, None).is_err_and(|e| unreadable(&e))
    );
}

#[test]
fn a_replayed_resume_moves_nothing() {
    let b = node(2, NodeState::Alive);
    let old = NotNow::OldAttempt { attempt: 3, counter: 3 };
    assert_eq!(law().claim(&parked(1), &b, Some(3)), Err(old));
    assert!(law().claim(&parked(1), &b, Some(4)).is_ok());
}

#[test]
fn what_a_dead_owner_ran_without_a_snapshot_is_lost_and_the_rest_restored() {
    let (b, dead) = (node(2, NodeState::Alive), node(1, NodeState::Dead));
    let take = |header: &Header, attempt| {
        law().take(header, &dead, &b, &taken(attempt)).unwrap().after.unwrap()
    };
    let lost = take(&running(1), Some(9));
    assert_eq!((lost.state, lost.owner), (State::Ended(9), None));
    let restored = take(&committed(1), Some(9));
    assert_eq!((restored.state, restored.owner), (State::Handed, Some(b.member)));
    assert_eq!((restored.crashes, restored.epoch, restored.attempt), (1, 2, 9));
    let swept = take(&committed(1), None);
    assert_eq!((swept.state, swept.owner, swept.due), (State::Parked, None, Some(4_000)));
    let alive = law().take(&committed(1), &me(), &b, &taken(Some(9)));
    assert_eq!(alive, Err(NotNow::OwnerAlive(me().member)));
}

#[test]
fn a_vactor_without_a_snapshot_starts_again_with_a_new_life() {
    let (b, dead) = (node(2, NodeState::Alive), node(1, NodeState::Dead));
    let id = RecordId::vactor("match", b"7").unwrap();
    let new = Creation { id, ..creation(1) };
    let header = law().create(&new, &me()).unwrap().after.unwrap();
    let again = law().take(&header, &dead, &b, &taken(None)).unwrap().after.unwrap();
    assert_eq!((again.state, again.life, again.owner), (State::New, 78, Some(b.member)));
}

fn vactor(state: TurnState, due: Option<u64>) -> Header {
    let id = RecordId::vactor("match", b"7").unwrap();
    let header = law().create(&Creation { id, ..creation(1) }, &me()).unwrap().after.unwrap();
    let turn = Turn { state, attempt: 0, due, more: Commit::default() };
    law().turn(&header, turn).unwrap().after.unwrap()
}

#[test]
fn a_vactor_that_was_parked_or_taken_keeps_the_time_of_its_reminder() {
    let (b, dead) = (node(2, NodeState::Alive), node(1, NodeState::Dead));
    let state = TurnState::Committed { snapshot: Bytes::from_static(b"s"), state_version: 2 };
    let header = vactor(state, Some(9));
    let swept = law().take(&header, &dead, &b, &taken(None)).unwrap().after.unwrap();
    assert_eq!((swept.state, swept.owner, swept.due), (State::Parked, None, Some(9)));
    let parked = law().park(&header, Bytes::new(), 2, 0, None).unwrap().after.unwrap();
    assert_eq!((parked.state, parked.due), (State::Parked, None), "it does not expire");
}

#[test]
fn a_vactor_begins_in_one_commit_where_nothing_comes_before_its_first_effect() {
    let id = RecordId::vactor("match", b"7").unwrap();
    let new = Creation { id, ..creation(1) };
    let step = law().create_running(&new, &me()).unwrap();
    let rules: Vec<_> = step.commit.guards.iter().map(|guard| guard.rule).collect();
    assert_eq!(rules, [Rule::CreateAbsent, Rule::CreateAlive]);
    let header = step.after.unwrap();
    assert_eq!((header.state, header.owner), (State::Running, Some(me().member)));
}

#[test]
fn a_vactor_whose_memory_is_gone_is_begun_anew_by_its_owner_alone() {
    let header = vactor(TurnState::Running, None);
    let step = law().restart(&header, 99).unwrap();
    let rules: Vec<_> = step.commit.guards.iter().map(|guard| guard.rule).collect();
    assert_eq!(rules, [Rule::TurnHeader]);
    let again = step.after.unwrap();
    assert_eq!((again.state, again.life, again.owner), (State::New, 99, header.owner));
    assert_eq!((again.crashes, again.version), (header.crashes + 1, header.version + 1));
    let parked = law().park(&header, Bytes::new(), 2, 0, None).unwrap().after.unwrap();
    assert_eq!(law().restart(&parked, 99), Err(NotNow::WrongState(parked.id.clone())));
    assert!(law().restart(&running(1), 99).is_err(), "a session is never begun anew");
}

#[test]
fn a_settling_commit_takes_a_version_that_nobody_proposed() {
    let header = running(1);
    assert_eq!(law().settle(&header, 7).after.unwrap().version, 8);
    assert_eq!(law().settle(&header, 0).after.unwrap().version, header.version + 1);
}
