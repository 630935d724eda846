//! Client of a Throughline node: one session, over connections that break.
//!
//! It connects to a list of addresses over TCP or WebSocket, reconnects by itself, and gives the
//! application each message exactly once and in order. It does not know what messages mean, starts
//! no task unless asked to ([`Client::spawn`]), and brings no TLS: a [`Connector`] can.
//!
//! # Example
//!
//! ```no_run
//! use throughline_client::{Client, ConnectError, Event, Options};
//!
//! # async fn play() -> Result<(), Box<dyn std::error::Error>> {
//! let options = Options::new(["127.0.0.1:7778"]).kind("echo").login("ann");
//! let mut client = Client::connect(options).await?;
//! client.send("hello").await?;
//! loop {
//!     match client.next().await {
//!         Event::Message(bytes) => println!("{} bytes", bytes.len()),
//!         Event::RepairStarted => println!("the connection broke"),
//!         Event::Repaired { after } => println!("it is back, after {after:?}"),
//!         // Only the player should ask for more tries.
//!         Event::RepairFailed => client.retry(),
//!         Event::Ended(code, text) => {
//!             println!("over: {code} {text}");
//!             break;
//!         }
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What drives it
//!
//! [`Client::next`] does everything: it reads, writes, keeps the heartbeats and reconnects. A
//! client whose `next` is not awaited stands still, and after some seconds its node takes the
//! connection for dead; nothing is lost, since the next call repairs it. An application that must
//! wait for other things at length uses [`Client::spawn`].
//!
//! # Layout
//!
//! - `client`: the session as the application holds it; `handle`: the same behind a task
//! - `driver`: feeds `throughline_link::ClientLink` from a connection; `timer`: its one timer
//! - `wire`: a connection, over TCP or WebSocket; `connector`, `address`: how one is opened
//! - `options`, `defaults`: what can be set; `event`, `error`: what comes back
//! - `test_client`: a client for a game's own tests and for load

#![forbid(unsafe_code)]

mod address;
mod client;
mod connector;
pub mod defaults;
mod driver;
mod error;
mod event;
mod handle;
mod options;
pub mod test_client;
mod timer;
mod wire;

pub use address::{AddressError, Target};
pub use client::Client;
pub use connector::{BoxStream, ByteStream, Connecting, Connector, PlainTcp};
pub use error::{ConnectError, SavedSession};
pub use event::Event;
pub use handle::{ClientHandle, Events};
pub use options::Options;
pub use test_client::TestClient;
pub use throughline_link::{AddressOrder, CloseCode, ImportError, SendError, SessionId, Stats};
