//! What ends the process in which it is handled does not end one node after the other.

use std::cell::Cell;
use std::time::Duration;

use throughline::{QueuedMessage, prelude::*};
use throughline_testing::TestCluster;

/// Counts, and has a timer, whose turns come between those of a killer.
#[derive(Serialize, Deserialize)]
struct Victim {
    sum: u64,
}

#[derive(Serialize, Deserialize)]
enum Ask {
    Add(u64),
    /// Its turn ends its process.
    Die,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Sum(u64);

thread_local! {
    /// The node where a turn began that ends its process. All nodes run on the thread of the test.
    static DYING: Cell<Option<u32>> = const { Cell::new(None) };
}

impl Victim {
    async fn handle(&mut self, ask: Ask, ctx: &mut Context<Self>) -> Outcome {
        match ask {
            Ask::Add(number) => {
                self.sum += number;
                ctx.send(Sum(self.sum));
            }
            Ask::Die => {
                DYING.set(Some(ctx.node()));
                std::future::pending::<()>().await;
            }
        }
        Ok(())
    }
}

impl Session for Victim {
    const KIND: &'static str = "victim";
    const DURABILITY: Durability = Durability::EveryTurn;
    type In = Ask;
    type Out = Sum;

    async fn login(_: Login<'_>) -> Result<Self, Refusal> {
        Ok(Self { sum: 0 })
    }

    async fn started(&mut self, ctx: &mut Context<Self>) -> Outcome {
        ctx.repeat_timer("tick", Duration::from_millis(700));
        Ok(())
    }

    async fn message(&mut self, ask: Ask, ctx: &mut Context<Self>) -> Outcome {
        self.handle(ask, ctx).await
    }

    async fn queued(&mut self, message: QueuedMessage, ctx: &mut Context<Self>) -> Outcome {
        self.handle(message.decode()?, ctx).await
    }
}

/// Kills every node where the turn of a killer begins, and starts it anew; how many that were.
fn kill_whoever_begins(cluster: &TestCluster) -> u32 {
    let (mut killed, mut quiet) = (0, 0);
    while quiet < 150 && killed < 10 {
        cluster.advance(Duration::from_millis(100));
        quiet += 1;
        if let Some(node) = DYING.take() {
            let n = usize::try_from(node).expect("a node's number") - 1;
            cluster.kill(n);
            cluster.start(n);
            (killed, quiet) = (killed + 1, 0);
        }
    }
    killed
}

#[test]
fn p7_a_clients_message_whose_turn_kills_its_node_is_set_aside_before_it_has_killed_four() {
    let cluster = TestCluster::new(3, |node| node.sessions::<Victim>());
    let mut ann = cluster.player("ann");
    ann.send(&Ask::Add(1));
    ann.send(&Ask::Die);
    ann.send(&Ask::Add(2));
    assert_eq!(kill_whoever_begins(&cluster), 3);
    ann.expect(|sum: &Sum| *sum == Sum(3));
}

#[test]
fn p7_a_queued_message_whose_turn_kills_its_node_is_a_dead_letter_before_it_has_killed_four() {
    let cluster = TestCluster::new(3, |node| node.sessions::<Victim>());
    let mut ann = cluster.player("ann");
    let (node, to) = (cluster.node(0), throughline::Address::from(ann.session_id()));
    cluster.run(async move {
        for ask in [Ask::Add(1), Ask::Die, Ask::Add(2)] {
            node.send_reliable(&to, &ask, Duration::from_secs(600)).await.expect("it is sent");
        }
    });
    assert_eq!(kill_whoever_begins(&cluster), 3);
    ann.expect(|sum: &Sum| *sum == Sum(3));
    let node = cluster.node(0);
    let page = cluster.run(async move { node.dead_letters(None, 10).await }).expect("letters");
    let [filed] = &page.letters[..] else { panic!("{page:?}") };
    let letter = filed.letter().expect("one that reads");
    assert_eq!((letter.tries, &letter.hook[..]), (3, "queued"));
}
