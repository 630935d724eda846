//! The last turn before a VActor leaves memory, in virtual time.

mod kinds;

use std::time::Duration;

use throughline_testing::TestCluster;
use throughline_vactor::Vactors;

use crate::{
    kinds::Nobody,
    peers::{asked, moves},
};
use kinds::*;

const SECOND: Duration = Duration::from_secs(1);

fn cluster() -> TestCluster {
    let cluster = TestCluster::builder(3)
        .start(|node| node.sessions::<Nobody>().vactors::<Guest>().vactors::<Owner>());
    cluster.advance(SECOND);
    cluster
}

fn seen<V: Lodger>(cluster: &TestCluster, n: usize, key: &str) -> Vec<String> {
    asked::<V, _>(cluster, n, key, Seen {}).unwrap()
}

fn refuses<V: Lodger>(cluster: &TestCluster, n: usize, refuses: bool) {
    asked::<V, _>(cluster, n, "a", Refuse { refuses }).unwrap();
}

fn counts(cluster: &TestCluster) -> [usize; 3] {
    [0, 1, 2].map(|n| cluster.node(n).vactor_count())
}

fn hears_why_it_leaves<V: Lodger>() {
    let cluster = cluster();
    seen::<V>(&cluster, 0, "a");
    cluster.advance(IDLE + SECOND);
    assert_eq!(counts(&cluster), [0, 0, 0]);
    assert_eq!(seen::<V>(&cluster, 0, "a"), ["Idle"]);
    asked::<V, _>(&cluster, 0, "a", Leave {}).unwrap();
    cluster.advance(SECOND);
    assert_eq!(counts(&cluster), [0, 0, 0]);
    assert_eq!(seen::<V>(&cluster, 0, "a"), ["Idle", "Idle"], "it has asked for it");
    moves::<V>(&cluster, "a", 1);
    assert_eq!(counts(&cluster), [0, 1, 0]);
    assert_eq!(seen::<V>(&cluster, 1, "a"), ["Idle", "Idle", "Moves"]);
    for key in ["b", "c", "d", "e"] {
        seen::<V>(&cluster, 1, key);
    }
    cluster.advance(SECOND);
    assert_eq!(counts(&cluster), [0, 4, 0], "others need its room");
    assert_eq!(seen::<V>(&cluster, 2, "a"), ["Idle", "Idle", "Moves", "Idle"]);
    assert!(cluster.drain(2).is_clean());
    let all = seen::<V>(&cluster, 0, "a");
    assert_eq!(all, ["Idle", "Idle", "Moves", "Idle", "Drain"]);
}

#[test]
fn a_vactor_hears_why_it_leaves_and_what_it_then_changes_lasts() {
    hears_why_it_leaves::<Guest>();
    hears_why_it_leaves::<Owner>();
}

fn stays_while_it_fails<V: Lodger>() {
    TRIED.take();
    let cluster = cluster();
    refuses::<V>(&cluster, 0, true);
    moves::<V>(&cluster, "a", 1);
    asked::<V, _>(&cluster, 0, "a", Leave {}).unwrap();
    cluster.advance(IDLE + SECOND);
    assert_eq!(counts(&cluster), [1, 0, 0]);
    assert_eq!(TRIED.take(), ["Moves", "Idle", "Idle"], "each was tried, and tried once");
    assert!(seen::<V>(&cluster, 2, "a").is_empty(), "a turn that failed has no effect");
    refuses::<V>(&cluster, 0, false);
    moves::<V>(&cluster, "a", 1);
    assert_eq!(counts(&cluster), [0, 1, 0]);
    assert_eq!(seen::<V>(&cluster, 1, "a"), ["Moves"]);
}

#[test]
fn a_vactor_whose_last_turn_fails_stays_as_it_was() {
    stays_while_it_fails::<Guest>();
    stays_while_it_fails::<Owner>();
}

fn keeps_its_node<V: Lodger>() {
    let cluster = cluster();
    refuses::<V>(&cluster, 0, true);
    cluster.begin_drain(0);
    cluster.advance(SECOND * 10);
    assert!(cluster.is_up(0), "it is still there");
    assert!(seen::<V>(&cluster, 1, "a").is_empty());
    refuses::<V>(&cluster, 1, false);
    cluster.wait_until_gone(0);
    assert_eq!(seen::<V>(&cluster, 1, "a"), ["Drain"]);
}

#[test]
fn a_node_that_drains_waits_for_a_vactor_whose_last_turn_fails() {
    keeps_its_node::<Guest>();
    keeps_its_node::<Owner>();
}

fn leaves_a_reminder_and_a_word<V: Lodger>() {
    let cluster = cluster();
    asked::<V, _>(&cluster, 0, "parent", Leave {}).unwrap();
    cluster.advance(SECOND);
    assert_eq!(counts(&cluster), [1, 0, 0], "the heir has begun, and the parent has left");
    assert_eq!(seen::<V>(&cluster, 0, "heir"), ["inherited"]);
    cluster.advance(SECOND * 3);
    assert_eq!(counts(&cluster).iter().sum::<usize>(), 2, "it was woken");
    assert_eq!(seen::<V>(&cluster, 0, "parent"), ["Idle", "back"]);
}

#[test]
fn what_a_vactor_tells_and_is_to_be_reminded_of_when_it_leaves_comes() {
    leaves_a_reminder_and_a_word::<Guest>();
    leaves_a_reminder_and_a_word::<Owner>();
}

fn forgets_itself_when_it_leaves<V: Lodger>() {
    let cluster = cluster();
    let mut at = 0;
    // Idle, since it asked for it, moved, and drained.
    for round in 0..4 {
        let empty = seen::<V>(&cluster, at, LEAVES_NOTHING);
        assert!(empty.is_empty(), "round {round}: {empty:?}");
        match round {
            0 => cluster.advance(IDLE + SECOND),
            1 => asked::<V, _>(&cluster, at, LEAVES_NOTHING, Leave {}).unwrap(),
            2 => moves::<V>(&cluster, LEAVES_NOTHING, 1),
            _ => {
                let report = cluster.drain(at);
                assert!(report.is_clean(), "{report:?}");
                at = 1;
            }
        }
        cluster.advance(SECOND);
        let here: usize =
            (0..3).filter(|n| cluster.is_up(*n)).map(|n| cluster.node(n).vactor_count()).sum();
        assert_eq!(here, 0, "round {round}: it is nowhere");
    }
    let empty = seen::<V>(&cluster, at, LEAVES_NOTHING);
    assert!(empty.is_empty(), "{empty:?}");
}

#[test]
fn a_vactor_that_forgets_itself_in_its_last_turn_is_deleted_wherever_it_was_to_go() {
    forgets_itself_when_it_leaves::<Guest>();
    forgets_itself_when_it_leaves::<Owner>();
}
