//! Reminders of VActors, in virtual time.

use std::time::Duration;

use throughline_testing::TestCluster;
use throughline_vactor::prelude::*;

use crate::{cluster::*, kinds::*};

fn reminded(cluster: &TestCluster, n: usize, key: &'static str) -> Vec<String> {
    let node = cluster.node(n);
    cluster.run(async move { node.ask(&Vault::at(key), Reminded {}).await }).unwrap()
}

fn remind(cluster: &TestCluster, n: usize, key: &'static str, after_ms: u64) {
    let node = cluster.node(n);
    cluster.run(async move { node.ask(&Vault::at(key), Remind { after_ms }).await }).unwrap();
}

/// Whenever between two looks at the store it leaves, and however far off its time is.
#[test]
fn a_reminder_of_one_that_left_before_it_comes_within_100_ms_of_its_time() {
    let soon = (0..10).map(|round| 120 + 70 * round);
    for (round, after_ms) in soon.chain([5_000, 61_000]).enumerate() {
        let cluster = cluster(2);
        // Another part of a beat for each.
        cluster.advance(Duration::from_millis(37 * round as u64));
        let node = cluster.node(0);
        cluster.run(async move {
            let counter = Counter::at("a");
            node.ask(&counter, Remind { after_ms }).await.unwrap();
            node.ask(&counter, Leave {}).await.unwrap();
        });
        let count = || cluster.node(0).vactor_count() + cluster.node(1).vactor_count();
        cluster.advance(Duration::from_millis(60));
        assert_eq!(count(), 0, "it has left");
        cluster.advance(Duration::from_millis(after_ms - 60 - 10));
        assert_eq!(count(), 0, "it was woken before its time, {after_ms} ms after it was asked");
        cluster.advance(Duration::from_millis(10 + 100));
        assert_eq!(count(), 1, "it was woken, {after_ms} ms after it was asked");
    }
}

/// Whichever of the two looks after it, and whenever between two of their looks the node drains.
#[test]
fn a_reminder_of_one_whose_node_drains_before_it_comes_within_100_ms_of_its_time() {
    for (round, after_ms) in (0..20).map(|round| 150 + 40 * round).enumerate() {
        let cluster = cluster(2);
        // Another part of a beat for each.
        cluster.advance(Duration::from_millis(37 * round as u64));
        let node = cluster.node(0);
        cluster.run(async move {
            let counter = Counter::at("a");
            node.ask(&counter, Remind { after_ms }).await.unwrap();
            node.ask(&counter, Leave {}).await.unwrap();
        });
        let began = cluster.elapsed();
        cluster.advance(Duration::from_millis(60));
        let (drained, other) = (round % 2, 1 - round % 2);
        cluster.begin_drain(drained);
        let due = Duration::from_millis(after_ms + 100);
        cluster.advance(due - (cluster.elapsed() - began));
        assert_eq!(cluster.node(other).vactor_count(), 1, "{after_ms} ms after it was asked");
        cluster.wait_until_gone(drained);
        let node = cluster.node(other);
        let told = cluster.run(async move { node.ask(&Counter::at("a"), Reminded {}).await });
        assert_eq!(told.unwrap(), ["turn"], "{after_ms} ms after it was asked");
    }
}

#[test]
fn a_reminder_comes_to_a_vactor_that_is_swapped_out_also_after_every_node_was_restarted() {
    let cluster = cluster(2);
    let node = cluster.node(0);
    let set = async move { node.ask(&Counter::at("a"), Remind { after_ms: 600_000 }).await };
    cluster.run(set).unwrap();
    // Idle: it is swapped out.
    cluster.advance(Duration::from_secs(120));
    for n in 0..2 {
        assert!(cluster.drain(n).is_clean());
        cluster.start(n);
    }
    cluster.advance(Duration::from_secs(470));
    let node = cluster.node(1);
    let asked = node.clone();
    let before = cluster.run(async move { asked.ask(&Counter::at("a"), Reminded {}).await });
    assert_eq!(before.unwrap(), Vec::<String>::new());
    cluster.advance(Duration::from_secs(15));
    let after = cluster.run(async move { node.ask(&Counter::at("a"), Reminded {}).await });
    assert_eq!(after.unwrap(), ["turn"]);
}

#[test]
fn what_becomes_of_ticks_that_nobody_was_there_for_is_as_was_said() {
    let cluster = cluster(1);
    let node = cluster.node(0);
    let set = async move {
        for missed in ["one", "all", "skip"] {
            let every = Every { after_ms: 10_000, missed: missed.to_owned() };
            node.ask(&Counter::at(missed), every).await.unwrap();
        }
    };
    cluster.run(set);
    cluster.advance(Duration::from_secs(4));
    assert!(cluster.drain(0).is_clean());
    // Six ticks come and go.
    cluster.advance(Duration::from_secs(60));
    cluster.start(0);
    let ticks = |key: &'static str| {
        let node = cluster.node(0);
        cluster.run(async move { node.ask(&Counter::at(key), Reminded {}).await }).unwrap().len()
    };
    cluster.advance(Duration::from_secs(2));
    assert_eq!((ticks("one"), ticks("all"), ticks("skip")), (1, 6, 0));
    cluster.advance(Duration::from_secs(10));
    assert_eq!((ticks("one"), ticks("all"), ticks("skip")), (2, 7, 1));
}

#[test]
fn a_reminder_outlives_the_node_that_began_its_vactor_for_it() {
    let cluster = cluster(3);
    remind(&cluster, 0, "slow", 200_000);
    // Swapped out, then begun for its reminder, which takes it five seconds.
    cluster.advance(Duration::from_secs(202));
    let begins = (0..3).find(|n| cluster.node(*n).vactor_count() > 0).expect("it begins");
    cluster.kill(begins);
    cluster.advance(Duration::from_secs(30));
    let n = (begins + 1) % 3;
    assert_eq!(reminded(&cluster, n, "slow"), ["turn"]);
}

#[test]
fn a_reminder_whose_turn_could_not_be_committed_comes_again() {
    let cluster = cluster(1);
    remind(&cluster, 0, "v", 5_000);
    cluster.advance(Duration::from_millis(4_900));
    cluster.cut_store(0);
    cluster.advance(Duration::from_millis(800));
    cluster.heal_store(0);
    cluster.advance(Duration::from_secs(5));
    assert_eq!(reminded(&cluster, 0, "v"), ["turn"]);
}
