//! Messages of the inbox that cannot be handled.

use std::sync::atomic::Ordering;

use throughline_queue::{DeadLetter, Pieces};

use super::{
    VActorActor,
    commit::Finished,
    queued::{QueuedTurn, name_of},
    turn::What,
    work::Replier,
};
use crate::{
    counters::is_worth_a_line,
    queues::{Died, file_dead_letter, stage_dead_letter},
    vactor::reminders::Reminders,
};

impl VActorActor {
    /// A message of the inbox cannot be handled: it becomes a dead letter, in the commit that takes
    /// it out, or, if it is out already, in one of its own.
    pub(super) fn set_aside(&mut self, queued: QueuedTurn, why: &str) {
        let counts = &self.worker.node.vactors.counts;
        let count = counts.set_aside.fetch_add(1, Ordering::Relaxed) + 1;
        if is_worth_a_line(count) {
            let (id, tries) = (&self.id, queued.tries);
            log::error!(
                "{id}: a message of its inbox was set aside after {tries} tries: {why}; {count} \
                 so far"
            );
        }
        let letter = self.dead_letter(&queued, why);
        let Some(used_up) = queued.used_up else {
            return file_dead_letter(&self.worker.node, letter);
        };
        stage_dead_letter(self.stage.effects(), &letter);
        self.commit_set_aside(None, used_up);
    }

    /// That something was set aside is committed as a turn is; `reminders` are those to go back to.
    pub(super) fn commit_set_aside(&mut self, reminders: Option<Reminders>, used_up: Pieces) {
        let (replier, what) = (Replier::Nobody, What::SetAside);
        let (reply, pokes) = (None, Vec::new());
        let (again, forgets, deactivates) = (None, false, false);
        let finished =
            Finished { replier, reply, what, reminders, again, forgets, deactivates, pokes };
        self.commit_turn(finished, used_up);
    }

    /// A message is not tried again since this VActor cannot: if it is out of the inbox, it is
    /// nowhere else.
    pub(super) fn file_lost(&self, queued: &QueuedTurn, why: &str) {
        if queued.used_up.is_none() {
            file_dead_letter(&self.worker.node, self.dead_letter(queued, why));
        }
    }

    fn dead_letter(&self, queued: &QueuedTurn, why: &str) -> DeadLetter {
        let QueuedTurn { message, tries, .. } = queued;
        let hook = name_of(message);
        let died = Died { kind: self.settings.kind, hook: &hook, tries: *tries, why };
        message.dead_letter(died, self.worker.node.cluster.wall_ms())
    }
}
