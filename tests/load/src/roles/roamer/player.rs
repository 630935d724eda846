//! One client that roams: it hops when told, comes back when its connection breaks, and numbers
//! what it says.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use throughline_client::{Client, Event, Options, SendError};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};

use crate::error::Error;
use crate::latency::Latency;
use crate::numbers::{Checker, Counts, Numbered};
use crate::roam::{Roamed, WentOver};
use crate::roles::proxy::micros;
use crate::roles::roamer::source::Source;
use crate::roles::traveller::{REPORT, Totals, kind, made_by};

/// Answers whose moment is kept: each session of the largest storm, a few times over.
const ANSWERED_MAX: usize = 100_000;

/// How long leaving may take.
const LEAVE_MAX: Duration = Duration::from_secs(10);

/// Tries after which a client asks its player: as many as the default twice over, since a
/// cluster's node may be away for the time of its restart.
const TRIES: u32 = 16;

/// How far the run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Play,
    Settle,
    Leave,
}

/// A hop that is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hop {
    /// When it was meant to begin.
    pub(super) at: Instant,
    /// Until when one follows the other; closed loop.
    pub(super) again_until: Option<Instant>,
    /// Answers after this do not count for the slice.
    pub(super) counts_until: Instant,
}

/// What the clients count together.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) counts: RefCell<Roamed>,
    pub(super) pause: RefCell<Latency>,
    /// Hops of this slice: answered in time, and not answered yet.
    pub(super) slice: RefCell<(u64, u64)>,
    /// Something of the above, or of the settling, has changed.
    pub(super) changed: Notify,
    /// Clients that said all they will: their sessions told their totals, or have ended.
    pub(super) done: RefCell<u64>,
}

/// What a client is told at its start.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) client: u64,
    /// One address for each node.
    pub(super) addresses: Vec<String>,
    pub(super) login: String,
    /// How often it says something of its own accord.
    pub(super) every: Option<Duration>,
    /// Whether its session is crash-proof.
    pub(super) crash_proof: bool,
    /// Whether it logs in again when its session has ended.
    pub(super) rejoins: bool,
}

/// One client.
#[derive(Debug)]
pub(super) struct Player {
    plan: Plan,
    phases: watch::Receiver<Phase>,
    hops: mpsc::Receiver<Hop>,
    shared: Rc<Shared>,
    checker: Checker,
    down: Counts,
    sent: u64,
    /// The node it is at, or on its way to.
    at: usize,
    hop: Option<Hop>,
    /// When it noticed that its connection had broken, until it is answered again.
    broken_at: Option<Instant>,
    /// The session goes on over a new connection, and the next message is the first answer.
    awaits_answer: bool,
    asked: bool,
    settled: bool,
    /// The process that made what it handled last, and when that was.
    served_by: Option<(u32, u64)>,
}

impl Player {
    pub(super) fn new(
        plan: Plan,
        phases: watch::Receiver<Phase>,
        hops: mpsc::Receiver<Hop>,
        shared: Rc<Shared>,
    ) -> Self {
        Self {
            at: usize::try_from(plan.client).unwrap_or(0) % plan.addresses.len(),
            plan,
            phases,
            hops,
            shared,
            checker: Checker::default(),
            down: Counts::default(),
            sent: 0,
            hop: None,
            broken_at: None,
            awaits_answer: false,
            asked: false,
            settled: false,
            served_by: None,
        }
    }

    /// Logs in at its first node.
    pub(super) async fn connect(&mut self) -> Result<Client, Error> {
        let failed = |why: String| Error::Client { what: "connect", why };
        let mut addresses = self.plan.addresses.clone();
        addresses.rotate_left(self.at);
        if self.plan.client & 1 == 1 {
            // Not all of one node go to the same one when it is lost.
            addresses[1..].reverse();
        }
        let options = Options::new(addresses)
            .kind(kind(self.plan.crash_proof))
            .login(&self.plan.login)
            .tries(TRIES)
            .seed(self.plan.client)
            .connector(Source::of(self.plan.client));
        let mut client =
            Client::connect(options).await.map_err(|error| failed(error.to_string()))?;
        // So that every session has been heard of by its game.
        self.send(&mut client)?;
        Ok(client)
    }

    /// Plays until it is told to leave, or its session ends.
    pub(super) async fn play(mut self, mut client: Client) -> Result<(), Error> {
        let mut ticks = self.ticks();
        loop {
            let phase = *self.phases.borrow_and_update();
            match phase {
                Phase::Leave => {
                    // A client that cannot reach its node leaves without it.
                    let _ = timeout(LEAVE_MAX, client.leave()).await;
                    return Ok(());
                }
                Phase::Settle if !self.asked => {
                    self.asked = client.try_send(REPORT).is_ok();
                }
                Phase::Settle | Phase::Play => {}
            }
            let plays = phase == Phase::Play;
            tokio::select! {
                event = client.next() => {
                    if self.handle(&mut client, event)? {
                        if !plays || !self.plan.rejoins {
                            *self.shared.done.borrow_mut() += 1;
                            self.shared.changed.notify_one();
                            return Ok(());
                        }
                        client = self.connect().await?;
                    }
                }
                _ = ticks.tick(), if plays && self.plan.every.is_some() => {
                    self.send(&mut client)?;
                }
                Some(hop) = self.hops.recv(), if plays && self.hop.is_none() => {
                    self.leave_for_another(&mut client, hop)?;
                }
                changed = self.phases.changed() => {
                    let Ok(()) = changed else { return Ok(()) };
                }
            }
        }
    }

    /// Spread over the interval, so that clients do not send in step.
    fn ticks(&self) -> Interval {
        let every = self.plan.every.unwrap_or(LEAVE_MAX);
        let offset = every / 997 * u32::try_from(self.plan.client * 389 % 997).unwrap_or(0);
        let mut ticks = interval_at(Instant::now() + offset, every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        ticks
    }

    fn leave_for_another(&mut self, client: &mut Client, hop: Hop) -> Result<(), Error> {
        let nodes = self.plan.addresses.len();
        // One node on or two, by turns.
        let step = 1 + usize::try_from(self.sent & 1).unwrap_or(0);
        self.at = (self.at + step.min(nodes - 1)) % nodes;
        self.hop = Some(hop);
        self.awaits_answer = false;
        let moved = client.move_to(&self.plan.addresses[self.at]);
        moved.map_err(|why| Error::Client { what: "move", why: why.to_string() })?;
        self.send(client)
    }

    fn send(&mut self, client: &mut Client) -> Result<(), Error> {
        match client.try_send(Numbered::message(self.sent + 1)) {
            Ok(()) => self.sent += 1,
            Err(SendError::WouldBlock) => self.shared.counts.borrow_mut().held_back += 1,
            // The session's end comes as an event.
            Err(SendError::Ended) => {}
            Err(why) => return Err(Error::Client { what: "send", why: why.to_string() }),
        }
        Ok(())
    }

    /// True when the session is over.
    fn handle(&mut self, client: &mut Client, event: Event) -> Result<bool, Error> {
        match event {
            Event::Message(message) => self.message(client, &message)?,
            Event::RepairStarted => {
                self.shared.counts.borrow_mut().repairs += 1;
                self.awaits_answer = false;
                if self.hop.is_none() && !self.settled {
                    self.broken_at.get_or_insert_with(Instant::now);
                    if *self.phases.borrow() == Phase::Play {
                        // What the first answer will answer.
                        self.send(client)?;
                    }
                }
            }
            Event::Repaired { .. } => self.awaits_answer = true,
            Event::Restarting { .. } => {
                let mut counts = self.shared.counts.borrow_mut();
                counts.told += 1;
                counts.told_us = micros(SystemTime::now());
            }
            Event::RepairFailed => {
                self.shared.counts.borrow_mut().failed += 1;
                client.retry();
            }
            Event::Ended(code, _) => {
                self.end(format!("{code:?}"));
                return Ok(true);
            }
            _ => {}
        }
        Ok(false)
    }

    fn message(&mut self, client: &mut Client, message: &[u8]) -> Result<(), Error> {
        if let Some(totals) = self.totals(message) {
            self.settle(&totals);
            return Ok(());
        }
        let (message, process) = made_by(self.plan.crash_proof, message);
        if let Some(process) = process {
            self.served_by(process);
        }
        self.down += match Numbered::number(message) {
            Some(number) => self.checker.handle(number),
            None => Counts { corrupted: 1, ..Counts::default() },
        };
        self.shared.counts.borrow_mut().handled += 1;
        if std::mem::take(&mut self.awaits_answer) {
            self.answered(client)?;
        }
        Ok(())
    }

    /// Notes when the session went over to another process.
    fn served_by(&mut self, process: u32) {
        let now = micros(SystemTime::now());
        let Some((from, heard_us)) = self.served_by.replace((process, now)) else { return };
        let mut counts = self.shared.counts.borrow_mut();
        if from != process && counts.went_over.len() < ANSWERED_MAX {
            counts.went_over.push(WentOver { from, heard_us, at_us: now });
        }
    }

    /// The first answer after a hop or a break.
    fn answered(&mut self, client: &mut Client) -> Result<(), Error> {
        let now = Instant::now();
        let hop = self.hop.take();
        let broken_at = self.broken_at.take();
        let Some(since) = hop.map(|hop| hop.at).or(broken_at) else { return Ok(()) };
        self.shared.pause.borrow_mut().record(now - since);
        let mut counts = self.shared.counts.borrow_mut();
        counts.answers += 1;
        if counts.answered_us.len() < ANSWERED_MAX {
            counts.answered_us.push(micros(SystemTime::now()));
        }
        let Some(hop) = hop else { return Ok(()) };
        counts.hops += 1;
        drop(counts);
        let in_time = u64::from(now <= hop.counts_until);
        let again = hop.again_until.is_some_and(|until| now < until);
        let mut slice = self.shared.slice.borrow_mut();
        *slice = (slice.0 + in_time, slice.1 - u64::from(!again));
        drop(slice);
        if again && *self.phases.borrow() == Phase::Play {
            return self.leave_for_another(client, Hop { at: now, ..hop });
        }
        self.shared.changed.notify_one();
        Ok(())
    }

    fn totals(&self, message: &[u8]) -> Option<Totals> {
        // Numbered messages begin with the high byte of a number that never gets so high.
        (self.asked && message.first() == Some(&b'{'))
            .then(|| serde_json::from_slice(message).ok())
            .flatten()
    }

    /// Both sides have said all they will: now they are compared.
    fn settle(&mut self, totals: &Totals) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        let mut counts = self.shared.counts.borrow_mut();
        counts.up += Counts { sent: self.sent, ..totals.up };
        counts.down += Counts { sent: totals.sent, ..self.down };
        counts.moves += totals.moves;
        *self.shared.done.borrow_mut() += 1;
        self.shared.changed.notify_one();
    }

    /// The session has ended. What came before must have come without a gap. What comes next is
    /// another session's.
    fn end(&mut self, reason: String) {
        let mut counts = self.shared.counts.borrow_mut();
        *counts.ended.entry(reason).or_default() += 1;
        if !self.settled {
            let Counts { delivered, .. } = self.down;
            counts.down += Counts { sent: delivered + self.checker.gaps(), ..self.down };
        }
        (self.checker, self.down, self.sent) = (Checker::default(), Counts::default(), 0);
        (self.broken_at, self.awaits_answer) = (None, false);
        let mut waiting = u64::from(self.hop.take().is_some());
        while self.hops.try_recv().is_ok() {
            waiting += 1;
        }
        self.shared.slice.borrow_mut().1 -= waiting;
        self.shared.changed.notify_one();
    }
}
