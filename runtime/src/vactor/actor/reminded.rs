//! Turns of reminders.

use std::sync::atomic::Ordering;

use throughline_link::Instant;

use super::{VActorActor, turn::What, work::Replier};
use crate::{
    counters::is_worth_a_line,
    vactor::{Job, reminders::Reminders},
};

impl VActorActor {
    /// Begins the turn of a reminder that is due. It is gone when that turn is in.
    pub(super) fn begin_reminder(&mut self, now: Instant) -> bool {
        let is_free = self.turn.is_none()
            && self.reads.is_empty()
            && !self.has_not_begun()
            && !self.leaving.is_wanted();
        if !is_free || self.reminders.next().is_none() {
            return false;
        }
        let wall = self.worker.node.cluster.wall_ms();
        if self.reminders.next().is_none_or(|at| at > wall) {
            return false;
        }
        let before = self.reminders.clone();
        let Some(name) = self.reminders.pop(wall) else { return false };
        self.used = now;
        self.remind(name, 1, Some(before), now);
        true
    }

    fn remind(&mut self, name: String, tries: u32, before: Option<Reminders>, now: Instant) {
        let what = What::Reminded(name.clone());
        self.begin_turn(Job::Reminded(name), what, Replier::Nobody, now);
        match &mut self.turn {
            Some(turn) => (turn.tries, turn.before) = (tries, before),
            // Its state cannot be written: it comes again when it is set, not at once.
            None => log::error!("{}: a reminder is lost", self.id),
        }
    }

    pub(super) fn try_again(
        &mut self,
        name: String,
        tries: u32,
        before: Option<Reminders>,
        now: Instant,
    ) {
        if tries < self.worker.node.config.session.poison_tries {
            return self.remind(name, tries + 1, before, now);
        }
        let counts = &self.worker.node.vactors.counts;
        let count = counts.set_aside.fetch_add(1, Ordering::Relaxed) + 1;
        if is_worth_a_line(count) {
            log::error!(
                "{}: a reminder was set aside after {tries} tries; {count} so far",
                self.id
            );
        }
    }
}
