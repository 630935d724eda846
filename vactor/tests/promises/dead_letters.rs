//! Durable messages that a VActor cannot handle.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use throughline::{DeadLetter, DeadLetterError};
use throughline_testing::TestCluster;
use throughline_vactor::{Accepts, prelude::*};

use crate::kinds::Nobody;

const DAY: Duration = Duration::from_secs(86_400);

thread_local! {
    /// Turns of poison, on the nodes of this test: they all run on its thread.
    static TRIED: Cell<u32> = const { Cell::new(0) };
    /// Whether poison is none any more.
    static IS_CURED: Cell<bool> = const { Cell::new(false) };
    /// Where the turn of a killer has just begun.
    static KILLS: Cell<Option<u32>> = const { Cell::new(None) };
}

#[derive(Debug, Serialize, Deserialize)]
struct Add {
    by: i64,
}

impl Message for Add {
    type Reply = i64;
}

/// Fails until it is cured; then it counts as 100.
#[derive(Debug, Serialize, Deserialize)]
struct Poison {}

impl Message for Poison {
    type Reply = ();
}

/// A message that only the newer build knows.
#[derive(Debug, Serialize, Deserialize)]
struct Newer {
    by: i64,
}

impl Message for Newer {
    type Reply = ();
}

/// Its turn takes as long as it takes to kill its node.
#[derive(Debug, Serialize, Deserialize)]
struct Killer {}

impl Message for Killer {
    type Reply = ();
}

#[derive(Default, Serialize, Deserialize)]
struct Sum(i64);

macro_rules! kind {
    ($name:ident, $kind:literal, $durability:ident, $keeps:literal, $($messages:tt)*) => {
        struct $name(Sum);

        messages! { $name { $($messages)* } }

        impl VActor for $name {
            const KIND: &'static str = $kind;
            const DURABILITY: Durability = Durability::$durability;
            const KEEP_COPY: bool = $keeps;
            type State = Sum;

            fn new(_: &str, sum: Sum) -> Self {
                Self(sum)
            }

            fn state(&self) -> &Sum {
                &self.0
            }
        }

        impl Handle<Add> for $name {
            async fn handle(
                &mut self,
                add: Add,
                _: &mut Context<Self>,
            ) -> Result<i64, HandlerError> {
                self.0.0 += add.by;
                Ok(self.0.0)
            }
        }

        impl Handle<Poison> for $name {
            async fn handle(
                &mut self,
                _: Poison,
                _: &mut Context<Self>,
            ) -> Result<(), HandlerError> {
                self.0.0 += 100;
                TRIED.set(TRIED.get() + 1);
                if IS_CURED.get() { Ok(()) } else { Err(HandlerError::new("it was to fail")) }
            }
        }
    };
}

kind!(Plain, "plain", OnSwapOut, true, "add" => Add, "poison" => Poison);
kind!(Bare, "bare", OnSwapOut, false, "add" => Add, "poison" => Poison);
kind!(Safe, "safe", EveryTurn, true, "add" => Add, "poison" => Poison, "killer" => Killer);
kind!(SafeNext, "safe", EveryTurn, true, "add" => Add, "poison" => Poison, "newer" => Newer);

impl Handle<Newer> for SafeNext {
    async fn handle(&mut self, newer: Newer, _: &mut Context<Self>) -> Result<(), HandlerError> {
        self.0.0 += newer.by;
        Ok(())
    }
}

impl Handle<Killer> for Safe {
    async fn handle(&mut self, _: Killer, ctx: &mut Context<Self>) -> Result<(), HandlerError> {
        self.0.0 += 1_000;
        KILLS.set(Some(ctx.node()));
        tokio::time::sleep(Duration::from_secs(5)).await;
        Ok(())
    }
}

fn cluster(nodes: usize) -> TestCluster {
    TestCluster::new(nodes, |node| {
        node.sessions::<Nobody>().vactors::<Plain>().vactors::<Bare>().vactors::<Safe>()
    })
}

/// What the dead letters are, as the node sees them: their ids, and themselves.
fn dead(cluster: &TestCluster, n: usize) -> Vec<(String, DeadLetter)> {
    let node = cluster.node(n);
    let page = cluster.run(async move { node.dead_letters(None, 1_000).await }).unwrap();
    page.letters.iter().map(|filed| (filed.id(), filed.letter().unwrap().clone())).collect()
}

fn tell<V, M>(cluster: &TestCluster, n: usize, message: M)
where
    V: Accepts<M> + Handle<M>,
    M: Message + 'static,
{
    let node = cluster.node(n);
    cluster.run(async move {
        (&*node).tell_reliable(&V::at("a"), &message, DAY).await.unwrap();
    });
}

fn total<V>(cluster: &TestCluster, n: usize) -> i64
where
    V: Accepts<Add> + Handle<Add>,
{
    let node = cluster.node(n);
    cluster.run(async move { node.ask(&V::at("a"), Add { by: 0 }).await }).unwrap()
}

fn retry(cluster: &TestCluster, n: usize, id: &str) -> Result<(), DeadLetterError> {
    let (node, id) = (cluster.node(n), id.to_owned());
    cluster.run(async move { node.retry_dead_letter(&id).await })
}

/// A poisonous message in front of a good one.
#[track_caller]
fn poison_becomes_a_dead_letter<V>(kind: &str, tries: u32)
where
    V: Accepts<Add> + Handle<Add> + Accepts<Poison> + Handle<Poison>,
{
    let cluster = cluster(2);
    tell::<V, _>(&cluster, 0, Poison {});
    tell::<V, _>(&cluster, 0, Add { by: 1 });
    // One that has begun anew is brought back by its node's look at what it owns.
    cluster.advance(Duration::from_secs(30));
    assert_eq!(TRIED.get(), tries);
    assert_eq!(total::<V>(&cluster, 1), 1, "what is behind it goes on, and it had no effect");
    let found = dead(&cluster, 1);
    let [(id, letter)] = &found[..] else { panic!("{found:?}") };
    assert_eq!((&letter.kind[..], &letter.hook[..], letter.tries), (kind, "poison", tries));
    assert!(letter.why.contains("it was to fail"), "{letter:?}");

    IS_CURED.set(true);
    retry(&cluster, 1, id).unwrap();
    assert_eq!(retry(&cluster, 0, id), Err(DeadLetterError::NoSuch { id: id.clone() }));
    cluster.advance(Duration::from_secs(3));
    assert_eq!((total::<V>(&cluster, 0), TRIED.get()), (101, tries + 1), "it is handled once");
    assert_eq!(dead(&cluster, 0), []);
}

#[test]
fn a_message_that_a_vactor_cannot_handle_is_a_dead_letter_and_is_handled_once_when_tried_again() {
    poison_becomes_a_dead_letter::<Plain>("plain", 3);
}

#[test]
fn a_message_that_a_vactor_without_a_copy_cannot_handle_is_a_dead_letter() {
    // It begins anew with each turn that fails, so nobody tries again.
    poison_becomes_a_dead_letter::<Bare>("bare", 1);
}

#[test]
fn p7_a_message_that_a_crash_proof_vactor_cannot_handle_is_a_dead_letter_and_comes_back_once() {
    poison_becomes_a_dead_letter::<Safe>("safe", 3);
}

#[test]
fn p7_a_message_is_in_its_inbox_or_a_dead_letter_and_never_both_through_kills() {
    for ms in 0..25 {
        TRIED.set(0);
        let cluster = cluster(2);
        tell::<Safe, _>(&cluster, 0, Poison {});
        tell::<Safe, _>(&cluster, 0, Add { by: 1 });
        cluster.advance(Duration::from_millis(ms));
        cluster.kill(0);
        cluster.advance(Duration::from_secs(10));
        assert_eq!(total::<Safe>(&cluster, 1), 1, "killed after {ms} ms");
        let found = dead(&cluster, 1);
        assert_eq!(found.len(), 1, "killed after {ms} ms: {found:?}");
    }
}

#[test]
fn a_message_that_only_a_newer_build_knows_waits_as_a_dead_letter_and_is_handled_after_the_update()
{
    let is_updated = Rc::new(Cell::new(false));
    let builds = Rc::clone(&is_updated);
    let cluster = TestCluster::new(1, move |node| {
        let node = node.sessions::<Nobody>();
        if builds.get() { node.vactors::<SafeNext>() } else { node.vactors::<Safe>() }
    });
    tell::<SafeNext, _>(&cluster, 0, Newer { by: 7 });
    tell::<SafeNext, _>(&cluster, 0, Add { by: 1 });
    cluster.advance(Duration::from_secs(3));
    assert_eq!(total::<Safe>(&cluster, 0), 1);
    let found = dead(&cluster, 0);
    let [(id, letter)] = &found[..] else { panic!("{found:?}") };
    assert_eq!((letter.tries, &letter.hook[..]), (0, "newer"));
    assert!(letter.why.contains("no message `newer`"), "{letter:?}");

    assert!(cluster.drain(0).is_clean());
    is_updated.set(true);
    cluster.start(0);
    retry(&cluster, 0, id).unwrap();
    cluster.advance(Duration::from_secs(3));
    assert_eq!(total::<SafeNext>(&cluster, 0), 8);
    assert_eq!(dead(&cluster, 0), []);
}

#[test]
fn a_message_that_is_none_of_a_vactor_is_a_dead_letter() {
    let cluster = cluster(1);
    let node = cluster.node(0);
    cluster.run(async move {
        let to = throughline::Address::from(&Plain::at("a"));
        node.send_reliable(&to, &"no pair of a name and a message", DAY).await.unwrap();
    });
    cluster.advance(Duration::from_secs(3));
    let found = dead(&cluster, 0);
    let [(_, letter)] = &found[..] else { panic!("{found:?}") };
    assert_eq!((letter.tries, &letter.hook[..]), (0, ""));
}

#[test]
fn p9_of_too_many_dead_letters_the_oldest_make_room() {
    let cluster = TestCluster::builder(1)
        .settings(|config| config.queue.messages = 5)
        .start(|node| node.sessions::<Nobody>().vactors::<Safe>());
    for _ in 0..4 {
        for _ in 0..3 {
            tell::<Safe, _>(&cluster, 0, Poison {});
        }
        cluster.advance(Duration::from_secs(15));
    }
    let found = dead(&cluster, 0);
    let last_ms = found[found.len() - 1].1.dead_ms;
    let old = found.iter().filter(|(_, letter)| letter.dead_ms < last_ms - 1_000).count();
    assert_eq!((found.len(), old), (5, 2), "the last three, and two of those before");
}

/// Kills every node where the turn of a killer begins, and starts it anew; how many that were.
fn kill_whoever_begins(cluster: &TestCluster) -> u32 {
    let (mut killed, mut quiet) = (0, 0);
    while quiet < 30 && killed < 10 {
        cluster.advance(Duration::from_secs(1));
        quiet += 1;
        if let Some(node) = KILLS.take() {
            let n = usize::try_from(node).unwrap() - 1;
            cluster.kill(n);
            cluster.start(n);
            (killed, quiet) = (killed + 1, 0);
        }
    }
    killed
}

#[test]
fn p7_a_message_whose_turn_kills_its_node_becomes_a_dead_letter_before_it_has_killed_four() {
    let cluster = cluster(3);
    tell::<Safe, _>(&cluster, 0, Add { by: 1 });
    tell::<Safe, _>(&cluster, 0, Killer {});
    tell::<Safe, _>(&cluster, 0, Add { by: 2 });
    assert_eq!(kill_whoever_begins(&cluster), 3);
    assert_eq!(total::<Safe>(&cluster, 1), 3, "what is behind it goes on");
    let found = dead(&cluster, 1);
    let [(_, letter)] = &found[..] else { panic!("{found:?}") };
    assert_eq!((letter.tries, &letter.hook[..]), (3, "killer"));
    assert!(letter.why.contains("have died"), "{letter:?}");
}

#[test]
fn p7_a_message_whose_node_is_killed_during_its_turn_is_handled_at_the_next() {
    let cluster = cluster(3);
    tell::<Safe, _>(&cluster, 0, Killer {});
    for _ in 0..2 {
        let node = loop {
            cluster.advance(Duration::from_millis(100));
            if let Some(node) = KILLS.take() {
                break usize::try_from(node).unwrap() - 1;
            }
        };
        cluster.kill(node);
        cluster.start(node);
    }
    cluster.advance(Duration::from_secs(30));
    assert_eq!(total::<Safe>(&cluster, 1), 1_000);
    assert_eq!(dead(&cluster, 1), []);
}
