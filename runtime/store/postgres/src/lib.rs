//! The store of Throughline on PostgreSQL, for clusters of several machines.
//!
//! [`PostgresStore`] keeps the law of [`Store`](throughline_store::Store). It takes the commits
//! that have arrived as one transaction, each of them checked and refused on its own; several
//! transactions are under way on several connections. What was acknowledged is as durable as the
//! server makes it: with `synchronous_standby_names` it survives the loss of the primary. The
//! tables, what the server's settings mean, and what to do about each failure are in
//! `docs/storage.md`.
//!
//! # Use
//!
//! ```no_run
//! use throughline_store::{Batch, Store};
//! use throughline_store_postgres::{Options, PostgresStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let options = Options::new("host=db1,db2,db3 dbname=game user=game sslmode=require", "eu-1")?;
//! let store = PostgresStore::open(options).await?;
//! store.commit(Batch::new().check_absent("seat/7").put("seat/7", "ann")).await?;
//! println!("{}", store.health());
//! store.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Layout
//!
//! - `options`, `store`: opening, and the handle; `shared`: what it shares with the store's thread
//! - `queue`, `marks`: which commits may begin beside one another; `plan`: what a group writes
//! - `driver`: the store's thread; `member`: a connection of the pool; `writer`: commits, and what
//!   became of them; `transaction`: one group; `reads`: gets and scans; `monitor`: the server
//! - `connection`, `hosts`, `tls`: a connection, opened and verified
//! - `schema`, `statements`: the SQL
//! - `health`, `stats`: what an operator sees; `error`: why a store does not open
//! - `tools`: check, and a look at the server
//! - `testing`: servers for tests, with the feature of that name

#![forbid(unsafe_code)]

mod connection;
mod driver;
mod error;
mod health;
mod hosts;
pub mod limits;
mod marks;
mod member;
mod monitor;
mod options;
mod plan;
mod queue;
mod reads;
mod schema;
mod shared;
mod statements;
mod stats;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod tls;
pub mod tools;
mod transaction;
mod writer;

pub use error::{OpenError, OptionsError};
pub use health::Health;
pub use options::Options;
pub use stats::Stats;
pub use store::PostgresStore;
