//! How a VActor leaves this node: its last turn, its snapshot, and what is left behind.

use std::sync::{Arc, atomic::Ordering};
use std::time::Duration;

use throughline_cluster::{Ask, Ending as RecordEnding, Entry, Gone, Went};
use throughline_link::{CloseCode, Instant};

use super::{
    ToVActor, VActorActor, commit::Committing, work::Failure, work::Input, work::Replier,
    work::Work,
};
use crate::{
    cluster::tell_start,
    vactor::{AskError, Deactivation, Durability, Payload, Rejection, activate, due, route},
};

/// How far a VActor is from leaving.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    /// Why it is to leave, and where to.
    wanted: Option<(Deactivation, Option<Box<Entry>>)>,
    /// A snapshot is wanted: no turn begins but the last one.
    under_way: bool,
    /// The last turn has begun.
    begun: bool,
    /// The record is to be deleted.
    forgets: bool,
    /// The reply of the turn that forgets: it leaves when the end is written.
    farewell: Option<(Replier, Payload)>,
    /// When it was last begun, for the pause.
    since: Option<Instant>,
}

impl Leaving {
    pub(super) fn want(&mut self, why: Deactivation, to: Option<Box<Entry>>) {
        // A drain goes before what was wanted for other reasons, also if that is under way.
        if why == Deactivation::Drain || !self.under_way && self.wanted.is_none() {
            self.wanted = Some((why, to));
        }
    }

    pub(super) const fn is_wanted(&self) -> bool {
        self.wanted.is_some()
    }

    pub(super) const fn is_under_way(&self) -> bool {
        self.under_way || self.forgets
    }

    /// The record's machine asks for the snapshot.
    pub(super) const fn begin(&mut self) {
        self.under_way = true;
    }
}

impl VActorActor {
    /// Begins to leave, since nothing is under way. True if it has begun.
    pub(super) fn begin_leaving(&mut self) -> bool {
        let Some((_, to)) = &self.leaving.wanted else { return false };
        let to = to.clone();
        let due = self.reminders.next();
        let me = self.worker.node.cluster.member();
        let Some(holding) = &mut self.holding else { return false };
        if !holding.held.may_act() {
            return false;
        }
        self.leaving.since = Some(self.worker.node.clock.now());
        match to {
            None => holding.held.park(due).is_ok(),
            Some(to) => {
                let header = holding.held.header();
                let ask = Ask {
                    id: self.id.clone(),
                    epoch: header.epoch,
                    request: 0,
                    from: to.member,
                    to: me,
                    attempt: header.attempt + 1,
                };
                holding.held.handle_ask(ask, *to, &[]);
                true
            }
        }
    }

    /// Whether the last turn is to begin; why it leaves.
    pub(super) fn last_turn(&mut self) -> Option<Deactivation> {
        let free = self.turn.is_none() && self.reads.is_empty() && self.committing.is_none();
        if !self.leaving.under_way || self.leaving.begun || !free || !self.acts {
            return None;
        }
        self.leaving.begun = true;
        Some(self.leaving.wanted.as_ref().map_or(Deactivation::Idle, |(why, _)| *why))
    }

    /// The last turn has ended: the snapshot goes into the commit.
    pub(super) fn give_snapshot(&mut self) {
        // What its last turn has set, or forgotten, counts.
        let due = self.reminders.next();
        match self.snapshot() {
            Ok((body, version)) => {
                if let Some(holding) = &mut self.holding {
                    holding.held.set_due(due);
                    holding.held.handle_snapshot(Some((body, version)));
                }
            }
            Err(error) => self.stay(&error.to_string()),
        }
    }

    /// There is no snapshot: it stays.
    pub(super) fn stay(&mut self, why: &str) {
        log::error!("{}: cannot leave memory: {why}", self.id);
        if let Some(holding) = &mut self.holding {
            holding.held.handle_snapshot(None);
        }
    }

    /// It did not leave after all, or a commit is in.
    pub(super) fn goes_on(&mut self) {
        // What is to be forgotten does not go on: why it was to leave is answered with its end.
        if !std::mem::take(&mut self.leaving.under_way) || self.leaving.forgets {
            return;
        }
        self.leaving.begun = false;
        self.leaving.since = None;
        self.used = self.worker.node.clock.now();
        match self.leaving.wanted.take() {
            // The other node could not have it: then the store has it.
            Some((Deactivation::Drain, Some(_))) => {
                self.leaving.wanted = Some((Deactivation::Drain, None));
            }
            Some((Deactivation::Drain, None)) => {
                let drain = &self.worker.node.cluster.drain;
                drain.failed(&self.id, "its commit was refused, or its state was not written");
            }
            _ => {}
        }
    }

    /// A turn has said that its VActor is to be forgotten: whoever asked hears of it afterwards.
    pub(super) fn forget(&mut self, replier: Replier, reply: Payload) {
        self.leaving.farewell = Some((replier, reply));
        self.begin_forgetting();
    }

    /// What became of the turn that forgets.
    fn say_farewell(&mut self, is_written: bool) {
        if let Some((replier, reply)) = self.leaving.farewell.take() {
            let unknown = Err(Failure::Ask(AskError::Unknown));
            replier.reply(if is_written { Ok(reply) } else { unknown });
        }
    }

    /// Its record is to be deleted: the game has said so.
    fn begin_forgetting(&mut self) {
        self.leaving.forgets = true;
        let Some(holding) = &mut self.holding else { return };
        let ending = RecordEnding {
            reason: CloseCode::Ended.number(),
            last: bytes::Bytes::new(),
            until: self.worker.node.cluster.ms_from_now(Duration::ZERO),
        };
        if let Err(error) = holding.held.end(&ending) {
            log::error!("{}: is not forgotten: {error}", self.id);
            self.leaving.forgets = false;
            self.say_farewell(false);
        }
    }

    /// Its last turn has said that it is to be forgotten: it goes nowhere else.
    pub(super) fn forget_instead(&mut self) {
        // One commit at a time: what the snapshot was wanted for is given up first.
        if let Some(holding) = &mut self.holding {
            holding.held.handle_snapshot(None);
        }
        self.begin_forgetting();
    }

    /// Its end could not be written. It is written again until the store takes it, which the record
    /// waits for by itself; meanwhile no turn begins, since it would be deleted with the others.
    pub(super) fn forget_again(&mut self) {
        if self.leaving.forgets {
            self.begin_forgetting();
        }
    }

    /// The record is no longer this node's.
    pub(super) fn gone(&mut self, gone: Gone) {
        let holding = self.holding.take();
        let node = Arc::clone(&self.worker.node);
        let (counts, drain) = (&node.vactors.counts, &node.cluster.drain);
        let pause = self.leaving.since.map_or(Duration::ZERO, |at| node.clock.now().since(at));
        self.say_farewell(matches!(gone, Gone::Ended(_)));
        match gone {
            Gone::Fenced => return self.fence(),
            Gone::Ended(_) => {
                if let Some(header) = holding.map(|holding| holding.held.header().clone()) {
                    let node = Arc::clone(&node);
                    actix_rt::spawn(async move { node.cluster.dismiss(&header).await });
                }
                drain.gone(&self.id, Went::Ended, pause);
            }
            Gone::Moved(to, _) => {
                counts.moved.fetch_add(1, Ordering::Relaxed);
                node.vactors.note_place(&self.id, to);
                tell_start(&node, to, &self.id);
                drain.gone(&self.id, Went::Moved, pause);
            }
            Gone::Parked => {
                counts.parked.fetch_add(1, Ordering::Relaxed);
                drain.gone(&self.id, Went::Parked, pause);
                let due = holding.and_then(|holding| holding.held.header().due);
                due::parked(&node, &self.id, due);
            }
        }
        self.is_over = true;
    }

    /// Others took it, since this node was thought dead, or nobody knows its state any more:
    /// nothing of it may leave.
    pub(super) fn fence(&mut self) {
        self.holding = None;
        self.answer_unknown();
        self.stage.clear();
        let drain = &self.worker.node.cluster.drain;
        let went = self.settings.durability.went_when_taken();
        drain.gone(&self.id, went, Duration::ZERO);
        self.is_over = true;
    }

    /// Who waits for what is under way hears that nobody knows.
    pub(super) fn answer_unknown(&mut self) {
        self.say_farewell(false);
        let unknown = || Err(Failure::Ask(AskError::Unknown));
        if let Some(turn) = self.turn.take() {
            turn.replier.reply(unknown());
        }
        if let Some(Committing::Turn(finished) | Committing::Lease(finished)) =
            self.committing.take()
        {
            finished.replier.reply(unknown());
        }
    }

    /// The state in memory cannot be trusted, and there is no other.
    pub(super) fn crash(&mut self) {
        debug_assert!(self.settings.durability == Durability::OnSwapOut, "else it is restored");
        // The record stays as it is, this node's without anything in memory: whoever asks next
        // begins it anew.
        self.holding = None;
        self.is_over = true;
    }

    /// Nobody finds it here any more.
    pub(super) fn unlist(&self) {
        let node = &self.worker.node;
        if node.vactors.remove(&self.id, &self.usage) {
            node.queues.meetings.watch(&self.id, Vec::new());
        }
    }

    /// What had not begun goes back to those who wait, or after the VActor.
    pub(super) fn send_on(&mut self) {
        self.mailbox.take(&mut self.mail);
        let mail = std::mem::take(&mut self.mail).into_iter().filter_map(|message| match message {
            ToVActor::Work(work) => Some(Input::Work(work)),
            _ => None,
        });
        let inbox = std::mem::take(&mut self.inbox);
        for input in inbox.into_iter().chain(mail) {
            if let Input::Work(work) = input {
                self.send_back(work);
            }
        }
    }

    pub(super) fn send_back(&self, work: Work) {
        let node = &self.worker.node;
        if !work.replier.is_nobody() {
            return work.replier.reply(Err(Failure::NotHere(work.payload)));
        }
        let name = node.vactors.kind(self.kind).messages().get(work.message.0);
        if let Some((message, _)) = name {
            let to = crate::vactor::Target { id: self.id.clone(), kind: self.settings.kind };
            let left = route::TELL_TIME;
            route::forward(
                node,
                route::Errand {
                    to,
                    message,
                    payload: work.payload,
                    chain: Vec::new(),
                    until: node.clock.now() + left,
                    left,
                    is_tell: true,
                },
            );
        }
    }

    /// It could not begin: who waits hears so, and the record goes back as it was.
    pub(super) fn refuse_beginning(&mut self) {
        for input in std::mem::take(&mut self.inbox) {
            if let Input::Work(work) = input {
                if work.replier.is_nobody() {
                    self.worker.node.vactors.counts.lost_tell();
                }
                work.replier.reject(Rejection::LoadFailed);
            }
        }
        let Some(holding) = self.holding.take() else { return };
        let header = holding.held.header().clone();
        activate::note_load_failure(&self.worker.node, &header, "its hook `activated` failed");
        let (node, loaded) = (Arc::clone(&self.worker.node), self.loaded.take());
        // Until that is done nobody else begins it here.
        let reserved = {
            self.unlist();
            node.directory.reserve_record(&self.id)
        };
        actix_rt::spawn(async move {
            match loaded {
                Some(snapshot) => {
                    crate::cluster::park_as_it_was(&node, header, snapshot.body).await;
                }
                // It was lost, and has not been told: its record stays, so whoever begins it is.
                None if header.crashes > 0 => {}
                None => crate::cluster::end_and_dismiss(&node, header).await,
            }
            drop(reserved);
        });
        self.is_over = true;
    }
}

/// A reply to somebody who waits for nothing but that it is done.
pub(super) const fn nothing() -> Payload {
    Payload::Bytes(bytes::Bytes::new())
}
