//! The store of Throughline: one ordered keyspace of bytes behind six methods.
//!
//! [`Store`] is the trait; its documentation is the law that every store keeps, rule by rule. This
//! crate has a store in memory, a wrapper that makes faults by seed, and, with the feature
//! `conformance`, the suite that tells whether a store keeps the law. It holds no records, no
//! ownership and no format: those are its callers'. It starts no thread or task and reads no clock.
//!
//! # Use
//!
//! ```
//! use throughline_store::{Batch, CommitError, MemoryStore, Store};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = MemoryStore::new();
//! store.commit(Batch::new().check_absent("seat/7").put("seat/7", "ann")).await?;
//!
//! let late = Batch::new().check_absent("seat/7").put("seat/7", "bob");
//! assert!(matches!(store.commit(late).await, Err(CommitError::Refused(_))));
//! assert_eq!(store.get("seat/7".into()).await?.as_deref(), Some(&b"ann"[..]));
//! # Ok(())
//! # }
//! ```
//!
//! # Layout
//!
//! - `store`: the trait and its law; `scope`: what a store says of itself
//! - `batch`, `scan`, `watch`: what goes in and comes out; `limits`: every bound, with its reason
//! - `error`: one enum per operation
//! - `wake`: answers that come together
//! - `memory`: the store in memory; `faulty`: faults by seed, round any store; `random`: the seed
//! - `conformance`: the suite

#![forbid(unsafe_code)]

mod batch;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod faulty;
pub mod limits;
mod memory;
mod random;
mod scan;
mod scope;
mod store;
pub mod wake;
mod watch;

pub use batch::{Batch, Check, Write};
pub use error::{
    BatchError, CloseError, CommitError, Corruption, GetError, KeyError, Outage, Refusal,
    ScanError, WatchError,
};
pub use faulty::{Faults, FaultyStore};
pub use memory::MemoryStore;
pub use scan::{Entry, Page, Scan};
pub use scope::{About, Scope};
pub use store::{Store, StoreFuture};
pub use watch::{Watch, WatchEnded, Watches};
