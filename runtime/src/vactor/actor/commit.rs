//! What comes of a turn that has ended well: its commit, if it needs one, and its effects.

use std::sync::Arc;

use throughline_canary::canary;
use throughline_link::SessionId;
use throughline_queue::{Pieces, QueueName};

use super::{VActorActor, leave, queued::QueuedTurn, turn::What, work::Input, work::Replier};
use crate::{
    care::Which,
    cluster::send_to_group,
    queues::{QueuedMessage, delete_later},
    session::Effect,
    vactor::{Deactivation, Payload, Rejection, reminders::Reminders},
};

/// What the commit under way is for.
pub(super) enum Committing {
    /// A turn that has ended.
    Turn(Finished),
    /// A message that is handled once it is out of the inbox.
    Taking(QueuedMessage),
    /// That a message is about to be handled.
    Noting(QueuedTurn),
    /// That a reminder is.
    NotingReminder(Which),
    /// Nothing: a turn has ended that needs no commit, and this node may not act just now.
    Lease(Finished),
}

/// A turn that has ended well, and whose effects have not left.
pub(super) struct Finished {
    pub(super) replier: Replier,
    pub(super) reply: Option<Payload>,
    pub(super) what: What,
    /// What to go back to.
    pub(super) reminders: Option<Reminders>,
    /// The turn was a reminder's: how it is tried again.
    pub(super) again: Option<Again>,
    pub(super) forgets: bool,
    pub(super) deactivates: bool,
    /// Queues that have something new when it is in.
    pub(super) pokes: Vec<QueueName>,
}

/// What the next try of a reminder begins with.
pub(super) struct Again {
    /// The reminders without it, as they were when its turn began.
    pub(super) reminders: Reminders,
    /// How often it was tried.
    pub(super) tries: u32,
}

impl VActorActor {
    /// What waited for the lease leaves. True if there was anything.
    pub(super) fn release_waiting(&mut self) -> bool {
        if !self.acts || !matches!(self.committing, Some(Committing::Lease(_))) {
            return false;
        }
        if let Some(Committing::Lease(finished)) = self.committing.take() {
            self.release(finished);
        }
        true
    }

    pub(super) fn commit_turn(&mut self, mut finished: Finished, mut used_up: Pieces) {
        if canary!(QueuedDeletedLater) {
            delete_later(&self.worker.node.cluster.store, std::mem::take(&mut used_up));
        }
        if canary!(ReplyBeforeCommit) {
            let reply = finished.reply.take().unwrap_or_else(leave::nothing);
            std::mem::replace(&mut finished.replier, Replier::Nobody).reply(Ok(reply));
        }
        let before = finished.reminders.as_ref().filter(|_| canary!(ReminderTwice)).cloned();
        let after = before.map(|before| std::mem::replace(&mut self.reminders, before));
        let committed = self.commit(used_up);
        if let Some(after) = after {
            self.reminders = after;
        }
        match committed {
            Ok(pokes) => {
                finished.pokes = pokes;
                self.committing = Some(Committing::Turn(finished));
            }
            Err(error) => self.cannot_commit(finished, &error.to_string()),
        }
    }

    /// What the turn has made cannot be written: it counts as one that failed, since it must not
    /// come for ever.
    fn cannot_commit(&mut self, mut finished: Finished, why: &str) {
        self.note_failure(why);
        let (what, again) = (finished.what.clone(), finished.again.take());
        self.undo(finished);
        match (what, again) {
            (What::Queued(queued), _) => self.try_queued_again(*queued, why),
            (What::PeerLost(loss), _) if !self.is_over => self.set_loss_aside(&loss),
            (What::Reminded(name), Some(Again { reminders, tries })) if !self.is_over => {
                let before = std::mem::replace(&mut self.reminders, reminders);
                let now = self.worker.node.clock.now();
                self.try_again(name, tries, Some(before), now);
            }
            _ => {}
        }
    }

    /// The commit of the turn is in.
    pub(super) fn committed(&mut self) {
        self.loaded = None;
        match self.committing.take() {
            Some(Committing::Turn(finished)) => {
                if let What::Queued(queued) = &finished.what
                    && queued.used_up.is_some()
                {
                    self.count_handled();
                }
                self.release(finished);
            }
            Some(Committing::Taking(message)) => {
                self.count_handled();
                self.begin_queued(message, None, 1);
            }
            Some(Committing::Noting(queued)) => self.begin_noted(queued),
            Some(Committing::NotingReminder(which)) => self.remind_noted(&which),
            waiting => self.committing = waiting,
        }
    }

    /// A message is out of the inbox.
    fn count_handled(&self) {
        let counts = &self.worker.node.queues.counts;
        counts.handled.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }

    /// The commit of the turn is surely not in.
    pub(super) fn not_committed(&mut self) {
        match self.committing.take() {
            Some(Committing::Turn(finished)) => {
                let what = finished.what.clone();
                self.undo(finished);
                match what {
                    // It is out of the inbox, and nowhere else.
                    What::Queued(queued) if queued.used_up.is_none() => {
                        self.try_queued_again(*queued, "what its turn sends was not written");
                    }
                    What::Queued(_) | What::SetAside => self.inboxes.again(),
                    What::PeerLost(loss) => self.inbox.push_back(Input::PeerLost(loss)),
                    _ => {}
                }
            }
            // Somebody else had it, or the store did not take it: what is behind it must wait.
            Some(Committing::Taking(_) | Committing::Noting(_)) => self.inboxes.again(),
            Some(Committing::NotingReminder(_)) => {}
            waiting => self.committing = waiting,
        }
        self.forget_again();
    }

    /// The effects of a turn leave.
    pub(super) fn release(&mut self, finished: Finished) {
        if matches!(finished.what, What::Activated) {
            self.worker.node.cluster.failing().handle_loaded(&self.id);
        }
        let Finished { replier, reply, what, forgets, deactivates, pokes, .. } = finished;
        let node = Arc::clone(&self.worker.node);
        let pokes = self.stage.effects().borrow().peers.pokes(&self.id, pokes);
        node.queues.is_enqueued(&node, pokes);
        self.keep_peers();
        let stage = std::rc::Rc::clone(&self.stage);
        let mut effects = stage.effects().borrow_mut();
        for effect in effects.others.drain(..) {
            match effect {
                Effect::Tell { to, message, payload } => stage.caller().tell(to, message, payload),
                Effect::SendToSession { to, payload } => {
                    stage.caller().send_to_session(to, payload.into());
                }
                Effect::SendToGroup { group, payload } => {
                    send_to_group(&node, &group, SessionId([0; 16]), payload.into());
                }
                // A VActor's stage makes no others.
                other => log::error!("{}: an effect that it cannot have: {other:?}", self.id),
            }
        }
        effects.clear();
        drop(effects);
        let reply = reply.unwrap_or_else(leave::nothing);
        if forgets {
            return match what {
                What::Deactivating => self.forget_instead(),
                _ => self.forget(replier, reply),
            };
        }
        replier.reply(Ok(reply));
        match what {
            What::Deactivating => self.give_snapshot(),
            _ if deactivates => self.leaving.want(Deactivation::Idle, None),
            _ => {}
        }
    }

    /// The turn had no effect: the state goes back to what it was before.
    fn undo(&mut self, finished: Finished) {
        self.stage.clear();
        if let Some(reminders) = finished.reminders {
            self.reminders = reminders;
        }
        finished.replier.reject(Rejection::NotCommitted);
        match finished.what {
            What::Activated => self.refuse_beginning(),
            // Nothing has run.
            What::SetAside => {}
            What::Deactivating => {
                self.restore();
                if !self.is_over {
                    self.stay("what its last turn sends was not written");
                }
            }
            _ => self.restore(),
        }
    }
}
