//! VActors whose commits the store does not take, or does not answer, in virtual time.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use throughline_testing::TestCluster;
use throughline_vactor::prelude::*;

use crate::{
    cluster::{add, begun, cluster, vault},
    kinds::*,
    peers::asked,
};

/// Longer than one stays in memory that nobody asks.
const IDLE: Duration = Duration::from_secs(120);

#[test]
fn p7_turns_that_were_answered_after_a_forget_that_was_not_written_last() {
    let cluster = cluster(1);
    for made in [add(&cluster, 0, "v", 5), vault(&cluster, 0, 5)] {
        assert_eq!(made, Ok(5));
    }
    let node = cluster.node(0);
    let forget = |within| {
        let node = node.clone();
        cluster.run(async move {
            let counter = node.ask_within(&Counter::at("v"), Forget {}, within).await;
            (counter, node.ask_within(&Vault::at("v"), Forget {}, within).await)
        })
    };
    cluster.break_store(0);
    let unknown = Err(AskError::Unknown);
    assert_eq!(forget(Duration::from_millis(300)), (unknown.clone(), unknown));
    cluster.heal_store(0);
    let answered = [add(&cluster, 0, "v", 1), vault(&cluster, 0, 1)];
    cluster.advance(IDLE);
    assert_eq!(cluster.node(0).vactor_count(), 0);
    assert_eq!([add(&cluster, 0, "v", 0), vault(&cluster, 0, 0)], answered, "they last");
    assert_eq!(answered[0], Ok(1), "and it is forgotten before, as it wanted");
}

#[test]
fn who_waits_for_a_forget_that_the_store_does_not_take_at_once_hears_when_it_is_written() {
    let cluster = cluster(1);
    assert_eq!(add(&cluster, 0, "v", 5), Ok(5));
    let node = cluster.node(0);
    let mut asked = Box::pin(async move { node.ask(&Counter::at("v"), Forget {}).await });
    cluster.break_store(0);
    let early = async { tokio::time::timeout(Duration::from_millis(300), &mut asked).await };
    assert!(cluster.run(early).is_err(), "nobody knows yet");
    cluster.heal_store(0);
    assert_eq!(cluster.run(asked), Ok(()));
    assert_eq!(begun(&cluster, 0, "v"), ["Created"]);
}

#[test]
fn a_vactor_whose_creation_was_not_heard_of_has_lost_nothing() {
    let cluster = cluster(1);
    cluster.lose_answer(0);
    assert_eq!(add(&cluster, 0, "v", 1), Ok(1));
    assert_eq!(begun(&cluster, 0, "v"), ["Created"]);
    cluster.lose_answer(0);
    assert_eq!(vault(&cluster, 0, 1), Ok(1));
    assert_eq!(asked::<Vault, _>(&cluster, 0, "v", Begun {}).unwrap(), ["Created"]);
}

thread_local! {
    /// How one begins; all nodes run on the thread of the test.
    static BEGUN: RefCell<Vec<Activation>> = const { RefCell::new(Vec::new()) };
    /// How often it still fails to.
    static FAILS: Cell<u32> = const { Cell::new(0) };
}

/// It does not always begin.
struct Shy(u64);

#[derive(Serialize, Deserialize)]
struct Wake {}

impl Message for Wake {
    type Reply = ();
}

messages! { Shy { "wake" => Wake } }

impl VActor for Shy {
    const KIND: &'static str = "shy";
    const DURABILITY: Durability = Durability::OnSwapOut;
    type State = u64;

    fn new(_key: &str, count: u64) -> Self {
        Self(count)
    }

    fn state(&self) -> &u64 {
        &self.0
    }

    async fn activated(&mut self, why: Activation, _: &mut Context<Self>) -> Outcome {
        BEGUN.with_borrow_mut(|begun| begun.push(why));
        let fails = FAILS.get();
        FAILS.set(fails.saturating_sub(1));
        if fails == 0 { Ok(()) } else { Err(HandlerError::new("it was told to fail")) }
    }
}

impl Handle<Wake> for Shy {
    async fn handle(&mut self, _: Wake, _: &mut Context<Self>) -> Outcome {
        self.0 += 1;
        Ok(())
    }
}

#[test]
fn p2_a_loss_is_told_though_who_was_to_hear_of_it_could_not_begin() {
    let cluster = TestCluster::new(2, |node| node.sessions::<Nobody>().vactors::<Shy>());
    let wake = |n| {
        let node = cluster.node(n);
        cluster.run(async move { node.ask(&Shy::at("s"), Wake {}).await })
    };
    let owner = (0..2).find(|n| wake(*n).is_ok() && cluster.node(*n).vactor_count() == 1).unwrap();
    cluster.kill(owner);
    // Nobody has begun it anew by then: a sweep would.
    FAILS.set(100);
    cluster.advance(Duration::from_secs(6));
    let other = 1 - owner;
    assert!(wake(other).is_err());
    FAILS.set(0);
    cluster.advance(Duration::from_secs(90));
    assert_eq!(wake(other), Ok(()));
    let begun = BEGUN.take();
    let of = |why| begun.iter().filter(|other| **other == why).count();
    assert_eq!(of(Activation::Created), 1, "{begun:?}");
    assert!(of(Activation::Lost) >= 2, "{begun:?}");
}
