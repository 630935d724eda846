//! The clients of `cut`: they number what they send, check what comes, and time their repairs.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use clap::Args;
use throughline_client::{Client, Event, SendError};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use crate::cut::{Broken, ClientCounts};
use crate::error::Error;
use crate::latency::Latency;
use crate::numbers::{Checker, Counts, Numbered};
use crate::parent::{self, Question, json};
use crate::roles::node::CUT;
use crate::roles::proxy::micros;
use crate::roles::worker::{Desk, Worker};

/// Notices kept, of all clients together: a break each 50 ms of 200 clients for 5 minutes.
const NOTICED_MAX: usize = 1_200_000;

/// How long leaving may take: the last frame may fall into a black hole.
const LEAVE_MAX: Duration = Duration::from_secs(10);

/// What the clients are told.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Where each client connects to.
    #[arg(long, value_delimiter = ',')]
    targets: Vec<String>,
    /// Messages per second of each client.
    #[arg(long)]
    rate: u64,
}

/// How far the run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Play,
    Calm,
    Leave,
}

/// What the clients count together.
#[derive(Debug)]
struct Shared {
    counts: RefCell<ClientCounts>,
    repair: RefCell<Latency>,
}

/// Connects the clients and answers the parent.
pub(crate) fn drive(options: Options) -> Result<(), Error> {
    let worker = Worker::start(move |desk| work(options, desk));
    worker.answer()?;
    parent::answer(&(), |question| Ok(json(&worker.ask(question)?)))
}

async fn work(options: Options, mut desk: Desk<ClientCounts>) -> Result<(), Error> {
    let shared =
        Rc::new(Shared { counts: RefCell::default(), repair: RefCell::new(Latency::new()) });
    let (phase, phases) = watch::channel(Phase::Play);
    let mut players = JoinSet::new();
    let every = Duration::from_secs(1) / u32::try_from(options.rate).unwrap_or(u32::MAX);
    for (client, target) in (0..).zip(options.targets) {
        let player = Player {
            client,
            every,
            phases: phases.clone(),
            shared: Rc::clone(&shared),
            checker: Checker::default(),
            sent: 0,
            noticed_at: None,
        };
        players.spawn_local(player.play(target));
    }
    desk.say(ClientCounts::default())?;
    loop {
        tokio::select! {
            question = desk.next() => match question {
                None => return Ok(()),
                Some(Question::Leave) => {
                    phase.send_replace(Phase::Leave);
                    while let Some(left) = players.join_next().await {
                        finished(left)?;
                    }
                    desk.say(shared.answer(true))?;
                }
                Some(question) => {
                    if matches!(question, Question::Calm) {
                        phase.send_replace(Phase::Calm);
                    }
                    desk.say(shared.answer(false))?;
                }
            },
            Some(left) = players.join_next() => finished(left)?,
        }
    }
}

fn finished(left: Result<Result<(), Error>, tokio::task::JoinError>) -> Result<(), Error> {
    left.map_err(|error| Error::Client { what: "play", why: error.to_string() })?
}

impl Shared {
    fn answer(&self, last: bool) -> ClientCounts {
        let mut counts = self.counts.borrow_mut();
        let noticed = if last { std::mem::take(&mut counts.noticed) } else { Vec::new() };
        let repair = self.repair.borrow().recorded();
        ClientCounts { noticed, repair, ..*counts }
    }
}

/// One client.
#[derive(Debug)]
struct Player {
    client: u64,
    every: Duration,
    phases: watch::Receiver<Phase>,
    shared: Rc<Shared>,
    checker: Checker,
    sent: u64,
    noticed_at: Option<Instant>,
}

impl Player {
    /// Plays until it is told to leave, or its session ends.
    async fn play(mut self, target: String) -> Result<(), Error> {
        let failed = |what| move |why: String| Error::Client { what, why };
        let options = throughline_client::Options::new([target]).kind(CUT).seed(self.client);
        let connected = Client::connect(options).await.map_err(|error| error.to_string());
        let mut client = connected.map_err(failed("connect"))?;
        // Spread over the interval, so that clients do not send in step.
        let offset = self.every / 200 * u32::try_from(self.client % 200).unwrap_or(0);
        let mut ticks = interval_at(Instant::now() + offset, self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let phase = *self.phases.borrow_and_update();
            if phase == Phase::Leave {
                // A client that cannot reach its node leaves without it.
                let _ = timeout(LEAVE_MAX, client.leave()).await;
                return Ok(());
            }
            tokio::select! {
                event = client.next() => {
                    if self.handle(&mut client, event) {
                        return Ok(());
                    }
                }
                _ = ticks.tick(), if phase == Phase::Play => {
                    let sent = self.send(&mut client).map_err(|error| error.to_string());
                    sent.map_err(failed("send"))?;
                }
                changed = self.phases.changed() => {
                    let Ok(()) = changed else { return Ok(()) };
                }
            }
        }
    }

    fn send(&mut self, client: &mut Client) -> Result<(), SendError> {
        let mut counts = self.shared.counts.borrow_mut();
        match client.try_send(Numbered::message(self.sent + 1)) {
            Ok(()) => {
                self.sent += 1;
                counts.sent += 1;
            }
            Err(SendError::WouldBlock) => counts.held_back += 1,
            // The session's end comes as an event.
            Err(SendError::Ended) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// True when the session is over.
    fn handle(&mut self, client: &mut Client, event: Event) -> bool {
        let mut counts = self.shared.counts.borrow_mut();
        match event {
            Event::Message(message) => {
                counts.down += match Numbered::number(&message) {
                    Some(number) => self.checker.handle(number),
                    None => Counts { corrupted: 1, ..Counts::default() },
                };
            }
            Event::RepairStarted => {
                self.noticed_at = Some(Instant::now());
                if counts.noticed.len() < NOTICED_MAX {
                    let at_us = micros(SystemTime::now());
                    counts.noticed.push(Broken { client: self.client, at_us });
                }
            }
            Event::Repaired { .. } => {
                counts.repairs += 1;
                if let Some(at) = self.noticed_at.take() {
                    self.shared.repair.borrow_mut().record(at.elapsed());
                }
            }
            Event::RepairFailed => {
                counts.failed += 1;
                client.retry();
            }
            Event::Ended(code, text) => {
                eprintln!("load: client {}: the session ended: {code} {text}", self.client);
                counts.ended += 1;
                return true;
            }
            _ => {}
        }
        false
    }
}
