//! What an actor has not handled yet, read from its queues.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use throughline_canary::canary;
use throughline_cluster::{Header, Holder, Row, SessionKey, Value};
use throughline_queue::{Inbox, Message, Pieces, QueueName, ReadError};
use throughline_store::{Check, Store};

use super::QueuedMessage;

/// Messages that are read at once. They are handled one at a time, and each may be large.
const PAGE: usize = 32;

/// Pages that one look reads at most, when nothing is in them but what has expired.
const PAGES_MAX: usize = 16;

/// A message that is about to be handled.
#[derive(Debug)]
pub(crate) struct Taking {
    pub(crate) message: QueuedMessage,
    /// What the commit checks and deletes that uses it up.
    pub(crate) used_up: Pieces,
}

/// The queues of one actor: its inbox, and of a session that of its key, too.
#[derive(Default)]
pub(crate) struct Inboxes {
    /// What is to be looked at, in bits.
    wanted: u8,
    /// Whether a queue that is found empty is to lose its row.
    tidies: bool,
    work: Option<Box<Work>>,
}

#[derive(Default)]
struct Work {
    call: Option<BoxFuture<'static, Result<Looked, ReadError>>>,
    /// Of the record, or of this key.
    queue: Option<SessionKey>,
    page: VecDeque<Message>,
}

struct Looked {
    messages: VecDeque<Message>,
    /// Whether there are more behind them.
    more: bool,
}

impl Inboxes {
    /// The inbox of the record.
    pub(crate) const RECORD: u8 = 1;
    /// The queue of a session's key.
    pub(crate) const KEY: u8 = 2;
    /// A row says that there is something: if there is not, the row goes.
    pub(crate) const HAS_ROW: u8 = 4;

    /// There may be something new in these.
    pub(crate) fn look(&mut self, bits: u8) {
        self.wanted |= bits & (Self::RECORD | Self::KEY);
        self.tidies |= bits & Self::HAS_ROW != 0;
    }

    /// Goes on with reading. True if anything happened.
    #[inline]
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        store: &Arc<dyn Store>,
        header: &Header,
        now_ms: impl Fn() -> u64,
    ) -> bool {
        if self.wanted == 0 && self.work.is_none() {
            return false;
        }
        self.read(cx, store, header, now_ms)
    }

    fn read(
        &mut self,
        cx: &mut Context<'_>,
        store: &Arc<dyn Store>,
        header: &Header,
        now_ms: impl Fn() -> u64,
    ) -> bool {
        let mut any = false;
        loop {
            let work = self.work.get_or_insert_default();
            if let Some(call) = &mut work.call {
                let Poll::Ready(looked) = call.as_mut().poll(cx) else { return any };
                (work.call, any) = (None, true);
                match looked {
                    Ok(Looked { messages, more }) => {
                        work.page = messages;
                        if more {
                            self.wanted |= bit_of(work.queue.as_ref());
                        }
                    }
                    // The node's regular look comes back to it.
                    Err(error) => log::warn!("{}: its queue cannot be read: {error}", header.id),
                }
            } else if !work.page.is_empty() {
                // First these: what comes behind them is read when they are gone, since positions
                // of several producers do not come in order.
                return any;
            } else if self.wanted == 0 {
                self.work = None;
                self.tidies = false;
                return any;
            } else {
                let is_record = self.wanted & Self::RECORD != 0;
                work.queue = if is_record { None } else { header.key.clone() };
                self.wanted &= !if is_record { Self::RECORD } else { Self::KEY };
                if !is_record && work.queue.is_none() {
                    continue;
                }
                let Ok(name) = name_of(header, work.queue.as_ref()) else { continue };
                let store = Arc::clone(store);
                work.call = Some(Box::pin(look(store, name, now_ms(), self.tidies)));
            }
        }
    }

    /// The next message was not taken after all: what was read is read again, so that what is
    /// behind it does not go before it.
    pub(crate) fn again(&mut self) {
        if let Some(work) = &mut self.work {
            work.page.clear();
            self.wanted |= bit_of(work.queue.as_ref());
        } else {
            self.wanted |= Self::RECORD;
        }
    }

    /// The next message, if one was read. Its removal must be committed with the record before its
    /// turn, or with what its turn does; it is the next one only once.
    pub(crate) fn next(&mut self, header: &Header, now_ms: u64) -> Option<Taking> {
        let work = self.work.as_mut()?;
        if work.queue.is_some() && work.queue != header.key {
            // It was the queue of a key that this session holds no more.
            work.page.clear();
        }
        loop {
            let message = work.page.pop_front()?;
            if message.is_expired(now_ms) && !canary!(ExpiredDelivered) {
                continue;
            }
            let Ok(name) = name_of(header, work.queue.as_ref()) else { continue };
            let mut used_up = message.used_up();
            if let Some(key) = &work.queue {
                let holder = Holder { id: header.id.clone(), life: header.life };
                let (key, value) = (Row::Key(key.clone()).key(), Value::Holder(holder).encode());
                used_up.checks.push(Check::Equals { key, value });
            }
            return Some(Taking { message: QueuedMessage::new(&message, name), used_up });
        }
    }

    /// Whether nothing waits, is being read, or is to be read.
    #[inline]
    pub(crate) const fn is_read(&self) -> bool {
        self.wanted == 0 && self.work.is_none()
    }

    /// Whether a message was read that waits.
    #[inline]
    pub(crate) fn has_next(&self) -> bool {
        self.work.as_ref().is_some_and(|work| !work.page.is_empty())
    }
}

const fn bit_of(queue: Option<&SessionKey>) -> u8 {
    match queue {
        None => Inboxes::RECORD,
        Some(_) => Inboxes::KEY,
    }
}

fn name_of(
    header: &Header,
    key: Option<&SessionKey>,
) -> Result<QueueName, throughline_queue::NameError> {
    match key {
        None => QueueName::record(header.id.as_bytes()),
        Some(key) => QueueName::key(&String::from_utf8_lossy(key.as_bytes())),
    }
}

/// Reads a queue from its beginning, and removes what has expired there.
async fn look(
    store: Arc<dyn Store>,
    name: QueueName,
    now_ms: u64,
    tidies: bool,
) -> Result<Looked, ReadError> {
    for _ in 0..PAGES_MAX {
        let page = Inbox::read(&*store, &name, None, PAGE).await?;
        let all = page.messages.len();
        let is_expired =
            |message: &Message| message.is_expired(now_ms) && !canary!(ExpiredDelivered);
        let (expired, fresh): (Vec<_>, Vec<_>) = page.messages.into_iter().partition(is_expired);
        if all == 0 && tidies {
            Inbox::tidy(&*store, &name).await?;
        }
        let mut removal = Pieces::default();
        expired.iter().for_each(|message| removal.merge(message.used_up()));
        if !expired.is_empty() {
            // Whatever comes of it: nobody is given them, and the sweep meets them, too.
            let _ = store.commit(removal.into_batch()).await;
        }
        if !fresh.is_empty() || !page.more {
            return Ok(Looked { messages: fresh.into(), more: page.more });
        }
    }
    Ok(Looked { messages: VecDeque::new(), more: false })
}

impl std::fmt::Debug for Inboxes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inboxes").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
