//! The sessions that live, for operators: without those that have ended and are remembered.

use std::collections::HashMap;

use actix::Recipient;
use throughline_link::SessionId;

use super::Directory;
use crate::actor::ToSession;

impl Directory {
    /// A session that has not ended.
    pub(crate) fn find_live(&self, id: SessionId) -> Option<Recipient<ToSession>> {
        let tables = self.lock();
        let entry = tables.sessions.get(&id).filter(|entry| !entry.has_ended)?;
        Some(entry.actor.clone())
    }

    /// All sessions that have not ended, in order, so that a run in virtual time can be repeated.
    pub(crate) fn live(&self) -> Vec<Recipient<ToSession>> {
        let tables = self.lock();
        let live = tables.sessions.iter().filter(|(_, entry)| !entry.has_ended);
        let mut live: Vec<_> = live.collect();
        live.sort_unstable_by_key(|(id, _)| **id);
        live.into_iter().map(|(_, entry)| entry.actor.clone()).collect()
    }

    /// Their ids, in no order.
    pub(crate) fn live_ids(&self) -> Vec<SessionId> {
        let tables = self.lock();
        let live = tables.sessions.iter().filter(|(_, entry)| !entry.has_ended);
        live.map(|(id, _)| *id).collect()
    }

    /// The keys of these sessions, which are sorted, as far as they have one. Looks at every key,
    /// which a page of a list for people may cost.
    pub(crate) fn keys_of(&self, ids: &[SessionId]) -> HashMap<SessionId, String> {
        let tables = self.lock();
        let asked = tables.keys.iter().filter(|(_, id)| ids.binary_search(id).is_ok());
        asked.map(|(key, id)| (*id, key.clone())).collect()
    }
}
