//! The suite of the law against a real server. A crash is a kill of the server, or a drop of the
//! store without a close.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use throughline_store::Store;
use throughline_store::conformance::{CASES, Subject, SubjectFuture};
use throughline_store_postgres::Options;
use throughline_store_postgres::testing::Server;

/// A database of its own for each case.
static DATABASES: AtomicU32 = AtomicU32::new(0);

struct InDatabase<'a> {
    server: &'a Server,
    database: String,
    kills: bool,
}

impl<'a> InDatabase<'a> {
    fn new(server: &'a Server, kills: bool) -> Self {
        let database = format!("case{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        server.sql("postgres", &format!("create database {database}")).unwrap();
        Self { server, database, kills }
    }
}

impl Subject for InDatabase<'_> {
    fn open(&mut self) -> SubjectFuture<'_, Arc<dyn Store>> {
        let options = Options::new(&self.server.address(&self.database), "suite");
        Box::pin(async move {
            let options = options.map_err(|error| error.to_string())?;
            let store = options.open().await.map_err(|error| error.to_string())?;
            Ok(Arc::new(store) as Arc<dyn Store>)
        })
    }

    fn crash(&mut self, store: Arc<dyn Store>) -> SubjectFuture<'_, ()> {
        let left = Arc::strong_count(&store) - 1;
        drop(store);
        Box::pin(async move {
            if left > 0 {
                return Err(format!("{left} handles are left"));
            }
            if self.kills {
                self.server.kill().map_err(|error| error.to_string())?;
                self.server.run().map_err(|error| error.to_string())?;
            }
            Ok(())
        })
    }
}

async fn run(kills: bool, seed: u64) {
    let server = Server::start().unwrap();
    for case in CASES {
        let mut subject = InDatabase::new(&server, kills);
        let outcome = case.run(&mut subject, seed).await;
        outcome.unwrap_or_else(|breach| panic!("{breach}"));
        // A server that was killed syncs every file when it starts again.
        let drop = format!("drop database {} with (force)", subject.database);
        server.sql("postgres", &drop).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_on_postgresql_keeps_the_law() {
    run(false, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_on_postgresql_keeps_the_law_while_its_server_is_killed() {
    run(true, 2).await;
}
