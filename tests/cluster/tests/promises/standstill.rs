//! A node that stands still holds up its players for no longer than it takes to be sure.

use std::time::Duration;

use throughline::prelude::*;
use throughline_testing::TestCluster;

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

/// How long players wait for an answer, in ms, from when their node no longer reaches the store;
/// `others_too`: no other node does either, for ten seconds.
fn cut(others_too: bool) -> (u32, u64) {
    let cluster = TestCluster::new(3, |node| node.sessions::<Counter>());
    let mut players: Vec<_> = (0..12).map(|n| cluster.player(format!("player {n}"))).collect();
    for player in &mut players {
        player.send(&Step);
        player.expect(|count: &Count| *count == Count(1));
    }
    let node = players[0].node().expect("her session is somewhere");
    players.retain(|player| player.node() == Some(node));
    let away: Vec<_> = (0..3).filter(|n| others_too || *n == node).collect();
    away.iter().for_each(|n| cluster.cut_store(*n));
    players.iter_mut().for_each(|player| player.send(&Step));
    let (mut ms, mut repairs) = (0, 0);
    while !players.is_empty() && ms < 30_000 {
        cluster.advance(Duration::from_millis(50));
        ms += 50;
        if others_too && ms == 10_000 {
            away.iter().for_each(|n| cluster.heal_store(*n));
        }
        players.retain_mut(|player| {
            repairs = repairs.max(player.repairs());
            !player.received().contains(&Count(2))
        });
    }
    (ms, repairs)
}

#[test]
fn p7_a_node_that_alone_loses_the_store_lets_its_players_go_before_they_notice() {
    let (ms, repairs) = cut(false);
    assert!(ms <= 4_500 && repairs == 1, "{ms} ms, {repairs} repairs");
}

#[test]
fn p7_players_stay_where_they_are_while_no_node_reaches_the_store() {
    let (ms, _) = cut(true);
    assert!((10_000..16_000).contains(&ms), "{ms} ms");
}

/// The longest time from a node's standstill to the next answer, of players that it served, in ms.
fn longest(is_next_cut_off: bool) -> u32 {
    let cluster = TestCluster::new(3, |node| node.sessions::<Counter>());
    let mut players: Vec<_> = (0..12).map(|n| cluster.player(format!("player {n}"))).collect();
    for player in &mut players {
        player.send(&Step);
        player.expect(|count: &Count| *count == Count(1));
    }
    let node = players[0].node().expect("her session is somewhere");
    players.retain(|player| player.node() == Some(node));
    cluster.freeze(node);
    if is_next_cut_off {
        cluster.cut_store((node + 1) % 3);
    }
    players.iter_mut().for_each(|player| player.send(&Step));
    let mut ms = 0;
    while !players.is_empty() && ms < 30_000 {
        cluster.advance(Duration::from_millis(50));
        ms += 50;
        players.retain_mut(|player| !player.received().contains(&Count(2)));
    }
    ms
}

#[test]
fn p7_a_session_whose_node_stands_still_goes_on_within_the_time_that_silence_takes() {
    let ms = longest(false);
    assert!(ms <= 5_500, "{ms} ms");
}

#[test]
fn p7_a_node_that_does_not_reach_the_store_sends_a_client_on_at_once() {
    let ms = longest(true);
    assert!(ms <= 6_500, "{ms} ms");
}
