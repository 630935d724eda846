//! What VActors tell each other, in virtual time.

mod kinds;

use std::ops::Range;

use throughline_testing::TestCluster;
use throughline_vactor::{Accepts, Move as _, prelude::*};

use crate::{
    kinds::Nobody,
    peers::{asked, moves},
};
use kinds::*;

const SECOND: Duration = Duration::from_secs(1);

fn cluster(nodes: usize) -> TestCluster {
    let cluster = TestCluster::builder(nodes).start(|node| {
        node.sessions::<Nobody>().vactors::<Listener>().vactors::<Talker>().vactors::<Scribe>()
    });
    cluster.advance(SECOND);
    cluster
}

fn heard(cluster: &TestCluster, n: usize) -> Heard {
    asked::<Listener, _>(cluster, n, "l", Noted {}).unwrap()
}

/// Somebody of this key, at node 0, tells these numbers in one turn.
fn tells<V: Accepts<Talk>>(cluster: &TestCluster, key: &str, numbers: Range<u32>) {
    let told = Talk { numbers, ms: 0, ends: Ends::Well };
    asked::<V, _>(cluster, 0, key, told).unwrap();
}

fn all(numbers: Range<u32>) -> Vec<u32> {
    numbers.collect()
}

#[test]
fn what_is_told_comes_in_order_when_the_turn_that_told_has_ended() {
    for place in 0..2 {
        let cluster = cluster(2);
        heard(&cluster, place);
        let node = cluster.node(0);
        let early = cluster.run(async move {
            let told = Talk { numbers: 0..20, ms: 400, ends: Ends::Well };
            let (talker, listener) = (Talker::at("t"), Listener::at("l"));
            let look = async {
                tokio::time::sleep(Duration::from_millis(300)).await;
                node.ask(&listener, Noted {}).await.unwrap()
            };
            let (told, early) = tokio::join!(node.ask(&talker, told), look);
            told.unwrap();
            early
        });
        assert_eq!(early.numbers, all(0..0), "the turn has not ended");
        for turn in 1..6 {
            tells::<Talker>(&cluster, "t", turn * 20..turn * 20 + 20);
        }
        cluster.advance(SECOND * 2);
        assert_eq!(heard(&cluster, 0).numbers, all(0..120));
    }
}

#[test]
fn what_is_told_to_one_that_is_in_no_memory_begins_it_and_comes_in_order() {
    let cluster = cluster(2);
    for round in 0..3 {
        let first = round * 40;
        tells::<Talker>(&cluster, "t", first..first + 20);
        tells::<Talker>(&cluster, "t", first + 20..first + 40);
        cluster.advance(SECOND * 2);
        let heard = heard(&cluster, 1);
        assert_eq!((heard.numbers, heard.begun), (all(0..first + 40), round + 1));
        cluster.advance(SECOND * 12);
    }
}

#[test]
fn a_turn_that_fails_or_panics_tells_nobody() {
    fn is_so<V: Accepts<Talk>>() {
        let cluster = cluster(2);
        heard(&cluster, 1);
        for ends in [Ends::Fails, Ends::Panics] {
            let told = Talk { numbers: 0..3, ms: 10, ends };
            let asked = asked::<V, _>(&cluster, 0, "t", told);
            assert_eq!(asked, Err(Rejection::HandlerFailed.into()));
        }
        // Nor is anything of them left for the next one.
        tells::<V>(&cluster, "t", 7..9);
        cluster.advance(SECOND);
        assert_eq!(heard(&cluster, 1).numbers, [7, 8]);
    }
    is_so::<Talker>();
    is_so::<Scribe>();
}

#[test]
fn what_a_crash_proof_turn_tells_leaves_after_its_commit() {
    let cluster = cluster(2);
    heard(&cluster, 1);
    // Afterwards it knows where the listener is, without the store.
    tells::<Scribe>(&cluster, "s", 0..1);
    cluster.advance(SECOND);
    let node = cluster.node(0);
    cluster.cut_store(0);
    let told = Talk { numbers: 1..3, ms: 0, ends: Ends::Well };
    let time = Duration::from_millis(600);
    let asked = cluster.run(async move { node.ask_within(&Scribe::at("s"), told, time).await });
    assert_eq!(asked, Err(AskError::Unknown));
    assert_eq!(heard(&cluster, 1).numbers, [0], "it is not committed");
    cluster.heal_store(0);
    cluster.advance(SECOND);
    assert_eq!(heard(&cluster, 1).numbers, [0, 1, 2]);
}

#[test]
fn what_is_told_to_one_that_moves_meanwhile_comes_once_at_most() {
    let cluster = cluster(3);
    heard(&cluster, 0);
    let node = cluster.node(0);
    cluster.run(async move {
        for round in 0..30 {
            let numbers = round * 10..round * 10 + 10;
            let told = Talk { numbers, ms: u64::from(round % 4), ends: Ends::Well };
            node.move_vactor(&Listener::at("l"), round % 3 + 1).await;
            node.ask(&Talker::at("t"), told).await.unwrap();
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    });
    cluster.advance(SECOND * 5);
    let Heard { numbers: came, begun } = heard(&cluster, 0);
    assert!(begun > 10, "it was to move: {begun}");
    let mut each = came.clone();
    each.sort_unstable();
    each.dedup();
    assert_eq!(each.len(), came.len(), "{came:?}");
    assert!(came.len() > 100, "many of them come: {came:?}");
    // Where it stays they come in order again.
    tells::<Talker>(&cluster, "t", 300..320);
    cluster.advance(SECOND);
    assert_eq!(heard(&cluster, 0).numbers[came.len()..], all(300..320));
}

#[test]
fn what_is_told_to_one_that_has_moved_follows_it() {
    let cluster = cluster(3);
    heard(&cluster, 1);
    // The teller's node remembers where it is.
    tells::<Talker>(&cluster, "t", 0..1);
    cluster.advance(SECOND);
    moves::<Listener>(&cluster, "l", 2);
    cluster.advance(SECOND);
    tells::<Talker>(&cluster, "t", 1..10);
    cluster.advance(SECOND);
    assert_eq!(heard(&cluster, 2).numbers, all(0..10));
}

#[test]
fn p9_of_what_one_sender_tells_256_wait_and_the_rest_is_dropped() {
    let cluster = cluster(2);
    heard(&cluster, 1);
    tells::<Talker>(&cluster, "t", 0..300);
    cluster.advance(SECOND * 5);
    assert_eq!(heard(&cluster, 1).numbers, all(0..256));
    // Each sender has room of its own, and has it again.
    for (key, first) in [("t", 1_000), ("u", 2_000)] {
        tells::<Talker>(&cluster, key, first..first + 200);
    }
    cluster.advance(SECOND * 5);
    let came = heard(&cluster, 1).numbers.split_off(256);
    let (of_t, of_u): (Vec<_>, Vec<_>) = came.into_iter().partition(|number| *number < 2_000);
    assert_eq!((of_t, of_u), (all(1_000..1_200), all(2_000..2_200)));
}
