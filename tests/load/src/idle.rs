//! `idle`: memory of a node for each session that only heartbeats, against bare sockets.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};

use crate::child::Child;
use crate::cluster::OptionalStore;
use crate::error::Error;
use crate::limits;
use crate::options::{Common, pass, within};
use crate::parent::Question;
use crate::report::{Report, cores};
use crate::roles::node::{self, Address};

/// Sessions of one run: the node and the clients have 20,000 open files each.
const SESSIONS_MAX: u64 = 19_000;

/// Memory is looked at after each tick.
const TICK: Duration = Duration::from_secs(1);

/// Measure a node's memory for each idle session
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,

    #[command(flatten)]
    store: OptionalStore,

    /// Sessions that are opened and only heartbeat
    #[arg(long, default_value_t = 9_000)]
    sessions: u64,

    /// Use WebSockets; the bare sockets stay on TCP
    #[arg(long)]
    ws: bool,
}

/// What became of idle clients.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Idlers {
    /// Ended for good.
    pub(crate) ended: u64,
    /// Came back after a break.
    pub(crate) repairs: u64,
}

/// Memory and what became of the clients.
struct Measured {
    bytes_each: f64,
    idlers: Idlers,
}

/// Runs the scenario.
pub(crate) async fn run(options: &Options) -> Result<ExitCode, Error> {
    options.common.check()?;
    within("--sessions", options.sessions, 1, SESSIONS_MAX)?;
    limits::check("each node and its clients", options.sessions, "--sessions")?;
    let progress = options.common.progress(2 * options.common.seconds);
    let threads = (cores() / 2).max(1);
    let bare = async {
        let (server, address): (_, String) =
            Child::start("serve-bare", &pass(&[("threads", &threads)])).await?;
        measure(options, &progress, server, "drive-bare-idle", &address).await
    };
    let bare = bare.await?;
    let store = options.store.start().await?;
    let node = node::Options::arguments(threads, store.as_ref());
    let (node, address): (_, Address) = Child::start("serve-node", &node).await?;
    let ours = measure(options, &progress, node, "drive-idle", address.of(options.ws)).await?;
    progress.finish_and_clear();
    let mut report = Report::new("idle", options.common.seconds, 1, options.sessions)
        .on_store(options.store.name());
    report.add("transport", if options.ws { "ws" } else { "tcp" });
    report.add("threads", threads);
    report.add("sessions", options.sessions);
    report.add_number("bytes_per_session", ours.bytes_each);
    report.add_number("bare_bytes", bare.bytes_each);
    report.add_number("beyond_bare", ours.bytes_each - bare.bytes_each);
    report.add_ratio(ours.bytes_each, bare.bytes_each);
    report.add_zero("ended", ours.idlers.ended);
    report.add_zero("repairs", ours.idlers.repairs);
    report.add_zero("bare_ended", bare.idlers.ended);
    report.finish(&options.common).map_err(Error::io("printing the report"))
}

/// The growth of a server's resident memory with its clients, who stay for the measured time first.
async fn measure(
    options: &Options,
    progress: &ProgressBar,
    server: Child,
    role: &'static str,
    target: &str,
) -> Result<Measured, Error> {
    let before = server.resident_bytes()?;
    progress.set_message(format!("{role}: connecting"));
    let sessions = options.sessions;
    let drive = pass(&[("target", &target), ("sessions", &sessions)]);
    let (mut clients, ()) = Child::start(role, &drive).await?;
    let mut each = 0.0;
    for _ in 0..options.common.seconds {
        tokio::time::sleep(TICK).await;
        each = (server.resident_bytes()? as f64 - before as f64) / sessions as f64;
        progress.set_message(format!("{role}: {each:.0} bytes each"));
        progress.inc(1);
    }
    let idlers = clients.ask(&Question::Report, TICK).await?;
    Ok(Measured { bytes_each: each, idlers })
}
