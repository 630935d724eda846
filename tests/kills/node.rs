//! The child: a node, told on its standard input what to do to its commits.

use std::io::{self, BufRead as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, atomic::Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use throughline::{Config, Node, RunningNode};
use throughline_store_hub::{HubStore, Options, Secret};
use throughline_vactor::Vactors as _;

use crate::game::{Counter, FAIL_RESTORED};
use crate::kill_at::{KillAt, Order};
use crate::step::Step;
use crate::tally::{IS_LOOSE, LooseTally, Tally};

/// Times of the cluster, short so that many deaths fit into a test.
const BEAT: Duration = Duration::from_millis(100);
const TERM: Duration = Duration::from_millis(1000);
const MARGIN: Duration = Duration::from_millis(300);

/// What a node is told when it starts, as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) number: u32,
    pub(crate) hub: String,
    pub(crate) secret_file: String,
    /// Where it says that clients reach it.
    pub(crate) advertise: String,
    /// Nobody reaches it from another node.
    pub(crate) mute: bool,
    /// The VActor is not crash-proof.
    pub(crate) loose: bool,
    /// Sessions that expire are dropped without a word.
    pub(crate) no_last_hook: bool,
    pub(crate) session_timeout_ms: u64,
    pub(crate) ended_memory_ms: u64,
    /// Orders from the start: step and order by name.
    pub(crate) orders: Vec<(String, String)>,
}

/// The child's `main`. It ends with its parent: when its standard input does.
pub(crate) fn run(args: &[String]) -> ExitCode {
    env_logger::init();
    let told: Told = serde_json::from_str(&args[0]).unwrap();
    // The hub's connection lives here; the node has threads of its own.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let secret = std::fs::read(Path::new(&told.secret_file)).unwrap();
    let options = Options::new(told.hub.parse().unwrap(), Secret::new(secret).unwrap());
    let hub = runtime.block_on(HubStore::connect(options)).unwrap();
    let store = KillAt::new(Arc::new(hub));
    for (step, order) in &told.orders {
        store.order(Step::named(step).unwrap(), Order::named(order).unwrap());
    }
    let node = Node::builder(config(&told));
    let node = match told.no_last_hook {
        true => node.sessions::<Counter<false, false>>(),
        false => node.sessions::<Counter<false>>(),
    };
    let node = node.sessions::<Counter<true>>().store(Arc::new(store.clone()));
    IS_LOOSE.store(told.loose, Ordering::SeqCst);
    let node = match told.loose {
        true => node.vactors::<LooseTally>().start(),
        false => node.vactors::<Tally>().start(),
    };
    let node = match node {
        Ok(node) => node,
        Err(error) => {
            say(&format!("failed {error}"));
            return ExitCode::FAILURE;
        }
    };
    say(&format!("ready {}", node.link_addresses()[0]));
    obey(&store, &Mutex::new(Some(node)));
    // Without a parent nothing is drained.
    std::process::exit(0)
}

fn obey(store: &KillAt, node: &Mutex<Option<RunningNode>>) {
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        let words: Vec<_> = line.split(' ').collect();
        match words[..] {
            ["order", step, order] => {
                store.order(Step::named(step).unwrap(), Order::named(order).unwrap());
            }
            ["fail-restored"] => FAIL_RESTORED.store(true, Ordering::SeqCst),
            ["drain"] => {
                let node = node.lock().unwrap().take().unwrap();
                // Before anything that the drain leads to is said.
                say("done");
                std::thread::spawn(move || {
                    let report = node.stop();
                    say(&format!("stopped {report:?}"));
                    std::process::exit(i32::from(!report.is_clean()));
                });
                continue;
            }
            _ => panic!("{line}"),
        }
        say("done");
    }
}

fn say(line: &str) {
    let mut output = io::stdout().lock();
    output.write_all(format!("{line}\n").as_bytes()).and_then(|()| output.flush()).unwrap();
}

fn config(told: &Told) -> Config {
    let mut config = Config::default();
    let any = ([127, 0, 0, 1], 0).into();
    config.node.workers = 1;
    config.listen.http = Vec::new();
    config.listen.link = vec![any];
    config.listen.advertise = vec![told.advertise.clone()];
    config.admin.listen = Vec::new();
    config.cluster.node = told.number;
    config.cluster.secret_file.clone_from(&told.secret_file);
    (config.cluster.beat, config.cluster.term, config.cluster.margin) = (BEAT, TERM, MARGIN);
    if told.mute {
        // The discard port: nobody listens there.
        config.cluster.advertise = "127.0.0.1:9".to_owned();
    }
    config.session.timeout = Duration::from_millis(told.session_timeout_ms);
    config.link.ended_memory = Duration::from_millis(told.ended_memory_ms);
    config
}
