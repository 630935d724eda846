//! How often each fault really fired.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::SystemTime;

use tokio::sync::mpsc;

use super::faults::{KINDS, Kind};

/// How often each fault fired: a cut or reset when it closed a connection that both sides held
/// open, a black hole when it swallowed something, the others when they first changed how bytes
/// pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    fired: [u64; KINDS],
    /// Connections of clients that were carried to the target.
    pub connections: u64,
    /// Faults that were counted here, but not told to the watcher, since too many waited.
    pub untold: u64,
}

impl Counters {
    /// How often that kind fired.
    pub fn of(&self, kind: Kind) -> u64 {
        self.fired[kind as usize]
    }

    /// How many connections were broken, by any kind of fault that breaks.
    pub fn breaks(&self) -> u64 {
        Kind::ALL.into_iter().filter(|kind| kind.breaks()).map(|kind| self.of(kind)).sum()
    }
}

/// A fault that fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fired {
    /// Of which connection, counted from 0 in the order they came to this proxy.
    pub connection: u64,
    /// What it was.
    pub kind: Kind,
    /// When, on the machine's clock: other processes compare it with theirs.
    pub at: SystemTime,
}

/// What the connections of one proxy count together.
#[derive(Debug)]
pub(crate) struct Shared {
    fired: [AtomicU64; KINDS],
    connections: AtomicU64,
    untold: AtomicU64,
    open: AtomicUsize,
    watcher: Option<mpsc::Sender<Fired>>,
}

impl Shared {
    pub(crate) fn new(watcher: Option<mpsc::Sender<Fired>>) -> Self {
        Self {
            fired: Default::default(),
            connections: AtomicU64::new(0),
            untold: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            watcher,
        }
    }

    /// Takes one of `limit` places for a connection; the place is given back on drop.
    pub(crate) fn enter(&self, limit: usize) -> Option<Place<'_>> {
        let entered = self.open.fetch_add(1, Ordering::Relaxed) < limit;
        let place = Place(&self.open);
        entered.then_some(place)
    }

    /// The number of the next connection.
    pub(crate) fn number(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn count(&self, connection: u64, kind: Kind) {
        self.fired[kind as usize].fetch_add(1, Ordering::Relaxed);
        if let Some(watcher) = &self.watcher {
            let fired = Fired { connection, kind, at: SystemTime::now() };
            if watcher.try_send(fired).is_err() {
                self.untold.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    pub(crate) fn counters(&self) -> Counters {
        let mut fired = [0; KINDS];
        for (counter, counted) in fired.iter_mut().zip(&self.fired) {
            *counter = counted.load(Ordering::Relaxed);
        }
        Counters {
            fired,
            connections: self.connections.load(Ordering::Relaxed),
            untold: self.untold.load(Ordering::Relaxed),
        }
    }
}

/// One open connection.
#[derive(Debug)]
pub(crate) struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
