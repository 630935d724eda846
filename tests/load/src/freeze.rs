//! `freeze`: a node is stopped (SIGSTOP) for longer than its lease, under play, and continued.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::ProgressBar;

use crate::cluster::{self, Cluster, ClusterOptions, Lent, Member, Shape};
use crate::error::Error;
use crate::options::{Common, within};
use crate::roam::snake;

/// How often a session sends of its own accord, in ms.
const OWN_MS: u64 = 200;

/// How long a node stands still: its term of 3 s, and long enough for the others to notice.
const FROZEN: Duration = Duration::from_secs(6);

/// Play between two of them.
const REST: Duration = Duration::from_secs(2);

/// How a session ends whose owner is lost.
const LOST: &str = "Lost";

/// Check that a node that was frozen beyond its lease writes nothing, and no session has a gap
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,

    #[command(flatten)]
    cluster: ClusterOptions,

    /// Clients that play
    #[arg(long, default_value_t = 200)]
    clients: u64,

    /// Hops to other nodes per second, beside
    #[arg(long, default_value_t = 0)]
    hops: u64,
}

/// Runs the scenario.
pub(crate) async fn run(options: &Options) -> Result<ExitCode, Error> {
    options.common.check()?;
    options.cluster.check(options.clients, false)?;
    within("--hops", options.hops, 0, cluster::RATE_MAX)?;
    let own_ms = OWN_MS;
    let shape = Shape { clients: options.clients, own_ms, rejoin: true, ..Shape::default() };
    let mut cluster = Cluster::start(&options.cluster, shape).await?;
    let progress = options.common.progress(options.common.seconds);
    let lasting = Duration::from_secs(options.common.seconds);
    let freeze =
        async |members: &mut [Member], _: &mut Lent| freeze(lasting, members, &progress).await;
    let stops = cluster.beside_hops(lasting, options.hops, freeze).await?;
    progress.set_message("everything sent arrives");
    let (roamed, _) = cluster.settle().await?;
    let mut here = BTreeMap::<String, u64>::new();
    for member in &mut cluster.members {
        for (reason, count) in member.counted().await?.ended {
            *here.entry(reason).or_default() += count;
        }
    }
    cluster.leave().await?;
    let store = cluster.store_counts().await?;
    progress.finish_and_clear();
    let otherwise = |ended: &BTreeMap<String, u64>| {
        ended.iter().filter(|(reason, _)| *reason != LOST).map(|(_, count)| count).sum::<u64>()
    };
    let mut report =
        cluster::report("freeze", options.common.seconds, options.clients, &options.cluster);
    report.add("stops", stops);
    report.add("ended", roamed.ended_in_all());
    report.add_zero("ended_otherwise", otherwise(&roamed.ended) + otherwise(&here));
    // Both sides of each session say the same.
    let told = roamed.ended.values().sum::<u64>();
    report.add_zero("ended_unequal", told.abs_diff(here.values().sum()));
    for (reason, count) in &here {
        report.add(format!("nodes_ended_{}", snake(reason)), *count);
    }
    report.add("hops", roamed.hops);
    report.add_latency("pause", &roamed.pause());
    report.add("refused_commits", store.refused);
    report.add("audited_changes", store.audited);
    report.add_zero("stale_accepted", store.stale_accepted);
    roamed.add_to(&mut report);
    report.finish(&options.common).map_err(Error::io("printing the report"))
}

/// Freezes one node after the other until the time is over; at least one.
async fn freeze(
    lasting: Duration,
    members: &[Member],
    progress: &ProgressBar,
) -> Result<usize, Error> {
    let start = Instant::now();
    let mut stops = 0;
    while stops == 0 || start.elapsed() < lasting {
        tokio::time::sleep(REST).await;
        members[stops % members.len()].freeze(FROZEN).await?;
        stops += 1;
        progress.set_position(start.elapsed().as_secs());
        progress.set_message(format!("{stops} stops"));
    }
    Ok(stops)
}
