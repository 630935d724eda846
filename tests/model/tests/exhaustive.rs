//! The law holds in every state within the bounds, and from every state everything settles once
//! faults stop. Each test prints its bounds, states and depth; `docs/cluster.md` has the figures.

use throughline_cluster::Law;
use throughline_model::{Bounds, Progress, exhaust};

/// `OnSwapOut`: state is written at swap-out.
const R: bool = false;
/// `EveryTurn`: every turn is committed.
const C: bool = true;

fn bounds(nodes: usize, clients: &[bool], faults: u8) -> Bounds {
    Bounds::calm(Law::default(), nodes, clients).faults(faults)
}

fn holds(name: &str, bounds: Bounds) {
    println!("{}", exhaust(name, bounds, Progress::Hidden));
}

/// What it shows for one session it shows for two (`State`).
#[test]
fn three_attempts_among_three_nodes_with_two_faults() {
    let mut bounds = bounds(3, &[R], 2);
    bounds.attempts = 3;
    bounds.settle_one_in = 1_000;
    holds("OnSwapOut, three attempts, two faults; settles from one state in 1,000", bounds);
}

#[test]
fn a_session_among_three_nodes_with_two_faults_and_an_unknown_outcome() {
    let mut bounds = bounds(3, &[R], 2);
    bounds.left.unknown = 1;
    holds("OnSwapOut, two faults and an unknown outcome", bounds);
}

#[test]
fn a_session_that_commits_every_turn_with_a_fault_and_an_unknown_outcome() {
    let mut bounds = bounds(3, &[C], 1);
    bounds.left.unknown = 1;
    bounds.turns = 2;
    holds("EveryTurn, one fault", bounds);
}

#[test]
fn a_drain_among_three_nodes_with_a_fault() {
    let mut bounds = bounds(3, &[R], 1);
    bounds.left.drains = 1;
    bounds.sweep = true;
    holds("drain", bounds);
}

#[test]
fn two_sessions_for_one_key_with_a_fault() {
    let mut bounds = bounds(2, &[R, R], 1);
    bounds.attempts = 1;
    bounds.keys = true;
    bounds.sweep = true;
    bounds.left.unknown = 1;
    holds("two sessions, one key", bounds);
}

#[test]
fn requests_through_the_store_with_a_fault() {
    let mut bounds = bounds(2, &[R], 1);
    bounds.requests = true;
    bounds.sweep = true;
    holds("requests", bounds);
}

#[test]
fn from_every_state_everything_settles_once_faults_stop() {
    let mut bounds = bounds(2, &[R], 1);
    bounds.left.unknown = 1;
    bounds.settle_one_in = 1;
    holds("settles, OnSwapOut", bounds.clone());
    bounds.clients = vec![C];
    holds("settles, EveryTurn", bounds);
}

#[test]
fn among_three_nodes_everything_settles_once_faults_stop() {
    let mut bounds = bounds(3, &[R], 2);
    bounds.left.drains = 1;
    bounds.messages = 3;
    bounds.attempts = 1;
    bounds.settle_one_in = 10;
    holds("settles, three nodes, one state in 10", bounds);
}
