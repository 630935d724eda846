//! What is written before anything of a turn leaves, or before it begins.
//!
//! A turn that sends durable messages, or joins a group, ends with a commit of its session's record
//! that has all of them; until it is in, nothing of the turn leaves. A message of a queue is
//! removed by a commit before its turn begins. Meanwhile the session is suspended.

use std::sync::atomic::Ordering::Relaxed;
use std::task::Context;

use throughline_canary::canary;
use throughline_cluster::{Turn as RecordTurn, TurnState};
use throughline_link::Instant;
use throughline_queue::{Pieces, QueueName};

use super::{Ending, Hook, Input, SessionActor, Turn};
use crate::{
    queues::{Beside, Durable, GroupName, QueuedMessage, Taking, beside, delete_later},
    session::{Effect, Session},
};

/// A message of a queue is handled after so many other turns at the latest. Its removal is a
/// commit, during which the client waits: a full queue must not hold up its client.
const TURNS_BETWEEN: u32 = 16;

/// What the commit under way is for.
#[derive(Debug)]
pub(super) enum Committing {
    /// A turn that has ended, whose effects wait.
    Turn { turn: Turn, pokes: Vec<QueueName>, members: Vec<(GroupName, bool)> },
    /// A message that is handled once it is out of its queue.
    Taking(QueuedMessage),
    /// An input that is handled once it is written down which one it is.
    Noting { input: Input, used_up: Option<Box<Pieces>> },
    /// A client that was let in: it hears so when its attempt is written.
    Resume,
}

/// What is to be done when a commit that was begun is in.
pub(super) struct Begun {
    pokes: Vec<QueueName>,
    members: Vec<(GroupName, bool)>,
}

/// Why a turn is undone whose commit is surely not in.
const NOT_WRITTEN: &str = "what it sends could not be written";

impl<S: Session> SessionActor<S> {
    /// Whether a turn that has ended is to be written before it leaves.
    #[inline]
    pub(super) fn is_durable(&self, turn: &Turn) -> bool {
        let leaves_groups = turn.hook == Hook::Destroyed && !self.shared.groups.borrow().is_empty();
        let is_durable = leaves_groups || !self.shared.effects.borrow().durable.is_empty();
        // A swap-out has a commit of its own, and so has the end.
        let every =
            S::DURABILITY.is_every_turn() && !matches!(turn.hook, Hook::SwapOut | Hook::Destroyed);
        let forgets = canary!(SwapOutForgetsStaged) && self.leaving.wanted.is_some();
        (is_durable || every) && !forgets && !self.leaving.fenced && self.holding.is_some()
    }

    /// Writes what a turn has staged; its other effects wait.
    pub(super) fn commit_turn(&mut self, mut turn: Turn, now: Instant) {
        if S::DURABILITY.is_every_turn() {
            self.put_into_link(&turn, now);
            self.set_what_lasts(now);
        }
        let mut staged = self.shared.effects.borrow_mut().durable.take();
        if turn.hook == Hook::Destroyed {
            let groups = self.shared.groups.borrow();
            let leave = |group: &GroupName| Durable::Member { group: group.clone(), joins: false };
            staged.extend(groups.iter().map(leave));
        }
        let mut used_up = turn.used_up.take().map(|used_up| *used_up).unwrap_or_default();
        if canary!(QueuedDeletedLater) {
            let store = &self.worker.node.cluster.store;
            delete_later(store, std::mem::take(&mut used_up));
        }
        match self.begin_commit(staged, used_up, now) {
            Ok(Begun { pokes, members }) => {
                let committing = Committing::Turn { turn, pokes, members };
                self.committing = Some(Box::new(committing));
            }
            Err(why) => self.commit_failed(turn, &why, now),
        }
    }

    fn commit_failed(&mut self, turn: Turn, why: &str, now: Instant) {
        self.forget_effects();
        if S::DURABILITY.is_every_turn() {
            let id = self.link.session_id();
            // A store that is away fails all sessions at once; the node says so with one line.
            let level = if why == NOT_WRITTEN { log::Level::Debug } else { log::Level::Error };
            log::log!(level, "session {id}: goes back to what was committed: {why}");
            return self.unload();
        }
        self.turn = Some(turn);
        self.fail(why, now);
    }

    /// Timers are part of what is committed, and so is the end, and the wish for a key: what they
    /// lead to are later commits, and the node may die before them.
    fn set_what_lasts(&mut self, now: Instant) {
        let lasts = |effect: &mut Effect| {
            matches!(effect, Effect::SetTimer { .. } | Effect::CancelTimer(_) | Effect::End(_))
        };
        let lasting: Vec<_> = {
            let mut effects = self.shared.effects.borrow_mut();
            for effect in &effects.others {
                if let Effect::RegisterKey(key) = effect {
                    self.wanted_key = Some(key.clone());
                }
            }
            effects.others.extract_if(.., lasts).collect()
        };
        for effect in lasting {
            self.apply(effect, now);
        }
    }

    /// What stands in the store beside the header, after this commit.
    fn turn_state(&mut self, now: Instant) -> Result<TurnState, String> {
        if !S::DURABILITY.is_every_turn() {
            return Ok(TurnState::Running);
        }
        if let Some((state, version)) = self.turns.as_ref().and_then(super::Turns::take_written) {
            self.committed = (state.into(), version);
        }
        let (state, state_version) = self.committed.clone();
        let snapshot = self.snapshot(state, now).map_err(|error| error.to_string())?;
        Ok(TurnState::Committed { snapshot, state_version })
    }

    /// A client is let in: where every turn is committed its attempt is, too, before it hears so.
    pub(super) fn commit_resume(&mut self, now: Instant) {
        if canary!(AttemptNotCommitted)
            || !S::DURABILITY.is_every_turn()
            || self.holding.is_none()
            || self.ending != Ending::No
        {
            return;
        }
        match self.begin_commit(Vec::new(), Pieces::default(), now) {
            Ok(_) => self.committing = Some(Box::new(Committing::Resume)),
            Err(why) => {
                let id = self.link.session_id();
                log::error!("session {id}: goes back to what was committed: {why}");
                self.unload();
            }
        }
    }

    pub(super) fn begin_commit(
        &mut self,
        staged: Vec<Durable>,
        used_up: Pieces,
        now: Instant,
    ) -> Result<Begun, String> {
        let now_ms = self.worker.node.cluster.wall_ms();
        let header = self.holding.as_ref().ok_or("its record is gone")?.held.header();
        let attempt = header.attempt;
        let made = beside(header, &mut self.enqueued_ms, now_ms, staged, used_up);
        let Beside { more, pokes, members } = made;
        if S::DURABILITY.is_every_turn() {
            // They are part of what is committed.
            self.change_groups(&members);
        }
        let state = self.turn_state(now)?;
        let holding = self.holding.as_mut().ok_or("its record is gone")?;
        let turn = RecordTurn { state, attempt, due: None, more };
        holding.held.turn(turn).map_err(|error| error.to_string())?;
        Ok(Begun { pokes, members })
    }

    /// The commit is in: what waited for it goes on.
    pub(super) fn commit_is_in(&mut self, now: Instant) {
        self.note_released();
        match self.committing.take().map(|committing| *committing) {
            Some(Committing::Turn { turn, pokes, members }) => {
                let node = std::sync::Arc::clone(&self.worker.node);
                self.change_groups(&members);
                node.queues.is_enqueued(&node, self.pokes(pokes));
                if S::DURABILITY.is_every_turn() {
                    // Elsewhere it is counted when it is taken.
                    let handled = u64::from(turn.hook == Hook::Queued);
                    node.queues.counts.handled.fetch_add(handled, Relaxed);
                    self.release_others(&turn, now);
                } else {
                    self.release_turn(&turn, now);
                }
            }
            Some(Committing::Taking(message)) => {
                self.worker.node.queues.counts.handled.fetch_add(1, Relaxed);
                // At once: it is nowhere but here.
                self.since_queued = 0;
                self.begin_turn(Input::Queued(Box::new(message)), now);
            }
            Some(Committing::Noting { input, used_up }) => self.begin_noted(input, used_up, now),
            Some(Committing::Resume) | None => {}
        }
    }

    /// The commit is surely not in.
    pub(super) fn commit_is_not_in(&mut self, now: Instant) {
        match self.committing.take().map(|committing| *committing) {
            Some(Committing::Turn { turn, .. }) => {
                self.commit_failed(turn, NOT_WRITTEN, now);
            }
            Some(Committing::Resume | Committing::Noting { .. }) => self.unload(),
            // Somebody else had it, or the key is another's; or the store did not take the commit,
            // and the regular look comes back to it.
            Some(Committing::Taking(_)) => {
                self.worker.node.queues.counts.missed.fetch_add(1, Relaxed);
                self.inboxes.again();
            }
            None => {}
        }
    }

    /// Others have taken the session: nothing of it leaves.
    pub(super) fn forget_commit(&mut self) {
        if self.committing.take().is_some() {
            self.forget_effects();
        }
    }

    fn forget_effects(&self) {
        self.shared.effects.borrow_mut().clear();
    }

    /// Goes on with reading its queues. True if anything happened.
    #[inline]
    pub(super) fn read_queues(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(holding) = self.holding.as_ref().filter(|_| self.ending == Ending::No) else {
            return false;
        };
        if self.uses_up() {
            return false;
        }
        let cluster = &self.worker.node.cluster;
        self.inboxes.poll(cx, &cluster.store, holding.held.header(), || cluster.wall_ms())
    }

    /// Whether a message is on its way out of a queue. Until it is out, a read would find it there
    /// once more.
    fn uses_up(&self) -> bool {
        let committing = match self.committing.as_deref() {
            Some(Committing::Turn { turn, .. }) => turn.hook == Hook::Queued,
            Some(Committing::Taking(_)) => true,
            Some(Committing::Noting { used_up, .. }) => used_up.is_some(),
            Some(Committing::Resume) | None => false,
        };
        committing || self.turn.as_ref().is_some_and(|turn| turn.used_up.is_some())
    }

    /// Begins to take the next message out of a queue, if there is one and it is its turn. True if
    /// it has.
    #[inline]
    pub(super) fn take_queued(&mut self, now: Instant) -> bool {
        let is_its_turn = self.inboxes.has_next()
            && (self.inbox.is_empty() || self.since_queued >= TURNS_BETWEEN)
            && self.ending == Ending::No
            // What it is answered with has no room: it stays where it is, and lasts.
            && !self.link.is_window_full();
        is_its_turn && self.begin_taking(now)
    }

    fn begin_taking(&mut self, now: Instant) -> bool {
        let now_ms = self.worker.node.cluster.wall_ms();
        let Some(holding) = &self.holding else { return false };
        let next = self.inboxes.next(holding.held.header(), now_ms);
        let Some(Taking { message, used_up }) = next else { return false };
        if S::DURABILITY.is_every_turn() && !canary!(QueuedDeletedFirst) {
            // It leaves its queue in the commit of its turn.
            self.since_queued = 0;
            self.begin_input(Input::Queued(Box::new(message)), Some(Box::new(used_up)), now);
            return true;
        }
        match self.begin_commit(Vec::new(), used_up, now) {
            Ok(_) => self.committing = Some(Box::new(Committing::Taking(message))),
            Err(why) => {
                let id = self.link.session_id();
                log::debug!("session {id}: a message of its queue is not taken at {now:?}: {why}");
            }
        }
        self.committing.is_some()
    }

    fn change_groups(&self, members: &[(GroupName, bool)]) {
        let (groups, id) = (&self.worker.node.queues.groups, self.link.session_id());
        let mut own = self.shared.groups.borrow_mut();
        for (group, joins) in members {
            if *joins {
                groups.join(group, id);
                own.insert(group.clone());
            } else {
                groups.leave(group, id);
                own.remove(group);
            }
        }
    }

    /// Nobody reaches it here through a group any more.
    pub(super) fn leave_groups(&self) {
        let (groups, id) = (&self.worker.node.queues.groups, self.link.session_id());
        self.shared.groups.borrow().iter().for_each(|group| groups.leave(group, id));
    }

    /// Its groups, for another node.
    pub(super) fn group_names(&self) -> Vec<String> {
        self.shared.groups.borrow().iter().map(|group| group.as_str().to_owned()).collect()
    }
}
