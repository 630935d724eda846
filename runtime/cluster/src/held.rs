//! One record that this node owns and has in memory.
//!
//! One commit at a time; while one is under way, or its outcome is unknown, no turn runs and no
//! effect leaves. A header that is no longer this node's ends it: the node was fenced.

mod doing;

use std::collections::VecDeque;

use bytes::Bytes;
use throughline_canary::canary;

use crate::{
    ask::{Ask, Reply},
    entry::Entry,
    header::{Header, State},
    id::{Class, Member},
    law::{Law, NotNow},
    outcome::Outcome,
    plan::{Request, Value},
    refusal::Refusal,
    snapshot::Snapshot,
    steps::{Ending, Found, Step, Turn},
};
use doing::{Doing, Goal};

/// What the driver is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeldAction {
    /// Commit; answer with `handle_commit`.
    Commit(Box<Step>),
    /// Read the header; answer with `handle_read`.
    Read,
    /// Finish the turn under way, run the game's `swap_out`, and answer with `handle_snapshot`. No
    /// turn begins until [`HeldAction::GoOn`].
    SwapOut,
    /// Turns may go on: a commit of this record is in, or what was begun did not happen.
    GoOn,
    /// The commit that was given is in: its effects may leave.
    Committed,
    /// The commit that was given is surely not in: its effects are dropped. The reason, if it is
    /// known, is the caller's to tell the game.
    NotCommitted,
    /// Send to whoever asked.
    Reply(Ask, Reply),
    /// It is no longer this node's: drop it from memory.
    Gone(Gone),
}

/// Why it is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// It went to this node, with this epoch: who sends to it here is told to read the store again.
    Moved(Member, u64),
    /// It was parked.
    Parked,
    /// It is over, with the number of its close code.
    Ended(u16),
    /// Somebody took it: this node was thought dead. Nothing of it may leave.
    Fenced,
}

/// A record in memory: a state machine without a clock.
#[derive(Debug)]
pub struct Held {
    law: Law,
    header: Header,
    /// What the commit under way makes of it.
    proposed: Option<Box<Header>>,
    /// What the commit that is to be settled would make of it.
    goal: Option<Box<Header>>,
    /// The first version proposed to settle it after it was seen to be in: from there on it is.
    in_from: Option<u64>,
    /// The highest version proposed.
    tried: u64,
    /// When the VActor that is yielded is to be looked at.
    due: Option<u64>,
    /// The highest attempt that was let in, which a record without a snapshot has in memory only.
    attempt: u64,
    doing: Doing,
    actions: VecDeque<HeldAction>,
}

impl Held {
    /// A record that the store says is this node's.
    #[must_use]
    pub fn new(header: Header) -> Self {
        let (tried, attempt, doing) = (header.version, header.attempt, Doing::Nothing);
        Self {
            law: Law::default(),
            header,
            proposed: None,
            goal: None,
            in_from: None,
            tried,
            due: None,
            attempt,
            doing,
            actions: VecDeque::new(),
        }
    }

    /// Commits a turn: the first of a new owner, which comes before its first effect, or a later
    /// one. Its effects leave after [`HeldAction::Committed`]. While a swap-out is wanted, and
    /// before its snapshot is given, the turns that end are committed, too; no
    /// [`HeldAction::GoOn`] follows them.
    ///
    /// # Errors
    /// [`NotNow`]; gives back nothing. A commit is under way, or it is over.
    pub fn turn(&mut self, mut turn: Turn) -> Result<(), NotNow> {
        turn.attempt = turn.attempt.max(self.attempt);
        let doing = match &self.doing {
            Doing::SwappingOut(goal) => Doing::ActingLast(goal.clone()),
            _ => {
                self.is_idle()?;
                Doing::Acting
            }
        };
        let step = self.law.turn(&self.header, turn)?;
        self.commit(step, doing);
        Ok(())
    }

    /// Takes a session key; see [`Law::take_key`].
    ///
    /// # Errors
    /// [`NotNow::OwnerAlive`]: ask that node to end the session that holds it, then try again.
    pub fn take_key(
        &mut self,
        key: &crate::id::SessionKey,
        found: &Found,
        loser: &Ending,
    ) -> Result<(), NotNow> {
        self.is_idle()?;
        let step = self.law.take_key(&self.header, key, found, loser)?;
        self.commit(step, Doing::Acting);
        Ok(())
    }

    /// Ends it.
    ///
    /// # Errors
    /// [`NotNow`]: a commit is under way, or it is over.
    pub fn end(&mut self, ending: &Ending) -> Result<(), NotNow> {
        self.is_idle()?;
        let step = self.law.end(&self.header, ending)?;
        self.commit(step, Doing::Ending(ending.reason));
        Ok(())
    }

    /// Parks it; `due` is when it is to be looked at, in milliseconds since 1970 UTC.
    ///
    /// # Errors
    /// [`NotNow`]: a commit is under way, or it is over.
    pub fn park(&mut self, due: Option<u64>) -> Result<(), NotNow> {
        self.is_idle()?;
        self.swap_out(Goal::Park { due });
        Ok(())
    }

    /// A client is let in here with this attempt. A record with a snapshot commits a turn with it
    /// before its Welcome leaves.
    ///
    /// # Errors
    /// [`Refusal::OldAttempt`].
    pub fn handle_resume(&mut self, attempt: u64) -> Result<(), Refusal> {
        if attempt <= self.attempt && !canary!(OldAttemptAccepted) {
            return Err(Refusal::OldAttempt);
        }
        self.attempt = attempt;
        Ok(())
    }

    /// Another node wants it. `to` is its entry as read; `elsewhere` are the addresses of nodes
    /// that may have it, if that one may not.
    pub fn handle_ask(&mut self, ask: Ask, to: Entry, elsewhere: &[String]) {
        let reply = if self.doing != Doing::Nothing {
            // Busy, or suspended: the client tries again, or finds it where it goes.
            Some(Reply::Refused(Refusal::NOT_YET))
        } else if ask.epoch != self.header.epoch {
            Some(Reply::ReadAgain)
        } else if ask.attempt <= self.attempt && !canary!(OldAttemptAccepted) {
            Some(Reply::Refused(Refusal::OldAttempt))
        } else if !to.is_alive() || ask.from != to.member {
            Some(Reply::Refused(Refusal::GoElsewhere(elsewhere.to_vec())))
        } else {
            None
        };
        match reply {
            Some(reply) => self.actions.push_back(HeldAction::Reply(ask, reply)),
            None => self.swap_out(Goal::Yield(ask, to, elsewhere.to_vec())),
        }
    }

    /// A request was found in the store: an ask whose answer is read there, too. `to` is the entry
    /// of the node that left it.
    pub fn handle_request(&mut self, request: Request, me: Member, to: Entry) {
        let ask = Ask {
            id: self.header.id.clone(),
            epoch: request.epoch,
            request: 0,
            from: request.from,
            to: me,
            attempt: request.attempt,
        };
        self.handle_ask(ask, to, &[]);
    }

    fn swap_out(&mut self, goal: Goal) {
        self.doing = Doing::SwappingOut(goal);
        self.actions.push_back(HeldAction::SwapOut);
    }

    /// The game's state, at the end of its last turn, with all that was staged; `None` if it could
    /// not be made: too large, or an error of the game's. Then it stays.
    pub fn handle_snapshot(&mut self, snapshot: Option<(Bytes, u32)>) {
        let Some(goal) = self.doing.end_swap_out() else { return };
        let Some((body, state_version)) = snapshot else {
            return self.stay(goal);
        };
        let step = match &goal {
            Goal::Park { due } => {
                self.law.park(&self.header, body.clone(), state_version, self.attempt, *due)
            }
            Goal::Yield(ask, to, _) => {
                let due = self.due.take();
                self.law.yield_to(&self.header, to, body.clone(), state_version, ask.attempt, due)
            }
        };
        match step {
            Ok(step) => {
                let version = step.after.as_ref().map_or(0, |after| after.version);
                let snapshot = Snapshot { life: self.header.life, version, body };
                self.commit(step, Doing::Leaving(goal, snapshot));
            }
            Err(NotNow::Unreadable { .. } | NotNow::NotAlive(_)) => {
                let elsewhere = match &goal {
                    Goal::Yield(_, _, elsewhere) => elsewhere.clone(),
                    Goal::Park { .. } => Vec::new(),
                };
                self.stay_and_say(goal, Refusal::GoElsewhere(elsewhere));
            }
            Err(_) => self.stay(goal),
        }
    }

    /// It was to leave and cannot.
    fn stay(&mut self, goal: Goal) {
        self.stay_and_say(goal, Refusal::NOT_YET);
    }

    fn stay_and_say(&mut self, goal: Goal, refusal: Refusal) {
        if let Goal::Yield(ask, ..) = goal {
            self.actions.push_back(HeldAction::Reply(ask, Reply::Refused(refusal)));
        }
        self.actions.push_back(HeldAction::GoOn);
    }

    fn is_idle(&self) -> Result<(), NotNow> {
        let is_idle = self.doing == Doing::Nothing;
        is_idle.then_some(()).ok_or_else(|| NotNow::WrongState(self.header.id.clone()))
    }

    fn commit(&mut self, mut step: Step, doing: Doing) {
        // A version is proposed once: what was tried and refused may have landed unseen.
        self.renumber(&mut step);
        if let Some(after) = &step.after {
            self.tried = after.version;
            self.proposed = Some(Box::new(after.clone()));
            self.goal.clone_from(&self.proposed);
        }
        self.in_from = None;
        self.doing = doing;
        self.actions.push_back(HeldAction::Commit(Box::new(step)));
    }

    fn renumber(&self, step: &mut Step) {
        let is_tried =
            |after: &&mut Header| after.version <= self.tried && !canary!(VersionNotBumped);
        let Some(after) = step.after.as_mut().filter(is_tried) else { return };
        let (old, new) = (after.version, self.tried + 1);
        let change = |header: &mut Header| {
            header.version = new;
            if header.snapshot_version == old {
                header.snapshot_version = new;
            }
        };
        change(after);
        for (_, value) in &mut step.commit.writes {
            match value {
                Some(Value::Header(header)) if header.id == self.header.id => change(header),
                Some(Value::Snapshot(snapshot))
                    if snapshot.life == self.header.life && snapshot.version == old =>
                {
                    snapshot.version = new;
                }
                _ => {}
            }
        }
    }

    /// The store has answered the commit.
    pub fn handle_commit(&mut self, outcome: Outcome) {
        let doing = core::mem::replace(&mut self.doing, Doing::Nothing);
        match (doing, outcome) {
            (doing @ (Doing::Nothing | Doing::SwappingOut(_) | Doing::Settling(_)), _) => {
                self.doing = doing;
            }
            (Doing::Settled(doing, is_in), Outcome::Done) => {
                self.take_proposed();
                if is_in { self.is_in(*doing) } else { self.is_not_in(*doing) }
            }
            (doing, Outcome::Done) => {
                self.take_proposed();
                self.is_in(doing);
            }
            (doing, Outcome::Unknown) if canary!(UnknownTakenAsRefused) => self.is_not_in(doing),
            // Refused may mean: not this node's any more; or another check did not hold.
            (Doing::Settled(doing, _), _) => self.settle(*doing),
            (doing, _) => self.settle(doing),
        }
    }

    fn settle(&mut self, doing: Doing) {
        self.doing = Doing::Settling(Box::new(doing));
        self.actions.push_back(HeldAction::Read);
    }

    /// The header as it stands now; `None` if the store did not answer: then this is asked again.
    /// `Some(None)`: there is none.
    pub fn handle_read(&mut self, read: Option<Option<Header>>) {
        let Some(doing) = self.doing.end_wait_for_read() else { return };
        let Some(read) = read else {
            return self.settle(*doing);
        };
        let is_mine = |now: &Header| now.owner == self.header.owner && now.life == self.header.life;
        let now = match read {
            Some(now) if is_mine(&now) => now,
            other => return self.not_mine(*doing, other.as_ref()),
        };
        // Versions tell, since none is proposed twice: what was tried to settle it before it was
        // seen to be in stands on the header from before it, what was tried later on itself.
        let is_in = self.goal.as_ref().is_some_and(|goal| now.version == goal.version)
            || self.in_from.is_some_and(|first| now.version >= first);
        if canary!(UnknownSettledByRead) {
            self.header = now;
            return if is_in { self.is_in(*doing) } else { self.is_not_in(*doing) };
        }
        let step = self.law.settle(&now, self.tried);
        if let Some(after) = &step.after {
            if is_in {
                self.in_from.get_or_insert(after.version);
            }
            self.tried = after.version;
            self.proposed = Some(Box::new(after.clone()));
        }
        self.doing = Doing::Settled(doing, is_in);
        self.actions.push_back(HeldAction::Commit(Box::new(step)));
    }

    /// The header names another owner, or none. If that is what this node proposed, it is done:
    /// nothing it proposed before can land on what stands there now.
    fn not_mine(&mut self, doing: Doing, now: Option<&Header>) {
        let goal = self.goal.take().map_or_else(|| self.header.clone(), |goal| *goal);
        // What stands there was made of what this node proposed; or others were faster. Nothing
        // follows an end but that the record is deleted: another one there is not this node's.
        let is_ending = matches!(doing, Doing::Ending(_));
        let is_done = now.is_none_or(|now| {
            let is_it = now.version == goal.version && now.state == goal.state;
            let is_later = !is_ending && now.version > goal.version;
            now.life == goal.life && (is_it && now.owner == goal.owner || is_later)
        });
        match doing {
            Doing::Leaving(..) | Doing::Ending(_) if is_done && goal.owner != self.header.owner => {
                // Where it went, whoever asks reads in the store.
                self.actions.push_back(HeldAction::Gone(match (&doing, goal.state) {
                    (Doing::Ending(reason), _) => Gone::Ended(*reason),
                    (_, State::Parked) => Gone::Parked,
                    _ => goal.owner.map_or(Gone::Fenced, |to| Gone::Moved(to, goal.epoch)),
                }));
            }
            _ => self.actions.push_back(HeldAction::Gone(Gone::Fenced)),
        }
    }

    /// What was proposed stands.
    fn take_proposed(&mut self) {
        if let Some(proposed) = self.proposed.take() {
            self.header = *proposed;
        }
    }

    fn is_in(&mut self, doing: Doing) {
        self.goal = None;
        match doing {
            Doing::Acting => {
                self.actions.push_back(HeldAction::Committed);
                self.actions.push_back(HeldAction::GoOn);
            }
            Doing::ActingLast(goal) => {
                self.doing = Doing::SwappingOut(goal);
                self.actions.push_back(HeldAction::Committed);
            }
            Doing::Ending(reason) => {
                self.actions.push_back(HeldAction::Committed);
                self.actions.push_back(HeldAction::Gone(Gone::Ended(reason)));
            }
            Doing::Leaving(Goal::Park { .. }, _) => {
                self.actions.push_back(HeldAction::Gone(Gone::Parked));
            }
            Doing::Leaving(Goal::Yield(ask, to, _), snapshot) => {
                let epoch = self.header.epoch;
                let header = Box::new(self.header.clone());
                let snapshot = Snapshot { version: self.header.snapshot_version, ..snapshot };
                let granted = Reply::Granted(header, snapshot);
                self.actions.push_back(HeldAction::Reply(ask, granted));
                self.actions.push_back(HeldAction::Gone(Gone::Moved(to.member, epoch)));
            }
            _ => {}
        }
    }

    fn is_not_in(&mut self, doing: Doing) {
        self.goal = None;
        match doing {
            Doing::Acting | Doing::Ending(_) => {
                self.actions.push_back(HeldAction::NotCommitted);
                self.actions.push_back(HeldAction::GoOn);
            }
            Doing::ActingLast(goal) => {
                self.doing = Doing::SwappingOut(goal);
                self.actions.push_back(HeldAction::NotCommitted);
            }
            Doing::Leaving(goal, _) => self.stay(goal),
            _ => {}
        }
    }

    /// When the VActor that is being swapped out is to be looked at, as its last turn left it. For
    /// a session nothing changes.
    pub fn set_due(&mut self, at: Option<u64>) {
        if let Doing::SwappingOut(goal) = &mut self.doing
            && self.header.class() == Class::VActor
        {
            match goal {
                Goal::Park { due } => *due = at,
                Goal::Yield(..) => self.due = at,
            }
        }
    }

    /// What is to be done next.
    pub fn poll_action(&mut self) -> Option<HeldAction> {
        let action = self.actions.pop_front();
        if action.is_none() {
            // Most records have nothing to do most of the time, and there are many.
            self.actions = VecDeque::new();
        }
        action
    }

    /// The header as last written.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Whether a turn may begin: no commit is under way, none is unknown, no swap-out.
    #[must_use]
    pub fn may_act(&self) -> bool {
        self.doing == Doing::Nothing && self.header.owner.is_some()
    }
}
