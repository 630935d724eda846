//! The handle that one opens on a store.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use throughline_store::{Batch, CommitError, Store};

use crate::defaults::{
    COMMITS_MAX, LENGTH_BYTES_MAX, LENGTH_MESSAGES_MAX, PRODUCER_NAME_BYTES_MAX,
};
use crate::lane::Lane;
use crate::lanes::Lanes;
use crate::metrics::{Counters, add};
use crate::producer::Producer;
use crate::record::Record;
use crate::sender::{Common, Sender};
use crate::taking::Taking;
use crate::{
    DequeueError, EnqueueError, Enqueued, Estimates, Inbox, Length, Messages, Metrics, OpenError,
    PayloadError, Position, Producing, QueueName, QueueOptions, ReadError, Source, SweepCursor,
    SweepError, Swept, keys, sweep,
};

#[cfg(test)]
mod tests;

/// A handle on all queues of a store, for those who are no session and no VActor: backends, admin
/// tools, tests. A clone is the same handle. It needs a tokio runtime with time.
///
/// It enqueues as one producer, whose name nobody else may use at the same time: opening it anew
/// fences this handle, at its next enqueue, or at a dequeue once the new one dequeues, too.
#[derive(Debug, Clone)]
pub struct Queue {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    common: Common,
    token_kept: Duration,
    sender: Sender,
    taking: Taking,
    sweep: tokio::sync::Mutex<SweepCursor>,
}

impl Queue {
    /// Opens the producer of this name, and fences every older handle of it.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(
        store: Arc<dyn Store>,
        producer: &str,
        options: QueueOptions,
    ) -> Result<Self, OpenError> {
        if producer.is_empty() || producer.len() > PRODUCER_NAME_BYTES_MAX {
            return Err(OpenError::Name { bytes: producer.len() });
        }
        let life = match options.life {
            Some(life) => life,
            None => getrandom::u64().map_err(|error| OpenError::Random(error.to_string()))?,
        };
        let key = keys::producer(producer, 0);
        let record = begin(&*store, &key, life, options.clock.now_ms()).await?;
        let common = Common {
            store,
            clock: options.clock,
            estimates: Arc::new(Estimates::new(options.limits)),
            counters: Arc::new(Counters::default()),
        };
        let source = Source::of(producer.as_bytes(), life);
        let producing = Producing { source, last_ms: record.last_ms };
        let lane = Lane::new(&common, key, life, Some(record));
        let lanes = Lanes::new(common.clone(), producer.to_owned(), life);
        let shared = Shared {
            sender: Sender::new(Producer::new(common.clone(), lane, producing, record.number)),
            taking: Taking::new(common.clone(), lanes),
            token_kept: options.token_kept,
            sweep: tokio::sync::Mutex::default(),
            common,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Enqueues a message that expires after `ttl`. When it returns, the message is durable. Calls
    /// made at the same time share a commit, in the order in which they were made.
    ///
    /// Dropped before it returns, it may or may not have taken effect.
    ///
    /// # Errors
    /// [`EnqueueError`]; only with `Unknown` the message may be there.
    pub async fn enqueue(
        &self,
        name: &QueueName,
        payload: impl Into<Bytes>,
        ttl: Duration,
    ) -> Result<Position, EnqueueError> {
        self.enqueue_at(name, payload, self.expires_ms(ttl)).await
    }

    /// The same, expiring at a time: in milliseconds since 1970 UTC.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    pub async fn enqueue_at(
        &self,
        name: &QueueName,
        payload: impl Into<Bytes>,
        expires_ms: u64,
    ) -> Result<Position, EnqueueError> {
        match self.send(name, payload.into(), expires_ms, None).await? {
            Enqueued::New(position) => Ok(position),
            Enqueued::Repeated => {
                // Numbers of the handle's own are always new.
                Err(EnqueueError::Unknown { reason: "the number was given twice".to_owned() })
            }
        }
    }

    /// Enqueues a message under a number of the caller's own, once: if this producer, in this life
    /// or an earlier one, has enqueued one with this number or a higher one, nothing is done. So a
    /// producer that numbers what it has to enqueue, and enqueues it in that order, may repeat
    /// whatever it has no answer to, even after a restart: see [`last_number`](Self::last_number).
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    pub async fn enqueue_numbered(
        &self,
        name: &QueueName,
        number: u64,
        payload: impl Into<Bytes>,
        ttl: Duration,
    ) -> Result<Enqueued, EnqueueError> {
        self.send(name, payload.into(), self.expires_ms(ttl), Some(number)).await
    }

    /// The number of the last message that this producer has enqueued, or may have: 0 if none.
    pub async fn last_number(&self) -> u64 {
        self.shared.sender.last_number().await
    }

    async fn send(
        &self,
        name: &QueueName,
        payload: Bytes,
        expires_ms: u64,
        number: Option<u64>,
    ) -> Result<Enqueued, EnqueueError> {
        let now_ms = self.now_ms();
        if now_ms >= expires_ms {
            return Err(EnqueueError::Expired { expires_ms, now_ms });
        }
        if payload.len() > name.payload_bytes_max() {
            return Err(PayloadError { bytes: payload.len() }.into());
        }
        self.shared.sender.enqueue(name, payload, expires_ms, number).await
    }

    /// Removes all messages durably and returns those that have not expired, in order: at most
    /// [`MESSAGES_MAX`](crate::defaults::MESSAGES_MAX) and
    /// [`BYTES_MAX`](crate::defaults::BYTES_MAX) a call, [`Messages::more`] says whether there are
    /// more. No message is returned twice, whoever asks. If the answer is lost, so are the
    /// messages: see [`dequeue_all_with`](Self::dequeue_all_with).
    ///
    /// # Errors
    /// [`DequeueError`].
    pub async fn dequeue_all(&self, name: &QueueName) -> Result<Messages, DequeueError> {
        self.shared.taking.dequeue_all(name).await
    }

    /// The same, and repeatable: the messages are kept under the token, and the same token gets
    /// them again, until another token took messages from this queue, or
    /// [`QueueOptions::token_kept`] is over. So whoever has no answer asks again, with the same
    /// token. Each new batch needs a new token.
    ///
    /// # Errors
    /// [`DequeueError`].
    pub async fn dequeue_all_with(
        &self,
        name: &QueueName,
        token: impl Into<Bytes>,
    ) -> Result<Messages, DequeueError> {
        let kept_ms = millis(self.shared.token_kept);
        self.shared.taking.dequeue_all_with(name, token.into(), kept_ms).await
    }

    /// The first messages, which stay: at most as many as `dequeue_all` returns. Then
    /// [`ack`](Self::ack) those that were dealt with; whoever fails before gets them again.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn peek_all(&self, name: &QueueName) -> Result<Messages, ReadError> {
        self.shared.taking.peek_all(name).await
    }

    /// Removes exactly these messages durably, those of them that are still there: how many that
    /// were.
    ///
    /// # Errors
    /// [`DequeueError`].
    pub async fn ack(&self, batch: &Messages) -> Result<usize, DequeueError> {
        self.shared.taking.ack(batch).await
    }

    /// How much a queue holds, up to [`LENGTH_MESSAGES_MAX`] and [`LENGTH_BYTES_MAX`].
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn length(&self, name: &QueueName) -> Result<Length, ReadError> {
        let (messages, bytes) = (LENGTH_MESSAGES_MAX, LENGTH_BYTES_MAX);
        Inbox::measure(&*self.shared.common.store, name, self.now_ms(), messages, bytes).await
    }

    /// Looks at up to `rows_max` further rows of all queues, and removes what has expired. Where
    /// nodes run on the store they do it; else somebody has to call it from time to time.
    ///
    /// # Errors
    /// [`SweepError`].
    pub async fn sweep(&self, rows_max: usize) -> Result<Swept, SweepError> {
        let mut cursor = self.shared.sweep.lock().await;
        let swept = sweep(&*self.shared.common.store, &cursor, self.now_ms(), rows_max).await?;
        *cursor = swept.cursor.clone();
        let counters = &self.shared.common.counters;
        let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        add(&counters.swept_rows, count(swept.looked_at));
        add(&counters.swept, count(swept.removed));
        add(&counters.swept_bytes, count(swept.removed_bytes));
        Ok(swept)
    }

    /// What this handle has done.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.shared.common.counters.read()
    }

    fn now_ms(&self) -> u64 {
        self.shared.common.clock.now_ms()
    }

    fn expires_ms(&self, ttl: Duration) -> u64 {
        self.now_ms().saturating_add(millis(ttl))
    }
}

/// Writes a new life into a producer's record.
async fn begin(
    store: &dyn Store,
    key: &Bytes,
    life: u64,
    now_ms: u64,
) -> Result<Record, OpenError> {
    for _ in 0..COMMITS_MAX {
        let before = store.get(key.clone()).await?;
        let (batch, record) = match before {
            Some(value) => {
                let old = Record::decode(&value)?;
                if old.life == life {
                    // An answer to the commit below got lost. The record is what it wrote: whoever
                    // else may use this life would have to know it.
                    return Ok(old);
                }
                // Whatever this life enqueues stands behind all of the earlier one.
                let last_ms = now_ms.max(old.last_ms.saturating_add(1));
                let record = Record::after(Some(old), life, last_ms, old.number);
                (Batch::new().check_equals(key.clone(), value), record)
            }
            None => {
                let record = Record::after(None, life, now_ms, 0);
                (Batch::new().check_absent(key.clone()), record)
            }
        };
        match store.commit(batch.put(key.clone(), record.encode())).await {
            Ok(()) => return Ok(record),
            Err(CommitError::Refused(_) | CommitError::Unknown { .. }) => {}
            Err(error) => return Err(OpenError::NotWritten(error)),
        }
    }
    Err(OpenError::Contended)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
