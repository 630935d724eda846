//! A backend that has only the store: it enqueues into queues, and takes out of them, and knows of
//! every message whether it must come.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use throughline::environment::WALL_MS;
use throughline_queue::{
    Clock, DequeueError, EnqueueError, Messages, Queue, QueueName, QueueOptions,
};
use tokio::time::sleep;

use crate::game::DAY;
use crate::player::{Phase, Table};
use crate::random::Random;
use crate::store::{Engine, NodeStore};
use crate::truth;

/// Taken with tokens, by one consumer: all of it comes, once.
const CAREFUL: &str = "careful";
/// Taken without, by two: what an unanswered call took is lost.
const CARELESS: &str = "careless";

/// What the clock of the second producer is sometimes off.
const BACK_MS: u64 = 3_600_000;
/// The number of the first of its stores, for the audit: no node starts so often.
const FIRST_STORE: usize = 90_000;

/// A message, by its producer and its number.
type Name = (u8, u64);

/// What is known of it.
#[derive(Debug, Default)]
struct Known {
    is_there: bool,
    /// By its producer's clock; the latest of all tries.
    expires_ms: u64,
    lasts: bool,
    times: u32,
    /// A call without a token that was not answered may have taken it.
    may_be_lost: bool,
}

/// All messages of a run.
#[derive(Default)]
pub(crate) struct Post(RefCell<BTreeMap<(&'static str, Name), Known>>);

impl Post {
    /// What should have come, and has not.
    pub(crate) fn missing(&self) -> Option<String> {
        let known = self.0.borrow();
        let is_missing =
            |known: &Known| known.is_there && known.lasts && known.times == 0 && !known.may_be_lost;
        let missing: Vec<_> = known.iter().filter(|(_, known)| is_missing(known)).collect();
        let (first, _) = missing.first()?;
        Some(format!("{} queued messages have not come, the first {first:?}", missing.len()))
    }

    fn delivered(&self, queue: &'static str, messages: Messages, asked_ms: u64) {
        let mut known = self.0.borrow_mut();
        let mut last = BTreeMap::new();
        for message in messages {
            let payload = message.payload();
            let Some((producer, number)) = payload.split_first_chunk::<1>() else { continue };
            let Ok(number) = number.try_into().map(u64::from_be_bytes) else { continue };
            let name = (producer[0], number);
            truth::count(|counts| counts.messages += 1);
            let entry = known.entry((queue, name)).or_default();
            entry.times += 1;
            if entry.times > 1 {
                truth::count(|counts| counts.duplicated += 1);
                truth::fail(format_args!("{name:?} came out of {queue} twice"));
            }
            if entry.expires_ms < asked_ms {
                truth::fail(format_args!("{name:?} came out of {queue}, and had expired"));
            }
            if last.insert(producer[0], number).is_some_and(|last| last > number) {
                truth::count(|counts| counts.reordered += 1);
                truth::fail(format_args!("{name:?} came out of {queue} behind a later one"));
            }
        }
    }

    /// A call of unknown outcome may have taken what is there, or on its way.
    fn may_have_lost(&self, queue: &'static str) {
        let mut known = self.0.borrow_mut();
        for ((of, _), known) in known.iter_mut() {
            known.may_be_lost |= *of == queue;
        }
    }
}

fn wall_ms() -> u64 {
    WALL_MS + u64::try_from(truth::now().as_millis()).unwrap_or(0)
}

/// What all of the backend's parts have.
#[derive(Clone)]
pub(crate) struct Office {
    pub(crate) engine: Engine,
    pub(crate) table: Rc<Table>,
    pub(crate) seed: u64,
}

impl Office {
    /// Two producers and three consumers, until the run is over.
    pub(crate) async fn work(self) {
        let producers = (0..2).map(|n| tokio::task::spawn_local(self.clone().produce(n)));
        let queues = [CAREFUL, CARELESS, CARELESS];
        let consumers = queues.iter().zip(2_u8..);
        let consumers =
            consumers.map(|(queue, n)| tokio::task::spawn_local(self.clone().consume(queue, n)));
        for part in producers.chain(consumers).collect::<Vec<_>>() {
            // It ends with the run.
            let _ = part.await;
        }
    }

    /// A handle of part `n`, whose clock is late by what is in `late`.
    pub(crate) async fn open(&self, n: u8, random: &mut Random, late: &Arc<AtomicU64>) -> Queue {
        loop {
            let store = NodeStore::new(&self.engine, FIRST_STORE + usize::from(n), random.next());
            let late = Arc::clone(late);
            let mut options = QueueOptions::default();
            options.clock = Clock::new(move || wall_ms() - late.load(Ordering::Relaxed));
            options.life = Some(random.next());
            match Queue::open(Arc::new(store), &format!("post {n}"), options).await {
                Ok(queue) => return queue,
                Err(error) => truth::note(format_args!("post {n} does not open: {error}")),
            }
            sleep(random.millis(200, 800)).await;
        }
    }

    async fn produce(self, n: u8) {
        let mut random = Random::of(self.seed, 4_000 + u64::from(n));
        let late = Arc::new(AtomicU64::new(0));
        let mut queue = self.open(n, &mut random, &late).await;
        let mut number = 0;
        while self.table.phase.get() == Phase::Play {
            sleep(random.millis(20, 300)).await;
            if n == 1 && random.percent(5) {
                let off = BACK_MS - late.load(Ordering::Relaxed);
                late.store(off, Ordering::Relaxed);
            }
            number += 1;
            let name = if random.percent(50) { CAREFUL } else { CARELESS };
            // A late clock makes everything that does not last expired.
            let lasts = n == 1 || random.percent(75);
            let ttl = if lasts { DAY } else { random.millis(500, 3_000) };
            self.enqueue(&mut queue, name, (n, number), ttl, &mut random, &late).await;
        }
    }

    /// Until it is there, or surely is not.
    async fn enqueue(
        &self,
        queue: &mut Queue,
        name: &'static str,
        message: Name,
        ttl: Duration,
        random: &mut Random,
        late: &Arc<AtomicU64>,
    ) {
        let mut payload = vec![message.0];
        payload.extend_from_slice(&message.1.to_be_bytes());
        let Ok(to) = QueueName::named(name) else { return };
        while self.table.phase.get() != Phase::Over {
            let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
            let expires_ms = wall_ms() + ttl_ms;
            {
                let mut known = self.table.post.0.borrow_mut();
                let known = known.entry((name, message)).or_default();
                known.expires_ms = known.expires_ms.max(expires_ms);
                known.lasts = ttl == DAY;
            }
            match queue.enqueue_numbered(&to, message.1, payload.clone(), ttl).await {
                Ok(_) => {
                    let mut known = self.table.post.0.borrow_mut();
                    known.entry((name, message)).or_default().is_there = true;
                    return;
                }
                Err(EnqueueError::Fenced) => *queue = self.open(message.0, random, late).await,
                Err(error) => truth::note(format_args!("{message:?} is not there: {error}")),
            }
            sleep(random.millis(50, 400)).await;
        }
    }

    async fn consume(self, name: &'static str, n: u8) {
        let mut random = Random::of(self.seed, 4_000 + u64::from(n));
        let queue = self.open(n, &mut random, &Arc::default()).await;
        let Ok(from) = QueueName::named(name) else { return };
        let mut token = 0_u64;
        while self.table.phase.get() != Phase::Over {
            let asked_ms = wall_ms();
            let taken = match name {
                CAREFUL => queue.dequeue_all_with(&from, token.to_be_bytes().to_vec()).await,
                _ => queue.dequeue_all(&from).await,
            };
            match taken {
                Ok(messages) => {
                    token += 1;
                    self.table.post.delivered(name, messages, asked_ms);
                }
                Err(error) => {
                    truth::note(format_args!("nothing out of {name}: {error}"));
                    if name == CARELESS && matches!(error, DequeueError::Unknown { .. }) {
                        self.table.post.may_have_lost(name);
                    }
                }
            }
            sleep(random.millis(50, 2_000)).await;
        }
    }
}
