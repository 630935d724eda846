//! VActors of a cluster, in virtual time.

use std::time::Duration;

use throughline_testing::TestCluster;
use throughline_vactor::{Move, prelude::*};

use crate::kinds::*;

pub(crate) const DAY: Duration = Duration::from_secs(86_400);

pub(crate) fn cluster(nodes: usize) -> TestCluster {
    TestCluster::builder(nodes).start(|node| {
        let node =
            node.sessions::<Nobody>().sessions::<Prober>().vactors::<Counter>().vactors::<Vault>();
        node.vactors::<Homed>().vactors::<Spread>().vactors::<Rare>()
    })
}

pub(crate) fn add(cluster: &TestCluster, n: usize, key: &str, by: i64) -> Result<i64, AskError> {
    let node = cluster.node(n);
    cluster.run(async move { node.ask(&Counter::at(key), Add { by }).await })
}

pub(crate) fn vault(cluster: &TestCluster, n: usize, by: i64) -> Result<i64, AskError> {
    let node = cluster.node(n);
    cluster.run(async move { node.ask(&Vault::at("v"), Add { by }).await })
}

pub(crate) fn begun(cluster: &TestCluster, n: usize, key: &str) -> Vec<String> {
    let node = cluster.node(n);
    cluster.run(async move { node.ask(&Counter::at(key), Begun {}).await }).unwrap()
}

#[test]
fn a_vactor_is_one_wherever_it_is_asked() {
    let cluster = cluster(3);
    for turn in 1..=9 {
        let n = usize::try_from(turn).unwrap() % 3;
        assert_eq!(add(&cluster, n, "a", 1), Ok(turn));
    }
    assert_eq!(begun(&cluster, 2, "a"), ["Created"]);
}

#[test]
fn of_many_that_ask_a_new_vactor_at_once_all_reach_the_same() {
    let cluster = cluster(3);
    let nodes: Vec<_> = (0..3).map(|n| cluster.node(n)).collect();
    let replies = cluster.run(async move {
        let asks = (0..30).map(|n| {
            let node = nodes[n % 3].clone();
            async move { node.ask(&Counter::at("a"), Add { by: 1 }).await.unwrap() }
        });
        futures_util::future::join_all(asks).await
    });
    let mut replies = replies;
    replies.sort_unstable();
    assert_eq!(replies, (1..=30).collect::<Vec<_>>());
}

#[test]
fn a_node_that_joins_gets_no_more_vactors_in_a_second_than_the_limit_and_its_share_in_the_end() {
    let cluster = cluster(2);
    cluster.advance(Duration::from_secs(1));
    assert!(cluster.drain(1).is_clean());
    let node = cluster.node(0);
    cluster.run(async move {
        let asks = (0..300).map(|number| {
            let (node, key) = (node.clone(), format!("k{number}"));
            async move { node.ask(&Spread::at(key.as_str()), Where {}).await.unwrap() }
        });
        futures_util::future::join_all(asks).await
    });
    assert_eq!(cluster.node(0).vactor_count(), 300);
    cluster.start(1);
    let mut before = 0;
    for second in 0..15 {
        cluster.advance(Duration::from_secs(1));
        let now = cluster.node(1).vactor_count();
        assert!(now <= before + 2 * 32, "second {second}: {before}, then {now}");
        before = now;
    }
    assert!(before > 100, "{before} of 300");
}

#[test]
fn what_a_turn_asks_of_others_waits_no_longer_than_who_waits_for_the_turn() {
    let cluster = cluster(2);
    for (n, key) in [(0, "asker"), (1, "other")] {
        add(&cluster, n, key, 1).unwrap();
    }
    let node = cluster.node(1);
    let half = Duration::from_millis(500);
    let ask = AskSlow { key: "other".to_owned(), ms: 4_000 };
    let asked = cluster.run(async move { node.ask_within(&Counter::at("asker"), ask, half).await });
    assert_eq!(asked, Err(AskError::Unknown));
    cluster.advance(Duration::from_secs(1));
    let waited = add(&cluster, 0, "asker", 0).unwrap();
    assert!((400..=600).contains(&waited), "its own time would be 5 s: {waited} ms");
}

#[test]
fn who_asks_in_a_circle_over_two_nodes_is_told_deadlock_with_the_chain() {
    let cluster = cluster(2);
    for (n, key) in [(0, "a"), (1, "b")] {
        add(&cluster, n, key, 1).unwrap();
    }
    let node = cluster.node(0);
    let ask = AskOther { key: "b".to_owned() };
    let asked = cluster.run(async move { node.ask(&Counter::at("a"), ask).await }).unwrap();
    let chain = "VActor counter/a -> VActor counter/b -> VActor counter/a";
    let text = asked.unwrap_err();
    assert!(text.starts_with("deadlock: ") && text.ends_with(chain), "{text}");
}

#[test]
fn a_vactor_goes_on_with_its_state_when_its_node_drains() {
    let cluster = cluster(3);
    assert_eq!(add(&cluster, 0, "a", 5), Ok(5));
    // Until it has seen the others it could only park it.
    cluster.advance(Duration::from_secs(1));
    let report = cluster.drain(0);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.vactors, report.left), (1, 0), "{report:?}");
    assert_eq!(add(&cluster, 1, "a", 1), Ok(6));
    assert_eq!(begun(&cluster, 2, "a"), ["Created", "Restored"]);
}

#[test]
fn a_vactor_of_a_killed_node_starts_again_from_nothing_and_is_told_so() {
    let cluster = cluster(3);
    assert_eq!(add(&cluster, 0, "a", 5), Ok(5));
    cluster.kill(0);
    cluster.advance(Duration::from_secs(6));
    assert_eq!(add(&cluster, 1, "a", 1), Ok(1));
    assert_eq!(begun(&cluster, 1, "a"), ["Lost"]);
}

#[test]
fn a_crash_proof_vactor_keeps_every_turn_that_was_answered() {
    let cluster = cluster(3);
    for turn in 1..=5 {
        assert_eq!(vault(&cluster, 0, 1), Ok(turn));
    }
    cluster.kill(0);
    cluster.advance(Duration::from_secs(6));
    assert_eq!(vault(&cluster, 1, 1), Ok(6));
    let node = cluster.node(2);
    let begun = cluster.run(async move { node.ask(&Vault::at("v"), Begun {}).await });
    assert_eq!(begun.unwrap(), ["Created", "Restored"]);
}

#[test]
fn p7_a_turn_that_may_be_run_again_asks_only_what_changes_nothing() {
    let cluster = cluster(2);
    assert_eq!(add(&cluster, 0, "a", 5), Ok(5));
    let node = cluster.node(1);
    let probe = Probe { key: "a".to_owned() };
    let by_vactor = cluster.run(async move { node.ask(&Vault::at("v"), probe).await }).unwrap();
    let mut player = cluster.player_of(<Prober as throughline::Session>::KIND, "ann");
    player.send(&"a".to_owned());
    let no = AskError::from(Rejection::ChangesInCrashProofTurn).to_string();
    for probed in [by_vactor, player.receive::<Probed>()] {
        assert_eq!(probed, (Err(no.clone()), Ok(5)));
    }
}

#[test]
fn an_ask_waits_while_its_vactor_is_between_two_nodes_and_is_run_once() {
    let cluster = cluster(3);
    assert_eq!(add(&cluster, 0, "a", 0), Ok(0));
    let mut sum = 0;
    for round in 0..6 {
        let drained = round % 3;
        let nodes: Vec<_> = (0..3).filter(|n| *n != drained).map(|n| cluster.node(n)).collect();
        cluster.begin_drain(drained);
        let replies = cluster.run(async move {
            let asks = (0..40).map(|n: usize| {
                let node = nodes[n % 2].clone();
                async move {
                    let pause = Duration::from_millis(7 * u64::try_from(n).unwrap());
                    tokio::time::sleep(pause).await;
                    node.ask(&Counter::at("a"), Add { by: 1 }).await
                }
            });
            futures_util::future::join_all(asks).await
        });
        sum += 40;
        let mut last = 0;
        for reply in replies {
            last = last.max(reply.expect("nobody was killed, so every ask has its reply"));
        }
        assert_eq!(last, sum, "every ask was run exactly once");
        cluster.wait_until_gone(drained);
        cluster.start(drained);
    }
}

#[test]
fn a_frozen_node_whose_vactor_was_taken_does_nothing_with_it_when_it_wakes() {
    let cluster = cluster(3);
    for turn in 1..=3 {
        assert_eq!(vault(&cluster, 0, 1), Ok(turn));
    }
    cluster.freeze(0);
    cluster.advance(Duration::from_secs(6));
    assert_eq!(vault(&cluster, 1, 1), Ok(4));
    cluster.thaw(0);
    cluster.advance(Duration::from_secs(2));
    assert_eq!(vault(&cluster, 0, 1), Ok(5));
    assert_eq!(vault(&cluster, 1, 1), Ok(6));
}

#[test]
fn a_vactor_is_where_its_key_says_and_moves_there_when_a_node_joins() {
    let cluster = cluster(3);
    let wheres = |n: usize| {
        let node = cluster.node(n);
        cluster.run(async move {
            let asks = (0..60).map(|key| {
                let node = node.clone();
                async move { node.ask(&Homed::at(key.to_string()), Where {}).await.unwrap() }
            });
            futures_util::future::join_all(asks).await
        })
    };
    cluster.advance(Duration::from_secs(2));
    let homes = wheres(0);
    assert_eq!(homes, wheres(1));
    assert!((1..=3).all(|node| homes.iter().filter(|home| **home == node).count() > 8));
    assert!(cluster.drain(2).is_clean());
    assert!(wheres(0).iter().all(|home| *home != 3));
    cluster.start(2);
    cluster.advance(Duration::from_secs(10));
    assert_eq!(wheres(1), homes);
}

#[test]
fn vactors_are_spread_and_spread_again_when_a_node_joins() {
    let cluster = cluster(2);
    cluster.advance(Duration::from_secs(2));
    let wheres = || {
        let node = cluster.node(0);
        cluster.run(async move {
            let mut found = Vec::new();
            for key in 0..120 {
                let asked = node.ask(&Spread::at(key.to_string()), Where {}).await;
                found.push(asked.unwrap());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            found
        })
    };
    let count = |found: &[u32], node| found.iter().filter(|home| **home == node).count();
    let first = wheres();
    assert!(count(&first, 1) > 35 && count(&first, 2) > 35, "{first:?}");
    assert!(cluster.drain(1).is_clean());
    assert_eq!(count(&wheres(), 1), 120);
    cluster.start(1);
    cluster.advance(Duration::from_secs(10));
    let again = wheres();
    assert!(count(&again, 2) > 35, "{again:?}");
}

#[test]
fn an_ask_of_a_kind_that_no_node_serves_is_rejected() {
    let cluster = TestCluster::builder(1).start(|node| node.sessions::<Nobody>());
    let node = cluster.node(0);
    let asked = cluster.run(async move { node.ask(&Counter::at("a"), Total {}).await });
    assert_eq!(asked, Err(Rejection::NoSuchKind.into()));
}

#[test]
fn a_vactor_moves_on_demand_and_who_asks_meanwhile_notices_nothing() {
    let cluster = cluster(3);
    cluster.advance(Duration::from_secs(1));
    for turn in 1..=30 {
        let (node, from) = (cluster.node(0), cluster.node(1));
        let to = u32::try_from(turn % 3).unwrap() + 1;
        let asked = cluster.run(async move {
            from.move_vactor(&Counter::at("a"), to).await;
            let asked = node.ask(&Counter::at("a"), Add { by: 1 }).await;
            // An order to one that is still on its way is lost: the next comes later.
            tokio::time::sleep(Duration::from_millis(50)).await;
            asked
        });
        assert_eq!(asked, Ok(turn));
    }
    let moves = begun(&cluster, 0, "a");
    assert!(moves.len() > 10, "{moves:?}");
    assert!(moves[1..].iter().all(|why| why == "Restored"), "{moves:?}");
}

#[test]
fn a_durable_message_wakes_its_vactor_and_is_handled_once() {
    let cluster = cluster(3);
    let node = cluster.node(0);
    cluster.run(async move {
        for _ in 0..20 {
            let counter = Counter::at("a");
            (&*node).tell_reliable(&counter, &Add { by: 1 }, DAY).await.unwrap();
        }
    });
    cluster.advance(Duration::from_secs(3));
    assert_eq!(add(&cluster, 1, "a", 0), Ok(20));
    // Swapped out, and woken again.
    cluster.advance(Duration::from_secs(120));
    let node = cluster.node(2);
    let told = async move { (&*node).tell_reliable(&Counter::at("a"), &Add { by: 1 }, DAY).await };
    cluster.run(told).unwrap();
    cluster.advance(Duration::from_secs(3));
    assert_eq!(add(&cluster, 1, "a", 0), Ok(21));
}

#[test]
fn durable_messages_of_a_vactor_are_handled_once_while_every_node_is_restarted() {
    let cluster = cluster(3);
    let node = cluster.node(0);
    let relay =
        async move { node.ask(&Counter::at("from"), Send { times: 30, to: "to".into() }).await };
    cluster.run(relay).unwrap();
    for n in 0..3 {
        let other = cluster.node((n + 1) % 3);
        let send = Send { times: 30, to: "to".into() };
        cluster.begin_drain(n);
        cluster.run(async move { other.ask(&Counter::at("from"), send).await }).unwrap();
        cluster.wait_until_gone(n);
        cluster.start(n);
    }
    cluster.advance(Duration::from_secs(5));
    assert_eq!(add(&cluster, 0, "to", 0), Ok(120));
}

#[test]
fn what_a_crash_proof_vactor_was_sent_is_handled_once_through_kills() {
    let cluster = cluster(3);
    for n in 0..3 {
        let node = cluster.node(n);
        cluster.run(async move {
            for _ in 0..10 {
                (&*node).tell_reliable(&Vault::at("v"), &Add { by: 1 }, DAY).await.unwrap();
            }
        });
        cluster.kill(n);
        cluster.advance(Duration::from_secs(7));
        cluster.start(n);
        cluster.advance(Duration::from_secs(2));
    }
    cluster.advance(Duration::from_secs(5));
    assert_eq!(vault(&cluster, 1, 0), Ok(30));
}

#[test]
fn a_durable_message_that_always_fails_is_set_aside_and_the_next_one_is_handled() {
    let cluster = cluster(1);
    let node = cluster.node(0);
    cluster.run(async move {
        let counter = Counter::at("a");
        let mut node = &*node;
        node.tell_reliable(&counter, &Fail { panics: false }, DAY).await.unwrap();
        node.tell_reliable(&counter, &Add { by: 1 }, DAY).await.unwrap();
    });
    cluster.advance(Duration::from_secs(3));
    assert_eq!(add(&cluster, 0, "a", 0), Ok(1));
}

#[test]
fn p9_beyond_the_active_ones_of_a_kind_the_least_recently_used_are_swapped_out() {
    let cluster = cluster(1);
    let node = cluster.node(0);
    let ask = |key: i64| {
        let node = node.clone();
        cluster.run(async move { node.ask(&Rare::at(key.to_string()), Add { by: 1 }).await })
    };
    for round in 1..=3 {
        for key in 0..40 {
            assert_eq!(ask(key), Ok(round), "its state comes back");
            assert!(node.vactor_count() <= 8 + 2, "{} are in memory", node.vactor_count());
        }
    }
    cluster.advance(Duration::from_secs(1));
    assert_eq!(node.vactor_count(), 8);
    cluster.advance(Duration::from_secs(120));
    assert_eq!(node.vactor_count(), 0, "nobody asks any more");
    // Eight are in memory; the first of them is used again, and two more come.
    for key in (100..108).chain([100]).chain(108..110) {
        assert!(ask(key).is_ok());
        cluster.advance(Duration::from_millis(100));
    }
    cluster.advance(Duration::from_secs(1));
    let begun = |key: i64| {
        let node = node.clone();
        let begun = async move { node.ask(&Rare::at(key.to_string()), Begun {}).await };
        cluster.run(begun).unwrap().len()
    };
    assert_eq!((begun(100), begun(103), begun(107)), (1, 1, 1), "used later than those that went");
    assert_eq!((begun(101), begun(102)), (2, 2), "used least recently: they begin again");
}

#[test]
fn a_vactor_that_is_never_idle_leaves_when_its_node_drains() {
    let cluster = cluster(2);
    let (node, other) = (cluster.node(0), cluster.node(1));
    let asked = std::rc::Rc::new(std::cell::Cell::new(0));
    cluster.run(async move { node.ask(&Vault::at("v"), Add { by: 0 }).await }).unwrap();
    cluster.begin_drain(0);
    cluster.run({
        let asked = asked.clone();
        async move {
            let callers = (0..4).map(|_| async {
                for _ in 0..200 {
                    other.ask(&Vault::at("v"), Add { by: 1 }).await.unwrap();
                    asked.set(asked.get() + 1);
                }
            });
            futures_util::future::join_all(callers).await;
        }
    });
    cluster.wait_until_gone(0);
    assert_eq!(asked.get(), 800);
    assert_eq!(vault(&cluster, 1, 0), Ok(800));
    assert!(cluster.elapsed() < Duration::from_secs(30), "{:?}", cluster.elapsed());
}

#[test]
fn a_vactor_that_has_forgotten_itself_does_not_come_back_by_itself() {
    let cluster = cluster(2);
    let node = cluster.node(0);
    cluster.run(async move {
        let vault = Vault::at("gone");
        (&*node).tell_reliable(&vault, &Add { by: 1 }, DAY).await.unwrap();
        node.ask(&vault, Remind { after_ms: 3_000 }).await.unwrap();
        node.ask(&vault, Forget {}).await.unwrap();
    });
    cluster.advance(Duration::from_secs(10));
    assert_eq!((cluster.node(0).vactor_count(), cluster.node(1).vactor_count()), (0, 0));
}

#[test]
fn p8_a_vactor_is_forgotten_when_whoever_asked_for_it_hears_so() {
    let cluster = cluster(2);
    assert_eq!(add(&cluster, 0, "a", 5), Ok(5));
    let forget = |n| {
        let node = cluster.node(n);
        let second = Duration::from_secs(1);
        cluster.run(async move { node.ask_within(&Counter::at("a"), Forget {}, second).await })
    };
    cluster.cut_store(0);
    assert_eq!(forget(0), Err(AskError::Unknown), "its end is not written");
    cluster.heal_store(0);
    cluster.advance(Duration::from_secs(1));
    assert_eq!(add(&cluster, 0, "a", 1), Ok(1));
    assert_eq!(forget(1), Ok(()));
    assert_eq!(begun(&cluster, 1, "a"), ["Created"]);
}
