//! A queue between threads, whose receiver takes all that is there at once.
//!
//! Unbounded by itself: what is put into it is bounded by who puts it. A receiver that does not
//! wait is not woken, so many messages cost one wake-up. With [`Sender::gather`] it gets them in
//! batches, for receivers to which each batch costs more than the messages in it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Puts messages into the queue.
#[derive(Debug)]
pub(crate) struct Sender<T>(Arc<Queue<T>>);

/// Nobody takes messages any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closed;

/// Takes them out. When it is dropped, nothing is taken any more.
#[derive(Debug)]
pub(crate) struct Receiver<T>(Arc<Queue<T>>);

type Queue<T> = Mutex<State<T>>;

#[derive(Debug)]
struct State<T> {
    messages: Vec<T>,
    /// Who waits.
    waker: Option<Waker>,
    /// What is gathered may be taken.
    is_ripe: bool,
    /// It will be soon: the task of who gathers has been told so.
    ripens: bool,
    /// Nothing is put in any more, since there is nobody who takes it, or who puts it.
    is_closed: bool,
}

/// So many messages are a batch, whether more would come or not: a wake-up of another thread costs
/// as much as some ten of them.
const BATCH: usize = 64;

impl<T> State<T> {
    fn give(&mut self, taken: &mut Vec<T>) -> bool {
        self.is_ripe = false;
        std::mem::swap(&mut self.messages, taken);
        !taken.is_empty()
    }

    fn wait(&mut self, cx: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }
}

/// A new queue.
pub(crate) fn queue<T>() -> (Sender<T>, Receiver<T>) {
    let state = State {
        messages: Vec::new(),
        waker: None,
        is_ripe: false,
        ripens: false,
        is_closed: false,
    };
    let queue = Arc::new(Mutex::new(state));
    (Sender(Arc::clone(&queue)), Receiver(queue))
}

fn lock<T>(queue: &Queue<T>) -> MutexGuard<'_, State<T>> {
    // No code that can panic runs under the lock.
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> Sender<T> {
    /// Puts a message in; it comes back if the queue is closed.
    pub(crate) fn send(&self, message: T) -> Result<(), T> {
        let mut state = lock(&self.0);
        if state.is_closed {
            return Err(message);
        }
        state.messages.push(message);
        state.is_ripe = true;
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Puts a message in, to be taken together with others: with a whole batch of them, or once
    /// the tasks that are ready on this thread have had their turn. So what one task sends in a
    /// row leaves in one piece.
    pub(crate) fn gather(&self, message: T) -> Result<(), T>
    where
        T: Send + 'static,
    {
        let mut state = lock(&self.0);
        if state.is_closed {
            return Err(message);
        }
        state.messages.push(message);
        if state.messages.len() >= BATCH {
            state.is_ripe = true;
            let waker = state.waker.take();
            drop(state);
            waker.into_iter().for_each(Waker::wake);
        } else if !std::mem::replace(&mut state.ripens, true) {
            drop(state);
            let ripening = Ripening(self.clone());
            // Without a runtime there is no later: it is dropped, and thus ripe, at once.
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(async move { drop(ripening) });
            }
        }
        Ok(())
    }

    /// Puts all of them in, in order; they stay where they are if the queue is closed.
    pub(crate) fn send_all(&self, messages: &mut Vec<T>) -> Result<(), Closed> {
        let mut state = lock(&self.0);
        if state.is_closed {
            return Err(Closed);
        }
        state.messages.append(messages);
        state.is_ripe = true;
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Whether both put messages into one queue.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Nothing is put in any more. What is in is still taken out.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.0);
        state.is_closed = true;
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }
}

/// Makes what was gathered ripe when it is dropped, whoever drops it.
struct Ripening<T>(Sender<T>);

impl<T> Drop for Ripening<T> {
    fn drop(&mut self) {
        let mut state = lock(&self.0.0);
        state.ripens = false;
        if state.messages.is_empty() {
            return;
        }
        state.is_ripe = true;
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Receiver<T> {
    /// Moves all messages into `taken`, which is empty, unless they are being gathered. Whether
    /// any were there.
    pub(crate) fn take(&self, taken: &mut Vec<T>) -> bool {
        let mut state = lock(&self.0);
        if !state.is_ripe && !state.is_closed {
            return false;
        }
        state.give(taken)
    }

    /// The same, also of those that are being gathered.
    pub(crate) fn take_unripe(&self, taken: &mut Vec<T>) -> bool {
        lock(&self.0).give(taken)
    }

    /// The same; if nothing is there, the task is woken when something is. Whether any were there.
    pub(crate) fn poll_take(&self, cx: &Context<'_>, taken: &mut Vec<T>) -> bool {
        let mut state = lock(&self.0);
        if !state.is_ripe && !state.is_closed {
            state.wait(cx);
            return false;
        }
        state.give(taken)
    }

    /// Whether nothing will come any more.
    pub(crate) fn is_over(&self) -> bool {
        let state = lock(&self.0);
        state.is_closed && state.messages.is_empty()
    }

    /// Ready when there is something to take, or nothing will come any more; else the task is woken
    /// then.
    pub(crate) fn poll_some(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = lock(&self.0);
        if state.is_closed || state.is_ripe {
            return Poll::Ready(());
        }
        state.wait(cx);
        Poll::Pending
    }

    /// Waits until there is something to take, or nothing will come any more.
    pub(crate) async fn some(&self) {
        std::future::poll_fn(|cx| self.poll_some(cx)).await;
    }

    /// Nothing is put in any more. What is in is still taken out.
    pub(crate) fn close(&self) {
        lock(&self.0).is_closed = true;
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = lock(&self.0);
        state.is_closed = true;
        // Dropped outside of the lock: they may be anything.
        let rest = std::mem::take(&mut state.messages);
        drop(state);
        drop(rest);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicU32);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn task() -> (Arc<Woken>, Waker) {
        let woken = Arc::new(Woken::default());
        (Arc::clone(&woken), woken.into())
    }

    #[test]
    fn all_messages_come_in_order_with_one_wake_up() {
        let (sender, receiver) = queue();
        let (woken, waker) = task();
        assert!(receiver.poll_some(&Context::from_waker(&waker)).is_pending());
        (0..3).for_each(|n| sender.send(n).unwrap());
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(receiver.poll_some(&Context::from_waker(&waker)).is_ready());
        let mut taken = Vec::new();
        assert!(receiver.take(&mut taken));
        assert_eq!(taken, [0, 1, 2]);
        taken.clear();
        assert!(!receiver.take(&mut taken));
    }

    #[test]
    fn what_was_put_in_before_the_end_is_taken_out() {
        let (sender, receiver) = queue();
        let (woken, waker) = task();
        assert!(receiver.poll_some(&Context::from_waker(&waker)).is_pending());
        sender.send(1).unwrap();
        sender.close();
        assert_eq!((sender.send(2), receiver.is_over()), (Err(2), false));
        let mut taken = Vec::new();
        receiver.take(&mut taken);
        assert_eq!((taken, receiver.is_over()), (vec![1], true));
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_message_to_nobody_comes_back() {
        let (sender, receiver) = queue();
        let held = Arc::new(());
        sender.send(Arc::clone(&held)).unwrap();
        drop(receiver);
        assert_eq!(Arc::strong_count(&held), 1);
        assert!(sender.send(held).is_err());
    }

    #[test]
    fn what_is_gathered_comes_in_batches() {
        let (sender, receiver) = queue();
        let (woken, waker) = task();
        let cx = Context::from_waker(&waker);
        let mut taken = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            assert!(!receiver.poll_take(&cx, &mut taken));
            (0..BATCH - 1).for_each(|n| sender.gather(n).unwrap());
            assert!(!receiver.take(&mut taken) && woken.0.load(Ordering::Relaxed) == 0);
            sender.gather(BATCH - 1).unwrap();
            assert!(receiver.take(&mut taken) && woken.0.load(Ordering::Relaxed) == 1);
            assert_eq!(taken.drain(..).len(), BATCH);
            assert!(!receiver.poll_take(&cx, &mut taken));
            // The rest comes once this task yields.
            sender.gather(0).unwrap();
            assert!(!receiver.take(&mut taken));
            tokio::task::yield_now().await;
            assert!(receiver.take(&mut taken) && woken.0.load(Ordering::Relaxed) == 2);
            taken.clear();
            sender.gather(1).unwrap();
            assert!(receiver.take_unripe(&mut taken));
        });
    }

    #[test]
    fn what_is_gathered_without_a_runtime_comes_at_once() {
        let (sender, receiver) = queue();
        sender.gather(1).unwrap();
        let mut taken = Vec::new();
        assert!(receiver.take(&mut taken));
        taken.clear();
        // Also when the runtime ends before the task has had its turn.
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let entered = runtime.enter();
        sender.gather(2).unwrap();
        assert!(!receiver.take(&mut taken));
        drop(entered);
        drop(runtime);
        assert!(receiver.take(&mut taken));
    }

    #[test]
    fn many_messages_are_put_in_at_once_or_not_at_all() {
        let (sender, receiver) = queue();
        let (mut messages, mut taken) = (vec![1, 2], Vec::new());
        assert_eq!((sender.send_all(&mut messages), messages.len()), (Ok(()), 0));
        assert!(sender.is_same(&sender.clone()) && receiver.take(&mut taken));
        assert_eq!(taken, [1, 2]);
        drop(receiver);
        assert_eq!((sender.send_all(&mut taken), taken.len()), (Err(Closed), 2));
    }
}
