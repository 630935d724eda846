//! Who has the store and no node: a shop, a website, a job at night.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use throughline_queue::{Queue, QueueOptions};
use throughline_store::Store;

use super::{Address, SendReliableError, queue_of, seal};
use crate::codec::{self, Codec};

/// Sends durable messages to sessions and VActors from a process that is no node: the store of the
/// nodes and a name are all it needs. Over a hub that is a `HubStore`, on a database a
/// `PostgresStore`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use throughline::Backend;
/// # let store = Arc::new(throughline_store::MemoryStore::new());
///
/// let shop = Backend::open(store, "shop").await?;
/// let week = Duration::from_secs(7 * 86_400);
/// shop.send_reliable("ann", &("gift", 10), week).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Backend {
    queue: Queue,
}

impl Backend {
    /// Opens it under a name of its own: of two that are open under one name the first is fenced.
    /// Limits are those of `throughline_queue::Limits`, not what the nodes' configuration says.
    ///
    /// # Errors
    /// [`SendReliableError::NoProducer`]: the store did not take it. Retrying helps once it does.
    pub async fn open(store: Arc<dyn Store>, name: &str) -> Result<Self, SendReliableError> {
        let opened = Queue::open(store, name, QueueOptions::default()).await;
        let queue = opened.map_err(|error| SendReliableError::NoProducer(error.to_string()))?;
        Ok(Self { queue })
    }

    /// Sends a durable message, which comes as `queued`; its receiver finds it within a second,
    /// about, or when it is back. When this returns, it is durable. It waits for `ttl` at most.
    ///
    /// # Errors
    /// [`SendReliableError`]: not sent, but for `Enqueue(Unknown)`.
    pub async fn send_reliable<T: Serialize + ?Sized>(
        &self,
        to: impl Into<Address>,
        message: &T,
        ttl: Duration,
    ) -> Result<(), SendReliableError> {
        let mut body = Vec::new();
        codec::encode(Codec::Cbor, message, &mut body)?;
        self.queue.enqueue(&queue_of(&to.into())?, seal(None, &body), ttl).await?;
        Ok(())
    }
}
