//! `handover`: clients hop from node to node, and their sessions with them.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::child::Child;
use crate::cluster::{self, Cluster, ClusterOptions, NODES, Shape};
use crate::error::Error;
use crate::latency::{Latency, median};
use crate::options::{Common, SLICE, within};
use crate::parent::Question;
use crate::report::Report;
use crate::roles::store_client::Committed;

/// Clients, unless told: each hops after 400 ms at the default rate.
const CLIENTS: u64 = 1_000;
/// With a proxy in between: each has a port at each node's proxy.
const CLIENTS_FAULTS: u64 = 200;

/// Hops per second, unless told.
const RATE: u64 = 2_500;
/// With a proxy in between, which takes more of the machine than the nodes do.
const RATE_FAULTS: u64 = 300;

/// How often a session sends of its own accord with `--faults`, in ms: so that messages are on
/// their way to a client whatever it does.
const OWN_MS: u64 = 100;

/// Seconds of hops between two slices of the limit.
const CHUNK: u64 = 5;

/// Measure handovers per second, and how long each keeps its player waiting
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,

    #[command(flatten)]
    cluster: ClusterOptions,

    /// Clients that hop; 1,000 by default, 200 with --faults
    #[arg(long)]
    clients: Option<u64>,

    /// Hops per second, whether those before are answered or not; 2,500, with --faults 300
    #[arg(long)]
    rate: Option<u64>,

    /// As many as go: a client hops again once it is answered
    #[arg(long, conflicts_with = "rate")]
    max: bool,

    /// Clients that are on their way at once with --max; commits under way of the limit
    #[arg(long, default_value_t = 256)]
    at_once: u64,

    /// Break connections between clients and nodes; for the counters alone
    #[arg(long)]
    faults: bool,
}

impl Options {
    fn clients(&self) -> u64 {
        self.clients.unwrap_or(if self.faults { CLIENTS_FAULTS } else { CLIENTS })
    }

    fn rate(&self) -> u64 {
        let rate = self.rate.unwrap_or(if self.faults { RATE_FAULTS } else { RATE });
        if self.max { 0 } else { rate }
    }

    fn check(&self) -> Result<(), Error> {
        self.common.check()?;
        self.cluster.check(self.clients(), self.faults)?;
        within("--at-once", self.at_once, 1, cluster::CLIENTS_MAX)?;
        within("--rate", self.rate.unwrap_or(RATE), 1, cluster::RATE_MAX)
    }
}

/// What was measured.
struct Measured {
    /// Hops answered in time.
    handled: u64,
    /// Commits per second, slice by slice.
    commits: Vec<f64>,
    trip: Latency,
}

/// Runs the scenario.
pub(crate) async fn run(options: &Options) -> Result<ExitCode, Error> {
    options.check()?;
    let shape = Shape {
        clients: options.clients(),
        seed: options.common.seed,
        faults: options.faults,
        own_ms: if options.faults { OWN_MS } else { 0 },
        unaudited: options.max && !options.faults,
        ..Shape::default()
    };
    let mut cluster = Cluster::start(&options.cluster, shape).await?;
    let mut measured = measure(options, &mut cluster).await?;
    let (roamed, faulted) = cluster.settle().await?;
    cluster.leave().await?;
    let store = cluster.store_counts().await?;
    let mut report =
        cluster::report("handover", options.common.seconds, options.clients(), &options.cluster);
    report.add("loop", if options.max { "closed" } else { "open" });
    report.add("rate", options.rate());
    report.add("state", options.cluster.state);
    report.add("handovers", roamed.hops);
    let per_s = measured.handled as f64 / options.common.seconds as f64;
    report.add_number("handovers_per_s", per_s);
    report.add_latency("pause", &roamed.pause());
    add_limit(&mut report, per_s, &mut measured);
    report.add("cuts", faulted.breaks);
    report.add("hops_missed", roamed.hops_missed);
    report.add_zero("ended", roamed.ended_in_all());
    roamed.add_to(&mut report);
    report.add("commits", store.commits);
    report.add("syncs", store.groups);
    report.add("refused_commits", store.refused);
    report.add("audited_changes", store.audited);
    report.add_zero("stale_accepted", store.stale_accepted);
    report.finish(&options.common).map_err(Error::io("printing the report"))
}

fn add_limit(report: &mut Report, per_s: f64, measured: &mut Measured) {
    if measured.commits.is_empty() {
        return;
    }
    report.add_ratio(per_s, median(&mut measured.commits));
    report.add_latency("limit_trip", &measured.trip);
}

async fn measure(options: &Options, cluster: &mut Cluster) -> Result<Measured, Error> {
    let seconds = options.common.seconds;
    let progress = options.common.progress(seconds);
    let mut measured = Measured { handled: 0, commits: Vec::new(), trip: Latency::new() };
    let mut store = cluster.store_client(options.at_once).await?;
    if !options.faults {
        // Warms the store up, and is not measured.
        commit(&mut store).await?;
    }
    let mut done = 0;
    while done < seconds {
        let chunk = CHUNK.min(seconds - done);
        let lasting = Duration::from_secs(chunk);
        let handled = cluster.hop(lasting, options.rate(), options.at_once).await?;
        measured.handled += handled;
        if !options.faults {
            let committed = commit(&mut store).await?;
            measured.commits.push(committed.commits as f64 * 1e3 / committed.millis as f64);
            measured.trip = Latency::new();
            measured.trip.add(&committed.trip);
        }
        done += chunk;
        progress.inc(chunk);
        progress.set_message(format!("{} handovers/s between {NODES} nodes", handled / chunk));
    }
    progress.finish_and_clear();
    Ok(measured)
}

async fn commit(store: &mut Child) -> Result<Committed, Error> {
    let millis = u64::try_from(SLICE.as_millis()).unwrap_or(u64::MAX);
    store.ask(&Question::Slice { millis }, SLICE).await
}
