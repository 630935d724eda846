//! Reminders of VActors, in virtual time.

mod own;

use std::time::Duration;

use throughline_testing::TestCluster;
use throughline_vactor::prelude::*;

use crate::{cluster::*, kinds::*, peers::asked};
use own::{Bell, Chime, GROW, GROWN, Ring, Rings, Rung, Tick};

fn reminded(cluster: &TestCluster, n: usize, key: &'static str) -> Vec<String> {
    let node = cluster.node(n);
    cluster.run(async move { node.ask(&Vault::at(key), Reminded {}).await }).unwrap()
}

fn remind(cluster: &TestCluster, n: usize, key: &'static str, after_ms: u64) {
    let node = cluster.node(n);
    cluster.run(async move { node.ask(&Vault::at(key), Remind { after_ms }).await }).unwrap();
}

/// Nodes of kinds that note when they are reminded.
fn tower(nodes: usize) -> TestCluster {
    TestCluster::new(nodes, |node| node.sessions::<Nobody>().vactors::<Bell>().vactors::<Chime>())
}

/// Sets a reminder; when it is due.
fn ring<V: Rings>(cluster: &TestCluster, key: &str, name: &str, after_ms: u64) -> u64 {
    asked::<V, _>(cluster, 0, key, Ring { name: name.to_owned(), after_ms }).unwrap()
}

/// Its one reminder has come, at its time.
fn came_in_time<V: Rings>(cluster: &TestCluster, n: usize, due: u64) {
    let rung = asked::<V, _>(cluster, n, "a", Rung {}).unwrap();
    let late = rung.iter().map(|at| at.checked_sub(due)).collect::<Vec<_>>();
    assert!(matches!(late[..], [Some(0..=100)]), "late by {late:?} ms");
}

/// Whenever between two looks at the store it leaves, and however far off its time is.
#[test]
fn a_reminder_of_one_that_left_before_it_comes_within_100_ms_of_its_time() {
    let soon = (0..10).map(|round| 120 + 70 * round);
    for (round, after_ms) in soon.chain([5_000, 61_000]).enumerate() {
        let cluster = tower(2);
        // Another part of a beat for each.
        cluster.advance(Duration::from_millis(37 * round as u64));
        let due = ring::<Bell>(&cluster, "a", "turn", after_ms);
        asked::<Bell, _>(&cluster, 0, "a", own::Leave {}).unwrap();
        let count = || cluster.node(0).vactor_count() + cluster.node(1).vactor_count();
        cluster.advance(Duration::from_millis(60));
        assert_eq!(count(), 0, "it has left");
        let left = due - cluster.wall_ms();
        cluster.advance(Duration::from_millis(left - 10));
        assert_eq!(count(), 0, "it was woken before its time, {after_ms} ms after it was asked");
        cluster.advance(Duration::from_millis(10 + 200));
        came_in_time::<Bell>(&cluster, 1, due);
    }
}

/// Whichever of the two looks after it, and whenever between two of their looks the node drains.
#[test]
fn a_reminder_of_one_whose_node_drains_before_it_comes_within_100_ms_of_its_time() {
    for (round, after_ms) in (0..20).map(|round| 150 + 40 * round).enumerate() {
        let cluster = tower(2);
        // Another part of a beat for each.
        cluster.advance(Duration::from_millis(37 * round as u64));
        let due = ring::<Bell>(&cluster, "a", "turn", after_ms);
        asked::<Bell, _>(&cluster, 0, "a", own::Leave {}).unwrap();
        cluster.advance(Duration::from_millis(60));
        let (drained, other) = (round % 2, 1 - round % 2);
        cluster.begin_drain(drained);
        let left = (due + 200).saturating_sub(cluster.wall_ms());
        cluster.advance(Duration::from_millis(left));
        came_in_time::<Bell>(&cluster, other, due);
        cluster.wait_until_gone(drained);
        came_in_time::<Bell>(&cluster, other, due);
    }
}

#[test]
fn reminders_that_are_due_soon_do_not_hold_up_the_drain_of_their_node() {
    let cluster = tower(2);
    let node = cluster.node(0);
    cluster.run(async move {
        let node = &node;
        let parked = (0..400).map(|key| async move {
            let bell = Bell::at(format!("parked {key}"));
            let ring = Ring { name: "turn".to_owned(), after_ms: 5_000 };
            node.ask(&bell, ring).await.unwrap();
            node.ask(&bell, own::Leave {}).await.unwrap();
        });
        futures_util::future::join_all(parked).await
    });
    cluster.advance(Duration::from_millis(4_000));
    asked::<Bell, _>(&cluster, 0, "here", own::Begun {}).unwrap();
    assert_eq!(cluster.node(0).vactor_count(), 1);
    cluster.begin_drain(0);
    cluster.advance(Duration::from_millis(50));
    assert!(!cluster.is_up(0) || cluster.node(0).vactor_count() == 0, "it has left at once");
    cluster.wait_until_gone(0);
    assert_ne!(cluster.node(1).vactor_count(), 0, "what is due soon has begun elsewhere");
}

#[test]
fn a_reminder_whose_turn_makes_the_state_too_large_is_set_aside_after_three_tries() {
    GROWN.take();
    let cluster = tower(1);
    let due = ring::<Chime>(&cluster, "a", "turn", 3_000);
    ring::<Chime>(&cluster, "a", GROW, 1_000);
    cluster.advance(Duration::from_secs(5));
    assert_eq!(GROWN.take(), 3);
    came_in_time::<Chime>(&cluster, 0, due);
    assert!(cluster.drain(0).is_clean());
    cluster.start(0);
    cluster.advance(Duration::from_secs(5));
    came_in_time::<Chime>(&cluster, 0, due);
    assert_eq!(GROWN.take(), 0, "it does not come back");
}

#[test]
fn p9_of_many_ticks_that_nobody_was_there_for_the_latest_1000_come_and_asks_go_between_them() {
    let cluster = tower(1);
    asked::<Chime, _>(&cluster, 0, "a", Tick { every_ms: 100 }).unwrap();
    assert!(cluster.drain(0).is_clean());
    cluster.advance(Duration::from_secs(600));
    cluster.start(0);
    let rung = || asked::<Chime, _>(&cluster, 0, "a", Rung {}).unwrap().len();
    for ask in 1..=20 {
        let came = rung();
        assert!(came <= ask * 4, "{came} ticks went before ask {ask}");
    }
    let wall_ms = cluster.wall_ms();
    cluster.advance(Duration::from_secs(60));
    let since = usize::try_from((cluster.wall_ms() - wall_ms) / 100).unwrap();
    let caught_up = rung() - since;
    // Some came while the node started.
    assert!((1_000..1_100).contains(&caught_up), "{caught_up} ticks were caught up");
}

#[test]
fn p9_who_lives_on_messages_and_reminders_is_no_less_used_than_who_is_asked() {
    let cluster = tower(1);
    let node = cluster.node(0);
    for key in ["told", "reminded", "asked", "idle"] {
        ring::<Bell>(&cluster, key, "turn", if key == "reminded" { 1_000 } else { 1_000_000 });
        cluster.advance(Duration::from_millis(100));
    }
    cluster.advance(Duration::from_secs(2));
    cluster.run(async move {
        let ring = Ring { name: "turn".to_owned(), after_ms: 1_000_000 };
        (&*node).tell_reliable(&Bell::at("told"), &ring, DAY).await.unwrap();
    });
    cluster.advance(Duration::from_secs(1));
    // Two must go.
    for key in ["more", "most"] {
        ring::<Bell>(&cluster, key, "turn", 1_000_000);
        cluster.advance(Duration::from_secs(1));
    }
    let begun = |key| asked::<Bell, _>(&cluster, 0, key, own::Begun {}).unwrap();
    assert_eq!((begun("told"), begun("reminded")), (1, 1));
    assert_eq!((begun("asked"), begun("idle")), (2, 2));
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
