//! `rolling`: every node is restarted in turn, again and again, under play.

mod games;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use indicatif::ProgressBar;

use crate::cluster::{self, Cluster, ClusterOptions, Lent, Member, Shape};
use crate::error::Error;
use crate::options::{Common, within};
use crate::report::Report;

/// How often a session sends of its own accord, in ms.
const OWN_MS: u64 = 200;

/// Clients, unless told.
const CLIENTS: u64 = 200;

/// Restarts between two failovers of the database.
const FAILOVER_EVERY: usize = 3;

/// Play between two restarts.
const REST: Duration = Duration::from_millis(500);

/// Check that a rolling update loses nothing
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,

    #[command(flatten)]
    cluster: ClusterOptions,

    /// Clients that play: 200 of them, or 40 bots of a game
    #[arg(long)]
    clients: Option<u64>,

    /// Let bots play whole games, and check each, instead of numbered messages
    #[arg(long, value_enum)]
    game: Option<Game>,

    /// Break connections between clients and nodes, too; with PostgreSQL its primary is killed now
    /// and then, and a standby takes over
    #[arg(long)]
    faults: bool,

    /// Hops to other nodes per second, beside
    #[arg(long, default_value_t = 0)]
    hops: u64,
}

/// A game that the nodes of a run serve.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Game {
    /// Five in a row: matches and the lobby are VActors
    Omok,
}

/// What became of the nodes that were restarted.
#[derive(Clone, Copy, Debug, Default)]
struct Restarts {
    done: u64,
    /// Sessions and VActors that went to other nodes, and to the store.
    moved: u64,
    parked: u64,
    /// Those that a node named as left.
    left: u64,
    /// Exit statuses other than 0.
    failed: u64,
    longest: Duration,
    /// Times that the store's primary was killed and another took over.
    failovers: u64,
}

impl Options {
    /// Whether the database fails over among the restarts.
    fn fails_over(&self) -> bool {
        self.faults && self.cluster.store.is_postgres()
    }
}

/// Runs the scenario.
pub(crate) async fn run(options: &Options) -> Result<ExitCode, Error> {
    options.common.check()?;
    if let Some(game) = options.game {
        return games::run(options, game).await;
    }
    let clients = options.clients.unwrap_or(CLIENTS);
    options.cluster.check(clients, options.faults)?;
    within("--hops", options.hops, 0, cluster::RATE_MAX)?;
    let shape = Shape {
        clients,
        seed: options.common.seed,
        faults: options.faults,
        own_ms: OWN_MS,
        mortal: options.fails_over(),
        ..Shape::default()
    };
    let mut cluster = Cluster::start(&options.cluster, shape).await?;
    let progress = options.common.progress(options.common.seconds);
    let start = Instant::now();
    let lasting = Duration::from_secs(options.common.seconds);
    let roll = async |members: &mut [Member], store: &mut Lent| {
        roll(lasting, members, options.fails_over().then_some(store), &progress).await
    };
    let restarts = cluster.beside_hops(lasting, options.hops, roll).await?;
    let took = start.elapsed();
    progress.set_message("everything sent arrives");
    let (roamed, faulted) = cluster.settle().await?;
    cluster.leave().await?;
    let store = cluster.store_counts().await?;
    progress.finish_and_clear();
    let mut report = cluster::report("rolling", options.common.seconds, clients, &options.cluster);
    restarts.add_to(&mut report);
    report.add("handovers", roamed.moves);
    report.add_number("handovers_per_s", roamed.moves as f64 / took.as_secs_f64());
    report.add("hops", roamed.hops);
    report.add_latency("pause", &roamed.pause());
    report.add("cuts", faulted.breaks);
    report.add_zero("ended", roamed.ended_in_all());
    roamed.add_to(&mut report);
    report.add("refused_commits", store.refused);
    report.add("audited_changes", store.audited);
    report.add_zero("stale_accepted", store.stale_accepted);
    report.finish(&options.common).map_err(Error::io("printing the report"))
}

impl Restarts {
    fn add_to(&self, report: &mut Report) {
        report.add("restarts", self.done);
        report.add("restarts_moved", self.moved);
        report.add("restarts_parked", self.parked);
        report.add_zero("left", self.left);
        report.add_zero("failed_stops", self.failed);
        report.add_number("stop_max_s", self.longest.as_secs_f64());
        report.add("store_kills", self.failovers);
    }
}

/// Restarts one node after the other until the time is over; each at least once.
async fn roll(
    lasting: Duration,
    members: &mut [Member],
    mut store: Option<&mut Lent>,
    progress: &ProgressBar,
) -> Result<Restarts, Error> {
    let start = Instant::now();
    let mut restarts = Restarts::default();
    let mut turn = 0;
    while start.elapsed() < lasting || turn < members.len() {
        tokio::time::sleep(REST).await;
        let nodes = members.len();
        let member = &mut members[turn % nodes];
        let ended = member.stop().await?;
        if !ended.success {
            eprintln!("load: node {}: {:?} at its end", member.number(), ended.said);
        }
        member.start_again().await?;
        restarts.done += 1;
        restarts.moved += ended.said.moved;
        restarts.parked += ended.said.parked;
        restarts.left += ended.said.left;
        restarts.failed += u64::from(!ended.success);
        restarts.longest = restarts.longest.max(ended.took);
        turn += 1;
        if let Some(store) = store.as_mut().filter(|_| turn.is_multiple_of(FAILOVER_EVERY)) {
            store.kill().await?;
            store.start_again().await?;
            restarts.failovers += 1;
        }
        progress.set_position(start.elapsed().as_secs());
        progress.set_message(format!("{turn} restarts"));
    }
    Ok(restarts)
}
