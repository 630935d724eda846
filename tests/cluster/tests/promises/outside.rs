//! What a crash-proof turn does in a game's own database, it does there once.

use std::cell::RefCell;
use std::collections::BTreeMap;

use throughline::{TurnToken, prelude::*};
use throughline_testing::TestCluster;

/// Writes each number that it is told into a database outside.
#[derive(Serialize, Deserialize)]
struct Clerk {
    written: u64,
}

#[derive(Serialize, Deserialize)]
struct Write(u64);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Written {
    count: u64,
}

thread_local! {
    /// The database: numbers by the tokens of the turns that wrote them. All nodes run on the
    /// thread of the test.
    static OUTSIDE: RefCell<BTreeMap<String, u64>> = const { RefCell::new(BTreeMap::new()) };
    /// Turns that came there, those that found their work done included.
    static CALLS: RefCell<Vec<TurnToken>> = const { RefCell::new(Vec::new()) };
}

impl Session for Clerk {
    const KIND: &'static str = "clerk";
    const DURABILITY: Durability = Durability::EveryTurn;
    type In = Write;
    type Out = Written;

    async fn login(_: Login<'_>) -> Result<Self, Refusal> {
        Ok(Self { written: 0 })
    }

    async fn message(&mut self, Write(number): Write, ctx: &mut Context<Self>) -> Outcome {
        let token = ctx.token().ok_or_else(|| HandlerError::new("a message has a token"))?;
        CALLS.with_borrow_mut(|calls| calls.push(token));
        OUTSIDE.with_borrow_mut(|rows| {
            rows.entry(token.to_string()).or_insert(number);
        });
        self.written += 1;
        ctx.send(Written { count: self.written });
        Ok(())
    }
}

#[test]
fn p7_a_turn_that_runs_again_after_a_kill_has_its_token_and_does_nothing_outside_twice() {
    let cluster = TestCluster::new(3, |node| node.sessions::<Clerk>());
    let mut ann = cluster.player("ann");
    ann.send(&Write(1));
    ann.expect(|written: &Written| written.count == 1);

    // The turn has been in the database, and its node dies before it is committed.
    let node = ann.node().expect("her session is somewhere");
    cluster.cut_store(node);
    ann.send(&Write(2));
    cluster.advance(Duration::from_millis(200));
    assert_eq!(CALLS.with_borrow(Vec::len), 2);
    cluster.kill(node);

    ann.send(&Write(3));
    ann.expect(|written: &Written| written.count == 3);
    let calls = CALLS.take();
    assert_eq!(calls.len(), 4, "the second turn ran twice");
    assert_eq!(calls[1], calls[2]);
    let rows: Vec<_> = OUTSIDE.take().into_values().collect();
    assert_eq!((rows.len(), rows.iter().sum::<u64>()), (3, 6), "{rows:?}");
}
