//! Consumers: one for each queue, which takes out all that is there, again and again.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Args;
use throughline_queue::{Messages, Queue, QueueName};
use tokio::task::JoinSet;

use crate::echo::Slice;
use crate::error::Error;
use crate::numbers::{Checker, Counts};
use crate::parent::{self, Question, json};
use crate::roles::queue_producer::{message, open, queue_of};
use crate::roles::shared_store::SharedStore;
use crate::roles::worker::{Desk, Worker};

/// Handles: each dequeues from several queues at the same time.
const HANDLES: usize = 4;

/// Between two looks at a queue. Messages come in the meantime, and are taken out together.
const PAUSE: Duration = Duration::from_millis(20);

/// What consumers are told.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    store: SharedStore,
    /// Producers, each with a queue.
    #[arg(long)]
    producers: u64,
    /// Bytes of each message.
    #[arg(long)]
    payload: usize,
    /// Of queues whose messages share no rows.
    #[arg(long)]
    apart: bool,
}

/// Dequeues when asked, until the parent is gone.
pub(crate) fn drive(options: Options) -> Result<(), Error> {
    let worker = Worker::start(move |desk| work(options, desk));
    worker.answer()?;
    parent::answer(&(), |question| Ok(json(&worker.ask(question)?)))
}

struct Consumer {
    queue: Queue,
    name: QueueName,
    producer: u64,
    payload: usize,
    checker: RefCell<Checker>,
    counts: Cell<Counts>,
}

async fn work(options: Options, mut desk: Desk<serde_json::Value>) -> Result<(), Error> {
    let store = options.store.open().await?;
    let mut handles = Vec::new();
    for handle in 0..HANDLES {
        handles.push(open(&store, &format!("consumer {handle}")).await?);
    }
    let mut consumers = Vec::new();
    for producer in 0..options.producers {
        consumers.push(Rc::new(Consumer {
            queue: handles[usize::try_from(producer).unwrap_or(0) % HANDLES].clone(),
            name: queue_of(producer, options.apart)?,
            producer,
            payload: options.payload,
            checker: RefCell::default(),
            counts: Cell::default(),
        }));
    }
    desk.say(json(&()))?;
    while let Some(question) = desk.next().await {
        let millis = if let Question::Slice { millis } = question { millis } else { 0 };
        let handled = take(&consumers, Instant::now() + Duration::from_millis(millis)).await?;
        if millis > 0 {
            desk.say(json(&Slice { millis, handled }))?;
        } else {
            let mut counts = Counts::default();
            consumers.iter().for_each(|consumer| counts += consumer.counts.get());
            desk.say(json(&counts))?;
        }
    }
    Ok(())
}

/// Takes messages out until then, and after that until all queues are empty. How many in time.
async fn take(consumers: &[Rc<Consumer>], until: Instant) -> Result<u64, Error> {
    let handled = Rc::new(Cell::new(0));
    let mut tasks = JoinSet::new();
    for consumer in consumers {
        let (consumer, handled) = (Rc::clone(consumer), Rc::clone(&handled));
        tasks.spawn_local(async move {
            loop {
                let taken = consumer.queue.dequeue_all(&consumer.name).await;
                let taken = taken.map_err(|error| error.to_string())?;
                consumer.check(&taken);
                let in_time = Instant::now() < until;
                if in_time {
                    handled.set(handled.get() + taken.len() as u64);
                }
                if !taken.more() {
                    if !in_time && taken.is_empty() {
                        return Ok::<_, String>(());
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        let done = done.map_err(|why| why.to_string()).and_then(|done| done);
        done.map_err(Error::Store)?;
    }
    Ok(handled.get())
}

impl Consumer {
    fn check(&self, messages: &Messages) {
        let mut counts = self.counts.get();
        for payload in messages.payloads() {
            let number = payload.get(8..16).and_then(|bytes| bytes.try_into().ok());
            let number = u64::from_be_bytes(number.unwrap_or_default());
            if payload == message(self.producer, number, self.payload) {
                counts += self.checker.borrow_mut().handle(number);
            } else {
                counts.corrupted += 1;
            }
        }
        self.counts.set(counts);
    }
}
