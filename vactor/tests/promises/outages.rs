//! VActors whose commits the store does not take, or does not answer, in virtual time.

use std::time::Duration;

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
