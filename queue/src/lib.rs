//! Durable queues of Throughline, on any store.
//!
//! A queue is a FIFO of messages under a name. An enqueue that returned is durable; messages of one
//! producer come in the order of their enqueues; each is delivered until it expires, never after,
//! and never twice through `dequeue_all`. docs/queues.md says what holds, and what not.
//!
//! It has no thread, no task and no sockets: whoever calls waits for the store. It knows nothing of
//! sessions, VActors or nodes; those put the same pieces into commits of their own.
//!
//! # Use
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use throughline_queue::{Queue, QueueName, QueueOptions};
//! use throughline_store::MemoryStore;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Arc::new(MemoryStore::new());
//! let queue = Queue::open(store, "shop backend", QueueOptions::default()).await?;
//! let ann = QueueName::key("ann")?;
//! queue.enqueue(&ann, "your reward: 10 gems", Duration::from_secs(86_400)).await?;
//!
//! let messages = queue.dequeue_all(&ann).await?;
//! assert_eq!(messages.payloads().collect::<Vec<_>>(), ["your reward: 10 gems"]);
//! # Ok(())
//! # }
//! ```
//!
//! `examples/mail.rs` is a whole program, with a store on disk and a token.
//!
//! # Layout
//!
//! - `name`, `position`: what a queue and a place in it are called
//! - `producing`, `message`, `rows`, `pieces`: enqueues and their end, as parts of a commit
//! - `inbox`, `nonempty`: reading without taking
//! - `dead_letter`, `dead_letters`: what could not be handled, and what operators do with it
//! - `sweep`, `totals`: the space of what has expired comes back
//! - `record`, `token`: what a handle keeps in the store
//! - `keys`, `form`: every key and its value; `defaults`: every limit, with its reason

#![forbid(unsafe_code)]

mod clock;
mod dead_letter;
mod dead_letters;
pub mod defaults;
mod error;
mod estimate;
mod form;
mod inbox;
mod keys;
mod lane;
mod lanes;
mod message;
mod messages;
mod metrics;
mod name;
mod nonempty;
mod options;
mod pieces;
mod position;
mod producer;
mod producing;
mod queue;
mod record;
mod rows;
mod sender;
mod sweep;
mod taking;
mod token;
mod totals;

pub use clock::Clock;
pub use dead_letter::DeadLetter;
pub use dead_letters::{DeadLetterError, DeadLetterPage, DeadLetters, FiledLetter};
pub use error::{DequeueError, EnqueueError, OpenError};
pub use estimate::{AdmitError, Estimates, Full, Limits, Size};
pub use form::FormError;
pub use inbox::{Inbox, InboxPage, Length, NonemptyPage, ReadError};
pub use keys::RowKind;
pub use message::Message;
pub use messages::Messages;
pub use metrics::Metrics;
pub use name::{NameError, NameKind, QueueName};
pub use nonempty::Nonempty;
pub use options::QueueOptions;
pub use pieces::Pieces;
pub use position::{POSITION_BYTES, Position, Source};
pub use producing::{PayloadError, Producing, Staged};
pub use queue::Queue;
pub use sender::Enqueued;
pub use sweep::{SweepCursor, SweepError, Swept, sweep};
pub use totals::Totals;
