//! The embedded store of Throughline, on sled: what one process keeps on its own disk.
//!
//! [`SledStore`] keeps the law of [`Store`](throughline_store::Store). One thread owns the files:
//! it takes the commits that have arrived, checks them, applies them as one batch, syncs, and then
//! answers them all. It shares nothing with other processes; a second one is refused. The format
//! on disk, what is synced when, and what to do about each failure are in `docs/storage.md`.
//!
//! # Layout
//!
//! - `options`, `store`: opening, and the handle; `queue`: calls on their way to the thread
//! - `sight`: reads on the caller's thread; `worker`: the store's thread; `group`: one group commit
//! - `opened`: opening and verifying; `layout`: the files; `engine`: the only user of sled
//! - `rollback`: an open that was interrupted is undone
//! - `record`, `seal`, `tail`: what is on disk
//! - `error`: why a store does not open; `tools`: check, dump, compact, backup

#![forbid(unsafe_code)]

mod engine;
mod error;
mod group;
mod layout;
pub mod limits;
mod opened;
mod options;
mod queue;
mod record;
mod rollback;
mod seal;
mod sight;
mod stats;
mod store;
mod tail;
pub mod tools;
mod worker;

pub use error::OpenError;
pub use options::SledOptions;
pub use stats::Stats;
pub use store::SledStore;
