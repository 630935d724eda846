//! The sessions of a node, by id and by key: where each one's actor is.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use actix::Recipient;
use throughline_link::SessionId;

use crate::actor::ToSession;

/// All sessions of a node, those that have ended and are remembered among them.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    sessions: HashMap<SessionId, Recipient<ToSession>>,
    keys: HashMap<String, SessionId>,
    /// Ended sessions, oldest first.
    ended: VecDeque<SessionId>,
}

impl Directory {
    /// Locked for a few instructions at a login, a resume, an end or a message between sessions;
    /// never for a frame.
    fn lock(&self) -> MutexGuard<'_, Tables> {
        // No code that can panic runs under the lock.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn insert(&self, id: SessionId, actor: Recipient<ToSession>) {
        self.lock().sessions.insert(id, actor);
    }

    pub(crate) fn find(&self, id: SessionId) -> Option<Recipient<ToSession>> {
        self.lock().sessions.get(&id).cloned()
    }

    pub(crate) fn find_key(&self, key: &str) -> Option<SessionId> {
        self.lock().keys.get(key).copied()
    }

    pub(crate) fn all(&self) -> Vec<(SessionId, Recipient<ToSession>)> {
        self.lock().sessions.iter().map(|(id, actor)| (*id, actor.clone())).collect()
    }

    /// How many sessions have an actor, ended ones included.
    pub(crate) fn len(&self) -> usize {
        self.lock().sessions.len()
    }

    /// Points `key` to `id`; who held it before.
    pub(crate) fn register_key(
        &self,
        key: &str,
        id: SessionId,
    ) -> Option<(SessionId, Option<Recipient<ToSession>>)> {
        let mut tables = self.lock();
        let holder = tables.keys.insert(key.to_owned(), id).filter(|holder| *holder != id)?;
        Some((holder, tables.sessions.get(&holder).cloned()))
    }

    /// Removes `key` if it points to `id`.
    pub(crate) fn release_key(&self, key: &str, id: SessionId) {
        let mut tables = self.lock();
        if tables.keys.get(key) == Some(&id) {
            tables.keys.remove(key);
        }
    }

    /// Notes that `id` has ended. The oldest ended session comes back if there are more than
    /// `limit`: it is to be forgotten.
    pub(crate) fn ended(&self, id: SessionId, limit: usize) -> Option<Recipient<ToSession>> {
        let mut tables = self.lock();
        tables.ended.push_back(id);
        while tables.ended.len() > limit {
            let oldest = tables.ended.pop_front()?;
            if let Some(actor) = tables.sessions.get(&oldest) {
                return Some(actor.clone());
            }
        }
        None
    }

    pub(crate) fn remove(&self, id: SessionId) {
        let mut tables = self.lock();
        tables.sessions.remove(&id);
        // Ids of sessions that are forgotten before their time are dropped from the front, so the
        // queue does not grow with them.
        while tables.ended.front().is_some_and(|oldest| !tables.sessions.contains_key(oldest)) {
            tables.ended.pop_front();
        }
    }
}
