//! Commits per second of the store alone, as nodes reach it: the limit of what nodes can hand over.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;
use serde::{Deserialize, Serialize};
use throughline_cluster::keys;
use throughline_store::{Batch, Store};
use tokio::task::JoinSet;

use crate::error::Error;
use crate::latency::{Latency, Recorded};
use crate::parent::{self, Question, json};
use crate::roles::shared_store::SharedStore;
use crate::roles::worker::{Desk, Worker};

/// Bytes of a header, as those of sessions have.
const HEADER_BYTES: usize = 192;

/// What the store's client is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    store: SharedStore,
    /// Commits under way at once, each on a record of its own.
    #[arg(long)]
    window: u64,
    /// Bytes of each snapshot.
    #[arg(long)]
    state: usize,
}

/// What was committed.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Committed {
    /// In the last slice.
    pub(crate) millis: u64,
    /// In the last slice.
    pub(crate) commits: u64,
    /// Round trips of all slices.
    pub(crate) trip: Recorded,
}

/// Commits when asked, until the parent is gone.
pub(crate) fn drive(options: Options) -> Result<(), Error> {
    let worker = Worker::start(move |desk| work(options, desk));
    worker.answer()?;
    parent::answer(&(), |question| Ok(json(&worker.ask(question)?)))
}

async fn work(options: Options, mut desk: Desk<Committed>) -> Result<(), Error> {
    let store = options.store.open().await?;
    let trip = Rc::new(RefCell::new(Latency::new()));
    let mut versions = vec![0; usize::try_from(options.window).unwrap_or(0)];
    desk.say(Committed::default())?;
    while let Some(question) = desk.next().await {
        let mut committed = Committed::default();
        if let Question::Slice { millis } = question {
            committed.millis = millis;
            committed.commits = slice(&store, &options, &mut versions, &trip, millis).await?;
        }
        committed.trip = trip.borrow().recorded();
        desk.say(committed)?;
    }
    Ok(())
}

/// One record after the other, on as many tasks as the window has places.
async fn slice(
    store: &Arc<dyn Store>,
    options: &Options,
    versions: &mut [u64],
    trip: &Rc<RefCell<Latency>>,
    millis: u64,
) -> Result<u64, Error> {
    let until = Instant::now() + Duration::from_millis(millis);
    let handled = Rc::new(Cell::new(0));
    let mut tasks = JoinSet::new();
    for (place, &version) in versions.iter().enumerate() {
        let (store, trip, handled) = (Arc::clone(store), Rc::clone(trip), Rc::clone(&handled));
        let state = options.state;
        tasks.spawn_local(async move {
            let mut version = version;
            while Instant::now() < until {
                let start = Instant::now();
                store.commit(batch(place, version, state)).await.map_err(|why| why.to_string())?;
                version += 1;
                if Instant::now() < until {
                    trip.borrow_mut().record(start.elapsed());
                    handled.set(handled.get() + 1);
                }
            }
            Ok::<_, String>((place, version))
        });
    }
    while let Some(done) = tasks.join_next().await {
        let done = done.map_err(|why| why.to_string()).and_then(|done| done);
        let (place, version) = done.map_err(Error::Store)?;
        versions[place] = version;
    }
    Ok(handled.get())
}

/// What a handover writes: a header that is checked, and a snapshot; every byte of them changes.
fn batch(place: usize, version: u64, state: usize) -> Batch {
    let key = |what: &str| Bytes::from([&[keys::FOREIGN], what.as_bytes()].concat());
    let (header, snapshot) = (key(&format!("header/{place}")), key(&format!("state/{place}")));
    let fill = |version: u64, bytes: usize| {
        let mut value = version.to_be_bytes().to_vec();
        value.resize(bytes.max(value.len()), version.to_be_bytes()[7]);
        Bytes::from(value)
    };
    let batch = match version {
        0 => Batch::new().check_absent(header.clone()),
        _ => Batch::new().check_equals(header.clone(), fill(version, HEADER_BYTES)),
    };
    batch.put(header, fill(version + 1, HEADER_BYTES)).put(snapshot, fill(version + 1, state))
}
