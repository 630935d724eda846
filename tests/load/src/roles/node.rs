//! A node with the session kinds of the scenarios.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use clap::Args;
use throughline::Config;
use throughline::prelude::*;

use crate::cluster::Lent;
use crate::cut::NodeCounts;
use crate::error::Error;
use crate::numbers::{Checker, Counts, Numbered};
use crate::options::pass;
use crate::parent::{self, Question, json};

/// The session kind of `cut`.
pub(crate) const CUT: &str = Cut::KIND;

/// How often a `cut` session sends a message of its own accord.
const OWN_EVERY: Duration = Duration::from_millis(200);

const OWN: &str = "own";

/// Where a node listens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Address {
    tcp: String,
    http: String,
    url: String,
}

impl Address {
    fn new(tcp: String, http: String) -> Self {
        let url = Self::through(&http, true);
        Self { tcp, http, url }
    }

    /// What a client connects to.
    pub(crate) fn of(&self, ws: bool) -> &str {
        if ws { &self.url } else { &self.tcp }
    }

    /// The port behind it, as `host:port`.
    pub(crate) fn socket(&self, ws: bool) -> &str {
        if ws { &self.http } else { &self.tcp }
    }

    /// What a client connects to when that port is the node's, or leads there.
    pub(crate) fn through(socket: &str, ws: bool) -> String {
        if ws { format!("ws://{socket}/link") } else { socket.to_owned() }
    }
}

/// What the node is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Worker threads.
    #[arg(long)]
    workers: usize,
    /// `store.at`; without it the node has no store but its own.
    #[arg(long, requires = "secret_file")]
    store: Option<String>,
    #[arg(long)]
    secret_file: Option<PathBuf>,
}

impl Options {
    /// Arguments for a node with so many workers, on this store.
    pub(crate) fn arguments(workers: u64, store: Option<&Lent>) -> Vec<String> {
        let store = store.map(Lent::client).unwrap_or_default();
        [pass(&[("workers", &workers)]), store].concat()
    }
}

/// Serves until the parent is gone; says its addresses when ready.
pub(crate) fn serve(options: &Options) -> Result<(), Error> {
    let started = Node::builder(config(options)?).sessions::<Echo>().sessions::<Cut>().start();
    let node = started.map_err(|error| Error::Node(error.to_string()))?;
    let first = |addresses: &[SocketAddr]| match addresses {
        [address, ..] => Ok(address.to_string()),
        [] => Err(Error::Node("it listens nowhere".to_owned())),
    };
    let address = Address::new(first(node.link_addresses())?, first(node.http_addresses())?);
    parent::answer(&address, |question| {
        if matches!(question, Question::Calm) {
            COUNTED.calm.store(true, Ordering::Relaxed);
        }
        Ok(json(&COUNTED.answer()))
    })
}

/// With any free ports; its store is that of a cluster of which it is the only node.
fn config(options: &Options) -> Result<Config, Error> {
    let free = || vec![([127, 0, 0, 1], 0).into()];
    let mut config = unlimited(options.workers);
    config.listen.http = free();
    config.listen.link = free();
    config.admin.listen = Vec::new();
    if let (Some(store), Some(secret_file)) = (&options.store, &options.secret_file) {
        join(&mut config, 1, store, secret_file);
    }
    config.validate().map_err(|error| Error::Node(error.to_string()))?;
    Ok(config)
}

/// A node of that number in the cluster on a store.
pub(crate) fn join(config: &mut Config, number: u32, store: &str, secret_file: &Path) {
    store.clone_into(&mut config.store.at);
    config.cluster.node = number;
    config.cluster.secret_file = secret_file.display().to_string();
}

/// The documented defaults but for what would limit the measuring itself: the rate limits of a
/// session, and connections of one address, since all clients come from this machine.
pub(crate) fn unlimited(workers: usize) -> Config {
    let mut config = Config::default();
    config.node.workers = workers;
    config.session.messages_per_second = 0;
    config.session.bytes_per_second = 0;
    config.limits.connections_per_address = 0;
    config.limits.sessions_per_address = 0;
    config
}

/// Sends back what comes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Echo;

impl Session for Echo {
    const KIND: &'static str = "echo";
    type In = Raw;
    type Out = Raw;

    async fn login(_login: Login<'_>) -> Result<Self, Refusal> {
        Ok(Self)
    }

    async fn message(&mut self, message: Raw, ctx: &mut Context<Self>) -> Outcome {
        ctx.send(message);
        Ok(())
    }
}

/// Checks the numbers that come and answers each with one of its own; sends more by itself.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Cut {
    checker: Checker,
    sent: u64,
}

impl Cut {
    fn send(&mut self, ctx: &mut Context<Self>) {
        self.sent += 1;
        COUNTED.sent.fetch_add(1, Ordering::Relaxed);
        ctx.send(Raw::from(Numbered::message(self.sent)));
    }
}

impl Session for Cut {
    const KIND: &'static str = "cut";
    type In = Raw;
    type Out = Raw;

    async fn login(_login: Login<'_>) -> Result<Self, Refusal> {
        Ok(Self::default())
    }

    async fn message(&mut self, Raw(message): Raw, ctx: &mut Context<Self>) -> Outcome {
        if self.sent == 0 {
            // Not at the start: a login whose answer was lost leaves a session that no client knows
            // of. Only a client that was welcomed sends.
            ctx.repeat_timer(OWN, OWN_EVERY);
        }
        COUNTED.add(&match Numbered::number(&message) {
            Some(number) => self.checker.handle(number),
            None => Counts { corrupted: 1, ..Counts::default() },
        });
        self.send(ctx);
        Ok(())
    }

    async fn timer(&mut self, _name: &str, ctx: &mut Context<Self>) -> Outcome {
        if !COUNTED.calm.load(Ordering::Relaxed) {
            self.send(ctx);
        }
        Ok(())
    }

    async fn destroyed(&mut self, reason: EndReason, ctx: &mut Context<Self>) -> Outcome {
        if reason != EndReason::Left && self.sent > 0 {
            eprintln!("load: session {} of the node ended: {reason:?}", ctx.session_id());
            COUNTED.ended.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// What the sessions of this process count together.
#[derive(Debug)]
struct Counted {
    sent: AtomicU64,
    delivered: AtomicU64,
    duplicated: AtomicU64,
    reordered: AtomicU64,
    corrupted: AtomicU64,
    ended: AtomicU64,
    calm: AtomicBool,
}

static COUNTED: Counted = Counted {
    sent: AtomicU64::new(0),
    delivered: AtomicU64::new(0),
    duplicated: AtomicU64::new(0),
    reordered: AtomicU64::new(0),
    corrupted: AtomicU64::new(0),
    ended: AtomicU64::new(0),
    calm: AtomicBool::new(false),
};

impl Counted {
    fn add(&self, counts: &Counts) {
        self.delivered.fetch_add(counts.delivered, Ordering::Relaxed);
        self.duplicated.fetch_add(counts.duplicated, Ordering::Relaxed);
        self.reordered.fetch_add(counts.reordered, Ordering::Relaxed);
        self.corrupted.fetch_add(counts.corrupted, Ordering::Relaxed);
    }

    fn answer(&self) -> NodeCounts {
        let up = Counts {
            sent: 0,
            delivered: self.delivered.load(Ordering::Relaxed),
            duplicated: self.duplicated.load(Ordering::Relaxed),
            reordered: self.reordered.load(Ordering::Relaxed),
            corrupted: self.corrupted.load(Ordering::Relaxed),
        };
        let ended = self.ended.load(Ordering::Relaxed);
        NodeCounts { sent: self.sent.load(Ordering::Relaxed), up, ended }
    }
}
