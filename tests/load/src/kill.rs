//! `kill`: nodes and the store are killed and stopped, and links cut, at random, under crash-proof
//! play.

mod chaos;
mod failover;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::cluster::{self, Cluster, ClusterOptions, Shape};
use crate::curve::Curve;
use crate::error::Error;
use crate::options::{Common, within};

use chaos::Chaos;

/// How often a session sends of its own accord, in ms.
const OWN_MS: u64 = 200;

/// The longest soak, in hours: a week.
const HOURS_MAX: u64 = 7 * 24;

/// Check that crash-proof play loses nothing when nodes, the store and links fail at random
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,

    #[command(flatten)]
    cluster: ClusterOptions,

    /// Clients that play
    #[arg(long, default_value_t = 200)]
    clients: u64,

    /// Soak for so many hours instead of --seconds
    #[arg(long, conflicts_with = "seconds")]
    hours: Option<u64>,
}

impl Options {
    fn check(&self) -> Result<(), Error> {
        self.common.check()?;
        within("--hours", self.hours.unwrap_or(1), 1, HOURS_MAX)?;
        self.cluster.check(self.clients, true)
    }

    fn seconds(&self) -> u64 {
        self.hours.map_or(self.common.seconds, |hours| hours * 3_600)
    }
}

/// Runs the scenario.
pub(crate) async fn run(options: &Options) -> Result<ExitCode, Error> {
    options.check()?;
    let seconds = options.seconds();
    let progress = options.common.progress(seconds);
    progress.set_message("sessions begin");
    let shape = Shape {
        clients: options.clients,
        seed: options.common.seed,
        links: true,
        crash_proof: true,
        own_ms: OWN_MS,
        ..Shape::default()
    };
    let mut cluster = Cluster::start(&options.cluster, shape).await?;
    let chaos = Chaos::new(options.common.seed, Duration::from_secs(seconds));
    let (mut memory, mut disk) = (Curve::default(), Curve::default());
    let struck = chaos.run(&mut cluster, (&mut memory, &mut disk), &progress).await?;
    progress.set_message("everything sent arrives");
    let (roamed, _) = cluster.settle().await?;
    cluster.leave().await?;
    let store = cluster.store_counts().await?;
    progress.finish_and_clear();
    let mut report = cluster::report("kill", seconds, options.clients, &options.cluster);
    report.add("state", options.cluster.state);
    struck.add_to(&mut report);
    struck.add_failovers(&mut report, &roamed.went_over);
    report.add_latency("pause", &roamed.pause());
    report.add_zero("ended", roamed.ended_in_all());
    roamed.add_to(&mut report);
    memory.add_to(&mut report, "memory");
    disk.add_to(&mut report, "disk");
    report.add("commits", store.commits);
    report.add("refused_commits", store.refused);
    report.add("audited_changes", store.audited);
    report.add_zero("stale_accepted", store.stale_accepted);
    report.finish(&options.common).map_err(Error::io("printing the report"))
}
