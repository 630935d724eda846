//! What a node does while nobody reaches the store, and while it alone does not.

use core::time::Duration;

use throughline_cluster::{LeaseConfig, MemberAction, NodeState};

use crate::{
    lease::{Cluster, TICK},
    store::member,
};

const LIMIT: Duration = Duration::from_secs(20);

/// Nodes that know each other, and play on.
fn joined(count: u32) -> Cluster {
    let mut cluster =
        Cluster::with(count, LeaseConfig { play_on: LIMIT, ..LeaseConfig::default() });
    cluster.run(Duration::from_secs(3));
    cluster
}

fn cut_off(cluster: &mut Cluster, nodes: impl IntoIterator<Item = usize>, is_cut: bool) {
    for node in nodes {
        cluster.nodes[node].cut_off = is_cut;
    }
}

/// For how long this node acts, `within` at most; whether it is declared dead meanwhile is seen.
fn acts_for(cluster: &mut Cluster, node: usize, within: Duration) -> Duration {
    let began = cluster.now;
    while cluster.acts(node) && cluster.now.since(began) < within {
        let name = cluster.nodes[node].core.me().member;
        assert_ne!(cluster.state(name), Some(NodeState::Dead), "it acts, and may be taken from");
        cluster.run(TICK);
    }
    cluster.now.since(began)
}

#[test]
fn while_nobody_reaches_the_store_all_play_on_and_then_go_on() {
    let mut cluster = joined(3);
    cut_off(&mut cluster, 0..3, true);
    for _ in 0..300 {
        cluster.run(TICK);
        assert!((0..3).all(|node| cluster.acts(node)));
    }
    cut_off(&mut cluster, 0..3, false);
    for _ in 0..300 {
        cluster.run(TICK);
        assert!((0..3).all(|node| cluster.acts(node)));
    }
    assert!(cluster.nodes.iter().all(|node| node.events == [MemberAction::Joined]));
}

#[test]
fn an_outage_longer_than_the_limit_stops_all_and_kills_nobody() {
    let mut cluster = joined(3);
    cut_off(&mut cluster, 0..3, true);
    let acted = acts_for(&mut cluster, 0, LIMIT * 2);
    let lease = LeaseConfig::default();
    let most = lease.term - lease.margin + LIMIT;
    assert!(acted <= most && acted + lease.beat * 2 >= most, "{acted:?}, not {most:?}");
    cluster.run(LIMIT);
    assert!((0..3).all(|node| !cluster.acts(node)));
    cut_off(&mut cluster, 0..3, false);
    cluster.run(Duration::from_secs(1));
    assert!((0..3).all(|node| cluster.acts(node)), "nobody was there to declare it dead");
}

#[test]
fn a_node_that_is_cut_off_alone_stops_before_it_is_dead() {
    let mut cluster = joined(3);
    cut_off(&mut cluster, [1], true);
    let acted = acts_for(&mut cluster, 1, LIMIT);
    assert!(acted <= LeaseConfig::default().term, "{acted:?}");
    cluster.run(Duration::from_secs(3));
    assert_eq!(cluster.state(member(2, 1)), Some(NodeState::Dead));
}

#[test]
fn a_node_that_one_does_not_answer_stops_with_what_that_one_said_last() {
    let mut cluster = joined(3);
    cut_off(&mut cluster, 0..3, true);
    cluster.run(Duration::from_secs(8));
    assert!(cluster.acts(0));
    cluster.nodes[2].silent = true;
    let acted = acts_for(&mut cluster, 0, LIMIT);
    assert!(acted <= LeaseConfig::default().term, "{acted:?}");
    cluster.nodes[2].silent = false;
    cluster.run(TICK * 2);
    assert!(cluster.acts(0), "it answers again, and has counted nothing");
}

/// Two that are cut off together confirm each other; one that they do not know waits longer.
#[test]
fn a_node_that_joined_during_the_outage_waits_for_the_limit_too() {
    let mut cluster = joined(2);
    cut_off(&mut cluster, 0..2, true);
    cluster.add();
    cluster.run(Duration::from_secs(10));
    assert!(cluster.acts(0) && cluster.acts(1) && cluster.acts(2));
    for node in 0..2 {
        acts_for(&mut cluster, node, LIMIT * 2);
        assert!(!cluster.acts(node));
    }
    cluster.run(LIMIT);
    for node in 1..=2 {
        assert_eq!(cluster.state(member(node, 1)), Some(NodeState::Dead));
    }
}

/// It may land at any time, over one that says it: then a stranger would not wait.
#[test]
fn a_node_whose_beat_that_does_not_say_it_is_in_doubt_never_plays_on() {
    let mut cluster = joined(1);
    cluster.nodes[0].cut_off = true;
    cluster.run(Duration::from_millis(600));
    cluster.nodes[0].cut_off = false;
    cluster.add();
    cluster.run(Duration::from_secs(3));
    assert_eq!(cluster.nodes[1].core.asks().collect::<Vec<_>>(), [member(1, 1)]);
    assert_eq!(cluster.nodes[0].core.asks().count(), 0);
    cut_off(&mut cluster, 0..2, true);
    let acted = acts_for(&mut cluster, 0, LIMIT);
    assert!(acted <= LeaseConfig::default().term, "{acted:?}");
    assert!(cluster.acts(1));
}

/// It is alone: nobody could confirm anything, and whoever comes after it need not wait.
#[test]
fn a_node_without_others_acts_by_its_lease_alone() {
    let mut cluster = joined(1);
    cut_off(&mut cluster, [0], true);
    let acted = acts_for(&mut cluster, 0, LIMIT);
    assert!(acted <= LeaseConfig::default().term, "{acted:?}");
    cluster.nodes[0].frozen = true;
    cluster.add();
    cluster.run(Duration::from_secs(6));
    assert_eq!(cluster.state(member(1, 1)), Some(NodeState::Dead));
}

#[test]
fn a_node_that_has_died_ends_nobodys_playing_on() {
    let mut cluster = joined(3);
    cluster.nodes[2].frozen = true;
    cluster.run(Duration::from_secs(8));
    assert_eq!(cluster.state(member(3, 1)), Some(NodeState::Dead));
    cut_off(&mut cluster, 0..2, true);
    let acted = acts_for(&mut cluster, 0, LIMIT / 2);
    assert_eq!(acted, LIMIT / 2);
}

/// One whose death was asked for may be dead at any time, whatever is counted afterwards.
#[test]
fn who_was_to_be_declared_dead_is_told_nothing_good_until_it_beats_again() {
    let mut cluster = joined(2);
    let name = cluster.nodes[1].core.me().member;
    cluster.nodes[0].loses_marks = true;
    cluster.nodes[1].cut_off = true;
    let counted = |cluster: &Cluster| cluster.nodes[0].core.counted(name, cluster.now);
    let mut last = Some(Duration::ZERO);
    for _ in 0..200 {
        cluster.run(TICK);
        last = counted(&cluster).or(last);
    }
    assert!(last.is_some_and(|last| last + TICK >= LeaseConfig::default().term), "{last:?}");
    assert_eq!(cluster.state(name), Some(NodeState::Alive));
    assert_eq!(counted(&cluster), None);
    // Now it counts anew, and what it sent is still on its way.
    cluster.nodes[0].cut_off = true;
    cluster.run(Duration::from_secs(1));
    assert_eq!(counted(&cluster), None);
    cut_off(&mut cluster, 0..2, false);
    cluster.run(Duration::from_secs(2));
    assert!(counted(&cluster).is_some_and(|counted| counted <= Duration::from_secs(1)));
}
