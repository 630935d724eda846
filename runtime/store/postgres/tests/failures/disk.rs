//! The server's disk is full.

use std::sync::Arc;
use std::time::Duration;

use throughline_store::{Batch, CommitError, Store};
use throughline_store_postgres::PostgresStore;
use throughline_store_postgres::testing::Server;
use tokio::task::block_in_place;
use tokio::time::timeout;

use crate::load::Load;
use crate::{UNPACED, open};

/// The server's own files take half of it at most, with the settings below.
const DISK_MEBIBYTES: u32 = 256;
const LOG_ON_DISK: &str = "min_wal_size = 32MB\nmax_wal_size = 48MB\n";

/// The log has room elsewhere: what the server writes to the full disk of itself, and stops
/// without, does not fall into the test.
const LOG_ELSEWHERE: &str = "checkpoint_timeout = 1h\nmax_wal_size = 4GB\nautovacuum = off\n";

/// How often it is looked whether the server runs.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What is left when it is filled: less than a segment of the log.
const LEFT: u64 = 6 * 1024 * 1024;

/// More commits of [`VALUE`] bytes than fit into what is left.
const COMMITS_MAX: usize = 200;
const VALUE: usize = 512 * 1024;

/// Fills the disk and commits until that is refused; the words of the refusal.
async fn fill(server: &Server, store: &PostgresStore) -> String {
    block_in_place(|| server.fill_disk(LEFT).unwrap());
    for n in 0..COMMITS_MAX {
        let key = format!("large/{n}");
        match store.commit(Batch::new().put(key, vec![7; VALUE])).await {
            Ok(()) => {}
            Err(CommitError::Down(outage)) => return outage.reason,
            Err(CommitError::Unknown { reason }) => return reason,
            Err(error) => panic!("a full disk is told as {error}"),
        }
    }
    panic!("{COMMITS_MAX} commits fit into {LEFT} bytes");
}

/// Waits for answers, as a system does that looks after its services: a server that stops for want
/// of room may still be about it.
async fn goes_on(server: &Server, load: &Load) {
    let answers = load.answers(500);
    tokio::pin!(answers);
    while timeout(LOOK_EVERY, &mut answers).await.is_err() {
        if !server.is_running()
            && let Err(error) = block_in_place(|| server.run())
        {
            println!("tried again: {error}");
        }
    }
}

async fn goes_on_when_there_is_room(has_log: bool) -> String {
    let server = Server::on_small_disk(DISK_MEBIBYTES, has_log).unwrap();
    server.configure(if has_log { LOG_ON_DISK } else { LOG_ELSEWHERE }).unwrap();
    server.reload().unwrap();
    let store = Arc::new(open(&server).await);
    let load = Load::start(store.clone(), UNPACED);
    load.answers(500).await;
    let words = fill(&server, &store).await;
    block_in_place(|| server.empty_disk().unwrap());
    goes_on(&server, &load).await;
    let unknown = load.verify().await;
    println!("log on the disk: {has_log}; \"{words}\"; {unknown} unknown, {:?}", store.stats());
    words
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_commits_in_the_servers_words_and_loses_nothing() {
    let words = goes_on_when_there_is_room(false).await;
    assert!(words.contains("No space left on device"), "{words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_too_full_for_the_servers_log_takes_commits_away_and_loses_nothing() {
    goes_on_when_there_is_room(true).await;
}
