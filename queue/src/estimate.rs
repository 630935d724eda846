//! How much queues hold, about: what their limits are compared with.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt as _, future::BoxFuture, stream};
use throughline_store::Store;

use crate::defaults::{
    ALL_BYTES_MAX, ALL_MESSAGES_MAX, COUNT_AGAIN, COUNT_KEPT, COUNTS_MAX, ESTIMATES_MAX,
    QUEUE_BYTES_MAX, QUEUE_MESSAGES_MAX,
};
use crate::{Inbox, NameKind, QueueName, ReadError, Totals};

#[cfg(test)]
mod tests;

/// What queues may hold. Expired messages count until they are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Messages of one queue. Default [`QUEUE_MESSAGES_MAX`].
    pub queue_messages: u64,
    /// Payload bytes of one queue. Default [`QUEUE_BYTES_MAX`].
    pub queue_bytes: u64,
    /// Messages of all queues together. Default [`ALL_MESSAGES_MAX`]. Known once a sweep has come
    /// to its end; until then nothing is refused for it.
    pub all_messages: u64,
    /// Payload bytes of all queues together. Default [`ALL_BYTES_MAX`].
    pub all_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queue_messages: QUEUE_MESSAGES_MAX,
            queue_bytes: QUEUE_BYTES_MAX,
            all_messages: ALL_MESSAGES_MAX,
            all_bytes: ALL_BYTES_MAX,
        }
    }
}

/// A queue, or all together, hold as much as they may. The sender's to handle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Full {
    /// This queue.
    #[error("the queue {name} is full: {size} of at most {max}")]
    Queue {
        /// Its name.
        name: QueueName,
        /// What it holds, about.
        size: Size,
        /// What it may hold.
        max: Size,
    },
    /// All together.
    #[error("all queues together are full: {size} of at most {max}")]
    All {
        /// What they hold, about.
        size: Size,
        /// What they may hold.
        max: Size,
    },
}

/// Messages and the bytes of their payloads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// How many.
    pub messages: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
}

impl Size {
    /// Of one message.
    #[must_use]
    pub const fn of_payload(bytes: usize) -> Self {
        Self { messages: 1, bytes: bytes as u64 }
    }

    pub(crate) const fn plus(self, other: Self) -> Self {
        Self { messages: self.messages + other.messages, bytes: self.bytes + other.bytes }
    }

    pub(crate) const fn less(self, other: Self) -> Self {
        Self {
            messages: self.messages.saturating_sub(other.messages),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }

    const fn half(self) -> Self {
        Self { messages: self.messages / 2, bytes: self.bytes / 2 }
    }

    pub(crate) const fn exceeds(self, max: Self) -> bool {
        self.messages > max.messages || self.bytes > max.bytes
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} messages, {} bytes", self.messages, self.bytes)
    }
}

/// Why a message may not be enqueued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdmitError {
    /// The queue, or all together, hold as much as they may.
    #[error(transparent)]
    Full(#[from] Full),
    /// It could not be counted. Retrying helps where the store says so.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// How much queues hold, about, as one producer knows it: what it counted, and what it added since.
/// A queue is counted when it is first written to, when the last count is [`COUNT_KEPT`] old, and
/// when it seems half full, at most every [`COUNT_AGAIN`] then. What others add meanwhile is not
/// seen: so producers that write at the same time may exceed a limit by half of it each.
#[derive(Debug)]
pub struct Estimates {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    queues: HashMap<QueueName, Estimate>,
    all: Option<Estimate>,
}

#[derive(Debug, Clone, Copy)]
struct Estimate {
    counted: Size,
    counted_ms: u64,
    now: Size,
}

impl Estimate {
    const fn new(counted: Size, counted_ms: u64) -> Self {
        Self { counted, counted_ms, now: counted }
    }

    /// Whether the count is too old to admit up to `next`, of `max`.
    fn is_stale(&self, next: Size, max: Size, now_ms: u64) -> bool {
        // A clock that was set back makes a count as old as one that was set forward.
        let age = Duration::from_millis(now_ms.abs_diff(self.counted_ms));
        let seems_half_full = next.exceeds(max.half());
        // What was counted as less than half full is counted once more at the limit: it took half a
        // limit of enqueues to come here.
        let was_half_full = self.counted.exceeds(max.half());
        age >= COUNT_KEPT
            || (seems_half_full && age >= COUNT_AGAIN)
            || (next.exceeds(max) && !was_half_full)
    }
}

impl Estimates {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, state: Mutex::default() }
    }

    /// Whether messages for these queues, of so many bytes of payload each, may be enqueued now,
    /// in one commit: an answer for each, in order. What is admitted counts from now on. Counts
    /// queues where that is needed, several at a time.
    pub async fn admit_all(
        &self,
        store: &dyn Store,
        wanted: &[(&QueueName, usize)],
        now_ms: u64,
    ) -> Vec<Result<(), AdmitError>> {
        if self.needs_totals(now_ms)
            && let Err(error) = self.read_totals(store, now_ms).await
        {
            return wanted.iter().map(|_| Err(error.clone().into())).collect();
        }
        // The counts know nothing of what is not committed yet, so they come before it.
        let uncounted = self.uncounted(wanted, now_ms);
        // In boxes, since the compiler does not see of a closure's futures that they are `Send`.
        let mut counts: Vec<BoxFuture<'_, Option<(&QueueName, ReadError)>>> = Vec::new();
        for name in uncounted {
            counts.push(Box::pin(async move {
                Some((name, self.count(store, name, now_ms).await.err()?))
            }));
        }
        let counts = stream::iter(counts).buffer_unordered(COUNTS_MAX);
        let failed: HashMap<_, _> = counts.filter_map(std::future::ready).collect().await;
        let mut state = self.lock();
        let answer = |&(name, bytes): &(&QueueName, usize)| match failed.get(name) {
            Some(error) => Err(error.clone().into()),
            None => self.admit(&mut state, name, Size::of_payload(bytes)).map_err(AdmitError::Full),
        };
        wanted.iter().map(answer).collect()
    }

    fn admit(&self, state: &mut State, name: &QueueName, size: Size) -> Result<(), Full> {
        if name.kind() == NameKind::Operators {
            // What could not be handled must get there: the oldest make room for it.
            return Ok(());
        }
        let all = state.all.get_or_insert_with(|| Estimate::new(Size::default(), 0));
        let max = Size { messages: self.limits.all_messages, bytes: self.limits.all_bytes };
        let all_next = all.now.plus(size);
        if all_next.exceeds(max) {
            return Err(Full::All { size: all.now, max });
        }
        let max = self.queue_max();
        // Without an estimate (others pushed it out meanwhile) the next time counts it.
        if let Some(queue) = state.queues.get_mut(name) {
            let next = queue.now.plus(size);
            if next.exceeds(max) {
                return Err(Full::Queue { name: name.clone(), size: queue.now, max });
            }
            queue.now = next;
        }
        all.now = all_next;
        Ok(())
    }

    /// The queues that are to be counted before these messages are admitted.
    fn uncounted<'a>(&self, wanted: &[(&'a QueueName, usize)], now_ms: u64) -> Vec<&'a QueueName> {
        let mut sizes: BTreeMap<&QueueName, Size> = BTreeMap::new();
        let limited = |name: &QueueName| name.kind() != NameKind::Operators;
        for (name, bytes) in wanted.iter().filter(|(name, _)| limited(name)) {
            let size = sizes.entry(name).or_default();
            *size = size.plus(Size::of_payload(*bytes));
        }
        let (max, state) = (self.queue_max(), self.lock());
        let is_stale = |(name, size): &(&QueueName, Size)| {
            let queue = state.queues.get(*name);
            queue.is_none_or(|queue| queue.is_stale(queue.now.plus(*size), max, now_ms))
        };
        sizes.into_iter().filter(is_stale).map(|(name, _)| name).collect()
    }

    /// Counts a queue, up to its limit.
    async fn count(
        &self,
        store: &dyn Store,
        name: &QueueName,
        now_ms: u64,
    ) -> Result<(), ReadError> {
        let Size { messages, bytes } = self.queue_max();
        let length = Inbox::measure(store, name, now_ms, messages, bytes).await?;
        let counted = length.size.plus(length.expired);
        let mut state = self.lock();
        if state.queues.len() >= ESTIMATES_MAX && !state.queues.contains_key(name) {
            let kept = millis(COUNT_KEPT);
            state.queues.retain(|_, queue| now_ms.abs_diff(queue.counted_ms) < kept);
            if state.queues.len() >= ESTIMATES_MAX {
                state.queues.clear();
            }
        }
        state.queues.insert(name.clone(), Estimate::new(counted, now_ms));
        Ok(())
    }

    fn needs_totals(&self, now_ms: u64) -> bool {
        let kept = millis(COUNT_KEPT);
        self.lock().all.is_none_or(|all| now_ms.abs_diff(all.counted_ms) >= kept)
    }

    async fn read_totals(&self, store: &dyn Store, now_ms: u64) -> Result<(), ReadError> {
        let totals = Totals::read(store).await?;
        let size = Size { messages: totals.messages, bytes: totals.bytes };
        self.lock().all = Some(Estimate::new(size, now_ms));
        Ok(())
    }

    /// Messages were taken out of a queue by the same handle. Who does not say so is corrected by
    /// the next count.
    pub fn taken(&self, name: &QueueName, size: Size) {
        let mut state = self.lock();
        if let Some(queue) = state.queues.get_mut(name) {
            queue.now = queue.now.less(size);
        }
        if let Some(all) = &mut state.all {
            all.now = all.now.less(size);
        }
    }

    const fn queue_max(&self) -> Size {
        Size { messages: self.limits.queue_messages, bytes: self.limits.queue_bytes }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
