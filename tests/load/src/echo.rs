//! `echo`: messages per second through one node, against a bare echo.

use std::process::ExitCode;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::child::{Child, slice};
use crate::cluster::{Lent, OptionalStore};
use crate::error::Error;
use crate::latency::{Latency, Recorded, median};
use crate::limits;
use crate::numbers::Counts;
use crate::options::{Common, SLICE, pass, within};
use crate::parent::Question;
use crate::report::{Report, cores};
use crate::roles::node::{self, Address};

/// A payload starts with its number and the time it was sent, 8 bytes each.
pub(crate) const PAYLOAD_MIN: usize = 16;

/// The largest payload a node takes by default: its frame limit less the header of a message.
pub(crate) const PAYLOAD_MAX: usize = 65_536 - 17;

/// The link's window by default: more cannot be in flight.
const WINDOW_MAX: u64 = 256;

/// Clients of one run. They stand still while they connect one after the other, while the other
/// side has its slice, and while the last answers come; with more of them that would last longer
/// than two heartbeats, and the node would take their connections for half-open.
const CLIENTS_MAX: u64 = 2_000;

/// Threads of each process.
const THREADS_MAX: u64 = 64;

/// Measure messages per second of a reliable echo
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,

    #[command(flatten)]
    store: OptionalStore,

    /// Clients, each with a connection of its own
    #[arg(long, default_value_t = 100)]
    clients: u64,

    /// Messages in flight per client
    #[arg(long, default_value_t = 64)]
    window: u64,

    /// Bytes of each message
    #[arg(long, default_value_t = 64)]
    payload: usize,

    /// Use WebSockets; the bare echo stays on TCP
    #[arg(long)]
    ws: bool,

    /// Threads of each process; half of the cores by default
    #[arg(long)]
    threads: Option<u64>,
}

/// What the clients did in one slice.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Slice {
    pub(crate) millis: u64,
    /// Answers handled within it.
    pub(crate) handled: u64,
}

/// What the clients did in all slices.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Totals {
    pub(crate) counts: Counts,
    pub(crate) service: Recorded,
    /// From the times that were meant, of those that were sent at a pace.
    pub(crate) paced: Recorded,
}

impl Totals {
    pub(crate) fn add(&mut self, other: &Self) {
        self.service = Latency::sum(&self.service, &other.service);
        self.paced = Latency::sum(&self.paced, &other.paced);
        self.counts += other.counts;
    }
}

/// A server and its clients.
struct Side {
    // Dropped after the clients, so that these do not see their server go.
    clients: Child,
    _server: Child,
    /// Removed last.
    _store: Option<Lent>,
}

impl Side {
    async fn slice(&mut self) -> Result<f64, Error> {
        slice(&mut self.clients).await
    }

    async fn totals(&mut self) -> Result<Totals, Error> {
        self.clients.ask(&Question::Report, SLICE).await
    }
}

impl Options {
    fn threads(&self) -> u64 {
        self.threads.unwrap_or_else(|| (cores() / 2).max(1))
    }

    fn check(&self) -> Result<(), Error> {
        self.common.check()?;
        within("--clients", self.clients, 1, CLIENTS_MAX)?;
        within("--window", self.window, 1, WINDOW_MAX)?;
        let (least, most) = (PAYLOAD_MIN as u64, PAYLOAD_MAX as u64);
        within("--payload", self.payload as u64, least, most)?;
        within("--threads", self.threads(), 1, THREADS_MAX)?;
        limits::check("each node and its clients", self.clients, "--clients")
    }

    fn drive(&self, target: &str) -> Vec<String> {
        pass(&[
            ("target", &target),
            ("clients", &self.clients),
            ("window", &self.window),
            ("payload", &self.payload),
            ("threads", &self.threads()),
            ("seed", &self.common.seed),
        ])
    }

    async fn ours(&self) -> Result<Side, Error> {
        let threads = self.threads();
        let store = self.store.start().await?;
        let node = node::Options::arguments(threads, store.as_ref());
        let (server, address): (_, Address) = Child::start("serve-node", &node).await?;
        let options = self.drive(address.of(self.ws));
        let (clients, ()) = Child::start("drive-echo", &options).await?;
        Ok(Side { clients, _server: server, _store: store })
    }

    async fn bare(&self) -> Result<Side, Error> {
        let threads = self.threads();
        let (server, address): (_, String) =
            Child::start("serve-bare", &pass(&[("threads", &threads)])).await?;
        let (clients, ()) = Child::start("drive-bare", &self.drive(&address)).await?;
        Ok(Side { clients, _server: server, _store: None })
    }
}

/// Runs the scenario.
pub(crate) async fn run(options: &Options) -> Result<ExitCode, Error> {
    options.check()?;
    let progress = options.common.progress(options.common.seconds);
    let (mut ours, mut bare) = (options.ours().await?, options.bare().await?);
    // One slice each to warm up: caches, allocators and the clocks of the cores. It is counted as
    // delivered, but not as measured.
    ours.slice().await?;
    bare.slice().await?;
    let (mut values, mut limits) = (Vec::new(), Vec::new());
    for _ in 0..options.common.seconds {
        values.push(ours.slice().await?);
        limits.push(bare.slice().await?);
        progress.set_message(format!(
            "{:.0} messages/s, bare {:.0}",
            median(&mut values),
            median(&mut limits)
        ));
        progress.inc(1);
    }
    progress.finish_and_clear();
    let totals = ours.totals().await?;
    let limit_totals = bare.totals().await?;
    let report = report(options, &totals, &limit_totals, [&mut values, &mut limits]);
    report.finish(&options.common).map_err(Error::io("printing the report"))
}

fn report(
    options: &Options,
    totals: &Totals,
    limit_totals: &Totals,
    [values, limits]: [&mut [f64]; 2],
) -> Report {
    let mut service = Latency::new();
    service.add(&totals.service);
    let mut limit_service = Latency::new();
    limit_service.add(&limit_totals.service);
    let value = median(values);
    let mut report = Report::new("echo", options.common.seconds, 1, options.clients)
        .on_store(options.store.name());
    report.add("transport", if options.ws { "ws" } else { "tcp" });
    report.add("threads", options.threads());
    report.add("window", options.window);
    report.add("payload", options.payload);
    report.add_number("messages_per_s", value);
    report.add_ratio(value, median(limits));
    report.add_counts("", &totals.counts);
    report.add_counts("limit_", &limit_totals.counts);
    report.add("loop", "closed");
    report.add_latency("service", &service);
    report.add_latency("limit_service", &limit_service);
    report
}
