//! Messages of queues that a session could not handle.

use super::{Input, SessionActor, Turn};
use crate::{
    queues::{Died, file_dead_letter, stage_dead_letter},
    session::Session,
};

impl<S: Session> SessionActor<S> {
    /// An input was tried often enough: a message of a queue becomes a dead letter, in the commit
    /// that takes it out, or, if it is out already, in one of its own.
    pub(super) fn file(&self, turn: &Turn, input: &Input, why: &str) {
        let Input::Queued(message) = input else { return };
        let (hook, tries) = (turn.hook.name(), turn.tries);
        let node = &self.worker.node;
        let died = Died { kind: S::KIND, hook, tries, why };
        let letter = message.dead_letter(died, node.cluster.wall_ms());
        if turn.used_up.is_some() {
            stage_dead_letter(&self.shared.effects, &letter);
        } else {
            file_dead_letter(node, letter);
        }
    }

    /// The session ends with this turn: what is out of its queue is nowhere else.
    pub(super) fn file_lost(&self, turn: &Turn, input: &Input, why: &str) {
        if turn.used_up.is_none() {
            self.file(turn, input, why);
        }
    }
}
