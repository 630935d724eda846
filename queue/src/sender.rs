//! Enqueues of a handle: calls that come together share a commit.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Semaphore, oneshot};

use crate::defaults::{WAITING_BYTES_MAX, WAITING_MESSAGE_BYTES};
use crate::producer::Producer;
use crate::{EnqueueError, Estimates, Position, QueueName};

/// What became of an enqueue with a number of one's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// It is there, at this position.
    New(Position),
    /// A message with this number, or a higher one, was enqueued by this producer before, so
    /// nothing was done.
    Repeated,
}

pub(crate) type Answer = Result<Enqueued, EnqueueError>;

/// An enqueue that waits for a commit.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) name: QueueName,
    pub(crate) payload: Bytes,
    pub(crate) expires_ms: u64,
    /// A number of the caller's own.
    pub(crate) number: Option<u64>,
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// What waits for the commit after the one under way, in the order of the calls.
#[derive(Debug)]
pub(crate) struct Waiting {
    requests: Mutex<VecDeque<Request>>,
    /// Bytes that may still come in.
    room: Semaphore,
    /// Callers that wait for room.
    outside: AtomicUsize,
}

impl Waiting {
    fn new() -> Self {
        let room = Semaphore::new(WAITING_BYTES_MAX);
        Self { requests: Mutex::default(), room, outside: AtomicUsize::new(0) }
    }

    /// Puts a request behind the others: at once, if there is room.
    async fn push(&self, request: Request) {
        let bytes = request.room_bytes();
        let at_once = self.outside.load(Ordering::SeqCst) == 0;
        let room = if at_once { self.room.try_acquire_many(bytes).ok() } else { None };
        let room = match room {
            Some(room) => Some(room),
            None => {
                let _outside = Outside::new(&self.outside);
                // It is never closed; without a permit the bound would merely not hold.
                self.room.acquire_many(bytes).await.ok()
            }
        };
        if let Some(room) = room {
            // Given back when it is taken, whether its caller is still there or not.
            room.forget();
        }
        self.lock().push_back(request);
    }

    /// Hands over requests from the front, until one is given back.
    pub(crate) fn take_while(&self, mut take: impl FnMut(Request) -> Option<Request>) {
        let mut requests = self.lock();
        while let Some(request) = requests.pop_front() {
            let bytes = request.room_bytes();
            if let Some(request) = take(request) {
                return requests.push_front(request);
            }
            self.room.add_permits(bytes as usize);
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Request>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Request {
    fn room_bytes(&self) -> u32 {
        u32::try_from(self.payload.len() + WAITING_MESSAGE_BYTES).unwrap_or(u32::MAX)
    }
}

/// Counts a caller that waits outside, as long as it does.
struct Outside<'a>(&'a AtomicUsize);

impl<'a> Outside<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Outside<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Takes enqueues. One of those who wait makes the commit for all of them; if it is dropped, the
/// next one goes on where it was.
#[derive(Debug)]
pub(crate) struct Sender {
    waiting: Waiting,
    producer: tokio::sync::Mutex<Producer>,
}

impl Sender {
    pub(crate) fn new(producer: Producer) -> Self {
        Self { waiting: Waiting::new(), producer: tokio::sync::Mutex::new(producer) }
    }

    /// The highest number so far.
    pub(crate) async fn last_number(&self) -> u64 {
        self.producer.lock().await.last_number()
    }

    pub(crate) async fn enqueue(
        &self,
        name: &QueueName,
        payload: Bytes,
        expires_ms: u64,
        number: Option<u64>,
    ) -> Answer {
        let (answer, mut answered) = oneshot::channel();
        let request = Request { name: name.clone(), payload, expires_ms, number, answer };
        self.waiting.push(request).await;
        loop {
            tokio::select! {
                biased;
                answer = &mut answered => {
                    let gone = || EnqueueError::Unknown { reason: "its commit was dropped".into() };
                    return answer.unwrap_or_else(|_| Err(gone()));
                }
                mut producer = self.producer.lock() => producer.drive(&self.waiting).await,
            }
        }
    }
}

/// Shared by the parts of a handle.
#[derive(Debug, Clone)]
pub(crate) struct Common {
    pub(crate) store: Arc<dyn throughline_store::Store>,
    pub(crate) clock: crate::Clock,
    pub(crate) estimates: Arc<Estimates>,
    pub(crate) counters: Arc<crate::metrics::Counters>,
}
