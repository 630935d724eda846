//! Turns of reminders.

use std::sync::atomic::Ordering;

use throughline_link::Instant;
use throughline_queue::Pieces;

use super::{VActorActor, commit::Committing, turn::What, work::Replier};
use crate::{
    care::{Weighed, Which},
    counters::is_worth_a_line,
    vactor::{Job, reminders::Reminders},
};

impl VActorActor {
    /// Begins the turn of a reminder that is due. It is gone when that turn is in. Between two of
    /// them something else that waits has its turn: where each turn is committed, ticks that are
    /// caught up would else hold up whoever asks.
    pub(super) fn begin_reminder(&mut self, now: Instant) -> bool {
        let is_free = self.turn.is_none()
            && self.reads.is_empty()
            && !self.has_not_begun()
            && !self.leaving.is_wanted()
            && !(self.has_reminded && (!self.inbox.is_empty() || self.inboxes.has_next()));
        if !is_free || self.reminders.next().is_none() {
            return false;
        }
        let wall = self.worker.node.cluster.wall_ms();
        let Some(name) = self.reminders.due(wall) else { return false };
        let which = self.care.as_ref().map(|_| Which::Timer(name.to_owned()));
        self.note_used(now);
        self.has_reminded = true;
        match which {
            Some(which) => self.remind_carefully(which, wall),
            None => self.remind_due(wall, now),
        }
    }

    /// Begins the turn of the reminder that is due. False if it was missed, and is to be skipped.
    pub(super) fn remind_due(&mut self, wall: u64, now: Instant) -> bool {
        let before = self.reminders.clone();
        let Some(name) = self.reminders.pop(wall) else { return false };
        self.remind(name, 1, Some(before), now);
        true
    }

    /// It begins once it is written down that it does.
    fn remind_carefully(&mut self, which: Which, wall: u64) -> bool {
        let tries_max = self.worker.node.config.session.poison_tries;
        let Some(care) = &mut self.care else { return false };
        if let Weighed::SetAside(tries) = care.weigh(&which, tries_max) {
            let before = self.reminders.clone();
            self.reminders.pop(wall);
            self.note_set_aside(tries);
            self.commit_set_aside(Some(before), Pieces::default());
            return true;
        }
        let is_begun = self.commit(Pieces::default()).is_ok();
        if is_begun {
            self.committing = Some(Committing::NotingReminder(which));
        }
        is_begun
    }

    /// It is written down.
    pub(super) fn remind_noted(&mut self, which: &Which) {
        if let Some(care) = &mut self.care {
            care.begins(which.clone());
            // Nothing of a VActor is committed while a turn is under way.
            care.ends();
        }
        let node = &self.worker.node;
        let (wall, now) = (node.cluster.wall_ms(), node.clock.now());
        self.remind_due(wall, now);
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
        self.note_set_aside(tries);
    }

    fn note_set_aside(&self, tries: u32) {
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
