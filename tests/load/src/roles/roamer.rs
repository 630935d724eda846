//! The clients of the cluster's scenarios.

mod player;
mod source;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use clap::Args;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use crate::echo::Slice;
use crate::error::Error;
use crate::latency::Latency;
use crate::parent::{self, Question, json};
use crate::roam::Roamed;
use crate::roles::traveller::Wishes;
use crate::roles::worker::{Desk, Worker};

use player::{Hop, Phase, Plan, Player, Shared};

/// Clients that connect at once: each login is a commit, and these share a sync.
const CONNECTING_MAX: usize = 256;

/// Hops that one client may have waiting; beyond that it has fallen a second behind, and they count
/// as missed.
const HOPS_MAX: usize = 16;

/// How long hops under way may take beyond their slice.
const HOPS_WAIT: Duration = Duration::from_secs(45);

/// How long all sessions may take to say their totals: black holes are noticed in 5 s.
const SETTLE_WAIT: Duration = Duration::from_secs(45);

/// What the roaming clients are told.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[arg(long)]
    clients: u64,
    /// Addresses of one node: one for all clients, or one for each. Once for each node.
    #[arg(long = "node", required = true)]
    nodes: Vec<String>,
    /// Messages per second, of all clients together, beside those of hops.
    #[arg(long)]
    pace: u64,
    /// Bytes of state of each session, beside its counters.
    #[arg(long)]
    state: usize,
    /// How often each session sends of its own accord, in ms; 0: never.
    #[arg(long)]
    own_ms: u64,
    /// Their sessions are crash-proof.
    #[arg(long)]
    crash_proof: bool,
    /// Whose session has ended logs in again.
    #[arg(long)]
    rejoin: bool,
}

/// What the thread answers.
enum Answer {
    Ready,
    Slice(Slice),
    Roamed(Box<Roamed>),
}

/// Connects the clients and answers the parent.
pub(crate) fn drive(options: Options) -> Result<(), Error> {
    let worker = Worker::start(move |desk| work(options, desk));
    worker.answer()?;
    parent::answer(&(), |question| {
        Ok(match worker.ask(question)? {
            Answer::Ready => serde_json::Value::Null,
            Answer::Slice(slice) => json(&slice),
            Answer::Roamed(roamed) => json(&roamed),
        })
    })
}

/// The clients, and what they are told together.
struct Troupe {
    shared: Rc<Shared>,
    phase: watch::Sender<Phase>,
    hops: Vec<mpsc::Sender<Hop>>,
    players: JoinSet<Result<(), Error>>,
    /// Whose turn it is to hop.
    next: usize,
}

async fn work(options: Options, mut desk: Desk<Answer>) -> Result<(), Error> {
    let mut troupe = Troupe::gather(&options).await?;
    desk.say(Answer::Ready)?;
    loop {
        let question = tokio::select! {
            question = desk.next() => question,
            Some(left) = troupe.players.join_next() => {
                finished(left)?;
                continue;
            }
        };
        let answer = match question {
            None => return Ok(()),
            Some(Question::Hop { millis, per_s, at_once }) => {
                Answer::Slice(troupe.hop(millis, per_s, at_once).await)
            }
            Some(Question::Settle) => {
                troupe.settle(options.clients).await;
                troupe.roamed(true)
            }
            Some(Question::Leave) => {
                troupe.phase.send_replace(Phase::Leave);
                while let Some(left) = troupe.players.join_next().await {
                    finished(left)?;
                }
                troupe.roamed(false)
            }
            Some(_) => troupe.roamed(false),
        };
        desk.say(answer)?;
    }
}

fn finished(left: Result<Result<(), Error>, JoinError>) -> Result<(), Error> {
    left.map_err(|error| Error::Client { what: "play", why: error.to_string() })?
}

impl Options {
    fn plan(&self, client: u64, nodes: &[Vec<String>]) -> Plan {
        let index = usize::try_from(client).unwrap_or(0);
        let address = |of: &Vec<String>| of[index % of.len()].clone();
        let wishes = Wishes { state: self.state, own_ms: self.own_ms };
        let clients = u32::try_from(self.clients).unwrap_or(u32::MAX);
        let all = |pace| Duration::from_secs(1) * clients / pace;
        Plan {
            client,
            addresses: nodes.iter().map(address).collect(),
            login: json(&wishes).to_string(),
            crash_proof: self.crash_proof,
            rejoins: self.rejoin,
            every: u32::try_from(self.pace).ok().filter(|&pace| pace > 0).map(all),
        }
    }
}

impl Troupe {
    /// Connects all clients.
    async fn gather(options: &Options) -> Result<Self, Error> {
        let shared = Rc::new(Shared {
            counts: RefCell::default(),
            pause: RefCell::new(Latency::new()),
            slice: RefCell::default(),
            changed: Notify::new(),
            done: RefCell::default(),
        });
        let (phase, phases) = watch::channel(Phase::Play);
        let split = |list: &String| list.split(',').map(str::to_owned).collect();
        let nodes: Vec<Vec<String>> = options.nodes.iter().map(split).collect();
        let doors = Rc::new(Semaphore::new(CONNECTING_MAX));
        let mut connecting = JoinSet::new();
        let mut hops = Vec::new();
        let mut players = JoinSet::new();
        for client in 0..options.clients {
            let (sender, receiver) = mpsc::channel(HOPS_MAX);
            hops.push(sender);
            let plan = options.plan(client, &nodes);
            let mut player = Player::new(plan, phases.clone(), receiver, Rc::clone(&shared));
            let doors = Rc::clone(&doors);
            connecting.spawn_local(async move {
                let _door = doors.acquire().await;
                let client = player.connect().await?;
                Ok::<_, Error>((player, client))
            });
        }
        while let Some(connected) = connecting.join_next().await {
            let failed = |why: JoinError| Error::Client { what: "connect", why: why.to_string() };
            let (player, client) = connected.map_err(failed)??;
            // At once: a client that is not driven keeps no heartbeat.
            players.spawn_local(player.play(client));
        }
        Ok(Self { shared, phase, hops, players, next: 0 })
    }

    /// Hops for so long; returns when all of them were answered.
    async fn hop(&mut self, millis: u64, per_s: u64, at_once: u64) -> Slice {
        *self.shared.slice.borrow_mut() = (0, 0);
        let start = Instant::now();
        let end = start + Duration::from_millis(millis);
        if per_s == 0 {
            for _ in 0..at_once.min(u64::try_from(self.hops.len()).unwrap_or(0)) {
                self.send(Hop { at: start, again_until: Some(end), counts_until: end });
            }
        }
        for hop in 0..per_s * millis / 1_000 {
            let at = start + Duration::from_nanos(hop * 1_000_000_000 / per_s);
            sleep_until(at).await;
            self.send(Hop { at, again_until: None, counts_until: end });
        }
        sleep_until(end).await;
        let all = async {
            while self.shared.slice.borrow().1 > 0 {
                self.shared.changed.notified().await;
            }
        };
        // What does not come is counted as not handled, and its client stays unsettled.
        let _ = timeout(HOPS_WAIT, all).await;
        Slice { millis, handled: self.shared.slice.borrow().0 }
    }

    /// The next client hops.
    fn send(&mut self, hop: Hop) {
        let client = self.next % self.hops.len();
        self.next += 1;
        match self.hops[client].try_send(hop) {
            Ok(()) => self.shared.slice.borrow_mut().1 += 1,
            Err(_) => self.shared.counts.borrow_mut().hops_missed += 1,
        }
    }

    /// Everybody stops sending, and learns what its session counted.
    async fn settle(&self, clients: u64) {
        self.phase.send_replace(Phase::Settle);
        let left = |shared: &Shared| clients.saturating_sub(*shared.done.borrow());
        let all = async {
            while left(&self.shared) > 0 {
                self.shared.changed.notified().await;
            }
        };
        let _ = timeout(SETTLE_WAIT, all).await;
        self.shared.counts.borrow_mut().unsettled = left(&self.shared);
    }

    fn roamed(&self, last: bool) -> Answer {
        let mut counts = self.shared.counts.borrow_mut();
        let answered_us = std::mem::take(&mut counts.answered_us);
        let went_over = std::mem::take(&mut counts.went_over);
        let pause = self.shared.pause.borrow().recorded();
        let mut answer = Roamed { pause, ..counts.clone() };
        if last {
            answer.answered_us.clone_from(&answered_us);
            answer.went_over.clone_from(&went_over);
        }
        (counts.answered_us, counts.went_over) = (answered_us, went_over);
        Answer::Roamed(Box::new(answer))
    }
}
