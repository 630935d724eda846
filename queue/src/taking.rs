//! Taking messages out of queues.

use bytes::Bytes;
use throughline_canary::canary;
use throughline_store::{CommitError, Entry};

use crate::defaults::{COMMITS_MAX, MESSAGES_MAX, TOKEN_BYTES_MAX};
use crate::lanes::Lanes;
use crate::messages::size_of;
use crate::metrics::add;
use crate::nonempty::Nonempty;
use crate::sender::Common;
use crate::token::Kept;
use crate::{DequeueError, Inbox, Message, Messages, Pieces, QueueName, ReadError, keys};

/// What a look at a queue has found.
struct Found {
    /// Messages that may be delivered.
    live: Vec<Message>,
    expired: Vec<Message>,
    more: bool,
}

/// Takes messages out.
#[derive(Debug)]
pub(crate) struct Taking {
    common: Common,
    lanes: Lanes,
}

impl Taking {
    pub(crate) const fn new(common: Common, lanes: Lanes) -> Self {
        Self { common, lanes }
    }

    pub(crate) async fn dequeue_all(&self, name: &QueueName) -> Result<Messages, DequeueError> {
        let mut only_expired = false;
        let mut lane = None;
        for _ in 0..COMMITS_MAX {
            let Some(found) = self.look(name).await? else {
                return Ok(self.taken(name, Vec::new(), false));
            };
            let lane = match &mut lane {
                Some(lane) => lane,
                none => none.insert(self.lanes.lease().await?),
            };
            match lane.commit(found.used_up()).await {
                Ok(true) => {
                    self.removed(name, &found);
                    if canary!(DequeueUpToMax) {
                        self.delete_up_to(name, found.live.last()).await;
                    }
                    only_expired = true;
                    // What expired in pages of its own is stepped over.
                    if !found.live.is_empty() || !found.more {
                        return Ok(self.taken(name, found.live, found.more));
                    }
                }
                Ok(false) => {}
                Err(DequeueError::Contended { .. }) => add(&self.common.counters.contended, 1),
                Err(error) => return Err(error),
            }
        }
        if only_expired {
            return Ok(self.taken(name, Vec::new(), true));
        }
        Err(DequeueError::Contended { tries: COMMITS_MAX })
    }

    pub(crate) async fn dequeue_all_with(
        &self,
        name: &QueueName,
        token: Bytes,
        kept_ms: u64,
    ) -> Result<Messages, DequeueError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(DequeueError::Token { bytes: token.len() });
        }
        let mut unknown = None;
        let taken = self.take_with(name, &token, kept_ms, &mut unknown).await;
        // Whatever has failed since: that commit may have taken messages, or may still.
        taken.map_err(|error| match unknown {
            Some(reason) => DequeueError::Unknown { reason },
            None => error,
        })
    }

    /// Goes on until there is an answer. `unknown`: why the outcome of a commit is not known.
    async fn take_with(
        &self,
        name: &QueueName,
        token: &Bytes,
        kept_ms: u64,
        unknown: &mut Option<String>,
    ) -> Result<Messages, DequeueError> {
        for _ in 0..COMMITS_MAX {
            let before = self.token_row(name).await?;
            if let Some(kept) = self.kept(name, before.as_ref(), token)? {
                return Ok(self.taken_again(name, kept));
            }
            let Some(Found { live, expired, more }) = self.look(name).await? else {
                if self.token_row(name).await? == before {
                    return Ok(self.taken(name, Vec::new(), false));
                }
                // An earlier commit under this token may have landed in between: then what it took
                // is in the row now, and nowhere else.
                continue;
            };
            if live.is_empty() {
                // Nothing to keep: what an earlier token has stays. Whatever becomes of the
                // commit: they have expired, and the next one removes them.
                let found = Found { live, expired, more };
                let removed = self.common.store.commit(found.used_up().into_batch()).await.is_ok();
                if removed {
                    self.removed(name, &found);
                }
                if !more && self.token_row(name).await? == before {
                    return Ok(self.taken(name, Vec::new(), false));
                }
                continue;
            }
            let expires_ms = self.common.clock.now_ms().saturating_add(kept_ms);
            let kept = Kept { expires_ms, token: token.clone(), more, messages: live };
            let mut pieces = kept.replace(name, before);
            if canary!(TokenNotKept) {
                pieces = Pieces::default();
            }
            let found = Found { live: kept.messages, expired, more };
            pieces.merge(found.used_up());
            match self.common.store.commit(pieces.into_batch()).await {
                Ok(()) => {
                    self.removed(name, &found);
                    return Ok(self.taken(name, found.live, more));
                }
                Err(CommitError::Refused(_)) => add(&self.common.counters.contended, 1),
                // The row of the token says what became of it; the next try fences it.
                Err(CommitError::Unknown { reason }) => *unknown = Some(reason),
                Err(error) => return Err(DequeueError::NotWritten(error)),
            }
        }
        Err(DequeueError::Contended { tries: COMMITS_MAX })
    }

    /// What stands in the row of a queue's token.
    async fn token_row(&self, name: &QueueName) -> Result<Option<Bytes>, ReadError> {
        Ok(self.common.store.get(keys::token(name)).await?)
    }

    /// Of a planted bug: everything goes that is not behind this message.
    async fn delete_up_to(&self, name: &QueueName, last: Option<&Message>) {
        let store = &*self.common.store;
        let read = Inbox::read(store, name, None, MESSAGES_MAX).await;
        let mut all = read.map(|page| page.messages).unwrap_or_default();
        all.retain(|message| last.is_some_and(|last| message.position() <= last.position()));
        let _ = store.commit(Message::rows_used_up(all.iter()).into_batch()).await;
    }

    pub(crate) async fn peek_all(&self, name: &QueueName) -> Result<Messages, ReadError> {
        let mut after = None;
        // What has expired in pages of its own is stepped over; a queue has few of those.
        loop {
            let page = Inbox::read(&*self.common.store, name, after, MESSAGES_MAX).await?;
            after = page.messages.last().map(Message::position);
            let now_ms = self.common.clock.now_ms();
            let mut messages = page.messages;
            messages.retain(|message| !message.is_expired(now_ms));
            if !messages.is_empty() || !page.more || after.is_none() {
                return Ok(Messages::new(name.clone(), messages, page.more));
            }
        }
    }

    /// Removes those of the messages that are still there: how many that were.
    pub(crate) async fn ack(&self, batch: &Messages) -> Result<usize, DequeueError> {
        let mut left = batch.as_slice().to_vec();
        let mut lane = None;
        for _ in 0..COMMITS_MAX {
            if left.is_empty() {
                return Ok(0);
            }
            let lane = match &mut lane {
                Some(lane) => lane,
                none => none.insert(self.lanes.lease().await?),
            };
            match lane.commit(Message::rows_used_up(left.iter())).await {
                Ok(true) => {
                    add(&self.common.counters.acked, left.len());
                    self.common.estimates.taken(batch.name(), size_of(&left));
                    return Ok(left.len());
                }
                Ok(false) => {}
                Err(DequeueError::Contended { .. }) => {
                    add(&self.common.counters.contended, 1);
                    self.keep_those_there(batch.name(), &mut left).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Err(DequeueError::Contended { tries: COMMITS_MAX })
    }

    /// Drops those of the messages that somebody else has used up, and reads the others anew: what
    /// shares a row with them may have changed it.
    async fn keep_those_there(
        &self,
        name: &QueueName,
        left: &mut Vec<Message>,
    ) -> Result<(), ReadError> {
        let mut there = std::collections::HashMap::new();
        let last = left.last().map(Message::position);
        let mut after = None;
        loop {
            let page = Inbox::read(&*self.common.store, name, after, MESSAGES_MAX).await?;
            after = page.messages.last().map(Message::position);
            there.extend(page.messages.into_iter().map(|message| (message.position(), message)));
            if !page.more || after >= last {
                break;
            }
        }
        let anew = left.iter().filter_map(|message| there.remove(&message.position()));
        *left = anew.collect();
        Ok(())
    }

    /// The first messages of a queue; `None` if it is empty, after its row was taken away.
    async fn look(&self, name: &QueueName) -> Result<Option<Found>, ReadError> {
        let store = &*self.common.store;
        let key = keys::nonempty(name);
        // Without the row there are no messages, and this is cheaper than a scan.
        let Some(value) = store.get(key.clone()).await? else { return Ok(None) };
        let page = Inbox::read(store, name, None, MESSAGES_MAX).await?;
        if page.messages.is_empty() {
            let row = Nonempty::read(&Entry { key, value })?;
            // Whatever becomes of it: the next who finds the queue empty tries it again.
            let _ = store.commit(row.found_empty().into_batch()).await;
            return Ok(None);
        }
        let now_ms = self.common.clock.now_ms();
        let (expired, live) = page.messages.into_iter().partition(|m| is_over(m, now_ms));
        Ok(Some(Found { live, expired, more: page.more }))
    }

    /// What is kept under this token, if it is.
    fn kept(
        &self,
        name: &QueueName,
        value: Option<&Bytes>,
        token: &Bytes,
    ) -> Result<Option<Kept>, ReadError> {
        let Some(value) = value else { return Ok(None) };
        let kept = Kept::decode(name, value)?;
        let is_it = kept.token == *token && self.common.clock.now_ms() < kept.expires_ms;
        Ok(is_it.then_some(kept))
    }

    /// Counts what was removed.
    fn removed(&self, name: &QueueName, found: &Found) {
        let Common { counters, estimates, .. } = &self.common;
        add(&counters.expired, found.expired.len());
        estimates.taken(name, size_of(&found.live).plus(size_of(&found.expired)));
    }

    /// What a dequeue returns: nothing that has expired while it was committed.
    fn taken(&self, name: &QueueName, mut messages: Vec<Message>, more: bool) -> Messages {
        let now_ms = self.common.clock.now_ms();
        messages.retain(|message| !is_over(message, now_ms));
        add(&self.common.counters.dequeued, messages.len());
        Messages::new(name.clone(), messages, more)
    }

    /// What a repeated dequeue returns.
    fn taken_again(&self, name: &QueueName, kept: Kept) -> Messages {
        let now_ms = self.common.clock.now_ms();
        let mut messages = kept.messages;
        messages.retain(|message| !message.is_expired(now_ms));
        Messages::new(name.clone(), messages, kept.more)
    }
}

impl Found {
    fn used_up(&self) -> Pieces {
        // Those of one row are neighbours only in the order of the queue.
        let mut all: Vec<_> = self.live.iter().chain(&self.expired).collect();
        all.sort_unstable_by_key(|message| message.position());
        Message::rows_used_up(all.into_iter())
    }
}

/// Whether a message must not be delivered any more.
fn is_over(message: &Message, now_ms: u64) -> bool {
    message.is_expired(now_ms) && !canary!(ExpiredDelivered)
}
