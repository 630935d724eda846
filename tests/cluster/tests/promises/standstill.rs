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
