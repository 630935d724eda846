//! Messages that nobody could handle: they go to the dead letters of the cluster.

use std::cell::RefCell;
use std::sync::{Arc, atomic::Ordering::Relaxed};
use std::time::Duration;

use throughline_queue::{DeadLetter, DeadLetters, EnqueueError, NameKind, QueueName, Size};

use super::{Durable, Poke, Queues, SendReliableError};
use crate::{counters::is_worth_a_line, node::Shared, session::Effects};

/// A dead letter that the store does not take is written so often, with pauses that double: about
/// half a minute, in which a store comes back. Its message is out of its queue, and nowhere else.
const FILE_TRIES_MAX: u32 = 12;
const AGAIN: Duration = Duration::from_millis(20);
const AGAIN_MAX: Duration = Duration::from_secs(5);

/// How a message was given up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Died<'a> {
    pub(crate) kind: &'a str,
    pub(crate) hook: &'a str,
    pub(crate) tries: u32,
    pub(crate) why: &'a str,
}

/// Makes a dead letter part of the commit that takes its message out of its queue.
pub(crate) fn stage_dead_letter(effects: &RefCell<Effects>, letter: &DeadLetter) {
    let (to, payload) = (QueueName::dead_letters(), letter.encode());
    let durable = Durable::Enqueue { to, payload, expires_ms: letter.kept_until_ms() };
    // What its turns staged was dropped, so there is room.
    if let Err(error) = effects.borrow_mut().durable.push(durable) {
        log::error!("a dead letter for {} is lost: {error}", letter.to);
    }
}

/// Writes the dead letter of a message that an earlier commit has taken out of its queue.
pub(crate) fn file_dead_letter(node: &Arc<Shared>, letter: DeadLetter) {
    let node = Arc::clone(node);
    node.cluster.handle().clone().spawn(async move {
        // A node that stops waits for it, as for what its sessions sent.
        let _errand = node.cluster.errand();
        if let Err(why) = file(&node, &letter).await {
            let count = node.queues.counts.dead_letters_lost.fetch_add(1, Relaxed) + 1;
            if is_worth_a_line(count) {
                log::error!("a dead letter for {} is lost: {why}; {count} so far", letter.to);
            }
        }
    });
}

async fn file(node: &Arc<Shared>, letter: &DeadLetter) -> Result<(), String> {
    let (name, payload) = (QueueName::dead_letters(), letter.encode());
    let (mut pause, mut last) = (AGAIN, String::new());
    for _ in 0..FILE_TRIES_MAX {
        let expires_ms = letter.kept_until_ms();
        match node.queues.enqueue(node, &name, payload.clone(), expires_ms).await {
            Ok(_) => {
                node.queues.is_enqueued(node, vec![name.into()]);
                return Ok(());
            }
            // It may be there: a second one could be tried again beside it.
            Err(SendReliableError::Enqueue(error @ EnqueueError::Unknown { .. })) => {
                return Err(error.to_string());
            }
            Err(error) => last = error.to_string(),
        }
        tokio::time::sleep(pause).await;
        pause = AGAIN_MAX.min(pause * 2);
    }
    Err(last)
}

/// Drops the oldest dead letters beyond the limits of a queue, if any were written here.
pub(crate) async fn trim_dead_letters(node: &Arc<Shared>) {
    let queues = &node.queues;
    if !queues.has_new_dead.swap(false, Relaxed) {
        return;
    }
    let max = Size { messages: queues.limits.queue_messages, bytes: queues.limits.queue_bytes };
    match DeadLetters::trim(&*node.cluster.store, max, node.cluster.wall_ms()).await {
        Ok(0) => {}
        Ok(dropped) => {
            let count = queues.counts.dead_letters_dropped.fetch_add(dropped, Relaxed) + dropped;
            log::error!("{dropped} dead letters were dropped: there are too many; {count} so far");
        }
        Err(error) => {
            queues.has_new_dead.store(true, Relaxed);
            log::warn!("cluster: cannot look at the dead letters: {error}");
        }
    }
}

impl Queues {
    /// Of the queues of a commit that is in, takes out that of the dead letters: nobody reads it
    /// but operators.
    pub(super) fn take_out_dead(&self, to: &mut Vec<Poke>) {
        let before = to.len();
        to.retain(|poke| poke.queue.kind() != NameKind::Operators);
        if to.len() < before {
            // A commit has one at most.
            self.counts.dead_letters.fetch_add(1, Relaxed);
            self.has_new_dead.store(true, Relaxed);
        }
    }
}
