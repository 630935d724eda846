//! `storm`: all connections of one node are reset at once, and it refuses new ones; or it is
//! killed.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::Args;

use crate::cluster::{self, CLIENTS_MAX, Cluster, ClusterOptions, NODES, Shape};
use crate::error::Error;
use crate::latency::Latency;
use crate::options::{Common, within};
use crate::parent::Question;
use crate::roles::proxy::micros;

/// How long its sessions may take to come back.
const BACK_MAX: Duration = Duration::from_secs(60);

/// How often is looked who is back.
const TICK: Duration = Duration::from_millis(200);

/// Measure how soon the sessions of a node are back when all its connections break at once
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,

    #[command(flatten)]
    cluster: ClusterOptions,

    /// Sessions, a third of them on the node that is hit
    #[arg(long, default_value_t = 9_000)]
    sessions: u64,

    /// Kill the node; the sessions are crash-proof
    #[arg(long)]
    kill: bool,
}

/// Runs the scenario.
pub(crate) async fn run(options: &Options) -> Result<ExitCode, Error> {
    options.common.check()?;
    within("--sessions", options.sessions, NODES, CLIENTS_MAX)?;
    options.cluster.check(options.sessions, false)?;
    let (gate, crash_proof) = (!options.kill, options.kill);
    let shape = Shape { clients: options.sessions, gate, crash_proof, ..Shape::default() };
    let progress = options.common.progress(options.common.seconds);
    progress.set_message("sessions begin");
    let mut cluster = Cluster::start(&options.cluster, shape).await?;
    for _ in 0..options.common.seconds {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let handled = cluster.roamed(Question::Report).await?.handled;
        progress.inc(1);
        progress.set_message(format!("{handled} messages to clients"));
    }
    let hit = cluster.members[0].counted().await?.sessions as u64;
    // Connections may break by themselves, and sessions go to other nodes, before the storm.
    let before = cluster.roamed(Question::Report).await?.answers;
    let start = SystemTime::now();
    if options.kill {
        cluster.members[0].kill().await?;
    } else {
        cluster.close_gate().await?;
    }
    progress.set_message("the storm");
    let deadline = tokio::time::Instant::now() + BACK_MAX;
    while tokio::time::Instant::now() < deadline {
        let roamed = cluster.roamed(Question::Report).await?;
        if roamed.answers - before + roamed.ended_in_all() >= hit {
            break;
        }
        tokio::time::sleep(TICK).await;
    }
    let (roamed, _) = cluster.settle().await?;
    cluster.leave().await?;
    let store = cluster.store_counts().await?;
    progress.finish_and_clear();
    let since = micros(start);
    let mut back = Latency::new();
    let mut count = 0;
    for &at in roamed.answered_us.iter().filter(|&&at| at >= since) {
        back.record(Duration::from_micros(at - since));
        count += 1;
    }
    let mut report =
        cluster::report("storm", options.common.seconds, options.sessions, &options.cluster);
    report.add("sessions", options.sessions);
    report.add("hit", hit);
    report.add("back", count);
    report.add_zero("not_back", hit.saturating_sub(count));
    report.add_latency("back", &back);
    report.add_zero("ended", roamed.ended_in_all());
    roamed.add_to(&mut report);
    report.add("refused_commits", store.refused);
    report.add("audited_changes", store.audited);
    report.add_zero("stale_accepted", store.stale_accepted);
    report.finish(&options.common).map_err(Error::io("printing the report"))
}
