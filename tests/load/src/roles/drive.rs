//! Echo clients of either side: connect, load the server for a slice, count, again.
//!
//! The measuring is the same code for ours and for the limit: one look at the clock for each
//! message, its number checked, its time recorded.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::task::{JoinError, JoinSet};

use crate::echo::{PAYLOAD_MIN, Slice, Totals};
use crate::error::Error;
use crate::latency::Latency;
use crate::numbers::{Checker, Counts};
use crate::parent::{self, Question, json};
use crate::roles::worker::{Desk, Worker};

/// What echo clients are told.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Where the server is: `host:port`, or a URL.
    #[arg(long)]
    pub(crate) target: String,
    #[arg(long)]
    pub(crate) clients: u64,
    #[arg(long)]
    pub(crate) window: u64,
    #[arg(long)]
    pub(crate) payload: usize,
    #[arg(long)]
    pub(crate) threads: u64,
    #[arg(long)]
    pub(crate) seed: u64,
}

/// One client of an echo server.
pub(crate) trait EchoEnd: Sized + 'static {
    /// Connects; for ours: until the login was accepted.
    async fn connect(target: &str) -> Result<Self, Error>;

    /// Keeps the window full until the talk says that the slice is over, then takes the last
    /// answers.
    async fn slice(&mut self, talk: &mut Talk) -> Result<(), Error>;

    /// Sends at the times that the talk says, whatever comes back when, then takes the last
    /// answers.
    async fn paced(&mut self, talk: &mut Talk) -> Result<(), Error>;

    /// Waits until the connection ends, which it should not; does what a client must do meanwhile.
    /// Returns whether it ended for good (false: it came back by itself).
    async fn idle(&mut self) -> bool;
}

/// What one client says and hears, through all slices.
#[derive(Debug)]
pub(crate) struct Talk {
    checker: Checker,
    shared: Rc<RefCell<Shared>>,
    payload: Vec<u8>,
    sent: u64,
    pub(crate) window: u64,
    pub(crate) in_flight: u64,
    until: Instant,
    pace: Option<Pace>,
}

/// When messages are sent that wait for no answer.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// When the next one is due.
    next: Instant,
    every: Duration,
}

/// What the clients of one thread count together.
#[derive(Debug)]
struct Shared {
    epoch: Instant,
    counts: Counts,
    /// Answers within slices.
    handled: u64,
    latency: Latency,
    /// From the times that were meant, of those that were sent at a pace.
    paced: Latency,
}

impl Talk {
    fn new(options: &Options, shared: &Rc<RefCell<Shared>>) -> Self {
        let [fill, ..] = options.seed.to_le_bytes();
        Self {
            checker: Checker::default(),
            shared: Rc::clone(shared),
            payload: vec![fill; options.payload],
            sent: 0,
            window: options.window,
            in_flight: 0,
            until: Instant::now(),
            pace: None,
        }
    }

    /// The first messages of a slice: one for each place of the window.
    pub(crate) fn first(&mut self) -> &[u8] {
        let nanos = self.nanos(Instant::now());
        self.message(nanos)
    }

    /// Handles an answer; gives the message that takes its place, unless the slice is over.
    pub(crate) fn next(&mut self, answer: &[u8]) -> Option<&[u8]> {
        let now = Instant::now();
        let nanos = self.nanos(now);
        self.in_flight = self.in_flight.saturating_sub(1);
        let over = now >= self.until;
        let mut shared = self.shared.borrow_mut();
        let numbers = (answer.first_chunk(), answer.get(8..).and_then(|rest| rest.first_chunk()));
        let (Some(&number), Some(&sent_at)) = numbers else {
            shared.counts.corrupted += 1;
            return None;
        };
        shared.counts += self.checker.handle(u64::from_be_bytes(number));
        shared.counts.corrupted += u64::from(answer.len() != self.payload.len());
        let took = Duration::from_nanos(nanos.saturating_sub(u64::from_be_bytes(sent_at)));
        if self.pace.is_some() {
            // Also what comes late: it was sent.
            shared.paced.record(took);
            shared.handled += 1;
            return None;
        }
        if over {
            return None;
        }
        shared.latency.record(took);
        shared.handled += 1;
        drop(shared);
        Some(self.message(nanos))
    }

    /// When the next message is to be sent; `None`: no more.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.pace.map(|pace| pace.next).filter(|next| *next < self.until)
    }

    /// The message that is due, with the time at which it was.
    pub(crate) fn say(&mut self) -> &[u8] {
        let mut nanos = self.nanos(Instant::now());
        if let Some(pace) = &mut self.pace {
            let due = pace.next;
            pace.next += pace.every;
            nanos = self.nanos(due);
        }
        self.message(nanos)
    }

    fn nanos(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.shared.borrow().epoch);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    fn message(&mut self, nanos: u64) -> &[u8] {
        self.sent += 1;
        self.in_flight += 1;
        self.payload[..8].copy_from_slice(&self.sent.to_be_bytes());
        self.payload[8..PAYLOAD_MIN].copy_from_slice(&nanos.to_be_bytes());
        &self.payload
    }
}

enum Answer {
    Ready,
    Slice(u64),
    Totals(Totals),
}

/// Connects the clients and answers the parent.
pub(crate) fn drive<E: EchoEnd>(options: &Options) -> Result<(), Error> {
    let start = |index| {
        let options = options.clone();
        Worker::start(move |desk| work::<E>(options, index, desk))
    };
    let workers: Vec<Worker<Answer>> = (0..options.threads).map(start).collect();
    for worker in &workers {
        worker.answer()?;
    }
    parent::answer(&(), |question| {
        for worker in &workers {
            worker.put(question)?;
        }
        let mut handled = 0;
        let mut totals = Totals::default();
        for worker in &workers {
            match worker.answer()? {
                Answer::Ready => {}
                Answer::Slice(part) => handled += part,
                Answer::Totals(part) => totals.add(&part),
            }
        }
        Ok(match question {
            Question::Slice { millis } | Question::Pace { millis, .. } => {
                json(&Slice { millis, handled })
            }
            _ => json(&totals),
        })
    })
}

async fn work<E: EchoEnd>(
    options: Options,
    index: u64,
    mut desk: Desk<Answer>,
) -> Result<(), Error> {
    let shared = Shared {
        epoch: Instant::now(),
        counts: Counts::default(),
        handled: 0,
        latency: Latency::new(),
        paced: Latency::new(),
    };
    let shared = Rc::new(RefCell::new(shared));
    let mut ends = Vec::new();
    let share = (options.clients + options.threads - 1 - index) / options.threads;
    for _ in 0..share {
        ends.push((E::connect(&options.target).await?, Talk::new(&options, &shared)));
    }
    desk.say(Answer::Ready)?;
    while let Some(question) = desk.next().await {
        let loads = match question {
            Question::Slice { millis } => Some((millis, 0)),
            Question::Pace { millis, per_s } => Some((millis, per_s)),
            _ => None,
        };
        if let Some((millis, per_s)) = loads {
            shared.borrow_mut().handled = 0;
            let until = Instant::now() + Duration::from_millis(millis);
            set_pace(&mut ends, per_s / options.threads);
            ends = slice(ends, until).await?;
            desk.say(Answer::Slice(shared.borrow().handled))?;
        } else {
            let sent = ends.iter().map(|(_, talk)| talk.sent).sum();
            let shared = shared.borrow();
            let counts = Counts { sent, ..shared.counts };
            desk.say(Answer::Totals(Totals {
                counts,
                service: shared.latency.recorded(),
                paced: shared.paced.recorded(),
            }))?;
        }
    }
    Ok(())
}

/// So many messages a second of all of them, evenly; 0: as many as are answered.
fn set_pace<E>(ends: &mut [(E, Talk)], per_s: u64) {
    let (now, count) = (Instant::now(), ends.len());
    for (index, (_, talk)) in ends.iter_mut().enumerate() {
        talk.pace = (per_s > 0).then(|| {
            let every = Duration::from_secs_f64(count as f64 / per_s as f64);
            Pace { next: now + every.mul_f64(index as f64 / count as f64), every }
        });
    }
}

/// All clients at once, each in a task of its own.
async fn slice<E: EchoEnd>(ends: Vec<(E, Talk)>, until: Instant) -> Result<Vec<(E, Talk)>, Error> {
    let mut tasks: JoinSet<Result<(E, Talk), Error>> = JoinSet::new();
    for (mut end, mut talk) in ends {
        talk.until = until;
        tasks.spawn_local(async move {
            match talk.pace {
                None => end.slice(&mut talk).await?,
                Some(_) => end.paced(&mut talk).await?,
            }
            Ok((end, talk))
        });
    }
    let mut ends = Vec::with_capacity(tasks.len());
    while let Some(done) = tasks.join_next().await {
        let failed = |why: JoinError| Error::Client { what: "play", why: why.to_string() };
        ends.push(done.map_err(failed)??);
    }
    Ok(ends)
}
