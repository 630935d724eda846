//! The thread that everything runs on: its runtime, its time, and the nodes.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use throughline::NodeHere;
use throughline_store::{MemoryStore, Scope};
use tokio::runtime::Runtime;
use tokio::time::{Instant, timeout};

use crate::network::Network;
use crate::store::{Gate, NodeStore};

/// The longest that anything is waited for, in the time of the test: more than any repair, handover
/// or take-over takes with the settings' defaults. A test that waits longer first advances.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Where nodes take links, and other nodes.
pub(crate) const LINK_PORT: u16 = 7778;
pub(crate) const PEER_PORT: u16 = 7776;

/// All that a test stands in.
pub(crate) struct World {
    /// Before the runtime, which their tasks need when they are dropped.
    nodes: RefCell<Vec<Slot>>,
    pub(crate) network: Network,
    pub(crate) content: MemoryStore,
    /// Whose nodes the store says that it is for.
    pub(crate) scope: Scope,
    pub(crate) seed: u64,
    began: Instant,
    runtime: Runtime,
}

/// The place of one node.
#[derive(Default)]
struct Slot {
    up: Option<Up>,
    is_frozen: bool,
    starts: u64,
}

/// A node that runs.
struct Up {
    node: NodeHere,
    store: NodeStore,
    woken: Arc<Woken>,
}

/// Whether a node has something to do, and who is told then.
struct Woken {
    is_woken: AtomicBool,
    main: Mutex<Waker>,
}

impl Woken {
    fn main(&self) -> MutexGuard<'_, Waker> {
        self.main.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_woken.swap(true, Ordering::AcqRel) {
            self.main().wake_by_ref();
        }
    }
}

impl Up {
    fn new(node: NodeHere, store: NodeStore) -> Self {
        let main = Mutex::new(Waker::noop().clone());
        let woken = Woken { is_woken: AtomicBool::new(true), main };
        Self { node, store, woken: Arc::new(woken) }
    }

    /// Polls the node if it has something to do; whether it has ended.
    fn poll(&mut self) -> bool {
        if !self.woken.is_woken.swap(false, Ordering::AcqRel) {
            return false;
        }
        let waker = Waker::from(Arc::clone(&self.woken));
        Pin::new(&mut self.node).poll(&mut Context::from_waker(&waker)).is_ready()
    }
}

impl World {
    pub(crate) fn new(nodes: usize, delay: Duration, seed: u64, scope: Scope) -> Self {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(true);
        // Without that flag, which of several things that are ready goes first is not the seed's.
        #[cfg(tokio_unstable)]
        builder.rng_seed(tokio::runtime::RngSeed::from_bytes(&seed.to_le_bytes()));
        let runtime = builder.build().expect("a runtime without threads and sockets needs nothing");
        let began = runtime.block_on(async { Instant::now() });
        Self {
            nodes: RefCell::new((0..nodes).map(|_| Slot::default()).collect()),
            network: Network::new(delay, seed),
            content: MemoryStore::new(),
            scope,
            seed,
            began,
            runtime,
        }
    }

    /// Lets everything go on until `future` is ready.
    pub(crate) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(async {
            let mut future = pin!(future);
            let found = poll_fn(|cx| {
                self.poll_nodes(cx.waker());
                future.as_mut().poll(cx)
            })
            .await;
            // A task that has yielded in this round is woken when the runtime looks round next. One
            // that ends before would forget it for ever.
            tokio::task::yield_now().await;
            found
        })
    }

    /// The same, for at most [`PATIENCE`].
    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        self.run(async { timeout(PATIENCE, future).await.ok() })
    }

    fn poll_nodes(&self, main: &Waker) {
        for slot in self.nodes.borrow_mut().iter_mut().filter(|slot| !slot.is_frozen) {
            let Some(up) = &mut slot.up else { continue };
            up.woken.main().clone_from(main);
            if up.poll() {
                slot.up = None;
            }
        }
    }

    /// Runs `work` where tasks and timers can be made, and dropped.
    pub(crate) fn inside<T>(&self, work: impl FnOnce() -> T) -> T {
        let _runtime = self.runtime.enter();
        work()
    }

    /// The time that has passed.
    pub(crate) fn elapsed(&self) -> Duration {
        self.inside(|| self.began.elapsed())
    }

    pub(crate) fn count(&self) -> usize {
        self.nodes.borrow().len()
    }

    /// Another seed for each thing and each start of it.
    pub(crate) const fn seed_of(&self, thing: u64, start: u64) -> u64 {
        self.seed.wrapping_mul(0x1_0000_0001).wrapping_add(thing << 20).wrapping_add(start)
    }

    /// Which start of node `n` the next one is, from 1.
    pub(crate) fn next_start(&self, n: usize) -> u64 {
        let slot = &mut self.nodes.borrow_mut()[n];
        slot.starts += 1;
        slot.starts
    }

    pub(crate) fn set_up(&self, n: usize, node: NodeHere, store: NodeStore) {
        self.nodes.borrow_mut()[n].up = Some(Up::new(node, store));
    }

    /// Asks a node something, if it runs.
    pub(crate) fn with<T>(&self, n: usize, ask: impl FnOnce(&NodeHere) -> T) -> Option<T> {
        self.nodes.borrow()[n].up.as_ref().map(|up| ask(&up.node))
    }

    /// What becomes of its calls to the store, from now on; false if it does not run.
    pub(crate) fn set_store(&self, n: usize, gate: Gate) -> bool {
        let nodes = self.nodes.borrow();
        let up = nodes[n].up.as_ref();
        up.map(|up| up.store.set(gate)).is_some()
    }

    /// False if it does not run.
    pub(crate) fn freeze(&self, n: usize, is_frozen: bool) -> bool {
        let slot = &mut self.nodes.borrow_mut()[n];
        slot.is_frozen = is_frozen && slot.up.is_some();
        slot.up.is_some()
    }

    /// Whether it runs and is frozen.
    pub(crate) fn is_frozen(&self, n: usize) -> bool {
        self.nodes.borrow()[n].is_frozen
    }

    /// Ends a node without a word; false if it does not run.
    pub(crate) fn kill(&self, n: usize) -> bool {
        let slot = &mut self.nodes.borrow_mut()[n];
        slot.is_frozen = false;
        let Some(up) = slot.up.take() else { return false };
        self.inside(|| {
            // First: what is dropped may still want to say something.
            up.store.abandon();
            self.network.unplug(host_of_node(n));
            drop(up);
        });
        true
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let nodes = std::mem::take(&mut *self.nodes.borrow_mut());
        self.inside(|| drop(nodes));
    }
}

/// Nodes are at 10.0.0.1 and so on.
pub(crate) const fn host_of_node(n: usize) -> IpAddr {
    host(0x0a00_0001, n)
}

/// Players are at 10.1.0.0 and so on.
pub(crate) const fn host_of_player(n: usize) -> IpAddr {
    host(0x0a01_0000, n)
}

const fn host(first: u32, n: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(first + n as u32))
}

pub(crate) const fn link_address(n: usize) -> SocketAddr {
    SocketAddr::new(host_of_node(n), LINK_PORT)
}
