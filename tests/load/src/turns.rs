//! `turns`: turns of crash-proof sessions, each of them a commit, against the same bytes put
//! straight into the engine.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;

use crate::child::{Child, slice};
use crate::cluster::{Lending, Lent, StoreOptions};
use crate::curve::{Curve, PlotOptions};
use crate::echo::{PAYLOAD_MIN, Slice, Totals};
use crate::error::Error;
use crate::latency::{Latency, median};
use crate::limits;
use crate::options::{Common, SLICE, pass, within};
use crate::parent::Question;
use crate::report::Report;
use crate::roles::hub::StoreCounts;
use crate::roles::member::Ready;
use crate::roles::saver::STATE;

/// Sessions of one run: as for `echo`, they stand still while the limits have their slices.
const SESSIONS_MAX: u64 = 2_000;
/// The link's window by default: more cannot be in flight.
const WINDOW_MAX: u64 = 256;
/// Slices between those of the limits and the measuring of the latency: what the limits have
/// written goes to the disk meanwhile, and is not ours.
const SETTLING: u32 = 2;
/// What a message has: its number, and the time it was sent.
const PAYLOAD: usize = PAYLOAD_MIN;

/// Measure turns per second of sessions that survive the death of their node
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,

    #[command(flatten)]
    store: StoreOptions,

    #[command(flatten)]
    plot: PlotOptions,

    /// Sessions, each with a client
    #[arg(long, default_value_t = 1_000)]
    sessions: u64,

    /// Messages in flight per session: one has its turn, the next is there when that ends. More of
    /// them share frames, which half of the rate, sent one by one, cannot
    #[arg(long, default_value_t = 2)]
    window: u64,
}

impl Options {
    fn check(&self) -> Result<(), Error> {
        self.common.check()?;
        within("--sessions", self.sessions, 1, SESSIONS_MAX)?;
        within("--window", self.window, 1, WINDOW_MAX)?;
        limits::check("the node and its clients", self.sessions, "--sessions")
    }
}

/// The processes of a run.
struct Sides {
    // Dropped first to last: the clients go before what they are connected to.
    clients: Child,
    _node: Child,
    engine: Child,
    disk: Child,
    /// Removed last.
    store: Lent,
}

/// Per second, slice by slice.
#[derive(Default)]
struct Measured {
    turns: Vec<f64>,
    engine: Vec<f64>,
    disk: Vec<f64>,
    /// Turns a second that were asked for, and that were answered, for the latency.
    paced: (u64, f64),
    /// What the store's tables take.
    tables: Curve,
}

impl Sides {
    async fn start(options: &Options) -> Result<Self, Error> {
        let store = Lent::start(&options.store, Lending { unaudited: true, mortal: false }).await?;
        let node = pass(&[
            ("number", &1),
            ("link", &"127.0.0.1:0"),
            ("store", &store.store_at()),
            ("secret-file", &store.secret_file()),
            ("workers", &1),
        ]);
        let (node, ready): (_, Ready) = Child::start("serve-member", &node).await?;
        let drive = pass(&[
            ("target", &ready.link),
            ("clients", &options.sessions),
            ("window", &options.window),
            ("payload", &PAYLOAD),
            ("threads", &1),
            ("seed", &options.common.seed),
        ]);
        let (clients, ()) = Child::start("drive-turns", &drive).await?;
        let limit = |name: &str| {
            let (what, sessions) = (name, options.sessions);
            pass(&[
                ("path", &store.path(name)),
                ("what", &what),
                ("sessions", &sessions),
                ("payload", &STATE),
            ])
        };
        let raw = [limit("engine"), store.engine()].concat();
        let (engine, ()) = Child::start("drive-engine", &raw).await?;
        let (disk, ()) = Child::start("drive-engine", &limit("disk")).await?;
        Ok(Self { clients, _node: node, engine, disk, store })
    }

    /// One slice of each side, in turn.
    async fn slices(&mut self, measured: &mut Measured) -> Result<(), Error> {
        measured.turns.push(slice(&mut self.clients).await?);
        measured.engine.push(slice(&mut self.engine).await?);
        measured.disk.push(slice(&mut self.disk).await?);
        Ok(())
    }

    /// Half of the rate that was reached, whatever is answered when; how many were answered.
    async fn pace(&mut self, per_s: u64, lasting: Duration) -> Result<f64, Error> {
        let millis = u64::try_from(lasting.as_millis()).unwrap_or(u64::MAX);
        let question = Question::Pace { millis, per_s };
        let slice: Slice = self.clients.ask(&question, lasting).await?;
        Ok(slice.handled as f64 * 1e3 / slice.millis as f64)
    }
}

/// Runs the scenario.
pub(crate) async fn run(options: &Options) -> Result<ExitCode, Error> {
    options.check()?;
    let seconds = options.common.seconds;
    let progress = options.common.progress(seconds);
    let mut sides = Sides::start(options).await?;
    // Warms up; it is counted as delivered, but not as measured.
    sides.slices(&mut Measured::default()).await?;
    let mut measured = Measured::default();
    let start = Instant::now();
    for _ in 0..seconds.div_ceil(2) {
        sides.slices(&mut measured).await?;
        measured.tables.add(start.elapsed().as_secs_f64(), sides.store.tables().await?);
        let Measured { turns, engine, .. } = &mut measured;
        let (ours, limit) = (median(turns), median(engine));
        progress.set_message(format!("{ours:.0} turns/s, the engine {limit:.0}"));
        progress.inc(1);
    }
    for _ in 0..SETTLING {
        slice(&mut sides.clients).await?;
    }
    let half = (median(&mut measured.turns) / 2.0).max(1.0) as u64;
    progress.set_message(format!("{half} turns/s, for the latency"));
    let lasting = SLICE * u32::try_from((seconds / 2).max(1)).unwrap_or(u32::MAX);
    measured.paced = (half, sides.pace(half, lasting).await?);
    progress.finish_and_clear();
    let totals: Totals = sides.clients.ask(&Question::Report, SLICE).await?;
    let store = sides.store.counts().await?;
    let report = report(options, &mut measured, &totals, &store);
    let printed = report.finish(&options.common).map_err(Error::io("printing the report"))?;
    options.plot.draw(&measured.tables, "load turns: what the tables of the store take")?;
    Ok(printed)
}

fn report(
    options: &Options,
    measured: &mut Measured,
    totals: &Totals,
    store: &StoreCounts,
) -> Report {
    let report = Report::new("turns", options.common.seconds, 1, options.sessions);
    let mut report = report.on_store(options.store.name());
    report.add("sessions", options.sessions);
    report.add("window", options.window);
    report.add("state", STATE);
    let turns = median(&mut measured.turns);
    report.add_number("turns_per_s", turns);
    report.add_number("disk_limit", median(&mut measured.disk));
    report.add_ratio(turns, median(&mut measured.engine));
    report.add_counts("", &totals.counts);
    let (mut service, mut paced) = (Latency::new(), Latency::new());
    service.add(&totals.service);
    paced.add(&totals.paced);
    report.add_latency("service", &service);
    // Open loop: from the time at which each message was to be sent.
    report.add("rate", measured.paced.0);
    report.add_number("paced_per_s", measured.paced.1);
    report.add_latency("turn", &paced);
    measured.tables.add_to(&mut report, "tables");
    report.add("commits", store.commits);
    report.add("syncs", store.groups);
    report.add("refused_commits", store.refused);
    report
}
