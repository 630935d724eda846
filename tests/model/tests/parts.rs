//! Sessions that want no common key do what each does alone: what one of them sees of a state of
//! several is a state of one, so that what holds of one holds of several within the same bounds.
//!
//! The types of the model say so (`State`); here it is looked at, in every state within small bounds.

use std::collections::HashSet;

use stateright::Model;
use throughline_cluster::Law;
use throughline_model::{Bounds, State, settles};

/// `OnSwapOut`: state is written at swap-out.
const R: bool = false;
/// `EveryTurn`: every turn is committed.
const C: bool = true;

/// Every state within the bounds.
fn all_states(bounds: &Bounds) -> HashSet<State> {
    let mut waiting = bounds.init_states();
    let mut seen: HashSet<State> = waiting.iter().cloned().collect();
    while let Some(state) = waiting.pop() {
        for (_, next) in bounds.next_steps(&state) {
            if seen.insert(next.clone()) {
                waiting.push(next);
            }
        }
    }
    seen
}

/// Every state of several, as each session sees it, is one of those that it has alone; and all of
/// those are seen.
fn are_apart(name: &str, bounds: &Bounds) {
    let states = all_states(bounds);
    let alone = |session: bool| all_states(&Bounds { clients: vec![session], ..bounds.clone() });
    let (r, c) = (alone(R), alone(C));
    let mut seen = HashSet::new();
    for state in &states {
        for (part, of) in state.parts.iter().enumerate() {
            let view = bounds.canonical(state.seen_by(part));
            let alone = if of.sessions[0].every_turn { &c } else { &r };
            assert!(alone.contains(&view), "{name}: no session alone comes to {view:#?}");
            seen.insert(view);
        }
    }
    let counts = (states.len(), seen.len());
    println!("{name}: {} states of two, in which {} of one are seen", counts.0, counts.1);
    let is_there = |session| bounds.clients.contains(&session);
    let of_one = r.iter().filter(|_| is_there(R)).chain(c.iter().filter(|_| is_there(C)));
    for state in of_one {
        assert!(seen.contains(state), "{name}: no session of two comes to {state:#?}");
    }
}

fn calm(clients: &[bool]) -> Bounds {
    Bounds::calm(Law::default(), 2, clients)
}

fn one_attempt(clients: &[bool]) -> Bounds {
    Bounds { attempts: 1, ..calm(clients).faults(1) }
}

#[test]
fn what_a_session_sees_of_two_is_a_state_of_one_with_a_fault() {
    are_apart("OnSwapOut", &one_attempt(&[R, R]));
    are_apart("one of each mode", &one_attempt(&[R, C]));
}

#[test]
fn what_a_session_sees_of_two_is_a_state_of_one_with_two_attempts() {
    let bounds = Bounds { messages: 2, turns: 0, ..calm(&[R, R]) };
    are_apart("two attempts", &bounds);
}

#[test]
fn what_a_session_sees_of_two_is_a_state_of_one_in_a_drain_with_requests() {
    let mut bounds = one_attempt(&[R, R]);
    bounds.messages = 2;
    bounds.turns = 0;
    bounds.left.drains = 1;
    bounds.sweep = true;
    bounds.requests = true;
    are_apart("a drain, sweeps, requests", &bounds);
}

#[test]
fn from_every_state_of_two_sessions_everything_settles_once_faults_stop() {
    for clients in [[R, R], [R, C]] {
        let bounds = one_attempt(&clients);
        for state in all_states(&bounds) {
            settles(&bounds, &state).unwrap_or_else(|last| panic!("it ends in {last:#?}"));
        }
    }
}
