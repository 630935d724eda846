//! Reminders whose turn ends its process.

use std::cell::Cell;
use std::time::Duration;

use throughline_testing::TestCluster;
use throughline_vactor::prelude::*;

use crate::kinds::Nobody;

thread_local! {
    /// Where the turn of such a reminder has just begun, on the nodes of this test.
    static DYING: Cell<Option<u32>> = const { Cell::new(None) };
}

const FATAL: &str = "fatal";
const HARMLESS: &str = "harmless";

/// Sets both reminders, the fatal one first.
#[derive(Debug, Serialize, Deserialize)]
struct Arm {}

impl Message for Arm {
    type Reply = ();
}

/// How many harmless ones have come.
#[derive(Debug, Serialize, Deserialize)]
struct Came {}

impl Message for Came {
    type Reply = u32;
}

#[derive(Default, Serialize, Deserialize)]
struct Count(u32);

struct Bomb(Count);

messages! { Bomb { "arm" => Arm, "came" => Came } }

impl VActor for Bomb {
    const KIND: &'static str = "bomb";
    type State = Count;

    fn new(_: &str, count: Count) -> Self {
        Self(count)
    }

    fn state(&self) -> &Count {
        &self.0
    }

    async fn reminded(&mut self, name: &str, ctx: &mut Context<Self>) -> Outcome {
        if name == FATAL {
            DYING.set(Some(ctx.node()));
            std::future::pending::<()>().await;
        }
        self.0.0 += 1;
        Ok(())
    }
}

impl Handle<Arm> for Bomb {
    async fn handle(&mut self, _: Arm, ctx: &mut Context<Self>) -> Result<(), HandlerError> {
        ctx.remind(FATAL, Duration::from_secs(1));
        ctx.remind(HARMLESS, Duration::from_secs(2));
        Ok(())
    }
}

impl Handle<Came> for Bomb {
    async fn handle(&mut self, _: Came, _: &mut Context<Self>) -> Result<u32, HandlerError> {
        Ok(self.0.0)
    }
}

#[test]
fn p7_a_reminder_whose_turn_kills_its_node_is_set_aside_before_it_has_killed_four() {
    let cluster = TestCluster::new(3, |node| node.sessions::<Nobody>().vactors::<Bomb>());
    let node = cluster.node(0);
    cluster.run(async move { node.ask(&Bomb::at("a"), Arm {}).await }).unwrap();
    let mut killed = 0;
    for _ in 0..60 {
        cluster.advance(Duration::from_secs(1));
        if let Some(node) = DYING.take() {
            let n = usize::try_from(node).unwrap() - 1;
            cluster.kill(n);
            cluster.start(n);
            killed += 1;
        }
    }
    assert_eq!(killed, 3);
    let node = cluster.node(1);
    let came = cluster.run(async move { node.ask(&Bomb::at("a"), Came {}).await });
    assert_eq!(came.unwrap(), 1, "what is behind it goes on");
}
