//! A record in memory: what it is told when it should not be, and what others did to it.

use bytes::Bytes;
use throughline_cluster::{Gone, Held, HeldAction, Law, Outcome, Placement, State, TurnState};

use crate::handover::{
    asked, at, drive, each_turn, ending, here, host, id, place, running, turn, under_way,
};
use crate::store::{Store, member};

/// Node 2 seizes the session, which node 1 still has in memory.
fn seize(store: &mut Store) -> Held {
    let mut placement = Placement::new(host(store), id(), 1, 7, at(0));
    asked(place(store, &mut placement, at(0)));
    placement.handle_timeout(at(400));
    let (header, _) = here(place(store, &mut placement, at(400)));
    Held::new(header)
}

#[test]
fn an_end_that_was_refused_since_others_seized_the_session_is_not_told_as_one() {
    // The other one has committed so many turns when the owner looks.
    for turns in 0..3 {
        let (mut store, mut owner) = running(each_turn());
        let mut other = seize(&mut store);
        owner.end(&ending(1)).expect("as far as it knows");
        for _ in 0..turns {
            other.turn(turn(each_turn())).expect("it is its own");
            assert_eq!(drive(&mut store, &mut other), [HeldAction::Committed, HeldAction::GoOn]);
        }
        let told = drive(&mut store, &mut owner);
        assert_eq!(told, [HeldAction::Gone(Gone::Fenced)], "after {turns} turns");
        assert_eq!(store.header(&id()).map(|header| header.owner), Some(Some(member(2, 1))));
    }
}

#[test]
fn an_end_of_the_others_is_not_told_as_ones_own() {
    let (mut store, mut owner) = running(each_turn());
    let mut other = seize(&mut store);
    owner.end(&ending(1)).expect("as far as it knows");
    other.end(&ending(2)).expect("it is its own");
    drive(&mut store, &mut other);
    assert_eq!(store.header(&id()).map(|header| header.state), Some(State::Ended(2)));
    assert_eq!(drive(&mut store, &mut owner), [HeldAction::Gone(Gone::Fenced)]);
}

#[test]
fn an_end_of_unknown_outcome_that_is_in_is_told_as_one() {
    for is_deleted in [false, true] {
        let (mut store, mut owner) = running(TurnState::Running);
        owner.end(&ending(1)).expect("idle");
        let lost = under_way(&mut owner);
        assert_eq!(store.commit(&lost), Outcome::Done);
        owner.handle_commit(Outcome::Unknown);
        if is_deleted {
            let header = store.header(&id()).expect("it has ended");
            let step = Law::default().dismiss(&header).expect("it has ended");
            assert_eq!(store.commit(&step.commit), Outcome::Done);
        }
        assert_eq!(drive(&mut store, &mut owner), [HeldAction::Gone(Gone::Ended(1))]);
    }
}

#[test]
fn an_answer_that_was_not_asked_for_makes_no_commit_forgotten() {
    let unasked: [fn(&mut Held); 3] = [
        |held| held.handle_snapshot(Some((Bytes::from_static(b"late"), 1))),
        |held| held.handle_snapshot(None),
        |held| held.handle_read(Some(None)),
    ];
    for (number, unasked) in unasked.into_iter().enumerate() {
        let (mut store, mut held) = running(TurnState::Running);
        held.turn(turn(TurnState::Running)).expect("idle");
        let commit = under_way(&mut held);
        unasked(&mut held);
        assert_eq!(held.poll_action(), None, "answer {number}");
        assert!(!held.may_act(), "answer {number}: a commit is under way");
        held.handle_commit(store.commit(&commit));
        let told = drive(&mut store, &mut held);
        assert_eq!(told, [HeldAction::Committed, HeldAction::GoOn], "answer {number}");
        // Nor is a read that settles.
        held.turn(turn(TurnState::Running)).expect("idle");
        let commit = under_way(&mut held);
        held.handle_commit(Outcome::Unknown);
        assert_eq!(held.poll_action(), Some(HeldAction::Read));
        held.handle_snapshot(None);
        assert_eq!(store.commit(&commit), Outcome::Done);
        held.handle_read(Some(store.header(&id())));
        let told = drive(&mut store, &mut held);
        assert_eq!(told, [HeldAction::Committed, HeldAction::GoOn], "answer {number}");
    }
}
