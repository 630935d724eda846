//! Lends a store to the other processes of the same machine.
//!
//! A process opens a store, an embedded one mostly, and serves it: [`Hub::serve`]. The others use
//! it as [`HubStore`], which is a store like any other, over a Unix socket or loopback TCP. Both
//! sides prove that they know one secret. The hub may be killed and started again at any time:
//! what it acknowledged is there, reads are asked again, and a commit whose answer was lost is
//! `Unknown`. This crate keeps nothing itself, and never listens on an address that other machines
//! reach. `docs/hub.md` has the protocol, the limits and the failures.
//!
//! # Use
//!
//! ```
//! use std::sync::Arc;
//! use throughline_store::{Batch, MemoryStore, Store};
//! use throughline_store_hub::{Hub, HubStore, Options, Secret};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let secret = Secret::new(*b"at least sixteen bytes, of noise")?;
//! let lent = Arc::new(MemoryStore::new());
//! let hub = Hub::serve(lent, secret.clone(), &["127.0.0.1:0".parse()?]).await?;
//!
//! // In another process, most likely.
//! let store = HubStore::connect(Options::new(hub.addresses()[0].clone(), secret)).await?;
//! store.commit(Batch::new().put("seat/7", "ann")).await?;
//! assert_eq!(store.get("seat/7".into()).await?.as_deref(), Some(&b"ann"[..]));
//!
//! store.close().await?;
//! hub.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Layout
//!
//! - `wire`: every number of the protocol; `limits`: every bound and time, with its reason
//! - `frame`, `frame/*`: the frames, read and written without I/O; `proof`: the shared secret
//! - `address`, `stream`: where a hub listens, and the connections; `error`: one enum per operation
//! - `hub`, `hub/*`: the side that lends; `socket`: the guard of a socket's path
//! - `store`, `client/*`: the side that borrows; `client/calls` is the machine of what is under way

#![forbid(unsafe_code)]

mod address;
mod client;
mod error;
mod frame;
mod hub;
pub mod limits;
mod options;
mod proof;
#[cfg(unix)]
mod socket;
mod store;
mod stream;
pub mod wire;

pub use address::{Address, AddressError};
pub use error::{ConnectError, ServeError};
pub use frame::{Failure, Frame, FrameError, Head};
pub use hub::{Counts, Hub};
pub use options::Options;
pub use proof::{Secret, SecretTooShort};
pub use store::{Attached, HubStore};
