//! Synchronous standbys: one takes over, one is lost.

use std::sync::Arc;
use std::time::Duration;

use throughline_store::{Batch, CommitError, GetError, Page, Scan, Store};
use throughline_store_postgres::Health;
use throughline_store_postgres::testing::{Server, USER};
use tokio::task::block_in_place;

use crate::load::Load;
use crate::{UNPACED, options};

/// Sets which standbys every commit waits for.
fn require(servers: &[&Server], names: &str) {
    for server in servers {
        server.configure(&format!("synchronous_standby_names = '{names}'\n")).unwrap();
        server.reload().unwrap();
    }
    let synced =
        "select count(*) > 0 from pg_stat_replication where sync_state in ('sync', 'quorum')";
    while servers[0].sql("postgres", synced).unwrap() != "t" {}
}

/// How much of the log a standby has.
fn received(standby: &Server) -> u64 {
    let sql = "select pg_wal_lsn_diff(pg_last_wal_receive_lsn(), '0/0')";
    standby.sql("postgres", sql).unwrap().parse().unwrap()
}

/// A primary with two standbys, every commit of which one of them must have.
struct Cluster {
    primary: Server,
    standbys: [(&'static str, Server); 2],
}

impl Cluster {
    fn start() -> Self {
        let primary = Server::start().unwrap();
        let standbys = [("a", primary.standby("a").unwrap()), ("b", primary.standby("b").unwrap())];
        require(&[&primary, &standbys[0].1, &standbys[1].1], "ANY 1 (a, b)");
        Self { primary, standbys }
    }

    fn standbys_address(&self) -> String {
        let [(_, a), (_, b)] = &self.standbys;
        let ports = format!("{},{}", a.port(), b.port());
        format!("host=127.0.0.1,127.0.0.1 port={ports} user={USER} dbname=postgres")
    }

    fn address(&self) -> String {
        let [(_, a), (_, b)] = &self.standbys;
        let ports = format!("{},{},{}", self.primary.port(), a.port(), b.port());
        format!("host=127.0.0.1,127.0.0.1,127.0.0.1 port={ports} user={USER} dbname=postgres")
    }

    /// Makes the standby that has the most the primary, and the other one follow it.
    fn fail_over(&self) {
        let [(_, a), (_, b)] = &self.standbys;
        let (first, second) = if received(a) >= received(b) { (0, 1) } else { (1, 0) };
        let (name, follower) = &self.standbys[second];
        let (_, leader) = &self.standbys[first];
        leader.promote().unwrap();
        let port = leader.port();
        let from = format!("host=127.0.0.1 port={port} user={USER} application_name={name}");
        follower.configure(&format!("primary_conninfo = '{from}'\n")).unwrap();
        follower.reload().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_answered_is_lost_when_the_primary_is_killed_and_a_standby_takes_over() {
    let cluster = Cluster::start();
    let store = Arc::new(options(&cluster.address()).open().await.unwrap());
    let load = Load::start(store.clone(), UNPACED);
    load.answers(2_000).await;
    block_in_place(|| {
        cluster.primary.kill().unwrap();
        cluster.fail_over();
    });
    load.answers(2_000).await;
    let unknown = load.verify().await;
    println!("a standby took over: {unknown} unknown, {:?}", store.stats());
    assert_eq!(unknown, 0, "the new primary could be asked in time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_stands_still_is_left_for_the_one_that_replaced_it() {
    let cluster = Cluster::start();
    let store = Arc::new(options(&cluster.address()).open().await.unwrap());
    let load = Load::start(store.clone(), UNPACED);
    load.answers(2_000).await;
    block_in_place(|| {
        // It still accepts connections, and says nothing on them.
        cluster.primary.freeze(true).unwrap();
        cluster.fail_over();
    });
    load.answers(2_000).await;
    // What it does now is for itself alone: no standby takes it from there.
    block_in_place(|| cluster.primary.freeze(false).unwrap());
    load.answers(2_000).await;
    let unknown = load.verify().await;
    println!("a primary stood still: {unknown} unknown, {:?}", store.stats());
}

/// Waits until nothing at this server waits for a standby: one that keeps such connections runs out
/// of them.
fn nothing_waits(server: &Server) {
    let waiting = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'";
    while server.sql("postgres", waiting).unwrap() != "0" {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_was_replaced_and_not_stopped_shows_nothing_old() {
    let cluster = Cluster::start();
    let store = options(&cluster.address()).open().await.unwrap();
    store.commit(Batch::new().put("k", "1")).await.unwrap();
    // Over connections that stay open: nothing tells them that there is another primary.
    assert_eq!(store.get("k".into()).await.unwrap().as_deref(), Some(&b"1"[..]));
    block_in_place(|| cluster.fail_over());
    let others = options(&cluster.standbys_address()).open().await.unwrap();
    while others.commit(Batch::new().put("k", "2")).await.is_err() {}
    assert!(store.health().is_working(), "it knows nothing of that: {}", store.health());
    let (read, scanned) = (store.get("k".into()), store.scan(Scan::prefix("k")));
    // What refuses it at the old one is no longer true.
    let written = store.commit(Batch::new().check_equals("k", "2").put("k", "3"));
    let (read, scanned, written) = tokio::join!(read, scanned, written);
    println!("replaced, and not stopped: {read:?}, {written:?}, {}", store.health());
    let is_new = |value: &[u8]| matches!(value, b"2" | b"3");
    assert!(matches!(&read, Ok(Some(value)) if is_new(value)), "{read:?}");
    let has_new = |page: &Page| page.entries().iter().any(|entry| is_new(&entry.value));
    assert!(matches!(&scanned, Ok(page) if has_new(page)), "{scanned:?}");
    assert!(matches!(written, Ok(())), "{written:?}");
    block_in_place(|| nothing_waits(&cluster.primary));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_synchronous_standby_is_told_in_words() {
    let primary = Server::start().unwrap();
    let standby = primary.standby("only").unwrap();
    require(&[&primary], "only");
    let mut options = options(&primary.address("postgres"));
    options.commit_deadline(Duration::from_secs(4)).call_wait(Duration::from_secs(2));
    let store = options.open().await.unwrap();
    store.commit(Batch::new().put("k", "1")).await.unwrap();
    block_in_place(|| standby.kill().unwrap());
    let waits = store.commit(Batch::new().check_equals("k", "1").put("k", "2")).await;
    let Err(CommitError::Unknown { reason }) = waits else { panic!("{waits:?}") };
    assert!(reason.contains("synchronous standby") && reason.contains("\"only\""), "{reason}");
    let health = store.health();
    assert!(matches!(&health, Health::AwaitsStandby { connected: 0, .. }), "{health}");
    // What comes behind on the same key was not begun, and so is no second unknown one.
    let behind = store.commit(Batch::new().put("k", "3")).await;
    let Err(CommitError::Down(outage)) = behind else { panic!("{behind:?}") };
    assert!(outage.reason.contains("synchronous standby"), "{outage}");
    // Without a standby a server does not know that it is the primary still: it shows nothing.
    let read = store.get("k".into()).await;
    let Err(GetError::Down(outage)) = read else { panic!("{read:?}") };
    assert!(outage.reason.contains("synchronous standby"), "{outage}");
    // The commits wait on; what was asked only to look, or to open a connection, does not.
    let waiting = "select count(*) <= 3 from pg_stat_activity where wait_event = 'SyncRep'";
    block_in_place(|| while primary.sql("postgres", waiting).unwrap() != "t" {});
    block_in_place(|| standby.run().unwrap());
    let mut health = health;
    while !health.is_working() {
        health = store.health_changed(&health).await;
    }
    store.commit(Batch::new().check_equals("k", "2").put("k", "3")).await.unwrap();
}
