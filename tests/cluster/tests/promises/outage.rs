//! A store of several machines that no node reaches: who plays on, and who does not.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use throughline::CloseCode;
use throughline::prelude::*;
use throughline_testing::{Player, TestCluster};

thread_local! {
    /// Nodes that handled something since that was asked last.
    static ACTING: RefCell<BTreeSet<u32>> = const { RefCell::new(BTreeSet::new()) };
}

/// Its state is written at swap-out.
#[derive(Serialize, Deserialize)]
struct Counter {
    count: u64,
}

impl Session for Counter {
    const KIND: &'static str = "counter";
    type In = ();
    type Out = u64;

    async fn login(_: Login<'_>) -> Result<Self, Refusal> {
        Ok(Self { count: 0 })
    }

    async fn message(&mut self, (): (), ctx: &mut Context<Self>) -> Outcome {
        ACTING.with_borrow_mut(|acting| acting.insert(ctx.node()));
        self.count += 1;
        ctx.send(self.count);
        Ok(())
    }
}

/// Far longer than a lease.
const OUTAGE: Duration = Duration::from_secs(30);

/// Repairs of each player before the outage: she was moved.
const MOVED: u64 = 1;

/// Nodes with a player on each.
fn played(nodes: usize) -> (TestCluster, Vec<Player>) {
    let cluster = TestCluster::builder(nodes).on_several_machines();
    let cluster = cluster.start(|node| node.sessions::<Counter>());
    let mut players: Vec<_> = (0..nodes).map(|n| cluster.player(format!("player {n}"))).collect();
    for (n, player) in players.iter_mut().enumerate() {
        player.send(&());
        player.move_to(n);
        assert_eq!(player.receive::<u64>(), 1);
    }
    cluster.advance(Duration::from_secs(3));
    (cluster, players)
}

/// Which of the players are answered within a moment.
fn answered(cluster: &TestCluster, players: &mut [Player]) -> Vec<bool> {
    for player in players.iter_mut() {
        player.received::<u64>();
        player.send(&());
    }
    cluster.advance(Duration::from_millis(200));
    players.iter_mut().map(|player| !player.received::<u64>().is_empty()).collect()
}

#[test]
fn p3_players_play_on_while_no_node_reaches_the_store() {
    let (cluster, mut players) = played(3);
    (0..3).for_each(|n| cluster.cut_store(n));
    for _ in 0..OUTAGE.as_secs() {
        assert_eq!(answered(&cluster, &mut players), [true; 3]);
        cluster.advance(Duration::from_millis(800));
    }
    (0..3).for_each(|n| cluster.heal_store(n));
    cluster.advance(Duration::from_secs(5));
    assert!(players.iter().all(|player| player.is_live() && player.repairs() == MOVED));
}

/// Nobody is sent to a node that has no store either, and nobody waits for it longer than for the
/// link.
#[test]
fn p3_nodes_that_do_not_hear_each_other_for_a_moment_play_on_after_it() {
    let (cluster, mut players) = played(2);
    (0..2).for_each(|n| cluster.cut_store(n));
    cluster.advance(Duration::from_secs(5));
    assert_eq!(answered(&cluster, &mut players), [true; 2]);
    cluster.partition(0, 1);
    cluster.advance(Duration::from_secs(4));
    ACTING.take();
    assert_eq!(answered(&cluster, &mut players), [false; 2]);
    assert_eq!(ACTING.take(), BTreeSet::new());
    cluster.heal(0, 1);
    cluster.advance(Duration::from_secs(3));
    cluster.advance(Duration::from_secs(5));
    assert_eq!(answered(&cluster, &mut players), [true; 2]);
    (0..2).for_each(|n| cluster.heal_store(n));
    cluster.advance(Duration::from_secs(5));
    assert!(players.iter().all(Player::is_live));
}

/// The others reach the store: whoever is there plays on at one of them, if its session may be
/// taken, and this node does nothing any more when it may be.
#[test]
fn p3_a_node_that_alone_does_not_reach_the_store_stops_before_it_is_dead() {
    let (cluster, mut players) = played(3);
    cluster.cut_store(0);
    let mut acted = 0;
    while players[0].ended().is_none() {
        ACTING.take();
        players[0].send(&());
        cluster.advance(Duration::from_millis(200));
        let acts = ACTING.take().contains(&1);
        acted += u32::from(acts);
        assert!(!acts || players[0].ended().is_none());
    }
    assert!((10..=15).contains(&acted), "for {acted} fifths of a second");
    cluster.advance(Duration::from_secs(5));
    assert_eq!(ACTING.take(), BTreeSet::new());
    assert_eq!(players[0].ended().map(|(code, _)| code), Some(CloseCode::Lost));
    assert_eq!(answered(&cluster, &mut players[1..]), [true; 2]);
}

/// All of them lose it, and one whose last beat was older does not take the others for ones that
/// reach it, however slow the slowest answers.
#[test]
fn p3_a_node_that_hangs_ends_playing_on_and_sends_nobody_to_where_there_is_no_store() {
    let (cluster, mut players) = played(3);
    (0..3).for_each(|n| cluster.cut_store(n));
    cluster.advance(Duration::from_secs(4));
    cluster.freeze(2);
    cluster.advance(Duration::from_secs(6));
    assert_eq!(answered(&cluster, &mut players[..2]), [false; 2]);
    cluster.thaw(2);
    cluster.advance(Duration::from_secs(2));
    assert_eq!(answered(&cluster, &mut players[..2]), [true; 2]);
    assert!(players[..2].iter().all(|player| player.repairs() == MOVED));
}
