//! One resume on the node where it arrived: how the session comes here.
//!
//! The store says what stands; the owner is asked; a parked record is claimed, a dead owner's is
//! taken, a silent owner's is asked for through the store. It ends with the record here, not
//! started yet, or with a refusal.

use core::time::Duration;
use std::{collections::VecDeque, sync::Arc};

use throughline_canary::canary;
use throughline_link::Instant;

use crate::{
    ask::{Ask, Reply},
    defaults::{ASK_TIMEOUT, BEAT, PLACEMENT_COMMITS_MAX, PLACEMENT_TIMEOUT, SEIZE_TIMEOUT},
    entry::Entry,
    header::{Header, Identity, State},
    id::{Member, RecordId},
    law::{Law, NotNow},
    outcome::Outcome,
    plan::Request,
    refusal::Refusal,
    snapshot::Snapshot,
    steps::{Ending, Step, Taken},
};

/// A record as it was read: the header first, then what depends on it.
#[derive(Debug, Clone, Default)]
pub struct Read {
    /// The header.
    pub header: Option<Header>,
    /// The snapshot, if the header says that there is one.
    pub snapshot: Option<Snapshot>,
    /// The entry of the owner, if the header names one.
    pub owner: Option<Entry>,
}

/// Whether the client may have the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// It knows the secret, and is not banned.
    Good,
    /// It does not know the secret.
    Bad,
    /// The game's ban hook said no.
    Banned,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// The record is this node's. It is started, and `Running` or `Committed` is committed with
    /// the client's attempt, before the Welcome or any other effect leaves.
    Here(Box<Header>, Option<Snapshot>),
    /// The client is refused.
    Refused(Refusal),
}

/// What the driver is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlacementAction {
    /// Read the record; answer with `handle_read`.
    Read,
    /// Check the client's proof and the ban hook; answer with `handle_proof`.
    Prove(Arc<Identity>),
    /// Commit; answer with `handle_commit`.
    Commit(Box<Step>),
    /// Send to the owner; answer with `handle_reply`. May be lost.
    Ask(Ask),
    /// It is over.
    Done(Placed),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    Reading,
    Proving,
    Asking {
        owner: Member,
        epoch: u64,
        at: Instant,
    },
    /// A commit that makes the record this node's, and what it leads to.
    Owning(Option<Snapshot>),
    Requesting,
    /// The request stands in the store; the record is read again from time to time.
    Waiting {
        again: Instant,
    },
    Over,
}

/// What of a node's own does not change while a placement lasts.
#[derive(Debug, Clone)]
pub struct Host {
    /// This node's entry, as it last wrote it.
    pub me: Entry,
    /// The addresses of nodes that may take what this one may not.
    pub others: Vec<String>,
    /// How a session ends that was lost with its owner.
    pub lost: Ending,
    /// A life for a VActor that starts again: random.
    pub life: u64,
}

/// A resume on its way to its session: a state machine without a clock.
#[derive(Debug)]
pub struct Placement {
    law: Law,
    host: Host,
    id: RecordId,
    attempt: u64,
    request: u64,
    until: Instant,
    proved: bool,
    commits: u32,
    stage: Stage,
    /// What was read while the proof is checked.
    read: Read,
    /// This owner was silent: it is asked through the store.
    silent: Option<(Member, u64)>,
    /// And was.
    requested: bool,
    /// An owner, or the store, has seen the attempt.
    has_asked: bool,
    actions: VecDeque<PlacementAction>,
}

impl Placement {
    /// A client came back to `id` with `attempt`. `request` is new for this node.
    #[must_use]
    pub fn new(host: Host, id: RecordId, attempt: u64, request: u64, now: Instant) -> Self {
        let mut placement = Self {
            law: Law::default(),
            host,
            id,
            attempt,
            request,
            until: now + PLACEMENT_TIMEOUT,
            proved: false,
            commits: 0,
            stage: Stage::Reading,
            read: Read::default(),
            silent: None,
            requested: false,
            has_asked: false,
            actions: VecDeque::new(),
        };
        placement.actions.push_back(PlacementAction::Read);
        placement
    }

    /// What was read, `None` if the store did not answer.
    pub fn handle_read(&mut self, read: Option<Read>, now: Instant) {
        if self.stage != Stage::Reading {
            return;
        }
        let Some(read) = read else {
            return self.refuse(Refusal::STORE_DOWN);
        };
        let Some(header) = &read.header else {
            return self.refuse(Refusal::Unknown);
        };
        if self.proved {
            return self.decide(read, now);
        }
        self.actions.push_back(PlacementAction::Prove(Arc::clone(&header.identity)));
        self.read = read;
        self.stage = Stage::Proving;
    }

    /// Whether the client may have the session: nothing is said or done before this is known.
    pub fn handle_proof(&mut self, proof: Proof, now: Instant) {
        if self.stage != Stage::Proving {
            return;
        }
        match proof {
            Proof::Bad => self.refuse(Refusal::BadProof),
            Proof::Banned => self.refuse(Refusal::Banned),
            Proof::Good => {
                self.proved = true;
                let read = core::mem::take(&mut self.read);
                self.decide(read, now);
            }
        }
    }

    /// Where the record is decides the step.
    fn decide(&mut self, read: Read, now: Instant) {
        let Read { header: Some(header), snapshot, owner } = read else {
            return self.refuse(Refusal::Unknown);
        };
        let fits = !header.state.has_snapshot()
            || snapshot.as_ref().is_some_and(|snapshot| snapshot.belongs_to(&header));
        let me = self.host.me.member;
        match (header.state, header.owner, owner) {
            (State::Ended(reason), ..) => self.refuse(Refusal::Ended(reason)),
            _ if !fits => self.read_again(),
            (_, Some(owner), _) if owner == me => self.mine(header, snapshot),
            (State::Parked, ..) => {
                let step = self.law.claim(&header, &self.host.me, Some(self.attempt));
                self.own(step, snapshot);
            }
            (_, Some(named), Some(entry)) if entry.member == named => {
                self.with_owner(&header, snapshot, &entry, now);
            }
            // The header changed before the entry was read.
            _ => self.read_again(),
        }
    }

    /// The store says that it is this node's, though it is not in memory.
    fn mine(&mut self, header: Header, snapshot: Option<Snapshot>) {
        if self.attempt < header.attempt && !canary!(OldAttemptAccepted) {
            return self.refuse(Refusal::OldAttempt);
        }
        if header.state == State::Running {
            let step = self.law.end(&header, &self.host.lost);
            return self.own(step, None);
        }
        self.done(Placed::Here(Box::new(header), snapshot));
    }

    fn with_owner(
        &mut self,
        header: &Header,
        snapshot: Option<Snapshot>,
        owner: &Entry,
        now: Instant,
    ) {
        if self.attempt <= header.attempt && !canary!(OldAttemptAccepted) {
            return self.refuse_old(header.attempt);
        }
        let is_silent = self.silent == Some((owner.member, header.epoch));
        if owner.is_gone() || is_silent && canary!(TakeWithoutWaiting) {
            let taken = Taken {
                attempt: Some(self.attempt),
                expires: self.host.lost.until,
                lost: self.host.lost.clone(),
                life: self.host.life,
            };
            let step = self.law.take(header, owner, &self.host.me, &taken);
            return self.own(step, snapshot);
        }
        if is_silent && header.state.may_be_seized() {
            let step = self.law.seize(header, &self.host.me, self.attempt);
            return self.own(step, snapshot);
        }
        if is_silent {
            return self.ask_by_store(header, owner, now);
        }
        if !self.host.me.is_alive() {
            return self.refuse(Refusal::GoElsewhere(self.host.others.clone()));
        }
        self.read =
            Read { header: Some(header.clone()), snapshot: None, owner: Some(owner.clone()) };
        self.has_asked = true;
        self.stage = Stage::Asking { owner: owner.member, epoch: header.epoch, at: now };
        self.actions.push_back(PlacementAction::Ask(Ask {
            id: self.id.clone(),
            epoch: header.epoch,
            request: self.request,
            from: self.host.me.member,
            to: owner.member,
            attempt: self.attempt,
        }));
    }

    /// Commits a step that makes the record this node's, if the law lets it.
    fn own(&mut self, step: Result<Step, NotNow>, snapshot: Option<Snapshot>) {
        match step {
            Ok(_) if self.commits == PLACEMENT_COMMITS_MAX => self.refuse(Refusal::NOT_YET),
            Ok(step) => {
                self.commits += 1;
                self.has_asked = true;
                self.stage = Stage::Owning(snapshot);
                self.read.header.clone_from(&step.after);
                self.actions.push_back(PlacementAction::Commit(Box::new(step)));
            }
            Err(NotNow::OldAttempt { counter, .. }) => self.refuse_old(counter),
            Err(NotNow::NotAlive(_) | NotNow::Unreadable { .. }) => {
                self.refuse(Refusal::GoElsewhere(self.host.others.clone()));
            }
            Err(_) => self.read_again(),
        }
    }

    /// The owner has answered. An answer that comes after the record was read again says nothing:
    /// starting by a read cancels the request.
    pub fn handle_reply(&mut self, request: u64, reply: Reply) {
        if request != self.request || !matches!(self.stage, Stage::Asking { .. }) {
            return;
        }
        match reply {
            Reply::Granted(header, snapshot)
                if header.owner == Some(self.host.me.member) && snapshot.belongs_to(&header) =>
            {
                self.done(Placed::Here(header, Some(snapshot)));
            }
            Reply::Granted(..) | Reply::ReadAgain => self.read_again(),
            Reply::Refused(refusal) => self.refuse(refusal),
        }
    }

    /// The owner surely was not asked, since it cannot be reached, or said that it does not answer.
    /// Then the store is asked at once, not after [`ASK_TIMEOUT`].
    pub fn handle_unreachable(&mut self, request: u64) {
        if let (true, Stage::Asking { owner, epoch, .. }) = (request == self.request, &self.stage) {
            self.silent = Some((*owner, *epoch));
            self.requested = false;
            self.read_again();
        }
    }

    /// The store has answered a commit. After an unknown outcome the record is read again, and
    /// whatever is done then is a commit of its own, which settles it: the one that may still land
    /// checks a header that is no more.
    pub fn handle_commit(&mut self, outcome: Outcome, now: Instant) {
        match (&self.stage, outcome) {
            (Stage::Owning(_), Outcome::Done) => {
                let Stage::Owning(snapshot) = core::mem::replace(&mut self.stage, Stage::Over)
                else {
                    return;
                };
                let Some(header) = self.read.header.take() else { return };
                match header.state {
                    State::Ended(reason) => self.refuse(Refusal::Ended(reason)),
                    _ => self.done(Placed::Here(Box::new(header), snapshot)),
                }
            }
            (Stage::Requesting, Outcome::Done) => {
                self.requested = true;
                self.stage = Stage::Waiting { again: now + BEAT };
            }
            (Stage::Owning(_) | Stage::Requesting, _) => self.read_again(),
            _ => {}
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        match self.stage {
            Stage::Over => {}
            _ if now >= self.until => self.refuse(Refusal::NOT_YET),
            Stage::Asking { owner, epoch, at } if now.since(at) >= self.patience() => {
                // Its answer may have been lost: what it committed is seen first.
                self.silent = Some((owner, epoch));
                self.requested = false;
                self.read_again();
            }
            Stage::Waiting { again } if now >= again => self.read_again(),
            _ => {}
        }
    }

    /// The owner is alive and does not answer: a request is left for it, once, and what comes of
    /// it is read.
    fn ask_by_store(&mut self, header: &Header, owner: &Entry, now: Instant) {
        if self.requested {
            self.stage = Stage::Waiting { again: now + BEAT };
            return;
        }
        let from = self.host.me.member;
        let request = Request { epoch: header.epoch, attempt: self.attempt, from };
        match self.law.request(header, owner, request) {
            Ok(step) => {
                self.has_asked = true;
                self.stage = Stage::Requesting;
                self.actions.push_back(PlacementAction::Commit(Box::new(step)));
            }
            Err(_) => self.read_again(),
        }
    }

    fn read_again(&mut self) {
        self.stage = Stage::Reading;
        self.actions.push_back(PlacementAction::Read);
    }

    /// The attempt is not above the counter. If it is the counter, and this placement has asked for
    /// the record, it was granted to this very resume, and then taken from this node, which was
    /// declared dead: the client comes again, with its next attempt.
    fn refuse_old(&mut self, counter: u64) {
        let is_own = self.has_asked && self.attempt == counter;
        self.refuse(if is_own { Refusal::NOT_YET } else { Refusal::OldAttempt });
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.done(Placed::Refused(refusal));
    }

    fn done(&mut self, placed: Placed) {
        self.stage = Stage::Over;
        self.actions.push_back(PlacementAction::Done(placed));
    }

    /// What is to be done next.
    pub fn poll_action(&mut self) -> Option<PlacementAction> {
        self.actions.pop_front()
    }

    /// When `handle_timeout` is to be called, if nothing happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.stage {
            Stage::Over => None,
            Stage::Asking { at, .. } => Some((at + self.patience()).min(self.until)),
            Stage::Waiting { again } => Some(again.min(self.until)),
            _ => Some(self.until),
        }
    }

    /// How long the owner that is asked may take.
    fn patience(&self) -> Duration {
        let state = self.read.header.as_ref().map(|header| header.state);
        let may_be_seized = state.is_some_and(State::may_be_seized);
        if may_be_seized { SEIZE_TIMEOUT } else { ASK_TIMEOUT }
    }

    /// The client's attempt.
    #[must_use]
    pub const fn attempt(&self) -> u64 {
        self.attempt
    }

    /// The longest it takes.
    pub const LONGEST: Duration = PLACEMENT_TIMEOUT;
}
