//! The sessions of a node, by id and by key: where each one's actor is.

mod live;

use std::collections::{HashMap, VecDeque};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU8, AtomicUsize, Ordering},
};

use actix::Recipient;
use throughline_cluster::RecordId;
use throughline_link::SessionId;
use tokio::sync::watch;

use crate::{
    actor::ToSession,
    config::LinkSettings,
    session::{ServerMessage, Undelivered},
};

/// All sessions of a node, those that have ended and are remembered among them.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    tables: Arc<Mutex<Tables>>,
}

#[derive(Debug, Default)]
struct Tables {
    sessions: HashMap<SessionId, Entry>,
    /// Records that somebody is about to start or to put away, and what that waits for.
    reserved: HashMap<RecordId, watch::Receiver<Awaits>>,
    keys: HashMap<String, SessionId>,
    /// Ended sessions, oldest first, with the bytes they retain.
    ended: VecDeque<(SessionId, usize)>,
    ended_bytes: usize,
}

#[derive(Debug)]
struct Entry {
    actor: Recipient<ToSession>,
    has_ended: bool,
    /// Messages of other sessions that wait for their turn. Counted here, since a mailbox of actix
    /// takes any number through an address that was cloned for one message.
    waiting: Arc<AtomicUsize>,
    /// Queues that it is to look into, in the bits of `Inboxes`, and has not heard of yet: it is
    /// poked once for all of them.
    poked: Arc<AtomicU8>,
}

/// The place of a message in its receiver's mailbox; given back when the last clone is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    _held: Arc<Held>,
}

#[derive(Debug)]
struct Held(Arc<AtomicUsize>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What is waited for by whoever has a record reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaits {
    /// The store, or another node.
    Others,
    /// The game, which makes a session of what was read.
    Game,
}

/// The right to start a session or a VActor here, or to deal with its record: one at a time. Given
/// back when it is dropped.
#[derive(Debug)]
pub(crate) struct Reserved {
    tables: Arc<Mutex<Tables>>,
    id: RecordId,
    /// Tells those who wait, when it is dropped.
    awaits: watch::Sender<Awaits>,
}

impl Reserved {
    pub(crate) const fn id(&self) -> &RecordId {
        &self.id
    }

    /// The game is at work on it while this lasts.
    pub(crate) async fn while_loading<T>(&self, load: impl Future<Output = T>) -> T {
        self.awaits.send_replace(Awaits::Game);
        let loaded = load.await;
        self.awaits.send_replace(Awaits::Others);
        loaded
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        lock(&self.tables).reserved.remove(&self.id);
    }
}

fn lock(tables: &Mutex<Tables>) -> MutexGuard<'_, Tables> {
    // No code that can panic runs under the lock.
    tables.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Directory {
    /// Reserves a session that has no actor here, unless somebody else has.
    pub(crate) fn reserve(&self, id: SessionId) -> Option<Reserved> {
        self.reserve_record(&RecordId::session(id))
    }

    /// The same for any record; who reserves a VActor's looks first whether it is active.
    pub(crate) fn reserve_record(&self, id: &RecordId) -> Option<Reserved> {
        let mut tables = self.lock();
        let is_active = id.session_id().is_some_and(|id| tables.sessions.contains_key(&id));
        if is_active || tables.reserved.contains_key(id) {
            return None;
        }
        let (awaits, receiver) = watch::channel(Awaits::Others);
        tables.reserved.insert(id.clone(), receiver);
        Some(Reserved { tables: Arc::clone(&self.tables), id: id.clone(), awaits })
    }

    /// Waits while somebody else has this session reserved.
    pub(crate) async fn unreserved(&self, id: SessionId) {
        self.unreserved_record(&RecordId::session(id)).await;
    }

    /// Waits while somebody else has this record reserved.
    pub(crate) async fn unreserved_record(&self, id: &RecordId) {
        let reserved = self.lock().reserved.get(id).cloned();
        if let Some(mut reserved) = reserved {
            // An error: it was dropped, which is what is waited for.
            while reserved.changed().await.is_ok() {}
        }
    }

    /// Waits while whoever has this session reserved waits for the store or for another node. False
    /// if the game is at work on it: that may take long, and ends well.
    pub(crate) async fn settles(&self, id: SessionId) -> bool {
        let reserved = self.lock().reserved.get(&RecordId::session(id)).cloned();
        let Some(mut reserved) = reserved else { return true };
        // An error: it was given back.
        reserved.wait_for(|awaits| *awaits == Awaits::Game).await.is_err()
    }

    /// Whether somebody here is at work on this record. Of an active VActor its own table knows.
    pub(crate) fn knows(&self, id: &RecordId) -> bool {
        let tables = self.lock();
        id.session_id().is_some_and(|id| tables.sessions.contains_key(&id))
            || tables.reserved.contains_key(id)
    }

    /// Locked for a few instructions at a login, a resume, an end or a message between sessions;
    /// never for a frame.
    fn lock(&self) -> MutexGuard<'_, Tables> {
        lock(&self.tables)
    }

    pub(crate) fn insert(&self, id: SessionId, actor: Recipient<ToSession>) {
        let (waiting, poked) = (Arc::default(), Arc::default());
        self.lock().sessions.insert(id, Entry { actor, has_ended: false, waiting, poked });
    }

    pub(crate) fn find(&self, id: SessionId) -> Option<Recipient<ToSession>> {
        self.lock().sessions.get(&id).map(|entry| entry.actor.clone())
    }

    /// Puts a message into the mailbox of a session, which has `limit` places. Under the lock, so
    /// that nothing comes to a session that was removed.
    pub(crate) fn deliver(
        &self,
        id: SessionId,
        limit: usize,
        message: ServerMessage,
    ) -> Result<(), Undelivered> {
        let tables = self.lock();
        let entry = tables.sessions.get(&id).ok_or(Undelivered::NoSuchSession)?;
        // Two senders do not take the last place together.
        if entry.waiting.load(Ordering::Relaxed) >= limit {
            return Err(Undelivered::MailboxFull);
        }
        entry.waiting.fetch_add(1, Ordering::Relaxed);
        let held = Arc::new(Held(Arc::clone(&entry.waiting)));
        let message = ToSession::Server(message.placed(Place { _held: held }));
        entry.actor.try_send(message).map_err(|_| Undelivered::NoSuchSession)
    }

    /// Pokes a session to look into its queues; false if it is not here.
    pub(crate) fn poke(&self, id: SessionId, bits: u8) -> bool {
        let tables = self.lock();
        let Some(entry) = tables.sessions.get(&id).filter(|entry| !entry.has_ended) else {
            return false;
        };
        let was_poked = entry.poked.fetch_or(bits, Ordering::AcqRel) != 0;
        if !was_poked && entry.actor.try_send(ToSession::Poked(Arc::clone(&entry.poked))).is_err() {
            // Its mailbox is full: the next regular look comes back to it.
            entry.poked.store(0, Ordering::Release);
        }
        true
    }

    pub(crate) fn find_key(&self, key: &str) -> Option<SessionId> {
        self.lock().keys.get(key).copied()
    }

    /// In order, so that a run in virtual time can be repeated.
    pub(crate) fn all(&self) -> Vec<(SessionId, Recipient<ToSession>)> {
        let mut all: Vec<_> =
            self.lock().sessions.iter().map(|(id, entry)| (*id, entry.actor.clone())).collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        all
    }

    /// How many sessions have an actor, ended ones included.
    pub(crate) fn len(&self) -> usize {
        self.lock().sessions.len()
    }

    /// Notes that `id`, a session of this node, holds `key`.
    pub(crate) fn register_key(&self, key: &str, id: SessionId) {
        self.lock().keys.insert(key.to_owned(), id);
    }

    /// Removes `key` if it points to `id`.
    pub(crate) fn release_key(&self, key: &str, id: SessionId) {
        let mut tables = self.lock();
        if tables.keys.get(key) == Some(&id) {
            tables.keys.remove(key);
        }
    }

    /// Notes that `id` has ended and retains so many bytes. The oldest ended sessions come back, as
    /// many as are too many or retain too much in all: they are to be forgotten.
    pub(crate) fn ended(
        &self,
        id: SessionId,
        bytes: usize,
        limits: &LinkSettings,
    ) -> Vec<Recipient<ToSession>> {
        let mut tables = self.lock();
        if let Some(entry) = tables.sessions.get_mut(&id) {
            entry.has_ended = true;
        }
        tables.ended.push_back((id, bytes));
        tables.ended_bytes += bytes;
        let mut oldest = Vec::new();
        while tables.ended.len() > limits.ended_sessions || tables.ended_bytes > limits.ended_bytes
        {
            let Some((id, bytes)) = tables.ended.pop_front() else { break };
            tables.ended_bytes -= bytes;
            oldest.extend(tables.sessions.get(&id).map(|entry| entry.actor.clone()));
        }
        oldest
    }

    pub(crate) fn remove(&self, id: SessionId) {
        let mut tables = self.lock();
        tables.sessions.remove(&id);
        // Sessions that were forgotten before their time are dropped from the front, so the queue
        // does not grow with them.
        while let Some((oldest, bytes)) = tables.ended.front().copied()
            && !tables.sessions.contains_key(&oldest)
        {
            tables.ended.pop_front();
            tables.ended_bytes -= bytes;
        }
    }
}
