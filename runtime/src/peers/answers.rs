//! Answers on their way back to the connections that the calls came by.
//!
//! Who answers many calls in a row [holds them back](hold): a connection that got them one by one
//! would write them one by one, too, and a write costs as much as handling some ten small calls.

use std::cell::RefCell;

use bytes::Bytes;

use crate::batch;

/// The answer to the call with this number; `None`: it was not handled.
pub(crate) type Answered = (u64, Option<Bytes>);

thread_local! {
    /// What this thread has answered, while somebody holds it back: to one connection at a time.
    static HELD: RefCell<Option<Held>> = const { RefCell::new(None) };
}

#[derive(Debug, Default)]
struct Held {
    to: Option<batch::Sender<Answered>>,
    answers: Vec<Answered>,
}

impl Held {
    fn release(&mut self) {
        if let Some(to) = &self.to {
            // The connection has ended: nobody waits.
            let _ = to.send_all(&mut self.answers);
        }
        self.answers.clear();
    }
}

/// Sends an answer, or holds it back.
pub(super) fn send(to: batch::Sender<Answered>, answer: Answered) {
    let now = HELD.with_borrow_mut(|held| {
        let Some(held) = held else { return Some((to, answer)) };
        if held.to.as_ref().is_none_or(|other| !other.is_same(&to)) {
            held.release();
            held.to = Some(to);
        }
        held.answers.push(answer);
        None
    });
    if let Some((to, answer)) = now {
        let _ = to.send(answer);
    }
}

/// Holds back the answers of this thread until it is dropped.
#[derive(Debug)]
pub(crate) struct Hold(());

pub(crate) fn hold() -> Hold {
    HELD.with_borrow_mut(|held| {
        held.get_or_insert_default();
    });
    Hold(())
}

impl Hold {
    /// Sends what is held back so far.
    pub(crate) fn release(&self) {
        HELD.with_borrow_mut(|held| {
            if let Some(held) = held {
                held.release();
            }
        });
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.release();
        HELD.set(None);
    }
}
