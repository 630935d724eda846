//! A node that plays on while the store is away is never one that was declared dead: in every
//! state within the bounds, and not without any one of the checks. What each run covered is
//! printed; `docs/cluster.md` has the figures.

use stateright::{Checker, Model};
use throughline_model::{OutageBounds, Without};

fn run(bounds: OutageBounds) -> impl Checker<OutageBounds> {
    bounds.checker().threads(2).spawn_dfs().join()
}

fn bounds(nodes: usize, ticks: u8, changes: u8) -> OutageBounds {
    OutageBounds { nodes, more: 1, ticks, changes, without: Without::Nothing }
}

fn holds(name: &str, bounds: &OutageBounds) {
    let checker = run(bounds.clone());
    checker.assert_properties();
    assert!(checker.is_done(), "{name}: not exhaustive");
    println!(
        "{name}: {} states, {} transitions, depth {}; {} nodes and {} that join, {} ticks, {} \
         changes",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        bounds.nodes,
        bounds.more,
        bounds.ticks,
        bounds.changes,
    );
}

#[test]
fn who_plays_on_is_not_dead_among_two_nodes_and_one_that_joins() {
    holds("playing on, two nodes", &bounds(2, 20, 3));
}

#[test]
fn who_plays_on_is_not_dead_among_three_nodes_and_one_that_joins() {
    holds("playing on, three nodes", &bounds(3, 20, 2));
}

/// It is alone at first, so its first beats do not say that it plays on; one of them is late.
#[test]
fn who_plays_on_is_not_dead_among_a_node_and_those_that_join() {
    let bounds = OutageBounds { more: 2, ..bounds(1, 20, 3) };
    holds("playing on, one node", &bounds);
}

#[test]
fn without_any_one_of_its_checks_a_node_plays_on_that_is_dead() {
    let checks =
        [Without::Stranger, Without::Silence, Without::Counted, Without::Marked, Without::Limit];
    for without in checks {
        let checker = run(OutageBounds { without, ..bounds(2, 22, 3) });
        let found = checker.discovery("nobody acts that may be taken from");
        assert!(found.is_some(), "without {without:?} nothing is found");
        println!("without {without:?}: found after {} states", checker.unique_state_count());
    }
}
