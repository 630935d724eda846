//! The parent: it kills, starts again, and compares what was said in the end.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

use throughline_queue::{Queue, QueueOptions};

use crate::child::Process;
use crate::hub::{connect, free_loopback};
use crate::worker::{self, names, queue_of, told};

const PRODUCERS: usize = 3;
const CONSUMERS: usize = worker::CONSUMERS as usize;
const KILLS: usize = 24;
/// Answers between two kills.
const ANSWERS_PER_KILL: usize = 400;

/// A worker in a process, whose lines come in order, each with who it was.
struct Worker {
    process: Process,
}

/// What a worker said, or that it has ended.
#[derive(Debug)]
struct Said {
    who: usize,
    line: Option<String>,
}

/// What was said by all lives of all workers.
#[derive(Debug, Default)]
struct Ledger {
    /// Answered enqueues.
    answered: BTreeMap<(usize, u64), ()>,
    /// How often each message was delivered.
    delivered: BTreeMap<(usize, u64), u32>,
    /// Dequeues that were under way when their process was killed.
    cut_takes: usize,
    /// Whether a dequeue of this worker is under way.
    taking: BTreeMap<usize, bool>,
    /// The last token of each worker, and what it got.
    tokens: BTreeMap<usize, (u64, Option<String>)>,
    /// The last number of each producer, by consumer and queue.
    last: BTreeMap<(usize, usize, usize), u64>,
}

pub(crate) fn workers() {
    let ledger = run("consume", |world, kill| {
        world.restart_worker(kill % (PRODUCERS + CONSUMERS));
    });
    ledger.judge();
}

pub(crate) fn everything() {
    run("consume", kill_any).judge();
}

pub(crate) fn everything_with_tokens() {
    let ledger = run("repeat", kill_any);
    let lost = ledger.judge();
    assert!(lost.is_empty(), "{lost:?} lost, though every take was repeated");
}

/// The hub, a worker, or all of them.
fn kill_any(world: &mut World<'_>, kill: usize) {
    match kill % 3 {
        0 => world.restart_hub(),
        1 => world.restart_worker(kill % (PRODUCERS + CONSUMERS)),
        _ => {
            world.hub.kill();
            for who in 0..PRODUCERS + CONSUMERS {
                world.kill_worker(who);
            }
            world.restart_hub();
            for who in 0..PRODUCERS + CONSUMERS {
                world.start_worker(who);
            }
        }
    }
}

struct World<'a> {
    address: String,
    path: &'a Path,
    /// The role of consumers.
    consumers: &'static str,
    hub: Process,
    workers: Vec<Option<Worker>>,
    said: Receiver<Said>,
    sender: Sender<Said>,
    ledger: Ledger,
}

fn run(consumers: &'static str, fault: impl Fn(&mut World<'_>, usize)) -> Ledger {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let address = free_loopback();
    let hub = start_hub(&address, &path);
    let (sender, said) = channel();
    let workers = (0..PRODUCERS + CONSUMERS).map(|_| None).collect();
    let ledger = Ledger::default();
    let mut world = World { address, path: &path, consumers, hub, workers, said, sender, ledger };
    for who in 0..PRODUCERS + CONSUMERS {
        world.start_worker(who);
    }
    for kill in 0..KILLS {
        world.listen(ANSWERS_PER_KILL);
        fault(&mut world, kill);
    }
    world.listen(ANSWERS_PER_KILL);
    for who in 0..PRODUCERS + CONSUMERS {
        world.kill_worker(who);
    }
    if consumers == "repeat" {
        // Whatever has no answer yet gets one.
        for who in PRODUCERS..PRODUCERS + CONSUMERS {
            world.start_worker(who);
        }
        world.listen(ANSWERS_PER_KILL);
        for who in PRODUCERS..PRODUCERS + CONSUMERS {
            world.kill_worker(who);
        }
    }
    world.drain();
    world.ledger
}

fn start_hub(address: &str, path: &Path) -> Process {
    let mut hub = Process::start("hub", &[address, path.to_str().unwrap()]);
    assert_eq!(hub.line().as_deref(), Some("serving"));
    hub
}

impl World<'_> {
    fn restart_hub(&mut self) {
        self.hub.kill();
        self.hub = start_hub(&self.address, self.path);
    }

    fn restart_worker(&mut self, who: usize) {
        self.kill_worker(who);
        self.start_worker(who);
    }

    fn start_worker(&mut self, who: usize) {
        let role = if who < PRODUCERS { "produce" } else { self.consumers };
        let (own, token) = (who.to_string(), self.ledger.token(who).to_string());
        let mut arguments = vec![&*self.address, &*own];
        if role == "repeat" {
            arguments.push(&token);
        }
        let mut process = Process::start(role, &arguments);
        let mut lines = process.take_lines();
        let sender = self.sender.clone();
        std::thread::spawn(move || {
            loop {
                let line = lines.next();
                let is_end = line.is_none();
                // Nobody listens any more only when the test has failed.
                if sender.send(Said { who, line }).is_err() || is_end {
                    return;
                }
            }
        });
        self.workers[who] = Some(Worker { process });
    }

    /// Kills it, and hears all that it had said.
    fn kill_worker(&mut self, who: usize) {
        let Some(mut worker) = self.workers[who].take() else { return };
        worker.process.kill();
        loop {
            let said = self.said.recv().unwrap();
            let is_end = said.line.is_none();
            if is_end {
                assert_eq!(said.who, who, "a worker ended by itself");
                break;
            }
            self.ledger.note(&said);
        }
        let cut = self.ledger.taking.insert(who, false);
        self.ledger.cut_takes += usize::from(cut == Some(true));
    }

    fn listen(&mut self, lines: usize) {
        for _ in 0..lines {
            let said = self.said.recv().unwrap();
            assert!(said.line.is_some(), "worker {} ended by itself", said.who);
            self.ledger.note(&said);
        }
    }

    /// Takes out what is left.
    fn drain(&mut self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = connect(&self.address).await;
            let queue = Queue::open(store, "last", QueueOptions::default()).await.unwrap();
            for (index, name) in names().iter().enumerate() {
                loop {
                    let messages = queue.dequeue_all(name).await.unwrap();
                    if messages.is_empty() {
                        break;
                    }
                    let line = Some(told(index, &messages));
                    self.ledger.note(&Said { who: PRODUCERS + CONSUMERS, line });
                }
            }
        });
    }
}

impl Ledger {
    fn note(&mut self, said: &Said) {
        let line = said.line.as_deref().unwrap_or_default();
        let who = said.who;
        if let Some(token) = line.strip_prefix("take ") {
            let token = token.parse().unwrap();
            let last = self.tokens.entry(who).or_insert((token, None));
            if last.0 != token {
                *last = (token, None);
            }
        } else if line == "take" {
            self.taking.insert(who, true);
        } else if let Some(taken) = line.strip_prefix("took ") {
            self.taking.insert(who, false);
            let last = self.tokens.get_mut(&who);
            match last.and_then(|(_, got)| got.replace(taken.to_owned())) {
                // The same token again: the same messages, which are not delivered twice.
                Some(before) if before.contains(',') => assert_eq!(before, taken),
                _ => self.take(who, taken),
            }
        } else if !line.starts_with("start ") {
            let number = line.parse().unwrap();
            self.answered.insert((who, number), ());
        }
    }

    fn take(&mut self, consumer: usize, line: &str) {
        let mut parts = line.split(", ");
        let queue: usize = parts.next().unwrap().parse().unwrap();
        for message in parts {
            let (producer, number) = message.split_once(' ').unwrap();
            let (producer, number) = (producer.parse().unwrap(), number.parse().unwrap());
            *self.delivered.entry((producer, number)).or_default() += 1;
            assert_eq!(queue_of(number), queue, "in a queue that it was not sent to");
            let before = self.last.insert((consumer, producer, queue), number);
            assert!(
                before.is_none_or(|before| before < number),
                "consumer {consumer}: {before:?} of producer {producer} before {number}"
            );
        }
    }

    /// The token that a worker begins with.
    fn token(&self, who: usize) -> u64 {
        self.tokens.get(&who).map_or(0, |(token, _)| *token)
    }

    /// What is lost.
    fn judge(&self) -> Vec<(usize, u64)> {
        let twice = self.delivered.iter().filter(|(_, count)| **count > 1).count();
        let is_lost = |message: &&(usize, u64)| !self.delivered.contains_key(*message);
        let lost: Vec<_> = self.answered.keys().filter(is_lost).copied().collect();
        println!(
            "{} answered, {} delivered, {twice} twice, {} taken by {} consumers that were killed",
            self.answered.len(),
            self.delivered.len(),
            lost.len(),
            self.cut_takes
        );
        assert_eq!(twice, 0, "delivered twice");
        self.judge_lost(&lost);
        lost
    }

    /// What is missing was taken by consumers that were killed before they said so: for each of
    /// them one run of messages of one queue, for each producer.
    fn judge_lost(&self, lost: &[(usize, u64)]) {
        let mut runs: BTreeMap<(usize, usize), (u64, usize)> = BTreeMap::new();
        for (producer, number) in lost {
            let queue = queue_of(*number);
            let last = runs.entry((*producer, queue)).or_default();
            if last.0 + names().len() as u64 != *number {
                last.1 += 1;
            }
            last.0 = *number;
        }
        let runs_max = runs.values().map(|(_, runs)| *runs).max().unwrap_or_default();
        assert!(runs_max <= self.cut_takes, "{lost:?} lost by {} takes", self.cut_takes);
    }
}
