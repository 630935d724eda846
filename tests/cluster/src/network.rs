//! The network in memory: hosts, connections between them, and what breaks these.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use throughline::environment as runtime;
use throughline_client as client;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use crate::pipe::{Pipe, Stream};
use crate::random::Random;

/// Connections that wait to be accepted: as many as a node's own sockets take.
const BACKLOG: usize = 4096;

/// The first port of those that connect.
const PORT_FIRST: u16 = 32_768;

/// All of it. Clones are the same network.
#[derive(Clone)]
pub(crate) struct Network(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    /// Counts changes of what reaches what.
    changed: watch::Sender<u64>,
    delay: Duration,
}

struct State {
    listeners: BTreeMap<SocketAddr, mpsc::Sender<(runtime::BoxStream, SocketAddr)>>,
    /// Pairs of hosts that do not reach each other, the lower one first.
    parted: BTreeSet<(IpAddr, IpAddr)>,
    /// Hosts that reach nobody.
    away: BTreeSet<IpAddr>,
    ways: Vec<Way>,
    /// How many there are when those that have gone are looked for.
    prune_at: usize,
    random: Random,
    next_port: u16,
}

/// A direction of a connection, from one host to another.
struct Way {
    from: IpAddr,
    to: IpAddr,
    pipe: Weak<Pipe>,
}

/// The network as one host sees it.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    network: Network,
    ip: IpAddr,
}

impl Network {
    pub(crate) fn new(delay: Duration, seed: u64) -> Self {
        let state = State {
            listeners: BTreeMap::new(),
            parted: BTreeSet::new(),
            away: BTreeSet::new(),
            ways: Vec::new(),
            prune_at: 64,
            random: Random::new(seed),
            next_port: PORT_FIRST,
        };
        let changed = watch::Sender::new(0);
        Self(Arc::new(Inner { state: Mutex::new(state), changed, delay }))
    }

    pub(crate) fn host(&self, ip: IpAddr) -> Host {
        Host { network: self.clone(), ip }
    }

    /// Whether these two reach each other, from now on. What is on its way meanwhile waits.
    pub(crate) fn part(&self, one: IpAddr, other: IpAddr, is_parted: bool) {
        let pair = (one.min(other), one.max(other));
        self.change(|state| match is_parted {
            true => drop(state.parted.insert(pair)),
            false => drop(state.parted.remove(&pair)),
        });
    }

    /// Whether this one reaches nobody, from now on.
    pub(crate) fn take_away(&self, host: IpAddr, is_away: bool) {
        self.change(|state| match is_away {
            true => drop(state.away.insert(host)),
            false => drop(state.away.remove(&host)),
        });
    }

    /// The process at this host is gone: what it has written arrives, and nothing more.
    pub(crate) fn unplug(&self, host: IpAddr) {
        let mut state = self.state();
        state.listeners.retain(|address, _| address.ip() != host);
        for way in &state.ways {
            let Some(pipe) = way.pipe.upgrade() else { continue };
            if way.from == host {
                pipe.end();
            }
            if way.to == host {
                pipe.break_off();
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        for way in &state.ways {
            if let Some(pipe) = way.pipe.upgrade() {
                pipe.hold(!state.reaches(way.from, way.to));
            }
        }
        drop(state);
        self.0.changed.send_modify(|count| *count += 1);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(self, from: IpAddr, to: SocketAddr) -> io::Result<Stream> {
        let mut changed = self.0.changed.subscribe();
        let delay = self.state().random.up_to(self.0.delay);
        sleep(delay).await;
        // Who gets no answer waits; the caller has a deadline.
        while !self.state().reaches(from, to.ip()) {
            let _ = changed.changed().await;
        }
        let mut state = self.state();
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let listener = state.listeners.get(&to).cloned().ok_or_else(refused)?;
        let there = Pipe::new(self.0.delay, state.random.next());
        let back = Pipe::new(self.0.delay, state.random.next());
        state.keep(Way { from, to: to.ip(), pipe: Arc::downgrade(&there) });
        state.keep(Way { from: to.ip(), to: from, pipe: Arc::downgrade(&back) });
        let port = state.next_port;
        state.next_port = port.checked_add(1).unwrap_or(PORT_FIRST);
        drop(state);
        let accepted = Stream::new(Arc::clone(&there), Arc::clone(&back));
        let asked = listener.try_send((Box::new(accepted), SocketAddr::new(from, port)));
        asked.map_err(|_| refused())?;
        Ok(Stream::new(back, there))
    }
}

impl State {
    fn reaches(&self, one: IpAddr, other: IpAddr) -> bool {
        let pair = (one.min(other), one.max(other));
        !self.parted.contains(&pair) && !self.away.contains(&one) && !self.away.contains(&other)
    }

    fn keep(&mut self, way: Way) {
        if self.ways.len() >= self.prune_at {
            self.ways.retain(|way| way.pipe.strong_count() > 0);
            self.prune_at = (self.ways.len() * 2).max(64);
        }
        self.ways.push(way);
    }
}

impl runtime::Network for Host {
    fn listen(&self, address: SocketAddr) -> io::Result<runtime::Incoming> {
        let mut state = self.network.state();
        if address.ip() != self.ip {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        if state.listeners.get(&address).is_some_and(|listener| !listener.is_closed()) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let (listener, incoming) = mpsc::channel(BACKLOG);
        state.listeners.insert(address, listener);
        Ok(incoming)
    }

    fn connect(&self, address: &str) -> runtime::Connecting {
        let (network, from, address) = (self.network.clone(), self.ip, address.parse());
        Box::pin(async move {
            let address = address.map_err(|_| io::ErrorKind::InvalidInput)?;
            let stream = network.connect(from, address).await?;
            Ok(Box::new(stream) as runtime::BoxStream)
        })
    }
}

impl client::Connector for Host {
    fn connect(&self, target: client::Target) -> client::Connecting {
        let (network, from) = (self.network.clone(), self.ip);
        Box::pin(async move {
            let ip = target.host.parse().map_err(|_| io::ErrorKind::InvalidInput)?;
            let stream = network.connect(from, SocketAddr::new(ip, target.port)).await?;
            Ok(Box::new(stream) as client::BoxStream)
        })
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        let listeners: Vec<_> = state.listeners.keys().collect();
        f.debug_struct("Network").field("listeners", &listeners).finish_non_exhaustive()
    }
}
