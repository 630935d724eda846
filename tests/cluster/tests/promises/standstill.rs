//! A node that stands still holds up its players for no longer than it takes to be sure.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use throughline::prelude::*;
use throughline_testing::{Player, TestCluster};

#[derive(Serialize, Deserialize)]
struct Counter {
    count: u64,
}

#[derive(Serialize, Deserialize)]
struct Step;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Count(u64);

impl Session for Counter {
    const KIND: &'static str = "counter";
    const DURABILITY: Durability = Durability::EveryTurn;
    type In = Step;
    type Out = Count;

    async fn login(_: Login<'_>) -> Result<Self, Refusal> {
        Ok(Self { count: 0 })
    }

    async fn message(&mut self, _: Step, ctx: &mut Context<Self>) -> Outcome {
        self.count += 1;
        ctx.send(Count(self.count));
        Ok(())
    }
}

/// A cluster, and those of its players that one of its nodes serves.
fn served() -> (TestCluster, usize, Vec<Player>) {
    let cluster = TestCluster::new(3, |node| node.sessions::<Counter>());
    let mut players: Vec<_> = (0..12).map(|n| cluster.player(format!("player {n}"))).collect();
    for player in &mut players {
        player.send(&Step);
        player.expect(|count: &Count| *count == Count(1));
    }
    let node = players[0].node().expect("her session is somewhere");
    players.retain(|player| player.node() == Some(node));
    (cluster, node, players)
}

/// The longest time from now to the next answer, in ms, and the most repairs of a player until
/// then. `at` is called with the time that has passed.
fn longest(cluster: &TestCluster, mut players: Vec<Player>, mut at: impl FnMut(u32)) -> (u32, u64) {
    players.iter_mut().for_each(|player| player.send(&Step));
    let (mut ms, mut repairs) = (0, 0);
    while !players.is_empty() && ms < 30_000 {
        cluster.advance(Duration::from_millis(50));
        ms += 50;
        at(ms);
        players.retain_mut(|player| {
            repairs = repairs.max(player.repairs());
            !player.received().contains(&Count(2))
        });
    }
    (ms, repairs)
}

thread_local! {
    /// Turns of `Stuck` that began on each node.
    static BEGUN: RefCell<BTreeMap<u32, u32>> = RefCell::default();
}

/// Its turns never end.
#[derive(Serialize, Deserialize)]
struct Stuck;

impl Session for Stuck {
    const KIND: &'static str = "stuck";
    const DURABILITY: Durability = Durability::EveryTurn;
    type In = Step;
    type Out = Count;

    async fn login(_: Login<'_>) -> Result<Self, Refusal> {
        Ok(Self)
    }

    async fn message(&mut self, _: Step, ctx: &mut Context<Self>) -> Outcome {
        BEGUN.with_borrow_mut(|begun| *begun.entry(ctx.node()).or_default() += 1);
        std::future::pending().await
    }
}

/// Its deadline had passed when the node found out that it was dead: the turn failed, and its input
/// was tried once more there.
#[test]
fn p3_a_turn_that_fails_after_its_node_was_declared_dead_is_not_tried_again_there() {
    let cluster = TestCluster::new(2, |node| node.sessions::<Stuck>());
    let mut ann = cluster.player_of("stuck", "ann");
    let node = ann.node().expect("her session is somewhere");
    ann.send(&Step);
    cluster.advance(Duration::from_secs(1));
    cluster.cut_store(node);
    cluster.advance(Duration::from_secs(15));
    cluster.heal_store(node);
    cluster.advance(Duration::from_secs(5));
    let begun = BEGUN.take();
    assert_eq!(begun.len(), 2, "her session went to the other node");
    assert_eq!(begun.get(&(u32::try_from(node).unwrap() + 1)), Some(&1), "{begun:?}");
}

#[test]
fn p7_a_node_that_alone_loses_the_store_lets_its_players_go_before_they_notice() {
    let (cluster, node, players) = served();
    cluster.cut_store(node);
    let (ms, repairs) = longest(&cluster, players, |_| {});
    assert!(ms <= 4_500 && repairs == 1, "{ms} ms, {repairs} repairs");
}

#[test]
fn p7_players_are_not_let_go_while_no_node_reaches_the_store() {
    // Far longer than a lease, and than the silence that clients notice.
    const AWAY_MS: u32 = 20_000;
    let (cluster, _, players) = served();
    (0..3).for_each(|n| cluster.cut_store(n));
    let (ms, repairs) = longest(&cluster, players, |ms| {
        if ms == AWAY_MS {
            (0..3).for_each(|n| cluster.heal_store(n));
        }
    });
    assert!((AWAY_MS..AWAY_MS + 2_000).contains(&ms) && repairs == 0, "{ms} ms, {repairs} repairs");
}

#[test]
fn p7_a_session_whose_node_stands_still_goes_on_within_the_time_that_silence_takes() {
    let (cluster, node, players) = served();
    cluster.freeze(node);
    let (ms, _) = longest(&cluster, players, |_| {});
    assert!(ms <= 3_500, "{ms} ms");
}

#[test]
fn p7_a_node_that_does_not_reach_the_store_sends_a_client_on_at_once() {
    let (cluster, node, players) = served();
    cluster.freeze(node);
    cluster.cut_store((node + 1) % 3);
    let (ms, _) = longest(&cluster, players, |_| {});
    assert!(ms <= 4_500, "{ms} ms");
}
