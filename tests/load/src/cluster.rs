//! The processes of a run over a cluster: a store, three nodes, and what stands in front of them.

mod admin;
mod lent;
mod links;
mod member;
mod ports;

use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use clap::Args;

use crate::child::Child;
use crate::cut::Faulted;
use crate::error::Error;
use crate::limits;
use crate::options::{pass, within};
use crate::parent::Question;
use crate::report::Report;
use crate::roam::Roamed;
use crate::roles::bots::Played;
use crate::roles::hub::StoreCounts;
use crate::roles::traveller::STATE_MAX;
use crate::rolling::Game;

pub(crate) use lent::{Lending, Lent, OptionalStore, StoreOptions};
pub(crate) use links::Links;
pub(crate) use member::Member;

/// Nodes of every run.
pub(crate) const NODES: u64 = 3;

/// Clients of one run: each process has 20,000 open files.
pub(crate) const CLIENTS_MAX: u64 = 15_000;

/// Hops per second, at most.
pub(crate) const RATE_MAX: u64 = 100_000;

/// Clients behind proxies: each proxy has a port for each client, and the addresses must fit on the
/// clients' command line.
const PROXIED_MAX: u64 = 3_000;

/// Messages per second, unless told.
const PACE: u64 = 2_000;
/// Under faults it is the messages that count: a hundred thousand in a short run.
const PACE_FAULTS: u64 = 4_000;
const PACE_MAX: u64 = 1_000_000;

/// Worker threads of a node.
const WORKERS_MAX: u64 = 64;

/// How long a question may take beyond what it was asked to last.
const SLACK: Duration = Duration::from_secs(60);

/// Options of every scenario over a cluster.
#[derive(Clone, Debug, Args)]
pub(crate) struct ClusterOptions {
    #[command(flatten)]
    pub(crate) store: StoreOptions,

    /// Bytes of state of each session, beside its counters
    #[arg(long, default_value_t = 1_024)]
    pub(crate) state: usize,

    /// Worker threads of each node
    #[arg(long, default_value_t = 1)]
    pub(crate) workers: u64,

    /// Messages per second of all clients together, beside those of hops; 2,000 by default, with
    /// --faults 4,000
    #[arg(long)]
    pub(crate) pace: Option<u64>,
}

impl ClusterOptions {
    pub(crate) fn check(&self, clients: u64, faults: bool) -> Result<(), Error> {
        let max = if faults { PROXIED_MAX } else { CLIENTS_MAX };
        within("--clients", clients, 1, max)?;
        within("--workers", self.workers, 1, WORKERS_MAX)?;
        let (state, state_max) = (self.state as u64, STATE_MAX as u64);
        within("--state", state, 0, state_max)?;
        within("--pace", self.pace(faults), 0, PACE_MAX)?;
        // For each client a port and, for a moment, two connections of two sockets.
        let each = if faults { 5 } else { 1 };
        limits::check("each node, each proxy and the clients", each * clients, "--clients")
    }

    fn pace(&self, faults: bool) -> u64 {
        self.pace.unwrap_or(if faults { PACE_FAULTS } else { PACE })
    }
}

/// What makes one run differ from another.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shape {
    pub(crate) clients: u64,
    pub(crate) seed: u64,
    /// With the fault proxy between clients and nodes.
    pub(crate) faults: bool,
    /// With a proxy in each of the nodes' ways, to clients, to each other and to the store, which
    /// breaks them when it is told to.
    pub(crate) links: bool,
    /// Whether the turns of sessions are crash-proof.
    pub(crate) crash_proof: bool,
    /// Whether the store is killed now and then.
    pub(crate) mortal: bool,
    /// With a gate in front of the first node.
    pub(crate) gate: bool,
    /// How often each session sends of its own accord, in ms; 0: never.
    pub(crate) own_ms: u64,
    /// Whether clients whose session has ended log in again.
    pub(crate) rejoin: bool,
    /// Whether the store's commits go unaudited: for a rate alone.
    pub(crate) unaudited: bool,
    /// `drain.rate` and `drain.spread` of the nodes, if not the defaults.
    pub(crate) drain: Option<(u32, Duration)>,
    /// A game that the nodes serve, and bots that play it.
    pub(crate) game: Option<Game>,
}

/// The processes of a run.
#[derive(Debug)]
pub(crate) struct Cluster {
    // Dropped first to last: the clients go before what they are connected to.
    clients: Child,
    gate: Option<Child>,
    pub(crate) proxies: Vec<Child>,
    pub(crate) members: Vec<Member>,
    pub(crate) links: Vec<Links>,
    pub(crate) store: Lent,
    /// Bytes of each session's state.
    state: usize,
}

impl Cluster {
    /// Starts the processes; all clients are connected when it returns.
    pub(crate) async fn start(options: &ClusterOptions, shape: Shape) -> Result<Self, Error> {
        let lending = Lending { unaudited: shape.unaudited, mortal: shape.links || shape.mortal };
        let store = Lent::start(&options.store, lending).await?;
        // For each node one for clients and one for nodes.
        let ports = ports::free(2 * NODES)?;
        let (mut members, mut links) = (Vec::new(), Vec::new());
        for (number, ports) in (1..).zip(ports.chunks_exact(2)) {
            let peers = here(ports[1]);
            if shape.links {
                links.push(Links::start(peers, store.ports()).await?);
            }
            let ways = links.last();
            let node = member::Plan {
                number,
                link: here(ports[0]),
                peers: ways.map(|ways| (peers, ways.peers_at().to_owned())),
                store: ways.map_or_else(
                    || store.store_at(),
                    |ways| store.store_behind(ways.store_ports()),
                ),
                audit: store.audit(),
                secret_file: store.secret_file(),
                workers: options.workers,
                drain: shape.drain,
                game: shape.game,
            };
            members.push(Member::start(node).await?);
        }
        let mut doors = Vec::new();
        let (mut gate, mut proxies) = (None, Vec::new());
        for (index, member) in members.iter().enumerate() {
            if shape.faults || shape.links {
                let (proxy, addresses) = start_proxy(member.link(), index, &shape).await?;
                proxies.push(proxy);
                doors.push(addresses);
            } else if shape.gate && index == 0 {
                let target = pass(&[("target", &member.link())]);
                let (child, address): (_, String) = Child::start("serve-gate", &target).await?;
                gate = Some(child);
                doors.push(address);
            } else {
                doors.push(member.link().to_owned());
            }
        }
        let clients = start_clients(options, &shape, &doors).await?;
        Ok(Self { clients, gate, proxies, members, links, store, state: options.state })
    }

    /// Asks the clients.
    pub(crate) async fn roamed(&mut self, question: Question) -> Result<Roamed, Error> {
        self.clients.ask(&question, SLACK).await
    }

    /// The clients hop for so long; how many hops were answered within the time.
    pub(crate) async fn hop(
        &mut self,
        lasting: Duration,
        per_s: u64,
        at_once: u64,
    ) -> Result<u64, Error> {
        let millis = u64::try_from(lasting.as_millis()).unwrap_or(u64::MAX);
        let question = Question::Hop { millis, per_s, at_once };
        let slice: crate::echo::Slice = self.clients.ask(&question, lasting + SLACK).await?;
        Ok(slice.handled)
    }

    /// Nodes that are worked on while the clients hop, for so long, if `per_s` is not 0.
    pub(crate) async fn beside_hops<T>(
        &mut self,
        lasting: Duration,
        per_s: u64,
        work: impl AsyncFnOnce(&mut [Member], &mut Lent) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let Self { clients, members, store, .. } = self;
        let hops = async {
            if per_s > 0 {
                let millis = u64::try_from(lasting.as_millis()).unwrap_or(u64::MAX);
                let question = Question::Hop { millis, per_s, at_once: 0 };
                let _: crate::echo::Slice = clients.ask(&question, lasting + SLACK).await?;
            }
            Ok(())
        };
        Ok(tokio::try_join!(work(members, store), hops)?.0)
    }

    /// Tells the proxies to break nothing any more, then compares what both sides counted.
    pub(crate) async fn settle(&mut self) -> Result<(Roamed, Faulted), Error> {
        let mut faulted = Faulted::default();
        for proxy in &mut self.proxies {
            let part: Faulted = proxy.ask(&Question::Calm, SLACK).await?;
            faulted.breaks += part.breaks;
        }
        let roamed = self.clients.ask(&Question::Settle, SLACK).await?;
        Ok((roamed, faulted))
    }

    /// Bots: the games under way come to their ends.
    pub(crate) async fn played(&mut self) -> Result<Played, Error> {
        self.clients.ask(&Question::Settle, SLACK).await
    }

    /// The clients end their sessions.
    pub(crate) async fn leave(&mut self) -> Result<(), Error> {
        let _: serde_json::Value = self.clients.ask(&Question::Leave, SLACK).await?;
        Ok(())
    }

    pub(crate) async fn store_counts(&mut self) -> Result<StoreCounts, Error> {
        self.store.counts().await
    }

    /// A process that commits to the same store, so many at a time.
    pub(crate) async fn store_client(&self, window: u64) -> Result<Child, Error> {
        let own = pass(&[("state", &self.state), ("window", &window)]);
        let options = [self.store.client(), own].concat();
        let (child, ()) = Child::start("drive-store", &options).await?;
        Ok(child)
    }

    /// Takes the gate away, with all connections through it.
    pub(crate) async fn close_gate(&mut self) -> Result<(), Error> {
        let Some(mut gate) = self.gate.take() else { return Ok(()) };
        gate.signal(rustix::process::Signal::KILL)?;
        gate.end(SLACK).await.map(|_| ())
    }
}

const fn here(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

async fn start_proxy(target: &str, node: usize, shape: &Shape) -> Result<(Child, String), Error> {
    // Each node's proxy has faults of its own.
    let seed = shape.seed.wrapping_add((node as u64) << 48);
    let mut options =
        pass(&[("target", &target), ("first", &0), ("clients", &shape.clients), ("seed", &seed)]);
    options.extend(shape.links.then(|| "--calm".to_owned()));
    let (proxy, addresses): (_, Vec<String>) = Child::start("serve-proxy", &options).await?;
    Ok((proxy, addresses.join(",")))
}

async fn start_clients(
    options: &ClusterOptions,
    shape: &Shape,
    doors: &[String],
) -> Result<Child, Error> {
    let nodes = doors.iter().flat_map(|door| pass(&[("node", door)]));
    if shape.game.is_some() {
        let bots: Vec<_> = pass(&[("clients", &shape.clients)]).into_iter().chain(nodes).collect();
        return Ok(Child::start::<()>("drive-bots", &bots).await?.0);
    }
    let mut arguments = pass(&[
        ("clients", &shape.clients),
        ("pace", &options.pace(shape.faults || shape.links)),
        ("state", &options.state),
        ("own-ms", &shape.own_ms),
    ]);
    arguments.extend(shape.crash_proof.then(|| "--crash-proof".to_owned()));
    arguments.extend(shape.rejoin.then(|| "--rejoin".to_owned()));
    arguments.extend(nodes);
    let (clients, ()) = Child::start("drive-roam", &arguments).await?;
    Ok(clients)
}

/// A report of a run over a cluster.
pub(crate) fn report(
    scenario: &str,
    seconds: u64,
    clients: u64,
    options: &ClusterOptions,
) -> Report {
    Report::new(scenario, seconds, NODES, clients).on_store(options.store.name())
}

/// A secret of this run, which only this user can read.
fn write_secret(path: &Path) -> Result<(), Error> {
    use std::hash::{BuildHasher, RandomState};
    let word = || format!("{:016x}", RandomState::new().hash_one(std::process::id()));
    let secret: String = (0..4).map(|_| word()).collect();
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(secret.as_bytes()));
    written.map_err(Error::io(format!("writing {}", path.display())))
}
