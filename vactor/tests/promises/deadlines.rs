//! Asks whose time is over before they begin, in virtual time.

use throughline_vactor::prelude::*;

use crate::reads::*;

const HALF: Duration = Duration::from_millis(500);

#[test]
fn what_a_busy_vactor_was_asked_does_not_begin_when_its_time_is_over() {
    for n in 0..2 {
        let cluster = cluster(2);
        let node = cluster.node(n);
        cluster.run(async move {
            let library = Library::at("l");
            let late_turn = async {
                after(100).await;
                // Who asks does not wait for the turn under way.
                let asked = node.ask_within(&library, shelve("late turn", 0), HALF);
                tokio::time::timeout(HALF * 6 / 5, asked).await.expect("it has its answer")
            };
            let late_read = async {
                after(100).await;
                let asked = node.ask_within(&library, look("late read", 0), HALF);
                tokio::time::timeout(HALF * 6 / 5, asked).await.expect("it has its answer")
            };
            let in_time = async {
                after(200).await;
                node.ask(&library, shelve("in time", 0)).await
            };
            let slow = node.ask(&library, shelve("slow", 2_000));
            let (slow, late_turn, late_read, in_time) =
                tokio::join!(slow, late_turn, late_read, in_time);
            let unknown = Err(AskError::Unknown);
            assert_eq!((late_turn, late_read), (unknown.clone(), unknown));
            assert_eq!((slow, in_time), (Ok(()), Ok(())));
        });
        cluster.advance(Duration::from_secs(10));
        let all = ["slow begins", "slow ends", "in time begins", "in time ends"];
        assert_eq!(log(&cluster, n), all);
    }
}

#[test]
fn who_finds_no_vactor_in_time_is_told_late_and_it_is_not_run_afterwards() {
    let cluster = cluster(1);
    // A node that has never asked for it must look in the store.
    let node = cluster.node(0);
    cluster.cut_store(0);
    let asked = async move { node.ask_within(&Library::at("m"), shelve("late", 0), HALF).await };
    assert_eq!(cluster.run(asked), Err(Rejection::Late.into()));
    cluster.heal_store(0);
    cluster.advance(Duration::from_secs(10));
    assert_eq!(cluster.node(0).vactor_count(), 1, "nothing of it has begun");
}
