//! A resume on another node, with every way it can go.

use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use throughline_cluster::{
    Ask, Beat, Check, Commit, Creation, Ending, Entry, Gone, Header, Held, HeldAction, Host,
    Identity, Law, Outcome, Placed, Placement, PlacementAction, Proof, RecordId, Refusal, Reply,
    Request, Row, Snapshot, State, Turn, TurnState, Value, Write,
};
use throughline_link::{Instant, Secret, SessionId};

use crate::store::{Store, info, member};

const LOST: u16 = 9;

pub(crate) fn at(ms: u64) -> Instant {
    Instant::from_micros(ms * 1_000)
}

pub(crate) fn id() -> RecordId {
    RecordId::session(SessionId([5; 16]))
}

pub(crate) fn ending(reason: u16) -> Ending {
    Ending { reason, last: Bytes::new(), until: 600_000 }
}

pub(crate) fn turn(state: TurnState) -> Turn {
    Turn { state, attempt: 0, due: None, more: Commit::default() }
}

pub(crate) fn each_turn() -> TurnState {
    TurnState::Committed { snapshot: Bytes::from_static(b"each turn"), state_version: 1 }
}

/// Nodes 1 and 2 are alive; node 1 owns the session and has run a turn.
pub(crate) fn running(state: TurnState) -> (Store, Held) {
    let mut store = Store::default();
    let law = Law::default();
    for node in [1, 2] {
        let beat = Beat::new(1, 0);
        let step =
            law.join(member(node, 1), &Arc::new(info(node)), None, beat).expect("a first join");
        assert_eq!(store.commit(&step.commit), Outcome::Done);
    }
    let identity = Arc::new(Identity::new("game", b"ann", Secret([1; 32])).expect("short"));
    let new = Creation { id: id(), identity, life: 1, state_version: 1, attempt: 0 };
    let step = law.create(&new, &store.entry(member(1, 1))).expect("alive");
    assert_eq!(store.commit(&step.commit), Outcome::Done);
    let mut held = Held::new(step.after.expect("a header"));
    held.turn(turn(state)).expect("owned and idle");
    assert_eq!(drive(&mut store, &mut held), [HeldAction::Committed, HeldAction::GoOn]);
    (store, held)
}

/// Commits and reads what it asks for; gives what is left.
pub(crate) fn drive(store: &mut Store, held: &mut Held) -> Vec<HeldAction> {
    let mut rest = Vec::new();
    while let Some(action) = held.poll_action() {
        match action {
            HeldAction::Commit(step) => held.handle_commit(store.commit(&step.commit)),
            HeldAction::Read => held.handle_read(Some(store.header(&id()))),
            HeldAction::SwapOut => {
                held.handle_snapshot(Some((Bytes::from_static(b"snapshot"), 1)));
            }
            other => rest.push(other),
        }
    }
    rest
}

pub(crate) fn host(store: &Store) -> Host {
    let me = store.entry(member(2, 1));
    Host { me, others: vec!["10.0.0.3:7778".to_owned()], lost: ending(LOST), life: 2 }
}

/// Commits, reads and proves; gives what is left.
pub(crate) fn place(
    store: &mut Store,
    placement: &mut Placement,
    now: Instant,
) -> Vec<PlacementAction> {
    let mut rest = Vec::new();
    while let Some(action) = placement.poll_action() {
        match action {
            PlacementAction::Commit(step) => {
                placement.handle_commit(store.commit(&step.commit), now);
            }
            PlacementAction::Read => placement.handle_read(Some(store.read(&id())), now),
            PlacementAction::Prove(_) => placement.handle_proof(Proof::Good, now),
            other => rest.push(other),
        }
    }
    rest
}

pub(crate) fn asked(actions: Vec<PlacementAction>) -> Ask {
    match actions.as_slice() {
        [PlacementAction::Ask(ask)] => ask.clone(),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn here(actions: Vec<PlacementAction>) -> (Header, Option<Snapshot>) {
    match actions.as_slice() {
        [PlacementAction::Done(Placed::Here(header, snapshot))] => {
            ((**header).clone(), snapshot.clone())
        }
        other => panic!("{other:?}"),
    }
}

fn refused(actions: Vec<PlacementAction>) -> Refusal {
    match actions.as_slice() {
        [PlacementAction::Done(Placed::Refused(refusal))] => refusal.clone(),
        other => panic!("{other:?}"),
    }
}

fn kill(store: &mut Store) {
    let law = Law::default();
    let seen = Beat::new(1, 0);
    let step = law.mark_dead(&store.entry(member(1, 1)), seen).expect("alive");
    assert_eq!(store.commit(&step.commit), Outcome::Done);
}

fn entry_2(store: &Store) -> Entry {
    store.entry(member(2, 1))
}

#[test]
fn a_planned_handover_is_one_commit_of_the_old_owner_and_brings_the_snapshot() {
    let (mut store, mut owner) = running(TurnState::Running);
    let mut placement = Placement::new(host(&store), id(), 1, 7, at(0));
    let ask = asked(place(&mut store, &mut placement, at(0)));
    owner.handle_ask(ask, entry_2(&store), &[]);
    let actions = drive(&mut store, &mut owner);
    let [HeldAction::Reply(ask, reply), HeldAction::Gone(Gone::Moved(to, 2))] = actions.as_slice()
    else {
        panic!("{actions:?}")
    };
    assert_eq!(*to, member(2, 1));
    placement.handle_reply(ask.request, reply.clone());
    let (header, snapshot) = here(place(&mut store, &mut placement, at(5)));
    assert_eq!(snapshot.unwrap().body, "snapshot");
    assert_eq!(store.header(&id()), Some(header.clone()));
    let mut held = Held::new(header);
    held.turn(turn(TurnState::Running)).unwrap();
    assert_eq!(drive(&mut store, &mut held), [HeldAction::Committed, HeldAction::GoOn]);
    assert_eq!(store.get(&Row::Snapshot(id())), None, "what runs holds no snapshot");
}

#[test]
fn an_answer_that_was_lost_is_found_in_the_store() {
    let (mut store, mut owner) = running(TurnState::Running);
    let mut placement = Placement::new(host(&store), id(), 1, 7, at(0));
    let ask = asked(place(&mut store, &mut placement, at(0)));
    owner.handle_ask(ask, entry_2(&store), &[]);
    drive(&mut store, &mut owner);
    placement.handle_timeout(at(1_000));
    let (header, snapshot) = here(place(&mut store, &mut placement, at(1_000)));
    assert_eq!((header.state, snapshot.unwrap().body), (State::Handed, "snapshot".into()));
}

#[test]
fn a_late_answer_starts_nothing_twice() {
    let (mut store, mut owner) = running(TurnState::Running);
    let mut placement = Placement::new(host(&store), id(), 1, 7, at(0));
    let ask = asked(place(&mut store, &mut placement, at(0)));
    owner.handle_ask(ask, entry_2(&store), &[]);
    let actions = drive(&mut store, &mut owner);
    placement.handle_timeout(at(1_000));
    here(place(&mut store, &mut placement, at(1_000)));
    let HeldAction::Reply(ask, reply) = actions[0].clone() else { panic!("{actions:?}") };
    placement.handle_reply(ask.request, reply);
    assert!(place(&mut store, &mut placement, at(1_001)).is_empty());
}

#[test]
fn a_dead_owner_loses_what_ran_and_not_what_was_committed() {
    let (mut store, _) = running(TurnState::Running);
    kill(&mut store);
    let mut placement = Placement::new(host(&store), id(), 1, 7, at(0));
    assert_eq!(refused(place(&mut store, &mut placement, at(0))), Refusal::Ended(LOST));

    let (mut store, _) = running(each_turn());
    kill(&mut store);
    let mut placement = Placement::new(host(&store), id(), 1, 7, at(0));
    let (header, snapshot) = here(place(&mut store, &mut placement, at(0)));
    assert_eq!((header.crashes, snapshot.unwrap().body), (1, "each turn".into()));
}

#[test]
fn a_silent_owner_of_committed_turns_is_passed_over_and_fenced() {
    let (mut store, mut owner) = running(each_turn());
    let mut placement = Placement::new(host(&store), id(), 1, 7, at(0));
    asked(place(&mut store, &mut placement, at(0)));
    placement.handle_timeout(at(399));
    assert!(place(&mut store, &mut placement, at(399)).is_empty());
    placement.handle_timeout(at(400));
    here(place(&mut store, &mut placement, at(400)));
    owner.turn(turn(each_turn())).unwrap();
    assert_eq!(drive(&mut store, &mut owner), [HeldAction::Gone(Gone::Fenced)]);
}

#[test]
fn a_silent_owner_that_has_not_begun_is_passed_over_and_fenced() {
    let (mut store, mut owner) = running(TurnState::Running);
    let mut placement = Placement::new(host(&store), id(), 1, 7, at(0));
    let ask = asked(place(&mut store, &mut placement, at(0)));
    owner.handle_ask(ask, entry_2(&store), &[]);
    drive(&mut store, &mut owner);
    let handed = store.header(&id()).expect("a header");
    assert_eq!((handed.state, handed.owner), (State::Handed, Some(member(2, 1))));
    // Node 2 is killed before its first commit, or slow; its client is back at node 1.
    let back = Host { me: store.entry(member(1, 1)), ..host(&store) };
    let mut placement = Placement::new(back, id(), 2, 8, at(0));
    asked(place(&mut store, &mut placement, at(0)));
    placement.handle_timeout(at(400));
    let (header, snapshot) = here(place(&mut store, &mut placement, at(400)));
    assert_eq!((header.owner, header.attempt), (Some(member(1, 1)), 2));
    assert_eq!(snapshot.expect("it was handed over").body, "snapshot");
    let mut slow = Held::new(handed);
    slow.turn(turn(TurnState::Running)).expect("as far as it knows");
    assert_eq!(drive(&mut store, &mut slow), [HeldAction::Gone(Gone::Fenced)]);
}

#[test]
fn a_silent_owner_is_asked_through_the_store_and_answers_there() {
    let (mut store, mut owner) = running(TurnState::Running);
    let mut placement = Placement::new(host(&store), id(), 3, 7, at(0));
    asked(place(&mut store, &mut placement, at(0)));
    placement.handle_timeout(at(1_000));
    assert!(place(&mut store, &mut placement, at(1_000)).is_empty());
    let row = Row::Request(member(1, 1), id());
    let Some(Value::Request(request)) = store.get(&row) else { panic!("no request") };
    assert_eq!(request, Request { epoch: 1, attempt: 3, from: member(2, 1) });
    owner.handle_request(request, member(1, 1), entry_2(&store));
    drive(&mut store, &mut owner);
    placement.handle_timeout(at(1_500));
    let (header, _) = here(place(&mut store, &mut placement, at(1_500)));
    assert_eq!(header.attempt, 3);
}

#[test]
fn a_resume_that_finds_nobody_in_time_is_told_to_try_again() {
    let (mut store, _) = running(TurnState::Running);
    let mut placement = Placement::new(host(&store), id(), 1, 7, at(0));
    asked(place(&mut store, &mut placement, at(0)));
    let mut now = at(0);
    let mut rest = Vec::new();
    while let Some(next) = placement.poll_timeout() {
        now = next;
        placement.handle_timeout(now);
        rest.extend(place(&mut store, &mut placement, now));
    }
    assert_eq!(refused(rest), Refusal::NOT_YET);
    assert_eq!(now, at(0) + Placement::LONGEST);
}

#[test]
fn no_verdict_is_told_without_a_valid_proof() {
    let (mut store, mut owner) = running(TurnState::Running);
    owner.end(&ending(1)).unwrap();
    drive(&mut store, &mut owner);
    let mut placement = Placement::new(host(&store), id(), 1, 7, at(0));
    assert_eq!(placement.poll_action(), Some(PlacementAction::Read));
    placement.handle_read(Some(store.read(&id())), at(0));
    assert!(matches!(placement.poll_action(), Some(PlacementAction::Prove(_))));
    placement.handle_proof(Proof::Bad, at(0));
    assert_eq!(refused(place(&mut store, &mut placement, at(0))), Refusal::BadProof);
}

#[test]
fn of_two_claims_one_wins_and_the_other_asks_it() {
    let (mut store, mut owner) = running(TurnState::Running);
    owner.park(Some(60_000)).unwrap();
    assert_eq!(drive(&mut store, &mut owner), [HeldAction::Gone(Gone::Parked)]);
    let first = Host { me: store.entry(member(1, 1)), ..host(&store) };
    let mut one = Placement::new(first, id(), 1, 7, at(0));
    let mut two = Placement::new(host(&store), id(), 2, 8, at(0));
    for placement in [&mut one, &mut two] {
        placement.poll_action();
        placement.handle_read(Some(store.read(&id())), at(0));
        placement.poll_action();
        placement.handle_proof(Proof::Good, at(0));
    }
    here(place(&mut store, &mut one, at(0)));
    assert_eq!(asked(place(&mut store, &mut two, at(0))).to, member(1, 1));
}

#[test]
fn a_store_that_does_not_answer_is_said_so() {
    let (mut store, _) = running(TurnState::Running);
    let mut placement = Placement::new(host(&store), id(), 1, 7, at(0));
    placement.poll_action();
    placement.handle_read(None, at(0));
    let refusal = refused(place(&mut store, &mut placement, at(0)));
    assert_eq!(refusal, Refusal::STORE_DOWN);
    assert!(!refusal.is_final());
}

/// The commit under way.
pub(crate) fn under_way(held: &mut Held) -> Commit {
    match held.poll_action() {
        Some(HeldAction::Commit(step)) => step.commit,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_unknown_outcome_suspends_until_a_new_commit_settles_it() {
    // In each case: when the commit of unknown outcome lands, and what must come of it.
    for lands_before in [true, false] {
        let (mut store, mut held) = running(each_turn());
        held.turn(turn(each_turn())).unwrap();
        let lost = under_way(&mut held);
        held.handle_commit(Outcome::Unknown);
        assert!(!held.may_act());
        if lands_before {
            assert_eq!(store.commit(&lost), Outcome::Done);
        }
        let actions = drive(&mut store, &mut held);
        let first = if lands_before { HeldAction::Committed } else { HeldAction::NotCommitted };
        assert_eq!(actions, [first, HeldAction::GoOn]);
        assert_eq!(store.commit(&lost), Outcome::Refused, "it can no longer land");
        assert!(held.may_act());
    }
}

#[test]
fn a_settling_commit_of_unknown_outcome_is_settled_in_its_turn() {
    for (first_lands, second_lands) in [(true, true), (true, false), (false, true), (false, false)]
    {
        let (mut store, mut held) = running(TurnState::Running);
        held.turn(turn(TurnState::Running)).unwrap();
        let first = under_way(&mut held);
        if first_lands {
            assert_eq!(store.commit(&first), Outcome::Done);
        }
        held.handle_commit(Outcome::Unknown);
        assert_eq!(held.poll_action(), Some(HeldAction::Read));
        held.handle_read(Some(store.header(&id())));
        let second = under_way(&mut held);
        if second_lands {
            assert_eq!(store.commit(&second), Outcome::Done);
        }
        held.handle_commit(Outcome::Unknown);
        let actions = drive(&mut store, &mut held);
        let told = if first_lands { HeldAction::Committed } else { HeldAction::NotCommitted };
        assert_eq!(actions, [told, HeldAction::GoOn]);
        assert_eq!(store.commit(&first), Outcome::Refused);
        assert_eq!(store.commit(&second), Outcome::Refused);
        assert_eq!(store.header(&id()).as_ref(), Some(held.header()));
    }
}

#[test]
fn a_yield_to_a_node_that_died_meanwhile_leaves_the_owner_as_it_was() {
    let (mut store, mut owner) = running(TurnState::Running);
    let mut placement = Placement::new(host(&store), id(), 1, 7, at(0));
    let ask = asked(place(&mut store, &mut placement, at(0)));
    let as_read = entry_2(&store);
    let law = Law::default();
    let dead = law.mark_dead(&as_read, Beat::new(1, 0)).unwrap();
    store.commit(&dead.commit);
    owner.handle_ask(ask, as_read, &[]);
    let actions = drive(&mut store, &mut owner);
    assert!(matches!(&actions[0], HeldAction::Reply(_, Reply::Refused(Refusal::NotYet(_)))));
    assert_eq!(actions[1], HeldAction::GoOn);
    owner.turn(turn(TurnState::Running)).unwrap();
    assert_eq!(drive(&mut store, &mut owner), [HeldAction::Committed, HeldAction::GoOn]);
}

#[test]
fn a_swap_out_that_fails_keeps_the_session_where_it_is() {
    let (mut store, mut owner) = running(TurnState::Running);
    owner.park(Some(60_000)).unwrap();
    assert_eq!(owner.poll_action(), Some(HeldAction::SwapOut));
    owner.handle_snapshot(None);
    assert_eq!(drive(&mut store, &mut owner), [HeldAction::GoOn]);
    assert!(owner.may_act());
}

/// A turn with a row of a queue, if that other row is there.
fn sending(key: &'static [u8], expected: Option<&'static [u8]>) -> Turn {
    let mut more = Commit::default();
    let (key, value) = (Bytes::from_static(key), Bytes::from_static(b"message"));
    more.raw.writes.push(Write::Put { key, value });
    if let Some(key) = expected {
        let (key, value) = (Bytes::from_static(key), Bytes::from_static(b"message"));
        more.raw.checks.push(Check::Equals { key, value });
    }
    Turn { state: TurnState::Running, attempt: 0, due: None, more }
}

#[test]
fn rows_of_other_packages_are_checked_and_written_with_a_turn() {
    let (mut store, mut owner) = running(TurnState::Running);
    owner.turn(sending(b"xm1", None)).unwrap();
    assert_eq!(drive(&mut store, &mut owner), [HeldAction::Committed, HeldAction::GoOn]);
    owner.turn(sending(b"qm2", Some(b"xm1"))).unwrap();
    assert_eq!(drive(&mut store, &mut owner), [HeldAction::Committed, HeldAction::GoOn]);
    assert!(store.has(b"xm1") && store.has(b"qm2"));
    owner.turn(sending(b"xm3", Some(b"xm0"))).unwrap();
    assert_eq!(drive(&mut store, &mut owner), [HeldAction::NotCommitted, HeldAction::GoOn]);
    assert!(!store.has(b"xm3") && owner.may_act());
}

#[test]
fn a_turn_that_ends_when_its_session_is_to_leave_is_committed_before() {
    let (mut store, mut owner) = running(TurnState::Running);
    owner.park(Some(60_000)).unwrap();
    assert_eq!(owner.poll_action(), Some(HeldAction::SwapOut));
    owner.turn(sending(b"xm1", None)).unwrap();
    assert!(owner.turn(sending(b"xm9", None)).is_err(), "one commit at a time");
    assert_eq!(drive(&mut store, &mut owner), [HeldAction::Committed]);
    owner.turn(sending(b"xm2", Some(b"xm0"))).unwrap();
    assert_eq!(drive(&mut store, &mut owner), [HeldAction::NotCommitted]);
    assert!(store.has(b"xm1") && !store.has(b"xm2") && !owner.may_act());
    owner.handle_snapshot(Some((Bytes::from_static(b"snapshot"), 1)));
    assert_eq!(drive(&mut store, &mut owner), [HeldAction::Gone(Gone::Parked)]);
}

#[test]
fn an_old_attempt_disturbs_no_owner() {
    let (store, mut owner) = running(TurnState::Running);
    owner.handle_resume(4).unwrap();
    assert_eq!(owner.handle_resume(4), Err(Refusal::OldAttempt));
    let ask =
        Ask { id: id(), epoch: 1, request: 1, from: member(2, 1), to: member(1, 1), attempt: 3 };
    owner.handle_ask(ask.clone(), entry_2(&store), &[]);
    let reply = Reply::Refused(Refusal::OldAttempt);
    assert_eq!(owner.poll_action(), Some(HeldAction::Reply(ask, reply)));
    assert!(owner.may_act());
}

/// The node asked as one incarnation, was declared dead, and was granted the session as the next.
#[test]
fn a_session_granted_to_a_node_that_joined_again_meanwhile_is_not_refused_for_good() {
    let (mut store, mut held) = running(each_turn());
    let mut placement = Placement::new(host(&store), id(), 7, 1, at(0));
    let mut ask = asked(place(&mut store, &mut placement, at(1)));
    let law = Law::default();
    let seen = Beat::new(1, 0);
    let step = law.mark_dead(&store.entry(member(2, 1)), seen);
    assert_eq!(store.commit(&step.expect("it was silent").commit), Outcome::Done);
    let beat = Beat::new(1, 0);
    let before = store.entry(member(2, 1));
    let step = law.join(member(2, 2), &Arc::new(info(2)), Some(&before), beat).expect("it is gone");
    assert_eq!(store.commit(&step.commit), Outcome::Done);
    ask.from = member(2, 2);
    held.handle_ask(ask, store.entry(member(2, 2)), &[]);
    let rest = drive(&mut store, &mut held);
    let Some(HeldAction::Reply(_, reply)) =
        rest.into_iter().find(|action| matches!(action, HeldAction::Reply(..)))
    else {
        panic!("no reply")
    };
    placement.handle_reply(1, reply);
    assert_eq!(refused(place(&mut store, &mut placement, at(2))), Refusal::NOT_YET);
    let again = Host { me: store.entry(member(2, 2)), ..host(&store) };
    let mut placement = Placement::new(again, id(), 8, 2, at(3));
    let (header, _) = here(place(&mut store, &mut placement, at(4)));
    assert_eq!(header.owner, Some(member(2, 2)));
}

#[test]
fn a_parked_session_remembers_the_attempt_that_only_memory_had() {
    let (mut store, mut owner) = running(TurnState::Running);
    owner.handle_resume(4).unwrap();
    owner.park(Some(60_000)).unwrap();
    drive(&mut store, &mut owner);
    let mut replayed = Placement::new(host(&store), id(), 4, 7, at(0));
    let refusal = refused(place(&mut store, &mut replayed, at(0)));
    assert_eq!(refusal, Refusal::OldAttempt);
    assert_eq!(Placement::LONGEST, Duration::from_secs(5));
}
