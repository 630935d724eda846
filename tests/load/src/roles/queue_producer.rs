//! Producers: each keeps so many enqueues in flight, to a queue of its own.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;
use throughline_queue::{Queue, QueueName, QueueOptions};
use throughline_store::Store;
use tokio::task::JoinSet;

use crate::echo::Slice;
use crate::error::Error;
use crate::latency::Latency;
use crate::parent::{self, Question, json};
use crate::queue::Produced;
use crate::roles::shared_store::SharedStore;
use crate::roles::worker::{Desk, Worker};

/// Nothing expires within a run.
const TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// What producers are told.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    store: SharedStore,
    /// The number of the first.
    #[arg(long)]
    first: u64,
    #[arg(long)]
    producers: u64,
    /// Enqueues in flight per producer.
    #[arg(long)]
    window: u64,
    /// Bytes of each message.
    #[arg(long)]
    payload: usize,
    /// To queues whose messages share no rows.
    #[arg(long)]
    apart: bool,
}

/// Enqueues when asked, until the parent is gone.
pub(crate) fn drive(options: Options) -> Result<(), Error> {
    let worker = Worker::start(move |desk| work(options, desk));
    worker.answer()?;
    parent::answer(&(), |question| Ok(json(&worker.ask(question)?)))
}

/// The queue of a producer; those of keys share no rows.
pub(crate) fn queue_of(producer: u64, apart: bool) -> Result<QueueName, Error> {
    let name = format!("queue {producer}");
    let name = if apart { QueueName::key(&name) } else { QueueName::named(&name) };
    name.map_err(|error| Error::Store(error.to_string()))
}

/// A message: its producer, its number, and bytes that change with both.
pub(crate) fn message(producer: u64, number: u64, bytes: usize) -> Bytes {
    let mut message = Vec::with_capacity(bytes);
    message.extend_from_slice(&producer.to_be_bytes());
    message.extend_from_slice(&number.to_be_bytes());
    message.resize(bytes, (number ^ producer).to_be_bytes()[7]);
    message.into()
}

/// A handle of its own.
pub(crate) async fn open(store: &Arc<dyn Store>, name: &str) -> Result<Queue, Error> {
    let queue = Queue::open(store.clone(), name, QueueOptions::default()).await;
    queue.map_err(|error| Error::Store(error.to_string()))
}

struct Producer {
    queue: Queue,
    name: QueueName,
    number: u64,
    /// That of the last message.
    last: Cell<u64>,
}

async fn work(options: Options, mut desk: Desk<serde_json::Value>) -> Result<(), Error> {
    let store = options.store.open().await?;
    let mut producers = Vec::new();
    for number in options.first..options.first + options.producers {
        let queue = open(&store, &format!("producer {number}")).await?;
        let (name, last) = (queue_of(number, options.apart)?, Cell::new(0));
        producers.push(Rc::new(Producer { queue, name, number, last }));
    }
    let (latency, sent) = (Rc::new(RefCell::new(Latency::new())), Rc::new(Cell::new(0)));
    desk.say(json(&()))?;
    while let Some(question) = desk.next().await {
        let Question::Slice { millis } = question else {
            let enqueue = latency.borrow().recorded();
            desk.say(json(&Produced { sent: sent.get(), enqueue }))?;
            continue;
        };
        let until = Instant::now() + Duration::from_millis(millis);
        let handled = Rc::new(Cell::new(0));
        let mut tasks = JoinSet::new();
        for producer in &producers {
            for _ in 0..options.window {
                let (producer, handled) = (Rc::clone(producer), Rc::clone(&handled));
                let (latency, sent) = (Rc::clone(&latency), Rc::clone(&sent));
                let bytes = options.payload;
                tasks.spawn_local(async move {
                    while Instant::now() < until {
                        let took = enqueue(&producer, bytes).await?;
                        sent.set(sent.get() + 1);
                        if Instant::now() < until {
                            handled.set(handled.get() + 1);
                            latency.borrow_mut().record(took);
                        }
                    }
                    Ok::<_, String>(())
                });
            }
        }
        while let Some(done) = tasks.join_next().await {
            let done = done.map_err(|why| why.to_string()).and_then(|done| done);
            done.map_err(Error::Store)?;
        }
        desk.say(json(&Slice { millis, handled: handled.get() }))?;
    }
    Ok(())
}

async fn enqueue(producer: &Producer, bytes: usize) -> Result<Duration, String> {
    let start = Instant::now();
    let number = producer.last.get() + 1;
    producer.last.set(number);
    let payload = message(producer.number, number, bytes);
    let enqueued = producer.queue.enqueue(&producer.name, payload, TTL).await;
    enqueued.map(|_| start.elapsed()).map_err(|error| error.to_string())
}
