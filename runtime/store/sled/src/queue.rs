//! Calls on their way to the store's thread.

use std::sync::Arc;

use bytes::Bytes;
use throughline_store::{Batch, CommitError, GetError, Page, Scan, ScanError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::limits::{QUEUE_BYTES_MAX, QUEUE_CALLS_MAX};

/// A call, with the way back for its answer.
#[derive(Debug)]
pub(crate) enum Call {
    Get(Bytes, oneshot::Sender<Result<Option<Bytes>, GetError>>),
    Scan(Scan, oneshot::Sender<Result<Page, ScanError>>),
    Commit(Commit),
    /// Ends the store, after the calls before this one.
    Close,
}

#[derive(Debug)]
pub(crate) struct Commit {
    pub(crate) batch: Batch,
    pub(crate) answer: oneshot::Sender<Result<(), CommitError>>,
    /// Its share of the queue's bytes, given back with the answer.
    pub(crate) room: OwnedSemaphorePermit,
}

/// Where callers put their calls. Bounded by count and bytes: when full, they wait.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    calls: mpsc::Sender<Call>,
    room: Arc<Semaphore>,
}

/// The store is closed.
#[derive(Debug)]
pub(crate) struct Closed;

impl Queue {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Call>) {
        let (calls, receiver) = mpsc::channel(QUEUE_CALLS_MAX);
        (Self { calls, room: Arc::new(Semaphore::new(QUEUE_BYTES_MAX)) }, receiver)
    }

    pub(crate) async fn push(self, call: Call) -> Result<(), Closed> {
        self.calls.send(call).await.map_err(|_| Closed)
    }

    pub(crate) async fn push_commit(
        self,
        batch: Batch,
        answer: oneshot::Sender<Result<(), CommitError>>,
    ) -> Result<(), Closed> {
        // The batch was validated: it fits into the room and into a u32.
        let bytes = u32::try_from(batch.bytes()).unwrap_or(u32::MAX);
        let room = self.room.clone().acquire_many_owned(bytes).await.map_err(|_| Closed)?;
        self.push(Call::Commit(Commit { batch, answer, room })).await
    }

    /// Tells the thread without waiting; if the queue is full, it is awake anyway.
    pub(crate) fn nudge(&self) {
        let _ = self.calls.try_send(Call::Close);
    }

    /// Sends those away who wait for room.
    pub(crate) fn close_room(&self) {
        self.room.close();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::{Pin, pin};
    use std::task::Poll;

    use throughline_store::limits::VALUE_BYTES_MAX;

    use super::*;

    /// Whether it waits, after one look.
    async fn waits<T>(future: Pin<&mut impl Future<Output = T>>) -> bool {
        let mut future = future;
        poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
    }

    #[tokio::test]
    async fn callers_wait_outside_once_the_bytes_of_the_queue_are_taken() {
        let (queue, mut calls) = Queue::new();
        let batch = Batch::new().put("k", vec![0; VALUE_BYTES_MAX]);
        let push = || queue.clone().push_commit(batch.clone(), oneshot::channel().0);
        for _ in 0..QUEUE_BYTES_MAX / batch.bytes() {
            push().await.expect("open");
        }
        let mut over = pin!(push());
        assert!(waits(over.as_mut()).await, "the queue takes more than its bytes");
        drop(calls.recv().await);
        over.await.expect("room again");
    }

    #[tokio::test]
    async fn callers_wait_outside_once_the_places_of_the_queue_are_taken() {
        let (queue, mut calls) = Queue::new();
        let push = || queue.clone().push(Call::Get("k".into(), oneshot::channel().0));
        for _ in 0..QUEUE_CALLS_MAX {
            push().await.expect("open");
        }
        let mut over = pin!(push());
        assert!(waits(over.as_mut()).await, "the queue takes more than its places");
        drop(calls.recv().await);
        over.await.expect("a place again");
    }
}
