//! Answers that come together wake whoever waits for several of them once.
//!
//! A store that answers a group, one call after the other, from a thread of its own wakes a task
//! that waits for many of them at the first. On a machine whose cores are all busy that task often
//! runs at once, in the place of the store's thread, takes one answer, sleeps, and is woken by the
//! next. So a store answers within [`together`], and such a task waits with a [`gathered`] waker.

use std::cell::RefCell;
use std::sync::Arc;
use std::task::{Wake, Waker};

thread_local! {
    /// Whom to wake at the end of [`together`]; `None` outside it.
    static HELD: RefCell<Option<Vec<Waker>>> = const { RefCell::new(None) };
}

/// Gives the answers; [`gathered`] wakers that they wake on this thread wake when all are given,
/// also if it panics. Within another `together` they wait for the end of the outer one.
pub fn together<R>(answers: impl FnOnce() -> R) -> R {
    let _end = HELD.with_borrow_mut(|held| match held {
        Some(_) => None,
        None => {
            *held = Some(Vec::new());
            Some(End)
        }
    });
    answers()
}

struct End;

impl Drop for End {
    fn drop(&mut self) {
        let held = HELD.with_borrow_mut(Option::take);
        held.into_iter().flatten().for_each(Waker::wake);
    }
}

/// A waker that does what `waker` does; within [`together`] at its end.
pub fn gathered(waker: &Waker) -> Waker {
    Waker::from(Arc::new(Gathered(waker.clone())))
}

struct Gathered(Waker);

impl Wake for Gathered {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let is_held = HELD.with_borrow_mut(|held| match held {
            Some(held) if held.iter().any(|other| other.will_wake(&self.0)) => true,
            Some(held) => {
                held.push(self.0.clone());
                true
            }
            None => false,
        });
        if !is_held {
            self.0.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn counting() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (count.clone(), gathered(&count.into()))
    }

    #[test]
    fn a_task_that_waits_for_many_answers_is_woken_once_when_all_are_given() {
        let (first, waker) = counting();
        let (second, other) = counting();
        together(|| {
            waker.wake_by_ref();
            together(|| waker.wake_by_ref());
            other.wake_by_ref();
            assert_eq!((first.0.load(Ordering::SeqCst), second.0.load(Ordering::SeqCst)), (0, 0));
        });
        assert_eq!((first.0.load(Ordering::SeqCst), second.0.load(Ordering::SeqCst)), (1, 1));
        waker.wake_by_ref();
        assert_eq!(first.0.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn nobody_sleeps_on_when_the_answering_panics() {
        let (count, waker) = counting();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            together(|| {
                waker.wake_by_ref();
                panic!("made by the test");
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        waker.wake();
        assert_eq!(count.0.load(Ordering::SeqCst), 2);
    }
}
