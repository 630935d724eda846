//! `queue`: durable messages per second through queues, against the same records put straight into
//! the engine.

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::child::{Child, slice};
use crate::cluster::{Lending, Lent, StoreOptions};
use crate::curve::{Curve, PlotOptions};
use crate::error::Error;
use crate::latency::{Latency, Recorded, median};
use crate::numbers::Counts;
use crate::options::{Common, SLICE, pass, within};
use crate::parent::Question;
use crate::report::Report;
use crate::roles::hub::StoreCounts;

/// A payload starts with the number of its producer and its own, 8 bytes each.
pub(crate) const PAYLOAD_MIN: usize = 16;
/// More would measure the disk alone.
const PAYLOAD_MAX: usize = 64 * 1024;
/// Each has a queue of its own, and a handle.
const PRODUCERS_MAX: u64 = 512;
/// More cannot share a commit.
const WINDOW_MAX: u64 = 1_024;

/// Measure durable messages per second through queues
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,

    #[command(flatten)]
    store: StoreOptions,

    #[command(flatten)]
    plot: PlotOptions,

    /// Producers, each with a queue of its own
    #[arg(long, default_value_t = 64)]
    producers: u64,

    /// Enqueues in flight per producer
    #[arg(long, default_value_t = 16)]
    window: u64,

    /// Bytes of each message
    #[arg(long, default_value_t = 64)]
    payload: usize,

    /// Queues of session keys, whose messages share no rows, instead of named ones
    #[arg(long)]
    apart: bool,
}

/// What producers did in all slices.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Produced {
    /// Enqueues that were answered.
    pub(crate) sent: u64,
    pub(crate) enqueue: Recorded,
}

impl Options {
    fn check(&self) -> Result<(), Error> {
        self.common.check()?;
        within("--producers", self.producers, 1, PRODUCERS_MAX)?;
        within("--window", self.window, 1, WINDOW_MAX)?;
        let (least, most) = (PAYLOAD_MIN as u64, PAYLOAD_MAX as u64);
        within("--payload", self.payload as u64, least, most)
    }
}

/// The processes of a run.
struct Sides {
    producers: Child,
    /// The same with one enqueue in flight each, to queues of their own.
    single: Child,
    consumers: Child,
    engine: Child,
    disk: Child,
    /// Removed last.
    store: Lent,
}

/// Per second, slice by slice.
#[derive(Default)]
struct Measured {
    enqueues: Vec<f64>,
    dequeued: Vec<f64>,
    single: Vec<f64>,
    engine: Vec<f64>,
    disk: Vec<f64>,
    /// What the store's tables take.
    tables: Curve,
}

impl Sides {
    async fn start(options: &Options) -> Result<Self, Error> {
        let store = Lent::start(&options.store, Lending { unaudited: true, mortal: false }).await?;
        let shared = store.client();
        let apart: Vec<_> = options.apart.then(|| "--apart".to_owned()).into_iter().collect();
        let produce = |first: u64, window: u64| {
            let own = pass(&[
                ("first", &first),
                ("producers", &options.producers),
                ("window", &window),
                ("payload", &options.payload),
            ]);
            [shared.clone(), own, apart.clone()].concat()
        };
        let many = produce(0, options.window);
        let (producers, ()) = Child::start("drive-producers", &many).await?;
        let one = produce(options.producers, 1);
        let (single, ()) = Child::start("drive-producers", &one).await?;
        let all = pass(&[("producers", &(2 * options.producers)), ("payload", &options.payload)]);
        let consume = [shared.clone(), all, apart.clone()].concat();
        let (consumers, ()) = Child::start("drive-consumers", &consume).await?;
        let limit = |name: &str| {
            pass(&[
                ("path", &store.path(name)),
                ("what", &name),
                ("producers", &options.producers),
                ("payload", &options.payload),
            ])
        };
        let raw = [limit("engine"), store.engine()].concat();
        let (engine, ()) = Child::start("drive-engine", &raw).await?;
        let (disk, ()) = Child::start("drive-engine", &limit("disk")).await?;
        Ok(Self { producers, single, consumers, engine, disk, store })
    }

    /// One slice of each side, in turn.
    async fn slices(&mut self, measured: &mut Measured) -> Result<(), Error> {
        let Self { producers, single, consumers, engine, disk, .. } = self;
        let (enqueued, dequeued) = tokio::try_join!(slice(producers), slice(consumers))?;
        measured.enqueues.push(enqueued);
        measured.dequeued.push(dequeued);
        measured.engine.push(slice(engine).await?);
        // What is left from its slice is taken out within this one, and counted in none.
        measured.single.push(tokio::try_join!(slice(single), slice(consumers))?.0);
        measured.disk.push(slice(disk).await?);
        Ok(())
    }

    /// What was sent, and what came of it.
    async fn settle(&mut self) -> Result<(Produced, Counts), Error> {
        let mut produced: Produced = self.producers.ask(&Question::Report, SLICE).await?;
        let single: Produced = self.single.ask(&Question::Report, SLICE).await?;
        produced.sent += single.sent;
        let counts: Counts = self.consumers.ask(&Question::Settle, SLICE).await?;
        let sent = produced.sent;
        Ok((produced, Counts { sent, ..counts }))
    }
}

/// Runs the scenario.
pub(crate) async fn run(options: &Options) -> Result<ExitCode, Error> {
    options.check()?;
    let progress = options.common.progress(options.common.seconds);
    let mut sides = Sides::start(options).await?;
    // Warms up; it is counted as delivered, but not as measured.
    sides.slices(&mut Measured::default()).await?;
    let mut measured = Measured::default();
    let start = Instant::now();
    for _ in 0..options.common.seconds {
        sides.slices(&mut measured).await?;
        measured.tables.add(start.elapsed().as_secs_f64(), sides.store.tables().await?);
        let Measured { enqueues, engine, .. } = &mut measured;
        let (ours, limit) = (median(enqueues), median(engine));
        progress.set_message(format!("{ours:.0} enqueues/s, the engine {limit:.0}"));
        progress.inc(1);
    }
    progress.finish_and_clear();
    let (produced, counts) = sides.settle().await?;
    let store = sides.store.counts().await?;
    let report = report(options, &mut measured, &produced, &counts, &store);
    let printed = report.finish(&options.common).map_err(Error::io("printing the report"))?;
    options.plot.draw(&measured.tables, "load queue: what the tables of the store take")?;
    Ok(printed)
}

fn report(
    options: &Options,
    measured: &mut Measured,
    produced: &Produced,
    counts: &Counts,
    store: &StoreCounts,
) -> Report {
    let report = Report::new("queue", options.common.seconds, 0, options.producers);
    let mut report = report.on_store(options.store.name());
    report.add("window", options.window);
    report.add("payload", options.payload);
    report.add("rows", if options.apart { "apart" } else { "shared" });
    let enqueues = median(&mut measured.enqueues);
    let dequeued = median(&mut measured.dequeued);
    report.add_number("enqueues_per_s", enqueues);
    report.add_number("dequeued_per_s", dequeued);
    report.add_number("enqueues_per_s_window1", median(&mut measured.single));
    report.add_number("disk_limit", median(&mut measured.disk));
    // What goes in and does not come out is no throughput.
    report.add_ratio(enqueues.min(dequeued), median(&mut measured.engine));
    report.add_counts("", counts);
    report.add("loop", "closed");
    let mut enqueue = Latency::new();
    enqueue.add(&produced.enqueue);
    report.add_latency("service", &enqueue);
    measured.tables.add_to(&mut report, "tables");
    report.add("commits", store.commits);
    report.add("syncs", store.groups);
    report.add("refused_commits", store.refused);
    report
}
