//! `rolling --game`: bots play whole games while every node is restarted.

use std::process::ExitCode;
use std::time::Duration;

use super::{Game, Options, roll};
use crate::cluster::{self, Cluster, Lent, Member, Shape};
use crate::error::Error;
use crate::options::within;

/// Bots, unless told.
const BOTS: u64 = 40;

/// More bots than a machine's clients have processors for.
const BOTS_MAX: u64 = 1_000;

/// Runs the scenario.
pub(super) async fn run(options: &Options, game: Game) -> Result<ExitCode, Error> {
    let bots = options.clients.unwrap_or(BOTS);
    within("--clients", bots, 2, BOTS_MAX)?;
    // Bots play as they do, straight to the nodes.
    within("--faults", u64::from(options.faults), 0, 0)?;
    within("--hops", options.hops, 0, 0)?;
    options.cluster.check(bots, false)?;
    let shape = Shape { clients: bots, game: Some(game), ..Shape::default() };
    let mut cluster = Cluster::start(&options.cluster, shape).await?;
    let progress = options.common.progress(options.common.seconds);
    let lasting = Duration::from_secs(options.common.seconds);
    let roll =
        async |members: &mut [Member], _: &mut Lent| roll(lasting, members, None, &progress).await;
    let restarts = cluster.beside_hops(lasting, 0, roll).await?;
    progress.set_message("the last games come to their ends");
    let played = cluster.played().await?;
    cluster.leave().await?;
    let store = cluster.store_counts().await?;
    progress.finish_and_clear();
    let mut report = cluster::report("rolling", options.common.seconds, bots, &options.cluster);
    report.add("game", "omok");
    restarts.add_to(&mut report);
    played.add_to(&mut report);
    report.add("refused_commits", store.refused);
    report.add("audited_changes", store.audited);
    report.add_zero("stale_accepted", store.stale_accepted);
    report.finish(&options.common).map_err(Error::io("printing the report"))
}
