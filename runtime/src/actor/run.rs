//! Turns: when one begins, and what comes of its end.

use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use throughline_canary::canary;
use throughline_link::{CloseCode, Instant};

use super::{
    Ending, Hook, Inbox, Input, SessionActor, SimulatedLink, Turn,
    turn::{TurnEnd, Turns, keeps_copy},
};
use crate::{
    cluster::{self, Sending},
    counters::is_worth_a_line,
    session::{Effect, Recipient, ServerMessage, Session, Undelivered},
    token::Origin,
};

impl<S: Session> SessionActor<S> {
    /// Goes on with the turn under way, then runs what waits. True if anything ended.
    pub(super) fn run_turns(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut ended = false;
        loop {
            if self.turn.is_some() {
                if !self.poll_turn(cx, now) && !self.overran(now) {
                    return ended;
                }
                ended = true;
                // One that is tried again goes before what waits.
                continue;
            }
            // What ended the session in this round is seen by the next: nothing comes between.
            let ends = self.ending == Ending::No && self.link.is_ended();
            if self.turns_left == 0 || ends || self.is_suspended() {
                return ended;
            }
            if self.take_queued(now) {
                return ended;
            }
            let Some(input) = self.next_input() else { return ended };
            self.turns_left -= 1;
            self.since_queued = self.since_queued.saturating_add(1);
            self.begin_input(input, None, now);
        }
    }

    /// Runs the turn of a message that lies in a read buffer, without copying it, if it is its
    /// turn; else the message waits in the inbox.
    #[inline]
    pub(super) fn take_message(
        &mut self,
        cx: &mut Context<'_>,
        seq: u64,
        payload: &[u8],
        now: Instant,
    ) {
        let is_free = self.turn.is_none()
            && self.turns_left > 0
            && self.inbox.is_empty()
            && self.ending == Ending::No
            && !keeps_copy::<S>()
            && !self.is_suspended()
            && !self.link.is_window_full();
        match &self.turns {
            Some(turns) if is_free => {
                self.turns_left -= 1;
                self.shared.caller.set_origin(Origin::Message(seq));
                turns.begin_message(payload);
                let hook = Hook::Message;
                let (seq, input, used_up) = (Some(seq), None, None);
                let began = self.worker.begin(now);
                self.turn = Some(Turn { seq, hook, began, input, tries: 1, used_up });
                self.poll_turn(cx, now);
            }
            _ => {
                self.inbox.push_message(seq, bytes::Bytes::copy_from_slice(payload));
            }
        }
    }

    /// What may run now.
    fn next_input(&mut self) -> Option<Input> {
        match self.ending {
            // A client that has too much to handle already waits for what it asks.
            Ending::No => self.inbox.pop(self.link.is_window_full()),
            Ending::Due(code) => {
                // A client that leaves has sent its last messages before: they are handled.
                while code == CloseCode::Left && self.inbox.messages() > 0 {
                    match self.inbox.pop(false) {
                        Some(Input::Message(seq, payload)) => {
                            return Some(Input::Message(seq, payload));
                        }
                        Some(other) => self.return_to_sender(other),
                        None => {}
                    }
                }
                self.ending = Ending::Destroying;
                self.empty_inbox();
                self.timers.clear();
                Some(Input::Destroyed(crate::session::EndReason::from_code(code)))
            }
            Ending::Destroying | Ending::Ended(_) | Ending::Forgotten => None,
        }
    }

    pub(super) fn begin_turn(&mut self, input: Input, now: Instant) {
        let Some(turns) = &self.turns else { return };
        let seq = input.seq();
        // A message of a queue is nowhere else once it is out of it.
        let is_kept = keeps_copy::<S>() || matches!(input, Input::Queued(_));
        let kept = is_kept.then(|| Box::new(input.clone()));
        if S::DURABILITY.is_every_turn() {
            turns.write_as(self.version());
        }
        self.shared.caller.set_origin(match &input {
            Input::Message(seq, _) => Origin::Message(*seq),
            Input::Queued(message) => Origin::Queued(message.position()),
            _ => Origin::Nameless,
        });
        let hook = input.hook();
        let began = self.worker.begin(now);
        self.turn = Some(Turn { seq, hook, began, input: kept, tries: 1, used_up: None });
        turns.begin(input);
    }

    /// Polls the turn under way. True if it ended.
    #[inline]
    pub(super) fn poll_turn(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let (Some(turns), Some(turn)) = (&mut self.turns, &self.turn) else { return false };
        self.worker.pulse.enter(self.kind, turn.hook, now);
        let polled = turns.poll(cx);
        self.worker.pulse.leave();
        match polled {
            Poll::Pending => {
                if let Some(turn) = &mut self.turn {
                    self.worker.pended(&mut turn.began, now);
                }
                false
            }
            Poll::Ready(TurnEnd::Done) => {
                self.succeed(now);
                true
            }
            Poll::Ready(TurnEnd::Failed(why)) => {
                self.fail(&why, now);
                true
            }
        }
    }

    /// The turn succeeded: its effects leave, once what must last of them is written.
    #[inline]
    pub(super) fn succeed(&mut self, now: Instant) {
        let Some(turn) = self.turn.take() else { return };
        let is_durable = self.is_durable(&turn);
        if is_durable
            && S::DURABILITY.is_every_turn()
            && !matches!(turn.hook, Hook::SwapOut | Hook::Destroyed)
            && let Some(why) = self.has_no_room(now)
        {
            self.shared.effects.borrow_mut().clear();
            self.turn = Some(turn);
            return self.fail(&why.to_string(), now);
        }
        self.end_careful_turn();
        self.worker.pulse.count_turn();
        if is_durable {
            self.commit_turn(turn, now);
        } else {
            self.release_turn(&turn, now);
        }
    }

    /// The effects of a turn leave.
    #[inline]
    pub(super) fn release_turn(&mut self, turn: &Turn, now: Instant) {
        self.put_into_link(turn, now);
        self.release_others(turn, now);
    }

    /// What of a turn is the link's: its message counts as handled, and what it sends has numbers.
    /// Nothing leaves before the next write.
    #[inline]
    pub(super) fn put_into_link(&mut self, turn: &Turn, now: Instant) {
        if let Some(seq) = turn.seq {
            self.link.handled(seq, now);
        }
        let effects = self.shared.effects.borrow();
        for message in effects.messages() {
            // Its size was checked when it was staged; after the end nobody waits for it.
            if self.link.send(message).is_err() {
                break;
            }
        }
    }

    /// The other effects of a turn leave.
    #[inline]
    pub(super) fn release_others(&mut self, turn: &Turn, now: Instant) {
        self.keep_peers();
        let shared = std::rc::Rc::clone(&self.shared);
        let mut effects = shared.effects.borrow_mut();
        for effect in effects.others.drain(..) {
            self.apply(effect, now);
        }
        effects.clear();
        drop(effects);
        match turn.hook {
            Hook::Destroyed => self.bury(now),
            Hook::SwapOut if !self.leaving.fenced => self.give_snapshot(now),
            _ => {}
        }
    }

    pub(super) fn apply(&mut self, effect: Effect, now: Instant) {
        let id = self.link.session_id();
        if self.leaving.fenced {
            return;
        }
        match effect {
            Effect::End(code) => self.link.end(code),
            Effect::SetTimer { name, after, every } => {
                let limit = self.worker.node.config.session.timers;
                if self.ending == Ending::No && !self.timers.set(name, now + after, every, limit) {
                    log::error!(
                        "session {id}: {} sets more timers than session.timers ({limit})",
                        S::KIND
                    );
                    self.link.end(CloseCode::HandlerFailed);
                }
            }
            Effect::CancelTimer(name) => self.timers.cancel(&name),
            Effect::SendToLocalSession { to, payload } => {
                let message = ServerMessage::new(id, payload.into());
                if let Err(why) = self.worker.node.deliver(to, message) {
                    self.queue_undelivered(to.into(), why);
                }
            }
            Effect::SendToSession { to, payload } => self.send_to_session(to, payload.into()),
            Effect::SendToGroup { group, payload } => {
                cluster::send_to_group(&self.worker.node, &group, id, payload.into());
            }
            // Its last turn here: the wish goes along with the state.
            Effect::RegisterKey(key) if self.leaving.begun => self.wanted_key = Some(key),
            Effect::RegisterKey(key) => self.register_key(&key),
            Effect::SwapOut => self.park_now(now),
            Effect::Tell { to, message, payload } => {
                self.shared.caller.tell(to, message, payload);
            }
            Effect::SimulateLink { delay, loss } => {
                let link = self.simulated.get_or_insert_with(Box::<SimulatedLink>::default);
                link.delay = delay;
                link.loss = loss;
            }
        }
    }

    /// Sends to a session on whichever node it is, behind what was sent before.
    fn send_to_session(&mut self, to: Recipient, payload: bytes::Bytes) {
        let (node, from) = (&self.worker.node, self.link.session_id());
        if let (Recipient::Session(id), None) = (&to, &self.courier)
            && node.directory.find(*id).is_some()
        {
            let message = ServerMessage::new(from, payload);
            if let Err(why) = node.deliver(*id, message) {
                self.queue_undelivered(to, why);
            }
            return;
        }
        let courier = self.courier.get_or_insert_with(|| cluster::start_courier(node));
        let errand = node.cluster.errand();
        if courier.try_send(Sending { from, to: to.clone(), payload, _errand: errand }).is_err() {
            self.queue_undelivered(to, Undelivered::MailboxFull);
        }
    }

    /// The turn failed and had no effect.
    pub(super) fn fail(&mut self, why: &str, now: Instant) {
        let Some(mut turn) = self.turn.take() else { return };
        let (id, hook) = (self.link.session_id(), turn.hook.name());
        let count = self.worker.node.counters.failed_turns.fetch_add(1, Ordering::Relaxed) + 1;
        if is_worth_a_line(count) {
            log::error!("session {id}: hook `{hook}` of {} failed: {why}; {count} so far", S::KIND);
        }
        let restored = self.turns.as_mut().map(Turns::restore);
        if self.leaving.fenced {
            // Whoever has the session now has its input, too: here no other turn of it begins but
            // that in which the game hears of the loss.
            if turn.hook == Hook::Destroyed || !matches!(restored, Some(Ok(()))) {
                self.give_up(now);
            }
            return;
        }
        match (restored, turn.input.take()) {
            (Some(Ok(())), Some(input)) => self.try_again(turn, *input, why, now),
            (Some(Err(text)), Some(input)) => {
                log::error!("session {id}: cannot go on after a failed turn: {text}");
                self.file_lost(&turn, &input, why);
                self.give_up(now);
            }
            _ => self.give_up(now),
        }
    }

    fn try_again(&mut self, mut turn: Turn, input: Input, why: &str, now: Instant) {
        let mut tries_max = self.worker.node.config.session.poison_tries;
        if canary!(PoisonForEver) {
            tries_max *= 1_000;
        }
        if turn.tries < tries_max {
            turn.tries += 1;
            turn.began = self.worker.begin(now);
            turn.input = Some(Box::new(input.clone()));
            self.turn = Some(turn);
            let version = self.version();
            if let Some(turns) = &self.turns {
                // It was made anew, and older nodes may live.
                turns.write_as(version);
                turns.begin(input);
            }
            return;
        }
        self.set_aside(turn, &input, why, now);
    }

    /// The input of this turn is tried no more. It counts as handled.
    pub(super) fn set_aside(&mut self, turn: Turn, input: &Input, why: &str, now: Instant) {
        self.end_careful_turn();
        let count = self.worker.node.counters.set_aside.fetch_add(1, Ordering::Relaxed) + 1;
        if is_worth_a_line(count) {
            let (id, hook, tries) = (self.link.session_id(), turn.hook.name(), turn.tries);
            log::error!(
                "session {id}: an input of hook `{hook}` was set aside after {tries} tries; \
                 {count} so far"
            );
        }
        if let Input::PeerLost(loss) = input {
            self.set_loss_aside(loss);
        }
        self.file(&turn, input, why);
        if S::DURABILITY.is_every_turn() && !matches!(turn.hook, Hook::SwapOut | Hook::Destroyed) {
            // That it was set aside is committed as a turn is; its effects were dropped.
            return self.commit_turn(turn, now);
        }
        if let Some(seq) = turn.seq {
            self.link.handled(seq, now);
        }
        match turn.hook {
            Hook::Destroyed => self.bury(now),
            Hook::SwapOut => self.stay_after_swap_out(),
            _ => {}
        }
    }

    /// The state cannot be trusted: the session ends without another turn.
    fn give_up(&mut self, now: Instant) {
        self.link.end(CloseCode::HandlerFailed);
        self.bury(now);
    }

    /// When the turn under way has taken too long.
    #[inline]
    pub(super) fn turn_deadline(&self, now: Instant) -> Option<Instant> {
        let turn = self.turn.as_ref()?;
        Some(self.worker.deadline(turn.began, now))
    }

    /// Whether the turn under way has taken too long: then it counts as one that panicked. It was
    /// polled before: where the process stood still, nothing in it had a chance until now.
    pub(super) fn overran(&mut self, now: Instant) -> bool {
        if self.turn_deadline(now).is_none_or(|at| at > now) {
            return false;
        }
        let Some(turns) = &self.turns else { return false };
        let TurnEnd::Failed(why) = turns.abandon("overran session.turn-deadline") else {
            return false;
        };
        self.fail(&why, now);
        true
    }

    /// Queues the timers that are due, as far as the inbox has room.
    pub(super) fn queue_timers(&mut self, now: Instant) {
        while self.timers.next().is_some_and(|at| at <= now)
            && self.has_room_for_others()
            && self.ending == Ending::No
        {
            let Some(name) = self.timers.pop(now) else { return };
            self.queue(Input::Timer(name));
        }
    }

    /// Queues an input that is no message of the client.
    pub(super) fn queue(&mut self, input: Input) {
        if self.ending == Ending::No {
            self.inbox.push(input);
        }
    }

    /// Whether another input that is no message of the client may wait.
    pub(super) fn has_room_for_others(&self) -> bool {
        self.inbox.others() < self.worker.node.config.session.mailbox
    }

    /// Takes all that waits, and tells the sessions whose messages will not be handled.
    pub(super) fn empty_inbox(&mut self) {
        while let Some(input) = self.inbox.pop(false) {
            self.return_to_sender(input);
        }
        self.inbox = Inbox::default();
    }

    fn return_to_sender(&self, input: Input) {
        if let Input::Server(message) = input {
            let (node, id) = (&self.worker.node, self.link.session_id());
            cluster::report(node, message.from(), id.into(), Undelivered::NoSuchSession);
        }
    }

    /// Queues a message of another session. Its place was counted when it was sent.
    pub(super) fn queue_server_message(&mut self, message: ServerMessage) {
        if self.ending == Ending::No && !self.link.is_ended() {
            self.inbox.push(Input::Server(message));
        } else {
            self.return_to_sender(Input::Server(message));
        }
    }

    /// Queues the news that a message was not delivered.
    pub(super) fn queue_undelivered(&mut self, to: Recipient, why: Undelivered) {
        if self.has_room_for_others() {
            self.queue(Input::Undelivered(to, why));
        } else {
            // A hook that answers each of these with more lost messages would never end.
            log::debug!("session {}: the report of a lost message is lost", self.link.session_id());
        }
    }
}
