//! Sessions that want no common key do what each does alone: what one of them sees of a state of
//! several is a state of one, so that what holds of one holds of several within the same bounds.
//!
//! The types of the model say so (`State`); here it is looked at, in every state within small
//! bounds.

use std::collections::HashSet;

use stateright::{Checker, Model, Property};
use throughline_cluster::Law;
use throughline_model::{Action, Bounds, State, settles};

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

/// Two sessions, beside all that each comes to alone.
struct Two {
    bounds: Bounds,
    /// By whether every turn is committed.
    alone: [HashSet<State>; 2],
    /// Whether it must be seen that a commit deletes requests of both.
    forgets: bool,
}

impl Two {
    fn new(bounds: Bounds) -> Self {
        let alone = [R, C].map(|session| {
            let there = bounds.clients.contains(&session);
            let bounds = Bounds { clients: vec![session], ..bounds.clone() };
            if there { all_states(&bounds) } else { HashSet::new() }
        });
        Self { bounds, alone, forgets: false }
    }
}

fn is_seen_alone(two: &Two, state: &State) -> bool {
    state.parts.iter().enumerate().all(|(part, of)| {
        let every_turn = usize::from(of.sessions[0].every_turn);
        two.alone[every_turn].contains(&two.bounds.canonical(state.seen_by(part)))
    })
}

fn forgets_requests_of_both(_: &Two, state: &State) -> bool {
    let of_both = |rows: &[Vec<_>]| rows.len() == 2 && rows.iter().all(|rows| !rows.is_empty());
    state.env.flights.iter().any(|flight| of_both(&flight.requests))
}

impl Model for Two {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        self.bounds.init_states()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.bounds.actions(state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        self.bounds.next_state(state, action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut all = vec![Property::always("what each sees is its own", is_seen_alone)];
        if self.forgets {
            let name = "a node is forgotten with requests of both";
            all.push(Property::sometimes(name, forgets_requests_of_both));
        }
        all
    }
}

/// Every state of two, as each session sees it, is one of those that it has alone.
fn are_apart(name: &str, two: Two) {
    let alone: usize = two.alone.iter().map(HashSet::len).sum();
    let checker = two.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    assert!(checker.is_done(), "{name}: not exhaustive");
    let states = checker.unique_state_count();
    println!("{name}: {states} states of two, {alone} of one");
}

fn calm(clients: &[bool]) -> Bounds {
    Bounds::calm(Law::default(), 2, clients)
}

fn one_attempt(clients: &[bool]) -> Bounds {
    Bounds { attempts: 1, ..calm(clients).faults(1) }
}

#[test]
fn what_a_session_sees_of_two_is_a_state_of_one_with_a_fault() {
    are_apart("OnSwapOut", Two::new(one_attempt(&[R, R])));
    are_apart("EveryTurn", Two::new(one_attempt(&[C, C])));
    are_apart("one of each mode", Two::new(one_attempt(&[R, C])));
}

#[test]
fn what_a_session_sees_of_two_is_a_state_of_one_with_two_attempts() {
    let bounds = Bounds { messages: 2, turns: 0, ..calm(&[R, R]) };
    are_apart("two attempts", Two::new(bounds));
}

#[test]
fn what_a_session_sees_of_two_is_a_state_of_one_among_nodes_of_two_versions() {
    let bounds = Bounds { nodes: vec![2, 1], ..one_attempt(&[R, R]) };
    are_apart("nodes of two versions", Two::new(bounds));
}

#[test]
fn what_a_session_sees_of_two_is_a_state_of_one_when_a_node_with_requests_is_forgotten() {
    let mut bounds = Bounds { messages: 1, turns: 0, ..calm(&[R, R]).faults(1) };
    bounds.freeze = false;
    bounds.sweep = true;
    bounds.requests = true;
    are_apart("sweeps, requests", Two { forgets: true, ..Two::new(bounds) });
}

#[test]
fn what_a_session_sees_of_two_is_a_state_of_one_in_a_drain() {
    let mut bounds = Bounds { messages: 2, turns: 0, ..one_attempt(&[R, R]) };
    bounds.left.drains = 1;
    bounds.sweep = true;
    are_apart("a drain, sweeps", Two::new(bounds));
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
