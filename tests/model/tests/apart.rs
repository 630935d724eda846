//! Two sessions do what each does alone, as far as is looked, so that what holds of one holds of
//! two within the same bounds.
//!
//! Every step is looked at of every state within small bounds, and within those bounds of the
//! states that walks by chance come to. What each test looked at is printed.

use std::collections::HashSet;

use stateright::Model;
use throughline_cluster::Law;
use throughline_model::{Apart, Bounds, Joined, State, apart, settles};

/// `OnSwapOut`: state is written at swap-out.
const R: bool = false;
/// `EveryTurn`: every turn is committed.
const C: bool = true;

/// Walks in each test.
const WALKS: u64 = 2_000;

/// Steps of a walk: more than the longest way to a new state of one session has.
const STEPS: usize = 120;

/// All that one session has at once: three nodes, two faults, three attempts, four messages each.
fn bounds(clients: &[bool]) -> Bounds {
    let mut bounds = Bounds::calm(Law::default(), 3, clients).faults(2);
    bounds.attempts = 3;
    bounds
}

/// Walks by chance; in each state every step is looked at, and where it ends everything settles.
fn walk(bounds: &Bounds) -> Result<(usize, Apart), Box<Joined>> {
    let mut seen: HashSet<State> = HashSet::new();
    let mut count = Apart::default();
    for seed in 0..WALKS {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut state = bounds.init_states().remove(0);
        for _ in 0..STEPS {
            let mut following = apart(bounds, &state, &mut count)?;
            if following.is_empty() {
                break;
            }
            seen.insert(state);
            state = following.swap_remove(rng.usize(..following.len()));
        }
        // No property of a step: it is tried from where the walk has come to.
        settles(bounds, &state).unwrap_or_else(|last| panic!("walk {seed} ends in {last:?}"));
    }
    Ok((seen.len(), count))
}

fn are_apart(name: &str, bounds: &Bounds) {
    let (states, count) = walk(bounds).unwrap_or_else(|joined| panic!("{name}: {joined:?}"));
    println!("{name}: {states} states, {} steps, {} seen by a session", count.steps, count.seen);
    assert!(count.seen > 100_000, "the walks went nowhere: {count:?}");
}

/// Goes to every state.
fn spread(name: &str, bounds: &Bounds) {
    let mut count = Apart::default();
    let mut waiting = bounds.init_states();
    let mut seen: HashSet<State> = waiting.iter().cloned().collect();
    while let Some(state) = waiting.pop() {
        let following = apart(bounds, &state, &mut count);
        for next in following.unwrap_or_else(|joined| panic!("{name}: {joined:?}")) {
            if seen.insert(next.clone()) {
                waiting.push(next);
            }
        }
    }
    let states = seen.len();
    println!("{name}: all {states} states, {} steps, {} seen", count.steps, count.seen);
}

#[test]
fn in_every_state_within_small_bounds_two_sessions_do_what_each_does_alone() {
    let calm = |clients: &[bool]| Bounds::calm(Law::default(), 2, clients);
    let with_a_fault = |clients: &[bool]| Bounds { attempts: 1, ..calm(clients).faults(1) };
    spread("one attempt, a fault, OnSwapOut", &with_a_fault(&[R, R]));
    spread("one attempt, a fault, one of each mode", &with_a_fault(&[R, C]));
    spread("two attempts, OnSwapOut", &Bounds { messages: 2, turns: 0, ..calm(&[R, R]) });
}

#[test]
fn two_sessions_do_what_each_does_alone() {
    are_apart("OnSwapOut", &bounds(&[R, R]));
}

#[test]
fn two_sessions_that_commit_every_turn_do_what_each_does_alone() {
    are_apart("EveryTurn", &bounds(&[C, C]));
}

#[test]
fn a_session_of_each_mode_does_what_it_does_alone_in_a_drain() {
    let mut bounds = bounds(&[R, C]);
    bounds.left.drains = 1;
    bounds.sweep = true;
    are_apart("both, a drain", &bounds);
}

/// What two sessions can take from each other is seen to be taken.
#[test]
fn two_sessions_for_one_key_are_not_apart() {
    let mut bounds = bounds(&[R, R]);
    bounds.keys = true;
    let joined = walk(&bounds).unwrap_err();
    println!("one key: {joined:?}");
    assert!(matches!(*joined, Joined::Step { .. }));
}
