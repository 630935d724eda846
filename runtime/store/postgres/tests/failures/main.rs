//! What goes wrong with servers and connections: nothing answered is lost, and every outcome is
//! found out or told.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cuts;
mod disk;
mod hosts;
mod kills;
mod load;
mod schema;
mod standbys;
mod tls;
mod together;

use std::time::Duration;

use throughline_store_postgres::testing::Server;
use throughline_store_postgres::{Options, PostgresStore};

/// Writers of a load go on as soon as they are answered.
const UNPACED: Duration = Duration::ZERO;

/// A store on the server's first database.
async fn open(server: &Server) -> PostgresStore {
    options(&server.address("postgres")).open().await.unwrap()
}

fn options(address: &str) -> Options {
    Options::new(address, "test").unwrap()
}
