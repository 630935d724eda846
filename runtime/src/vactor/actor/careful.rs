//! Durable messages of a crash-proof VActor whose node has died before.

use throughline_queue::Pieces;

use super::{VActorActor, commit::Committing, queued::QueuedTurn};
use crate::care::{Weighed, Which};

/// It is careful until it has been through what waited for it.
pub(super) const TURNS: u32 = u32::MAX;

impl VActorActor {
    /// What waited when the node before died has been handled.
    pub(super) fn end_care(&mut self) {
        if self.care.is_none() {
            return;
        }
        let wall = self.worker.node.cluster.wall_ms();
        if self.inboxes.is_read() && self.reminders.due(wall).is_none() {
            self.care = None;
        }
    }

    /// Begins with a message; where care is due once it is written down which one it is.
    pub(super) fn take_carefully(&mut self, queued: QueuedTurn) {
        let tries_max = self.worker.node.config.session.poison_tries;
        let Some(care) = &mut self.care else {
            return self.begin_queued(queued.message, queued.used_up, queued.tries);
        };
        if let Weighed::SetAside(tries) = care.weigh(&queued.message.position().into(), tries_max) {
            let why = "the nodes where its turn began have died";
            return self.set_aside(QueuedTurn { tries, ..queued }, why);
        }
        if self.commit(Pieces::default()).is_ok() {
            self.committing = Some(Committing::Noting(queued));
        } else {
            self.inboxes.again();
        }
    }

    /// It is written down.
    pub(super) fn begin_noted(&mut self, queued: QueuedTurn) {
        if let Some(care) = &mut self.care {
            care.begins(Which::from(queued.message.position()));
            // Nothing of a VActor is committed while a turn is under way.
            care.ends();
        }
        self.begin_queued(queued.message, queued.used_up, queued.tries);
    }
}
