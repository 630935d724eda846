//! Where the tasks of a node run that belong to no worker.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::runtime::{EnterGuard, Handle};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Starts tasks: on the runtime of a thread of the node, or among the tasks of a node that runs on
/// its caller's thread, which end with it.
#[derive(Debug, Clone)]
pub(crate) enum Spawner {
    Runtime(Handle),
    /// Unbounded by itself: what is in it is a task, with the bound that its kind has.
    Here(mpsc::UnboundedSender<Boxed>),
}

/// What was spawned from anywhere and runs from its node's next turn on.
pub(crate) struct Inbox(mpsc::UnboundedReceiver<Boxed>);

/// A task. Dropping this leaves it running.
#[derive(Debug)]
pub(crate) enum Spawned<T> {
    Runtime(JoinHandle<T>),
    Here(oneshot::Receiver<T>),
}

/// The task ended without a result: it panicked, or its node has gone.
#[derive(Debug)]
pub(crate) struct Gone;

impl Spawner {
    /// For a node on its caller's thread.
    pub(crate) fn here() -> (Self, Inbox) {
        let (sender, inbox) = mpsc::unbounded_channel();
        (Self::Here(sender), Inbox(inbox))
    }

    pub(crate) fn spawn<F>(&self, task: F) -> Spawned<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        match self {
            Self::Runtime(handle) => Spawned::Runtime(handle.spawn(task)),
            Self::Here(tasks) => {
                let (done, result) = oneshot::channel();
                // Both fail only if nobody is there any more.
                let _ = tasks.send(Box::pin(async move {
                    let _ = done.send(task.await);
                }));
                Spawned::Here(result)
            }
        }
    }

    /// For sockets that are registered while the guard lives.
    pub(crate) fn enter(&self) -> Option<EnterGuard<'_>> {
        match self {
            Self::Runtime(handle) => Some(handle.enter()),
            Self::Here(_) => None,
        }
    }
}

impl Inbox {
    /// Runs on the node's own tasks.
    pub(crate) async fn run(mut self) {
        while let Some(task) = self.0.recv().await {
            actix_rt::spawn(task);
        }
    }
}

impl<T> Future for Spawned<T> {
    type Output = Result<T, Gone>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match self.get_mut() {
            Self::Runtime(task) => ready!(Pin::new(task).poll(cx)).map_err(|_| Gone),
            Self::Here(result) => ready!(Pin::new(result).poll(cx)).map_err(|_| Gone),
        })
    }
}
