//! A node that hosts counters, and one that asks them: its own ones, or another node's.

use std::path::PathBuf;

use clap::Args;
use throughline::{Config, Node, RunningNode};
use throughline_vactor::{Accepts, Address, Ask as _, Messages, VActor as _, Vactors as _};

use crate::error::Error;
use crate::parent::{self, json};
use crate::roles::asks::{self, Answer, Asked};
use crate::roles::counter::{Add, Added, Counted, Counter, Total};
use crate::roles::member::start_log;
use crate::roles::traveller::Traveller;
use crate::roles::worker::Worker;

/// What a node is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Its number in the cluster.
    #[arg(long, default_value_t = 1)]
    number: u32,
    /// `store.at`.
    #[arg(long)]
    store: String,
    /// The file with the cluster's secret; none: it is alone.
    #[arg(long)]
    secret_file: Option<PathBuf>,
    /// Worker threads.
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Hosts no counters: it asks another node's.
    #[arg(long)]
    guest: bool,
    /// Asks in flight.
    #[arg(long, default_value_t = 1)]
    window: u64,
    /// Each ask is of a counter that has not begun.
    #[arg(long)]
    new: bool,
    /// The counters are crash-proof.
    #[arg(long)]
    every_turn: bool,
}

/// Hosts counters until the parent is gone.
pub(crate) fn serve(options: &Options) -> Result<(), Error> {
    let _node = start(options)?;
    parent::answer(&(), |_| Ok(serde_json::Value::Null))
}

/// Asks, from one thread beside the node's own, until the parent is gone.
pub(crate) fn drive(options: &Options) -> Result<(), Error> {
    let (node, window) = (start(options)?, options.window);
    let worker = match (options.every_turn, options.new) {
        (false, false) => asker::<false, false>(node, window),
        (false, true) => asker::<false, true>(node, window),
        (true, false) => asker::<true, false>(node, window),
        (true, true) => asker::<true, true>(node, window),
    };
    worker.answer()?;
    parent::answer(&(), |question| Ok(json(&worker.ask(question)?)))
}

fn asker<const EVERY_TURN: bool, const NEW: bool>(node: RunningNode, window: u64) -> Worker<Answer>
where
    Counter<EVERY_TURN>: Messages + Accepts<Add> + Accepts<Total>,
{
    let one = Counter::<EVERY_TURN>::at(key(0));
    Worker::start(move |desk| asks::work(Asker::<EVERY_TURN, NEW> { node, one }, window, desk))
}

/// Asks as a web backend does, from outside any session.
struct Asker<const EVERY_TURN: bool, const NEW: bool>
where
    Counter<EVERY_TURN>: Messages,
{
    node: RunningNode,
    /// Who is asked, unless each is another.
    one: Address<Counter<EVERY_TURN>>,
}

/// The key of the counter of a number.
pub(crate) fn key(number: u64) -> String {
    format!("c{number}")
}

impl<const EVERY_TURN: bool, const NEW: bool> Asked for Asker<EVERY_TURN, NEW>
where
    Counter<EVERY_TURN>: Messages + Accepts<Add> + Accepts<Total>,
{
    const ARE_NEW: bool = NEW;

    async fn add(&self, number: u64) -> Result<Added, String> {
        let new = NEW.then(|| Counter::<EVERY_TURN>::at(key(number)));
        let asked = self.node.ask(new.as_ref().unwrap_or(&self.one), Add { number });
        asked.await.map_err(|error| error.to_string())
    }

    async fn total(&self, number: u64) -> Result<Counted, String> {
        let counter = Counter::<EVERY_TURN>::at(key(if NEW { number } else { 0 }));
        self.node.ask(&counter, Total {}).await.map_err(|error| error.to_string())
    }
}

fn start(options: &Options) -> Result<RunningNode, Error> {
    start_log();
    let builder = Node::builder(config(options)?).sessions::<Traveller<false>>();
    let builder = match options.guest {
        true => builder,
        false => builder.vactors::<Counter<false>>().vactors::<Counter<true>>(),
    };
    builder.start().map_err(|error| Error::Node(error.to_string()))
}

/// The documented defaults but for what is listened on: nobody connects.
fn config(options: &Options) -> Result<Config, Error> {
    let mut config = Config::default();
    config.node.workers = options.workers;
    config.listen.http = Vec::new();
    config.listen.link = Vec::new();
    config.admin.listen = Vec::new();
    config.store.at.clone_from(&options.store);
    config.cluster.node = options.number;
    if let Some(path) = &options.secret_file {
        config.cluster.secret_file = path.display().to_string();
    }
    config.validate().map_err(|error| Error::Node(error.to_string()))?;
    Ok(config)
}
