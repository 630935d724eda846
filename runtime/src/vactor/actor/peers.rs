//! Whom a VActor has met, and what it hears of them.

use std::sync::atomic::Ordering;

use throughline_link::Instant;

use super::{VActorActor, turn::What, work::Input, work::Replier};
use crate::{
    cluster,
    counters::is_worth_a_line,
    queues::{Heard, Loss, News},
    vactor::Job,
};

impl VActorActor {
    /// Something was found out of a peer.
    pub(super) fn hear(&mut self, news: News) {
        // One loss of each peer waits, and there are few of those.
        let heard = self.stage.effects().borrow_mut().peers.hear(news, true);
        match heard {
            Heard::Nothing => {}
            Heard::Changed => self.watch_peers(),
            Heard::Lost(loss) => self.inbox.push_back(Input::PeerLost(Box::new(loss))),
        }
    }

    /// Begins the turn that hears of a loss. From its end on the life is known that is there now.
    pub(super) fn begin_peer_lost(&mut self, loss: Box<Loss>, tries: u32, now: Instant) {
        let (job, what) = (Job::PeerLost(loss.lost.clone()), What::PeerLost(loss.clone()));
        self.begin_turn(job, what, Replier::Nobody, now);
        match &mut self.turn {
            Some(turn) => {
                turn.tries = tries;
                self.stage.effects().borrow_mut().peers.tell(&loss);
            }
            None => self.set_loss_aside(&loss),
        }
    }

    pub(super) fn try_loss_again(&mut self, loss: Box<Loss>, tries: u32, now: Instant) {
        if tries < self.worker.node.config.session.poison_tries {
            self.begin_peer_lost(loss, tries + 1, now);
        } else {
            self.set_loss_aside(&loss);
        }
    }

    /// No turn can hear of it: it does not come again.
    pub(super) fn set_loss_aside(&self, loss: &Loss) {
        let counts = &self.worker.node.vactors.counts;
        let count = counts.set_aside.fetch_add(1, Ordering::Relaxed) + 1;
        if is_worth_a_line(count) {
            log::error!("{}: the loss of a peer was set aside; {count} so far", self.id);
        }
        self.stage.effects().borrow_mut().peers.tell(loss);
        self.keep_peers();
    }

    /// What the turn has staged of them holds: it has succeeded.
    pub(super) fn keep_peers(&self) {
        let is_changed = self.stage.effects().borrow_mut().peers.keep();
        if is_changed {
            self.watch_peers();
        }
    }

    /// The node looks at those that are watched.
    fn watch_peers(&self) {
        if self.is_over {
            return;
        }
        let node = &self.worker.node;
        let watched = self.stage.effects().borrow().peers.watched();
        let unmet = watched.iter().filter(|(_, life)| life.is_none());
        cluster::meet(node, &self.id, unmet.map(|(queue, _)| queue.clone()).collect());
        node.queues.meetings.watch(&self.id, watched);
    }
}
