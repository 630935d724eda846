//! Turns of a crash-proof session whose node has died before.

use throughline_link::Instant;
use throughline_queue::Pieces;

use super::{Input, SessionActor, Turn, commit::Committing};
use crate::{
    care::{Weighed, Which},
    session::Session,
};

/// A session that comes from a dead node is careful for so many turns: more than there are timers
/// and hooks before the first message that was not handled there.
pub(crate) const TURNS: u32 = 64;

/// What would come again at the next node, and how it is known there.
fn which(input: &Input) -> Option<Which> {
    match input {
        Input::Message(seq, _) => Some(Which::Message(*seq)),
        Input::Queued(message) => Some(message.position().into()),
        Input::Timer(name) => Some(Which::Timer(name.clone())),
        Input::Repaired => Some(Which::Hook(input.hook().name().to_owned())),
        _ => None,
    }
}

impl<S: Session> SessionActor<S> {
    /// Begins the turn of an input; where care is due once it is written down which one it is.
    pub(super) fn begin_input(&mut self, input: Input, used_up: Option<Box<Pieces>>, now: Instant) {
        let tries_max = self.worker.node.config.session.poison_tries;
        let which = self.care.as_ref().and_then(|_| which(&input));
        let (Some(care), Some(which)) = (&mut self.care, which) else {
            return self.begin_with(input, used_up, now);
        };
        if let Weighed::SetAside(tries) = care.weigh(&which, tries_max) {
            let (seq, hook) = (input.seq(), input.hook());
            let began = self.worker.begin(now);
            let turn = Turn { seq, hook, began, input: None, tries, used_up };
            return self.set_aside(turn, &input, "the nodes where its turn began have died", now);
        }
        match self.begin_commit(Vec::new(), Pieces::default(), now) {
            Ok(_) => self.committing = Some(Box::new(Committing::Noting { input, used_up })),
            Err(why) => {
                let id = self.link.session_id();
                log::error!("session {id}: goes back to what was committed: {why}");
                self.unload();
            }
        }
    }

    /// It is written down.
    pub(super) fn begin_noted(&mut self, input: Input, used_up: Option<Box<Pieces>>, now: Instant) {
        if let (Some(care), Some(which)) = (&mut self.care, which(&input)) {
            care.begins(which);
        }
        self.begin_with(input, used_up, now);
    }

    /// The turn under way has ended; its commit follows.
    #[inline]
    pub(super) fn end_careful_turn(&mut self) {
        if let Some(care) = &mut self.care
            && !care.ends()
        {
            self.care = None;
        }
    }

    fn begin_with(&mut self, input: Input, used_up: Option<Box<Pieces>>, now: Instant) {
        self.begin_turn(input, now);
        if let Some(turn) = &mut self.turn {
            turn.used_up = used_up;
        }
    }
}
