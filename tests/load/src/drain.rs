//! `drain`: a node with thousands of connected sessions is told to stop.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::cluster::{self, CLIENTS_MAX, Cluster, ClusterOptions, NODES, Shape};
use crate::error::Error;
use crate::latency::median;
use crate::options::{Common, SLICE, within};
use crate::parent::Question;
use crate::roles::store_client::Committed;

/// Commits under way at once of the limit.
const WINDOW: u64 = 256;

/// Slices of the limit: the first warms the store up, and is not measured.
const SLICES: usize = 4;

/// Clients that are told to come back are spread over as much as the node's default.
const SPREAD: Duration = Duration::from_secs(10);

/// Measure how fast a node empties itself
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,

    #[command(flatten)]
    cluster: ClusterOptions,

    /// Sessions, a third of them on the node that is drained
    #[arg(long, default_value_t = 9_000)]
    sessions: u64,
}

/// Runs the scenario.
pub(crate) async fn run(options: &Options) -> Result<ExitCode, Error> {
    options.common.check()?;
    within("--sessions", options.sessions, NODES, CLIENTS_MAX)?;
    options.cluster.check(options.sessions, false)?;
    let shape = Shape { clients: options.sessions, drain: Some((0, SPREAD)), ..Shape::default() };
    let progress = options.common.progress(options.common.seconds);
    progress.set_message("sessions begin");
    let mut cluster = Cluster::start(&options.cluster, shape).await?;
    progress.set_message("commits of the store alone");
    let limit = limit(&cluster).await?;
    for _ in 0..options.common.seconds {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let handled = cluster.roamed(Question::Report).await?.handled;
        progress.inc(1);
        progress.set_message(format!("{handled} messages to clients"));
    }
    progress.set_message("the drain");
    let before = cluster.members[0].counted().await?;
    let ended = cluster.members[0].stop().await?;
    progress.set_message("everything sent arrives");
    let (roamed, _) = cluster.settle().await?;
    cluster.leave().await?;
    let store = cluster.store_counts().await?;
    progress.finish_and_clear();
    let mut report =
        cluster::report("drain", options.common.seconds, options.sessions, &options.cluster);
    report.add("sessions", options.sessions);
    report.add("state", options.cluster.state);
    report.add("drained", before.sessions);
    report.add("parked", ended.said.parked);
    report.add("moved", ended.said.moved);
    report.add_zero("left", ended.said.left);
    report.add_zero("failed_stops", u64::from(!ended.success));
    let drain_s = ended.said.drained_us.saturating_sub(roamed.told_us) as f64 / 1e6;
    report.add("told", roamed.told);
    report.add_number("drain_s", drain_s);
    report.add_number("total_s", ended.took.as_secs_f64());
    report.add_latency("pause", &roamed.pause());
    let written = (ended.said.parked + ended.said.moved) as f64;
    report.add_ratio(written / drain_s.max(1e-3), limit);
    report.add_zero("ended", roamed.ended_in_all());
    roamed.add_to(&mut report);
    report.add("refused_commits", store.refused);
    report.add("audited_changes", store.audited);
    report.add_zero("stale_accepted", store.stale_accepted);
    report.finish(&options.common).map_err(Error::io("printing the report"))
}

/// Commits per second of the store alone, before anything is drained: the median of the slices.
async fn limit(cluster: &Cluster) -> Result<f64, Error> {
    let mut store = cluster.store_client(WINDOW).await?;
    let millis = u64::try_from(SLICE.as_millis()).unwrap_or(u64::MAX);
    let mut slices = Vec::new();
    for _ in 0..SLICES {
        let committed: Committed = store.ask(&Question::Slice { millis }, SLICE).await?;
        slices.push(committed.commits as f64 * 1e3 / committed.millis as f64);
    }
    Ok(median(&mut slices[1..]))
}
