//! `cut`: numbered messages both ways through a proxy that breaks connections.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::child::Child;
use crate::cluster::{Lent, OptionalStore};
use crate::error::Error;
use crate::latency::{Latency, Recorded};
use crate::limits;
use crate::numbers::Counts;
use crate::options::{Common, pass, within};
use crate::parent::Question;
use crate::report::{Report, cores};
use crate::roles::node::{self, Address};

/// Clients of one run: the node and all clients have 20,000 open files each, and each client has a
/// proxy's port of its own.
const CLIENTS_MAX: u64 = 5_000;

/// Proxy processes.
const SHARDS_MAX: u64 = 64;

/// Messages per second of one client: at most what fills the window within a typical repair.
const RATE_MAX: u64 = 1_000;

/// How long everything sent may take to arrive once the faults are over: a black hole is noticed in
/// 5 s and repaired in some more; after a minute a session would be gone anyway.
const DRAIN_MAX: Duration = Duration::from_secs(60);

/// How often the counters are looked at.
const TICK: Duration = Duration::from_millis(100);

/// Check that messages arrive exactly once and in order over connections that break
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,

    #[command(flatten)]
    store: OptionalStore,

    /// Clients, each with a connection of its own
    #[arg(long, default_value_t = 200)]
    clients: u64,

    /// Messages per second of each client; the node sends as many answers, and 5 more by itself
    #[arg(long, default_value_t = 25)]
    rate: u64,

    /// Proxy processes that share the clients
    #[arg(long, default_value_t = 2)]
    shards: u64,

    /// Use WebSockets
    #[arg(long)]
    ws: bool,
}

/// What a proxy did.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Faulted {
    pub(crate) breaks: u64,
    pub(crate) untold: u64,
    pub(crate) fired: BTreeMap<String, u64>,
    pub(crate) broken: Vec<Broken>,
}

/// A connection of a client was broken, or the client noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Broken {
    pub(crate) client: u64,
    /// On the machine's clock.
    pub(crate) at_us: u64,
}

/// What the node counted.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct NodeCounts {
    /// Messages it sent.
    pub(crate) sent: u64,
    /// What it handled of the clients' messages; `sent` is 0 here.
    pub(crate) up: Counts,
    /// Sessions that ended other than by their client's leaving.
    pub(crate) ended: u64,
}

/// What the clients counted.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct ClientCounts {
    /// Messages they sent.
    pub(crate) sent: u64,
    /// What they handled of the node's messages; `sent` is 0 here.
    pub(crate) down: Counts,
    /// Sessions that ended under them.
    pub(crate) ended: u64,
    /// Repairs that were given up until the player acts.
    pub(crate) failed: u64,
    /// Messages not sent at their time since the window was full.
    pub(crate) held_back: u64,
    pub(crate) repairs: u64,
    pub(crate) repair: Recorded,
    /// Breaks they noticed; only in the answer to the last question.
    pub(crate) noticed: Vec<Broken>,
}

/// The processes of a run.
struct Cast {
    // Dropped first to last: the clients go before what they are connected to.
    clients: Child,
    proxies: Vec<Child>,
    node: Child,
    /// Removed last.
    _store: Option<Lent>,
}

impl Options {
    fn check(&self) -> Result<(), Error> {
        self.common.check()?;
        within("--clients", self.clients, 1, CLIENTS_MAX)?;
        within("--rate", self.rate, 1, RATE_MAX)?;
        within("--shards", self.shards, 1, SHARDS_MAX.min(self.clients))?;
        // A listener and, for a moment, two connections of two sockets for each client.
        let files = self.clients.div_ceil(self.shards) * 5;
        limits::check("each proxy", files, "--clients, or use more --shards")?;
        limits::check("the node and its clients", 2 * self.clients, "--clients")
    }

    async fn start(&self) -> Result<Cast, Error> {
        let workers = (cores() / 2).max(1);
        let store = self.store.start().await?;
        let node = node::Options::arguments(workers, store.as_ref());
        let (node, address): (_, Address) = Child::start("serve-node", &node).await?;
        let target = address.socket(self.ws).to_owned();
        let mut proxies = Vec::new();
        let mut targets = Vec::new();
        for shard in 0..self.shards {
            let first = self.clients * shard / self.shards;
            let clients = self.clients * (shard + 1) / self.shards - first;
            let seed = self.common.seed;
            let options = pass(&[
                ("target", &target),
                ("first", &first),
                ("clients", &clients),
                ("seed", &seed),
            ]);
            let (proxy, addresses): (_, Vec<String>) =
                Child::start("serve-proxy", &options).await?;
            targets.extend(addresses.iter().map(|address| Address::through(address, self.ws)));
            proxies.push(proxy);
        }
        let targets = targets.join(",");
        let options = pass(&[("targets", &targets), ("rate", &self.rate)]);
        let (clients, ()) = Child::start("drive-cut", &options).await?;
        Ok(Cast { clients, proxies, node, _store: store })
    }
}

impl Cast {
    async fn faulted(&mut self, question: Question) -> Result<Faulted, Error> {
        let mut all = Faulted::default();
        for proxy in &mut self.proxies {
            let part: Faulted = proxy.ask(&question, TICK).await?;
            all.breaks += part.breaks;
            all.untold += part.untold;
            all.broken.extend(part.broken);
            for (kind, count) in part.fired {
                *all.fired.entry(kind).or_default() += count;
            }
        }
        Ok(all)
    }

    /// Waits until everything sent was handled; what is missing after the longest wait is lost.
    async fn drain(&mut self) -> Result<(), Error> {
        let start = tokio::time::Instant::now();
        while start.elapsed() < DRAIN_MAX {
            let clients: ClientCounts = self.clients.ask(&Question::Report, TICK).await?;
            let node: NodeCounts = self.node.ask(&Question::Report, TICK).await?;
            let up = node.up.delivered >= clients.sent;
            let down = clients.down.delivered >= node.sent;
            if up && down {
                break;
            }
            tokio::time::sleep(TICK).await;
        }
        Ok(())
    }
}

/// Runs the scenario.
pub(crate) async fn run(options: &Options) -> Result<ExitCode, Error> {
    options.check()?;
    let mut cast = options.start().await?;
    let progress = options.common.progress(options.common.seconds);
    let mut broken = Vec::new();
    for _ in 0..options.common.seconds {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let faulted = cast.faulted(Question::Report).await?;
        broken.extend(faulted.broken);
        progress.set_message(format!("{} connections broken", faulted.breaks));
        progress.inc(1);
    }
    let mut faulted = cast.faulted(Question::Calm).await?;
    broken.append(&mut faulted.broken);
    let _: ClientCounts = cast.clients.ask(&Question::Calm, TICK).await?;
    let _: NodeCounts = cast.node.ask(&Question::Calm, TICK).await?;
    progress.set_message("everything sent arrives");
    cast.drain().await?;
    let clients: ClientCounts = cast.clients.ask(&Question::Leave, DRAIN_MAX).await?;
    let node: NodeCounts = cast.node.ask(&Question::Report, TICK).await?;
    // Black holes swallow also after the others have calmed down.
    let mut last = cast.faulted(Question::Report).await?;
    broken.append(&mut last.broken);
    progress.finish_and_clear();
    let report = report(options, &last, &clients, &node, &notice(&broken, &clients.noticed));
    report.finish(&options.common).map_err(Error::io("printing the report"))
}

fn report(
    options: &Options,
    faulted: &Faulted,
    clients: &ClientCounts,
    node: &NodeCounts,
    notice: &Latency,
) -> Report {
    let up = Counts { sent: clients.sent, ..node.up };
    let down = Counts { sent: node.sent, ..clients.down };
    let mut repair = Latency::new();
    repair.add(&clients.repair);
    let mut report = Report::new("cut", options.common.seconds, 1, options.clients)
        .on_store(options.store.name());
    report.add("transport", if options.ws { "ws" } else { "tcp" });
    report.add("seed", options.common.seed);
    report.add("shards", options.shards);
    report.add("cuts", faulted.breaks);
    for (kind, count) in &faulted.fired {
        report.add(format!("fault_{kind}"), *count);
    }
    report.add("repairs", clients.repairs);
    report.add_latency("repair", &repair);
    report.add_latency("notice", notice);
    report.add_directions("", &[up, down]);
    report.add_counts("up_", &up);
    report.add_counts("down_", &down);
    report.add_zero("ended", clients.ended.max(node.ended));
    report.add("repair_failed", clients.failed);
    report.add("held_back", clients.held_back);
    report
}

/// From each break to its client's noticing: a notice belongs to the last break before it, unless
/// the client has noticed another since.
fn notice(broken: &[Broken], noticed: &[Broken]) -> Latency {
    let mut events: Vec<(u64, u64, bool)> = Vec::new();
    events.extend(broken.iter().map(|event| (event.client, event.at_us, false)));
    events.extend(noticed.iter().map(|event| (event.client, event.at_us, true)));
    events.sort_unstable();
    let mut latency = Latency::new();
    let mut last = None;
    for (client, at_us, is_notice) in events {
        if !is_notice {
            last = Some((client, at_us));
        } else if let Some((_, broken_at_us)) = last.take().filter(|&(of, _)| of == client) {
            latency.record(Duration::from_micros(at_us - broken_at_us));
        }
    }
    latency
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(client: u64, at_us: u64) -> Broken {
        Broken { client, at_us }
    }

    #[test]
    fn a_notice_belongs_to_the_last_break_of_its_client() {
        // Client 1 is broken twice, the second time while it resumes: only one notice follows.
        let broken = [at(1, 1_000), at(1, 4_000), at(2, 1_000), at(1, 9_000)];
        let noticed = [at(1, 5_000), at(2, 3_000), at(2, 8_000)];
        let recorded = notice(&broken, &noticed).recorded();
        let text = serde_json::to_string(&recorded).unwrap();
        assert_eq!(text, "[[1000,1],[2000,1]]");
    }
}
