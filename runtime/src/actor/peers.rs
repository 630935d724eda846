//! Whom a session has met, and what it hears of them.

use throughline_queue::QueueName;

use super::{Ending, Input, SessionActor};
use crate::{
    cluster,
    queues::{Heard, Loss, News, Poke},
    session::Session,
};

impl<S: Session> SessionActor<S> {
    /// Something was found out of a peer.
    pub(super) fn hear(&mut self, news: News) {
        if self.ending != Ending::No {
            return;
        }
        let has_room = self.has_room_for_others();
        let heard = self.shared.effects.borrow_mut().peers.hear(news, has_room);
        match heard {
            Heard::Nothing => {}
            Heard::Changed => self.watch_peers(),
            Heard::Lost(loss) => self.queue(Input::PeerLost(Box::new(loss))),
        }
    }

    /// What the turn has staged of them holds: it has succeeded.
    #[inline]
    pub(super) fn keep_peers(&self) {
        if self.shared.effects.borrow().peers.is_staged()
            && self.shared.effects.borrow_mut().peers.keep()
        {
            self.watch_peers();
        }
    }

    /// The turn that was to hear of a loss was set aside: it does not come again.
    pub(super) fn set_loss_aside(&self, loss: &Loss) {
        self.shared.effects.borrow_mut().peers.tell(loss);
        if !S::DURABILITY.is_every_turn() {
            self.keep_peers();
        }
    }

    /// Whom the turn sends to that is being written.
    pub(super) fn pokes(&self, queues: Vec<QueueName>) -> Vec<Poke> {
        if queues.is_empty() {
            return Vec::new();
        }
        self.shared.effects.borrow().peers.pokes(&self.record(), queues)
    }

    /// The node looks at those that are watched.
    fn watch_peers(&self) {
        if !self.is_listed {
            return;
        }
        let (node, id) = (&self.worker.node, self.record());
        let watched = self.shared.effects.borrow().peers.watched();
        let unmet = watched.iter().filter(|(_, life)| life.is_none());
        cluster::meet(node, &id, unmet.map(|(queue, _)| queue.clone()).collect());
        node.queues.meetings.watch(&id, watched);
    }

    /// It is not here any more, or has ended.
    pub(super) fn leave_peers(&self) {
        self.worker.node.queues.meetings.watch(&self.record(), Vec::new());
    }
}
