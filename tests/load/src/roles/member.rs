//! A node of a cluster: its store is the hub's, and it is stopped as an operator does it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use clap::Args;
use omok::Game as _;
use serde::{Deserialize, Serialize};
use throughline::{Config, Node, RunningNode};
use throughline_store::Store;
use tokio::signal::unix::{SignalKind, signal};

use crate::error::Error;
use crate::parent::{self, json, say};
use crate::roles::audit::Audited;
use crate::roles::node::{join, unlimited};
use crate::roles::proxy::micros;
use crate::roles::saver::Saver;
use crate::roles::shared_store::SharedStore;
use crate::roles::traveller::{Traveller, ended};
use crate::rolling::Game;

/// What a node logs: the variable that the node's configuration has for it.
const LOG_LEVEL: &str = "THROUGHLINE__LOG__LEVEL";

/// Sessions left by a drain that are named; the number of all is reported anyway.
const LEFT_SHOWN_MAX: usize = 10;

/// What a node of a cluster is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Its number in the cluster.
    #[arg(long)]
    number: u32,
    /// Where it listens for clients.
    #[arg(long)]
    link: SocketAddr,
    /// `cluster.listen`, if not any free port.
    #[arg(long)]
    peers: Option<SocketAddr>,
    /// `cluster.advertise`: where other nodes reach it.
    #[arg(long)]
    advertise: Option<String>,
    #[command(flatten)]
    store: SharedStore,
    /// Looks at every commit that the store accepts, and writes what it sees to a file there.
    #[arg(long)]
    audit: Option<PathBuf>,
    /// Worker threads.
    #[arg(long)]
    workers: usize,
    /// `drain.rate`.
    #[arg(long)]
    drain_rate: Option<u32>,
    /// `drain.spread`.
    #[arg(long)]
    drain_spread_ms: Option<u64>,
    /// Serves a game instead of travellers.
    #[arg(long, value_enum)]
    game: Option<Game>,
}

/// Where a node is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ready {
    pub(crate) link: String,
    pub(crate) admin: String,
}

/// What a node counts, while it runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counted {
    pub(crate) connected: usize,
    pub(crate) sessions: usize,
    /// Sessions that ended here other than by their client's leaving, by their reason.
    pub(crate) ended: BTreeMap<String, u64>,
}

/// What a node says last.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Stopped {
    /// Sessions that are still here: the exit status is not 0.
    pub(crate) left: u64,
    /// Sessions that went to the store, and to other nodes.
    pub(crate) parked: u64,
    pub(crate) moved: u64,
    /// When the last of them was durable there, and the node had left, on the machine's clock.
    pub(crate) drained_us: u64,
    pub(crate) ended: BTreeMap<String, u64>,
}

/// Serves until it gets SIGTERM, or the parent is gone.
pub(crate) fn serve(options: &Options) -> Result<(), Error> {
    start_log();
    let mut node = Node::builder(config(options)?);
    if let Some(folder) = &options.audit {
        node = node.store(audited(options, folder)?);
    }
    let node = match options.game {
        None => {
            let travellers = node.sessions::<Traveller<false>>().sessions::<Traveller<true>>();
            travellers.sessions::<Saver>()
        }
        Some(Game::Omok) => node.omok(),
    };
    let node = node.start().map_err(|error| Error::Node(error.to_string()))?;
    let first = |addresses: &[SocketAddr]| addresses.first().map(ToString::to_string);
    let link = first(node.link_addresses());
    let ready = Ready {
        link: link.ok_or_else(|| Error::Node("it listens nowhere".to_owned()))?,
        admin: first(node.admin_addresses()).unwrap_or_default(),
    };
    let node = Arc::new(Mutex::new(Some(node)));
    let stopping = Arc::clone(&node);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Error::io("starting a runtime"))?;
    let terminate = {
        let _context = runtime.enter();
        // Before anybody can know that the node is there.
        signal(SignalKind::terminate()).map_err(Error::io("waiting for a signal"))?
    };
    std::thread::spawn(move || {
        let mut terminate = terminate;
        runtime.block_on(terminate.recv());
        let node = stopping.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(node) = node {
            stop(node);
        }
    });
    parent::answer(&ready, |_| {
        let node = node.lock().unwrap_or_else(PoisonError::into_inner);
        let (connected, sessions) = node.as_ref().map_or((0, 0), RunningNode::counts);
        Ok(json(&Counted { connected, sessions, ended: ended() }))
    })
}

/// The store that the node would open, and who looks at what it accepts.
fn audited(options: &Options, folder: &Path) -> Result<Arc<dyn Store>, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Error::io("starting a runtime"))?;
    // Its connections are on a thread of its own.
    let store = runtime.block_on(options.store.open())?;
    Ok(Arc::new(Audited::among_others(store, folder)?))
}

/// What the game's own binary does at SIGTERM; the report goes to the parent.
fn stop(node: RunningNode) {
    let begun = SystemTime::now();
    let report = node.stop();
    for (session, why) in report.left_sessions.iter().take(LEFT_SHOWN_MAX) {
        eprintln!("load: {session} was left: {why}");
    }
    let stopped = Stopped {
        left: u64::try_from(report.left).unwrap_or(u64::MAX),
        parked: report.parked,
        moved: report.moved,
        drained_us: micros(begun + Duration::from_secs_f64(report.took_s)),
        ended: ended(),
    };
    // Without a parent nobody wants to know.
    let _ = say(&stopped);
    std::process::exit(i32::from(report.left != 0 || !report.has_left));
}

/// Nodes of a run are silent but for errors; the variable of every node changes that.
pub(crate) fn start_log() {
    let level = std::env::var(LOG_LEVEL).unwrap_or_else(|_| "error".to_owned());
    env_logger::Builder::new().parse_filters(&level).init();
}

/// With the addresses that it was told.
fn config(options: &Options) -> Result<Config, Error> {
    let mut config = unlimited(options.workers);
    config.listen.http = Vec::new();
    config.listen.link = vec![options.link];
    config.admin.listen = vec![([127, 0, 0, 1], 0).into()];
    let SharedStore { store, secret_file } = &options.store;
    join(&mut config, options.number, store, secret_file);
    if let Some(peers) = options.peers {
        config.cluster.listen = vec![peers];
    }
    config.cluster.advertise = options.advertise.clone().unwrap_or_default();
    config.drain.rate = options.drain_rate.unwrap_or(config.drain.rate);
    config.drain.spread =
        options.drain_spread_ms.map_or(config.drain.spread, Duration::from_millis);
    config.validate().map_err(|error| Error::Node(error.to_string()))?;
    Ok(config)
}
