//! Leases: who may act, who is dead, who comes back.

use core::time::Duration;
use std::sync::Arc;

use throughline_cluster::{
    Law, LeaseConfig, Member, MemberAction, Membership, NodeState, Outcome, Row, StepName, Value,
};
use throughline_link::Instant;

use crate::store::{Store, info, member};

pub(crate) const TICK: Duration = Duration::from_millis(50);

pub(crate) struct Node {
    pub(crate) core: Membership,
    pub(crate) frozen: bool,
    /// Its commits are answered with an error, and do not land.
    pub(crate) cut_off: bool,
    /// The store does not get the commits by which it declares others dead, nor does it hear so.
    pub(crate) loses_marks: bool,
    /// It answers no other node.
    pub(crate) silent: bool,
    pub(crate) events: Vec<MemberAction>,
    wall_off_ms: u64,
}

pub(crate) struct Cluster {
    pub(crate) store: Store,
    pub(crate) nodes: Vec<Node>,
    pub(crate) now: Instant,
    config: LeaseConfig,
}

impl Cluster {
    fn new(count: u32) -> Self {
        Self::with(count, LeaseConfig::default())
    }

    pub(crate) fn with(count: u32, config: LeaseConfig) -> Self {
        let now = Instant::from_micros(1_000_000);
        let mut cluster = Self { store: Store::default(), nodes: Vec::new(), now, config };
        for _ in 0..count {
            cluster.add();
        }
        cluster
    }

    /// One more node.
    pub(crate) fn add(&mut self) {
        let n = u32::try_from(self.nodes.len()).map_or(u32::MAX, |before| before + 1);
        self.nodes.push(Node {
            core: Membership::new(member(n, 1), Arc::new(info(n)), self.config, self.now),
            frozen: false,
            cut_off: false,
            loses_marks: false,
            silent: false,
            events: Vec::new(),
            wall_off_ms: 0,
        });
    }

    /// A node whose beats do not get through asks the others.
    fn ask(&mut self, index: usize) {
        let now = self.now;
        let core = &self.nodes[index].core;
        let me = core.me().member;
        if core.last_beat().is_none_or(|at| now.since(at) < self.config.beat * 2) {
            return;
        }
        let asked: Vec<_> = core.asks().collect();
        for member in asked {
            let there = |node: &&Node| node.core.me().member == member;
            let other = self.nodes.iter().find(there).filter(|o| !o.frozen && !o.silent);
            if let Some(counted) = other.map(|other| other.core.counted(me, now)) {
                self.nodes[index].core.handle_counted(member, now, counted);
            }
        }
    }

    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now = self.now + TICK;
            for index in 0..self.nodes.len() {
                self.step(index);
            }
        }
    }

    fn step(&mut self, index: usize) {
        if self.nodes[index].frozen {
            return;
        }
        self.ask(index);
        let Self { store, nodes, now, .. } = self;
        let node = &mut nodes[index];
        let wall = now.as_micros() / 1_000 + node.wall_off_ms;
        if node.core.poll_timeout().is_some_and(|at| at <= *now) {
            node.core.handle_timeout(*now, wall);
        }
        while let Some(action) = node.core.poll_action() {
            match action {
                MemberAction::Commit(step) => {
                    let is_lost = node.loses_marks && step.name == StepName::Mark;
                    let outcome = match node.cut_off || is_lost {
                        true => Outcome::Unknown,
                        false => store.commit(&step.commit),
                    };
                    node.core.handle_commit(step.name, outcome, *now);
                }
                MemberAction::Read if node.cut_off => node.core.handle_read_failed(),
                MemberAction::Read => {
                    let entries = store.entries(node.core.me().member.node);
                    node.core.handle_entries(&entries, *now, wall);
                }
                event => node.events.push(event),
            }
        }
    }

    pub(crate) fn state(&self, member: Member) -> Option<NodeState> {
        self.store.entry(member).standing.map(|standing| standing.state)
    }

    pub(crate) fn acts(&self, index: usize) -> bool {
        self.nodes[index].core.may_act(self.now)
    }
}

fn joined(count: u32) -> Cluster {
    let mut cluster = Cluster::new(count);
    cluster.run(Duration::from_secs(2));
    assert!((0..cluster.nodes.len()).all(|n| cluster.acts(n)), "all have joined");
    cluster
}

#[test]
fn a_quiet_cluster_stays_as_it_is() {
    let mut cluster = joined(3);
    cluster.run(Duration::from_secs(60));
    for node in 1..=3 {
        assert_eq!(cluster.state(member(node, 1)), Some(NodeState::Alive));
    }
    assert!(cluster.nodes.iter().all(|node| node.events == [MemberAction::Joined]));
}

#[test]
fn a_stopped_node_is_dead_to_itself_before_it_is_to_others() {
    let mut cluster = joined(2);
    cluster.nodes[1].frozen = true;
    let mut gone = false;
    for _ in 0..200 {
        cluster.run(TICK);
        gone |= cluster.state(member(2, 1)) == Some(NodeState::Dead);
        assert!(!(gone && cluster.acts(1)), "it acts while others may take what it owns");
    }
    assert!(gone, "ten seconds are more than a term");
    assert!(cluster.nodes[0].events.contains(&MemberAction::Gone(member(2, 1))));
    assert_eq!(cluster.nodes[0].core.heard_until(member(2, 1)), None);
}

/// Whenever between two looks of the others it joins.
#[test]
fn a_node_that_stops_when_it_has_joined_has_its_whole_term() {
    for ticks in 0..20 {
        let mut cluster = Cluster::new(3);
        let newcomer = member(3, 1);
        cluster.nodes[2].frozen = true;
        cluster.run(Duration::from_secs(2) + TICK * ticks);
        cluster.nodes[2].frozen = false;
        while cluster.state(newcomer).is_none() {
            cluster.run(TICK);
        }
        cluster.nodes[2].frozen = true;
        let joined = cluster.now;
        while cluster.state(newcomer) != Some(NodeState::Dead) {
            cluster.run(TICK);
        }
        let lived = cluster.now.since(joined);
        assert!(lived >= LeaseConfig::default().term, "declared dead after {lived:?}");
    }
}

/// Also those that have not read yet that it is dead: what it still says comes after the others may
/// have taken what it owned.
#[test]
fn nobody_listens_to_a_silent_node_any_more_when_it_may_be_declared_dead() {
    let mut cluster = joined(3);
    let silent = member(3, 1);
    cluster.nodes[2].frozen = true;
    let mut dead = 0;
    for _ in 0..400 {
        cluster.run(TICK);
        if cluster.state(silent) != Some(NodeState::Dead) {
            continue;
        }
        dead += 1;
        for node in &cluster.nodes[..2] {
            let until = node.core.heard_until(silent);
            assert!(until.is_none_or(|until| until <= cluster.now), "it is heard, and dead");
        }
    }
    assert!(dead > 0, "it is declared dead in time");
}

#[test]
fn a_node_that_wakes_up_dead_is_fenced_and_joins_as_a_new_incarnation() {
    let mut cluster = joined(2);
    cluster.nodes[1].frozen = true;
    cluster.run(Duration::from_secs(10));
    cluster.nodes[1].frozen = false;
    cluster.run(Duration::from_secs(1));
    assert_eq!(cluster.nodes[1].events.last(), Some(&MemberAction::Fenced));
    assert!(!cluster.acts(1));
    let now = cluster.now;
    cluster.nodes[1].core.rejoin(2, now);
    cluster.run(Duration::from_secs(2));
    assert!(cluster.acts(1));
    assert_eq!(cluster.state(member(2, 1)), Some(NodeState::Dead));
    assert_eq!(cluster.state(member(2, 2)), Some(NodeState::Alive));
}

/// Its join was in, though it was told that nobody knows; then it stood still.
#[test]
fn a_node_that_was_forgotten_before_it_knew_that_it_was_in_joins_as_another_incarnation() {
    let mut cluster = Cluster::new(1);
    let me = member(1, 1);
    let now = cluster.now;
    let Cluster { store, nodes, .. } = &mut cluster;
    let core = &mut nodes[0].core;
    core.handle_timeout(now, 0);
    while store.entry(me).standing.is_none() {
        match core.poll_action().expect("it joins") {
            MemberAction::Commit(step) => {
                let outcome = match store.commit(&step.commit) {
                    Outcome::Done if step.name == StepName::Join => Outcome::Unknown,
                    outcome => outcome,
                };
                core.handle_commit(step.name, outcome, now);
            }
            MemberAction::Read => core.handle_entries(&store.entries(me.node), now, 0),
            other => panic!("{other:?}"),
        }
    }
    let beat = store.entries(me.node).nodes[0].1.clone().expect("a join has a beat");
    let dead = Law::default().mark_dead(&store.entry(me), beat).expect("it is alive");
    assert_eq!(store.commit(&dead.commit), Outcome::Done);
    let forgotten = Law::default().forget(&store.entry(me), 0, &[]).expect("it is dead");
    assert_eq!(store.commit(&forgotten.commit), Outcome::Done);
    cluster.run(Duration::from_secs(1));
    assert_eq!(cluster.nodes[0].events, [MemberAction::Fenced]);
    assert_eq!(cluster.state(me), None, "no incarnation lives twice");
}

/// It may have stood still all the time, and speak when it wakes.
#[test]
fn who_was_dead_is_refused_after_its_entry_is_gone_too() {
    let mut cluster = joined(3);
    cluster.nodes[1].frozen = true;
    cluster.run(Duration::from_secs(10));
    let gone = cluster.store.entry(member(2, 1));
    let step = Law::default().forget(&gone, 0, &[]).expect("it is dead and owns nothing");
    assert_eq!(cluster.store.commit(&step.commit), Outcome::Done);
    cluster.run(Duration::from_secs(60));
    for node in [0, 2] {
        let forgotten: Vec<_> = cluster.nodes[node].core.forgotten().collect();
        assert_eq!(forgotten, [member(2, 1)]);
    }
}

#[test]
fn a_store_that_hangs_for_all_kills_nobody() {
    let mut cluster = joined(3);
    cluster.nodes.iter_mut().for_each(|node| node.cut_off = true);
    cluster.run(Duration::from_secs(30));
    assert!((0..3).all(|n| !cluster.acts(n)), "without the store nobody may act");
    cluster.nodes.iter_mut().for_each(|node| node.cut_off = false);
    cluster.run(Duration::from_secs(5));
    assert!((0..3).all(|n| cluster.acts(n)), "all go on");
    assert!((1..=3).all(|n| cluster.state(member(n, 1)) == Some(NodeState::Alive)));
}

#[test]
fn a_node_that_cannot_reach_the_store_stops_acting_within_its_lease() {
    let mut cluster = joined(2);
    cluster.nodes[1].cut_off = true;
    cluster.run(Duration::from_millis(2_600));
    assert!(!cluster.acts(1));
    cluster.run(Duration::from_secs(5));
    assert_eq!(cluster.state(member(2, 1)), Some(NodeState::Dead));
}

#[test]
fn an_observer_that_slept_counts_nothing_of_its_sleep() {
    let mut cluster = joined(2);
    cluster.nodes[0].frozen = true;
    cluster.nodes[1].frozen = true;
    cluster.run(Duration::from_secs(60));
    cluster.nodes[0].frozen = false;
    cluster.run(Duration::from_millis(1_500));
    assert_eq!(cluster.state(member(2, 1)), Some(NodeState::Alive), "a term is not over yet");
    cluster.nodes[1].frozen = false;
    cluster.run(Duration::from_secs(3));
    assert!(cluster.acts(0) && cluster.acts(1));
}

#[test]
fn a_second_process_of_a_node_waits_while_the_first_one_lives() {
    let mut cluster = joined(2);
    let now = cluster.now;
    let second = Membership::new(member(2, 9), Arc::new(info(2)), LeaseConfig::default(), now);
    cluster.nodes.push(Node {
        core: second,
        frozen: false,
        cut_off: false,
        loses_marks: false,
        silent: false,
        events: Vec::new(),
        wall_off_ms: 0,
    });
    cluster.run(Duration::from_secs(10));
    assert!(!cluster.acts(2));
    assert!(cluster.nodes[2].events.contains(&MemberAction::Waiting(member(2, 1))));
    cluster.nodes[1].frozen = true;
    cluster.run(Duration::from_secs(6));
    assert!(cluster.acts(2), "the first one is dead, and the second has joined");
}

#[test]
fn a_node_alone_comes_back_after_a_kill() {
    let mut cluster = joined(1);
    let now = cluster.now;
    cluster.nodes[0].core.rejoin(2, now);
    cluster.run(Duration::from_secs(6));
    assert!(cluster.acts(0), "it has waited a term, and marked its last incarnation dead itself");
}

#[test]
fn no_beat_is_proposed_twice_even_if_nobody_knows_what_became_of_it() {
    let mut cluster = joined(1);
    let mut seen = Vec::new();
    cluster.nodes[0].cut_off = true;
    for _ in 0..40 {
        cluster.now = cluster.now + Duration::from_millis(500);
        let node = &mut cluster.nodes[0];
        node.core.handle_timeout(cluster.now, 0);
        while let Some(action) = node.core.poll_action() {
            if let MemberAction::Commit(step) = action {
                seen.extend(step.commit.writes.iter().filter_map(|(row, value)| match value {
                    Some(Value::Beat(beat)) if matches!(row, Row::Beat(_)) => Some(beat.number),
                    _ => None,
                }));
                node.core.handle_commit(step.name, Outcome::Unknown, cluster.now);
            }
        }
    }
    assert!(seen.len() >= 40 && seen.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn a_drained_node_leaves_and_nobody_calls_it_dead() {
    let mut cluster = joined(2);
    cluster.nodes[1].core.drain();
    cluster.run(Duration::from_secs(1));
    assert_eq!(cluster.state(member(2, 1)), Some(NodeState::Draining));
    assert!(cluster.acts(1), "it still acts for what it owns");
    cluster.nodes[1].core.leave(1);
    cluster.run(Duration::from_secs(1));
    assert_eq!(cluster.nodes[1].events.last(), Some(&MemberAction::NotLeft));
    cluster.nodes[1].core.leave(0);
    cluster.run(Duration::from_secs(30));
    assert_eq!(cluster.state(member(2, 1)), Some(NodeState::Left));
    assert_eq!(cluster.nodes[1].events.last(), Some(&MemberAction::Left));
    assert!(!cluster.acts(1));
}

#[test]
fn a_node_with_a_stuck_worker_loses_its_lease() {
    let mut cluster = joined(2);
    cluster.nodes[1].core.set_stuck(true);
    cluster.run(Duration::from_secs(8));
    assert!(!cluster.acts(1));
    assert_eq!(cluster.state(member(2, 1)), Some(NodeState::Dead));
}

#[test]
fn a_wall_clock_an_hour_off_changes_no_owner_and_expires_nothing() {
    let mut cluster = joined(3);
    cluster.nodes[2].wall_off_ms = 3_600_000;
    cluster.run(Duration::from_secs(5));
    assert!((0..3).all(|n| cluster.acts(n)));
    let wall = cluster.now.as_micros() / 1_000;
    let off = cluster.nodes[2].core.wall_clock();
    assert_eq!(off.trusted_ms(cluster.now, wall + 3_600_000), None);
    assert!(off.wall_ms(cluster.now, wall + 3_600_000).abs_diff(wall) <= 1_000);
    let well = cluster.nodes[0].core.wall_clock();
    let median = well.trusted_ms(cluster.now, wall).expect("two of three agree");
    assert!(median.abs_diff(wall) <= 1_000);
    // Set between two looks, it is noticed at once, and the cluster's time goes on.
    assert_eq!(well.trusted_ms(cluster.now, wall + 3_600_000), None);
    assert_eq!(well.wall_ms(cluster.now, wall + 3_600_000), median);
}

#[test]
fn of_two_clocks_that_disagree_nobody_sweeps_and_the_later_one_is_written() {
    for off in [3_600_000, 10_800_000] {
        let mut cluster = joined(2);
        cluster.nodes[0].wall_off_ms = 7_200_000;
        cluster.nodes[1].wall_off_ms = off;
        cluster.run(Duration::from_secs(5));
        let shows = |n: usize| cluster.now.as_micros() / 1_000 + cluster.nodes[n].wall_off_ms;
        for (n, node) in cluster.nodes.iter().enumerate() {
            let clock = node.core.wall_clock();
            assert_eq!(clock.trusted_ms(cluster.now, shows(n)), None);
            let later = shows(0).max(shows(1));
            assert!(clock.wall_ms(cluster.now, shows(n)).abs_diff(later) <= 1_000);
        }
    }
}

#[test]
fn nodes_whose_clocks_agree_have_the_same_cluster_time_however_their_beats_fall() {
    let mut cluster = Cluster::new(3);
    // They begin one after the other, and beat in that rhythm from then on.
    for late in [2, 1] {
        cluster.nodes[late].frozen = true;
    }
    for late in [1, 2] {
        cluster.run(Duration::from_millis(150));
        cluster.nodes[late].frozen = false;
    }
    cluster.run(Duration::from_secs(5));
    let wall = cluster.now.as_micros() / 1_000;
    for node in &cluster.nodes {
        assert_eq!(node.core.wall_clock().trusted_ms(cluster.now, wall), Some(wall));
    }
}
