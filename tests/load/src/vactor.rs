//! `vactor`: asks within a node and between nodes, and VActors that begin.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Deserialize;

use crate::child::{Child, slice};
use crate::cluster::{Lending, Lent, StoreOptions};
use crate::echo::Totals;
use crate::error::Error;
use crate::latency::{Latency, median};
use crate::options::{Common, SLICE, pass, within};
use crate::parent::Question;
use crate::report::Report;

/// A VActor's mailbox by default: with more in flight, asks would be told `Overloaded`.
const WINDOW_MAX: u64 = 1_024;

/// Bytes of each frame of the bare echo: about what an ask has between nodes.
const FRAME_BYTES: u64 = 64;

/// Measure asks of VActors per second, or how many begin
#[derive(Clone, Debug, Args)]
#[command(group(clap::ArgGroup::new("what").required(true)))]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,

    /// Ask a VActor of the same node
    #[arg(long, group = "what")]
    local: bool,

    /// Ask a VActor of another node
    #[arg(long, group = "what")]
    remote: bool,

    /// Ask VActors that have to begin
    #[arg(long, group = "what")]
    activate: bool,

    /// Asks in flight
    #[arg(long, default_value_t = 256)]
    window: u64,

    /// What of a VActor survives a crash
    #[arg(long, value_enum, default_value = "on-swap-out")]
    durability: Survives,

    #[command(flatten)]
    store: StoreOptions,
}

/// What of a VActor survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Survives {
    /// What it was when it was swapped out
    OnSwapOut,
    /// Every turn
    EveryTurn,
}

/// The processes of one side; the first one asks.
struct Side {
    // Dropped first to last.
    asker: Child,
    _others: Vec<Child>,
    store: Option<Lent>,
}

impl Side {
    const fn of(asker: Child) -> Self {
        Self { asker, _others: Vec::new(), store: None }
    }

    async fn slice(&mut self) -> Result<f64, Error> {
        slice(&mut self.asker).await
    }

    async fn totals(&mut self) -> Result<Totals, Error> {
        self.asker.ask(&Question::Report, SLICE).await
    }
}

impl Options {
    fn check(&self) -> Result<(), Error> {
        self.common.check()?;
        within("--window", self.window, 1, WINDOW_MAX)
    }

    fn asks(&self) -> Vec<String> {
        let mut options = pass(&[("window", &self.window)]);
        options.extend(self.activate.then(|| "--new".to_owned()));
        let is_durable = self.durability == Survives::EveryTurn;
        options.extend(is_durable.then(|| "--every-turn".to_owned()));
        options
    }

    async fn ours(&self, folder: &Path) -> Result<Side, Error> {
        if !self.remote && !self.store.is_postgres() {
            let at = format!("sled:{}", folder.join("sled").display());
            let options = [pass(&[("store", &at)]), self.asks()].concat();
            let (asker, ()) = start("drive-vactors", options).await?;
            return Ok(Side::of(asker));
        }
        let lending = Lending { unaudited: !self.remote, mortal: false };
        let lent = Lent::start(&self.store, lending).await?;
        let (at, secret) = (lent.store_at(), lent.secret_file());
        let node =
            |number: u64| pass(&[("number", &number), ("store", &at), ("secret-file", &secret)]);
        if !self.remote {
            let (asker, ()) = start("drive-vactors", [node(1), self.asks()].concat()).await?;
            return Ok(Side { store: Some(lent), ..Side::of(asker) });
        }
        let (host, ()) = start("serve-vactors", node(1)).await?;
        let guest = [node(2), self.asks(), vec!["--guest".to_owned()]].concat();
        let (asker, ()) = start("drive-vactors", guest).await?;
        Ok(Side { _others: vec![host], store: Some(lent), ..Side::of(asker) })
    }

    /// `ours` has the store.
    async fn limit(&self, folder: &Path, ours: &Side) -> Result<Side, Error> {
        let window = pass(&[("window", &self.window)]);
        if self.local {
            let (asker, ()) = start("drive-actix", window).await?;
            return Ok(Side::of(asker));
        }
        if self.activate {
            let path = pass(&[("path", &folder.join("engine").display())]);
            let engine = ours.store.as_ref().map(Lent::engine).unwrap_or_default();
            let (asker, ()) = start("drive-records", [path, window, engine].concat()).await?;
            return Ok(Side::of(asker));
        }
        let (server, target): (_, String) = start("serve-bare", pass(&[("threads", &1)])).await?;
        let (payload, seed) = (FRAME_BYTES, self.common.seed);
        let one = pass(&[("target", &target), ("clients", &1), ("threads", &1)]);
        let each = pass(&[("payload", &payload), ("seed", &seed)]);
        let (asker, ()) = start("drive-bare", [one, window, each].concat()).await?;
        Ok(Side { _others: vec![server], ..Side::of(asker) })
    }

    /// The bare echo with as many threads as our nodes have.
    async fn hop(&self) -> Result<Side, Error> {
        let (server, target): (_, String) = start("serve-hop", Vec::new()).await?;
        let options = pass(&[("target", &target), ("window", &self.window)]);
        let (asker, ()) = start("drive-hop", options).await?;
        Ok(Side { _others: vec![server], ..Side::of(asker) })
    }
}

async fn start<R: for<'a> Deserialize<'a>>(
    role: &str,
    options: Vec<String>,
) -> Result<(Child, R), Error> {
    Child::start(role, &options).await
}

/// What was measured, slice by slice, and what each side counted.
struct Measured {
    values: Vec<f64>,
    limits: Vec<f64>,
    hops: Vec<f64>,
    totals: Totals,
    limit_totals: Totals,
}

/// Runs the scenario.
pub(crate) async fn run(options: &Options) -> Result<ExitCode, Error> {
    options.check()?;
    let folder = options.store.folder()?;
    let measured = measure(options, folder.path()).await?;
    let report = report(options, measured);
    report.finish(&options.common).map_err(Error::io("printing the report"))
}

async fn measure(options: &Options, folder: &Path) -> Result<Measured, Error> {
    let progress = options.common.progress(options.common.seconds);
    let mut ours = options.ours(folder).await?;
    let mut limit = options.limit(folder, &ours).await?;
    let mut hop = if options.remote { Some(options.hop().await?) } else { None };
    // One slice each to warm up, which is not measured.
    ours.slice().await?;
    limit.slice().await?;
    let (mut values, mut limits, mut hops) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.common.seconds {
        values.push(ours.slice().await?);
        limits.push(limit.slice().await?);
        if let Some(hop) = &mut hop {
            hops.push(hop.slice().await?);
        }
        let (value, limit) = (median(&mut values), median(&mut limits));
        progress.set_message(format!("{value:.0} per s, limit {limit:.0}"));
        progress.inc(1);
    }
    progress.finish_and_clear();
    let (totals, limit_totals) = (ours.totals().await?, limit.totals().await?);
    Ok(Measured { values, limits, hops, totals, limit_totals })
}

fn report(options: &Options, measured: Measured) -> Report {
    let Measured { mut values, mut limits, mut hops, totals, limit_totals } = measured;
    let value = median(&mut values);
    let (what, rate, nodes) = match (options.local, options.remote) {
        (true, _) => ("local", "asks_per_s", 1),
        (_, true) => ("remote", "asks_per_s", 2),
        _ => ("activate", "activations_per_s", 1),
    };
    let mut report =
        Report::new("vactor", options.common.seconds, nodes, 1).on_store(options.store.name());
    report.add("what", what);
    report.add("window", options.window);
    let durability = options.durability.to_possible_value();
    report.add("durability", durability.map_or_else(String::new, |d| d.get_name().to_owned()));
    report.add_number(rate, value);
    report.add_ratio(value, median(&mut limits));
    if !hops.is_empty() {
        let hop = median(&mut hops);
        report.add_number("hop_per_s", hop);
        report.add_number("hop_ratio", if hop > 0.0 { value / hop } else { 0.0 });
    }
    report.add_counts("", &totals.counts);
    report.add_counts("limit_", &limit_totals.counts);
    report.add("loop", "closed");
    add_service(&mut report, "service", &totals);
    if !options.activate {
        add_service(&mut report, "limit_service", &limit_totals);
    }
    report
}

fn add_service(report: &mut Report, name: &str, totals: &Totals) {
    let mut latency = Latency::new();
    latency.add(&totals.service);
    report.add_latency(name, &latency);
}
