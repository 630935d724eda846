//! Records that could not be loaded here: each try costs two commits, and its client comes again.

use core::time::Duration;
use std::collections::HashMap;

use throughline_link::Instant;

use crate::{
    defaults::{FAILING_MAX, LOAD_REST, LOAD_TRIES},
    id::RecordId,
};

/// What of a node's loads has failed. It is in memory alone: a node that is started anew, perhaps
/// with a build that can load them, tries all of them.
#[derive(Debug, Default)]
pub struct Failing {
    records: HashMap<RecordId, Failed>,
}

#[derive(Debug, Clone, Copy)]
struct Failed {
    tries: u32,
    last: Instant,
}

impl Failing {
    /// Whether this record is not to be loaded now, and how long it rests: it has failed
    /// `LOAD_TRIES` times or more, the last time less than `LOAD_REST` ago.
    #[must_use]
    pub fn rests(&self, id: &RecordId, now: Instant) -> Option<Duration> {
        let failed = self.records.get(id).filter(|failed| failed.tries >= LOAD_TRIES)?;
        let rest = LOAD_REST.saturating_sub(now.since(failed.last));
        (!rest.is_zero()).then_some(rest)
    }

    /// It could not be loaded; how often that was so.
    pub fn handle_failed(&mut self, id: &RecordId, now: Instant) -> u32 {
        if !self.records.contains_key(id) && self.records.len() >= FAILING_MAX {
            self.forget_oldest();
        }
        let failed = self.records.entry(id.clone()).or_insert(Failed { tries: 0, last: now });
        failed.tries = failed.tries.saturating_add(1);
        failed.last = now;
        failed.tries
    }

    /// It was loaded.
    pub fn handle_loaded(&mut self, id: &RecordId) {
        if !self.records.is_empty() {
            self.records.remove(id);
        }
    }

    fn forget_oldest(&mut self) {
        let oldest = self.records.iter().min_by_key(|(_, failed)| failed.last);
        if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
            self.records.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use throughline_link::SessionId;

    use super::*;

    fn id(n: u16) -> RecordId {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&n.to_be_bytes());
        RecordId::session(SessionId(id))
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_record_that_failed_as_often_as_it_may_rests_and_is_tried_once_more_afterwards() {
        let mut failing = Failing::default();
        for tries in 1..LOAD_TRIES {
            assert_eq!(failing.handle_failed(&id(1), at(1)), tries);
            assert_eq!(failing.rests(&id(1), at(1)), None);
        }
        failing.handle_failed(&id(1), at(2));
        assert_eq!(failing.rests(&id(1), at(2)), Some(LOAD_REST));
        assert_eq!(failing.rests(&id(2), at(2)), None, "another one is not meant");
        let over = at(2) + LOAD_REST;
        assert_eq!(failing.rests(&id(1), over), None);
        failing.handle_failed(&id(1), over);
        assert_eq!(failing.rests(&id(1), over), Some(LOAD_REST), "it failed again");
    }

    #[test]
    fn a_record_that_was_loaded_has_all_its_tries_again() {
        let mut failing = Failing::default();
        for _ in 0..LOAD_TRIES {
            failing.handle_failed(&id(1), at(1));
        }
        failing.handle_loaded(&id(1));
        assert_eq!(failing.rests(&id(1), at(1)), None);
        assert_eq!(failing.handle_failed(&id(1), at(1)), 1);
    }

    #[test]
    fn what_failed_longest_ago_is_forgotten_first() {
        let mut failing = Failing::default();
        let most = u16::try_from(FAILING_MAX).unwrap();
        for n in 0..=most {
            failing.handle_failed(&id(n), at(u64::from(n)));
        }
        assert_eq!(failing.records.len(), FAILING_MAX);
        assert!(!failing.records.contains_key(&id(0)) && failing.records.contains_key(&id(1)));
    }
}
