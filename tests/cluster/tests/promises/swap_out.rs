//! A game puts a session into the store by itself.

use throughline::prelude::*;
use throughline_testing::TestCluster;

/// Counts how often it came out of the store.
#[derive(Serialize, Deserialize)]
struct Sleeper {
    restored: u32,
}

#[derive(Serialize, Deserialize)]
enum Ask {
    Sleep,
    Count,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Tell {
    GoodNight,
    Restored(u32),
}

impl Session for Sleeper {
    const KIND: &'static str = "sleeper";
    type In = Ask;
    type Out = Tell;

    async fn login(_: Login<'_>) -> Result<Self, Refusal> {
        Ok(Self { restored: 0 })
    }

    async fn restored(&mut self, _: &mut Context<Self>) -> Outcome {
        self.restored += 1;
        Ok(())
    }

    async fn message(&mut self, ask: Ask, ctx: &mut Context<Self>) -> Outcome {
        match ask {
            Ask::Sleep => {
                ctx.send(Tell::GoodNight);
                ctx.swap_out();
            }
            Ask::Count => ctx.send(Tell::Restored(self.restored)),
        }
        Ok(())
    }
}

#[test]
fn a_session_that_its_game_swaps_out_comes_back_with_its_client_and_loses_nothing() {
    let cluster = TestCluster::new(2, |node| node.sessions::<Sleeper>());
    let mut ann = cluster.player_of(Sleeper::KIND, "ann");
    let id = ann.session_id();
    for times in 1..=3 {
        ann.send(&Ask::Sleep);
        ann.expect(|tell: &Tell| *tell == Tell::GoodNight);
        ann.send(&Ask::Count);
        ann.expect(|tell: &Tell| *tell == Tell::Restored(times));
        assert_eq!(ann.session_id(), id);
    }
}

#[test]
fn a_session_that_is_swapped_out_while_its_client_is_away_is_in_no_memory() {
    let cluster = TestCluster::new(2, |node| node.sessions::<Sleeper>());
    let mut ann = cluster.player_of(Sleeper::KIND, "ann");
    ann.send(&Ask::Sleep);
    ann.expect(|tell: &Tell| *tell == Tell::GoodNight);
    ann.go_away();
    cluster.advance(Duration::from_secs(1));
    let id = ann.session_id();
    assert!(!cluster.has_session(0, id) && !cluster.has_session(1, id));
    ann.come_back();
    ann.send(&Ask::Count);
    ann.expect(|tell: &Tell| matches!(tell, Tell::Restored(_)));
}
