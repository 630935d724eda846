//! Three servers under Debian's Patroni, and their leader is lost in the ways in which leaders are:
//! nothing answered is lost, and the store finds the next one by itself.
//!
//! # Layout
//! - `cluster`: the members and etcd; `member`: Patroni and its server; `config`: its settings
//! - `processes`: killed and frozen; `ports`: where they are; `patience`: how long a test waits
//! - `load`: writers and a reader that know what was answered

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cluster;
mod config;
#[path = "../failures/load.rs"]
mod load;
mod member;
mod patience;
mod ports;
mod processes;

use std::sync::Arc;
use std::time::Duration;

use throughline_store::{Batch, Store};
use throughline_store_postgres::{Options, PostgresStore};
use tokio::time::{Instant, timeout};

use cluster::Cluster;
use load::Load;
use member::Member;
use patience::{GOES_ON_WITHIN, soon};
use processes::Which;

/// So many answers are play, not a coincidence.
const SOME: u64 = 1_000;

/// Of each writer after each answer: a load that leaves the machine's cores to the servers.
const PAUSE: Duration = Duration::from_millis(10);

fn options(address: &str) -> Options {
    Options::new(address, "test").unwrap()
}

/// A store on all members, and what is done with it.
async fn play(cluster: &Cluster) -> (Arc<PostgresStore>, Load) {
    let store = Arc::new(options(&cluster.address()).open().await.unwrap());
    let load = Load::start(store.clone(), PAUSE);
    soon("a cluster that is whole answers", load.answers(SOME)).await;
    (store, load)
}

/// Waits for the next leader, and until commits go on there; says how long both took.
async fn fails_over(cluster: &Cluster, load: &Load, old: usize, what: &str) -> usize {
    let began = Instant::now();
    let promoted = async {
        let leader = cluster.other_leader(old).await;
        (leader, began.elapsed())
    };
    // Of what is under way at the loss, each writer may be answered once.
    let goes_on = async {
        let goes_on = timeout(GOES_ON_WITHIN, load.answers(100)).await;
        assert!(goes_on.is_ok(), "no commit within {GOES_ON_WITHIN:?} after {what}");
        began.elapsed()
    };
    let ((leader, promoted), goes_on) = tokio::join!(promoted, goes_on);
    println!("{what}: a leader after {promoted:.1?}, commits after {goes_on:.1?}");
    leader
}

/// That a store which knows this member alone shows nothing of it, and leaves nothing there.
async fn is_no_primary_for_a_store(member: &Member) {
    let mut options = options(&member.address());
    let short = Duration::from_secs(3);
    options.call_wait(short).read_deadline(short).commit_deadline(short);
    let Ok(store) = options.open().await else { return };
    let read = store.get("old".into()).await;
    assert!(read.is_err(), "{} was replaced, and is read: {read:?}", member.name);
    let written = store.commit(Batch::new().put("old", "1")).await;
    assert!(written.is_err(), "{} was replaced, and answers", member.name);
}

/// Ends the load, with everything that was answered, and the same at all members.
async fn is_well(cluster: &Cluster, store: &PostgresStore, load: Load, what: &str) {
    let unknown = soon("the load ends", load.verify()).await;
    println!("{what}: {unknown} unknown, {:?}", store.stats());
    cluster.is_whole().await;
    println!("{what}: all have {}", cluster.is_alike().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_answered_is_lost_when_patroni_replaces_a_killed_leader_twice() {
    let mut cluster = Cluster::start().await;
    let (store, load) = play(&cluster).await;
    for what in ["the first leader is killed", "the second leader is killed"] {
        let old = cluster.leader().await;
        cluster.members[old].kill(Which::All).await;
        fails_over(&cluster, &load, old, what).await;
        cluster.members[old].run();
        // It comes back as a standby.
        cluster.is_whole().await;
        soon("a cluster that is whole again answers", load.answers(SOME)).await;
    }
    is_well(&cluster, &store, load, "two leaders were killed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_stood_still_and_goes_on_keeps_nothing_that_the_others_do_not_have() {
    let cluster = Cluster::start().await;
    let (store, load) = play(&cluster).await;
    let old = cluster.leader().await;
    cluster.members[old].freeze().await;
    fails_over(&cluster, &load, old, "the leader stands still").await;
    // It takes itself for the leader until it looks.
    cluster.members[old].thaw();
    is_no_primary_for_a_store(&cluster.members[old]).await;
    soon("the successor answers", load.answers(SOME)).await;
    // It comes back as a standby.
    cluster.is_whole().await;
    is_well(&cluster, &store, load, "a leader stood still").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_whose_patroni_was_killed_is_left_for_its_successor_though_it_takes_writes() {
    let mut cluster = Cluster::start().await;
    let (store, load) = play(&cluster).await;
    let old = cluster.leader().await;
    cluster.members[old].kill(Which::Patroni).await;
    let began = Instant::now();
    cluster.other_leader(old).await;
    let promoted = began.elapsed();
    let goes_on = timeout(GOES_ON_WITHIN, load.answers(SOME)).await;
    assert!(goes_on.is_ok(), "no commit within {GOES_ON_WITHIN:?}");
    println!("no Patroni: a leader after {promoted:.1?}, {SOME} more {:.1?}", began.elapsed());
    // Nobody has told it.
    let recovers = cluster.members[old].sql("select pg_is_in_recovery()").await;
    assert_eq!(recovers.as_deref(), Some("f"), "the old leader is still one, for itself");
    is_no_primary_for_a_store(&cluster.members[old]).await;
    soon("the successor answers", load.answers(SOME)).await;
    cluster.members[old].run();
    is_well(&cluster, &store, load, "a leader lost its Patroni").await;
}
