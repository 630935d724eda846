//! The driver of ownership: this node's lease, its records, and how sessions come and go.
//!
//! The rules are `throughline-cluster`'s; this is the part that reads clocks, talks to the store
//! and to the other nodes, and tells the actors. `docs/cluster.md` has the steps.
//!
//! # Layout
//! - `beat`: the lease, on the thread `cluster`; `view`: what it last saw of the nodes
//! - `rows`: records in the store; `holding`: one record that this node owns
//! - `place`: a resume finds its session; `unheld`: records of this node that are not in memory
//! - `message`, `serve`: what nodes say to each other; `courier`: messages between sessions
//! - `key`: session keys; `sweep`: what is due, and what dead nodes owned
//! - `poke`, `look`: queues that have something new, and messages that have expired; `meet`: which
//!   life reads them
//! - `group`: messages to groups; `locate`: where the session of a key is
//! - `versions`: which versions of states may be written
//! - `drain`, `drainer`: emptying the node; `counts`, `swept`: for operators; `open`: the store;
//!   `half_copy`: a store that no node may act on yet

mod adrift;
mod beat;
mod counts;
mod courier;
mod drain;
pub(crate) mod drainer;
mod group;
mod half_copy;
mod holding;
mod key;
mod locate;
mod look;
mod meet;
mod message;
mod open;
mod place;
mod poke;
pub(crate) mod rows;
mod serve;
mod sweep;
mod swept;
mod unheld;
mod versions;
mod view;

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use throughline_canary::canary;
use throughline_cluster::{
    Ending, Entry, Failing, FinalVersions, Header, Law, Member, NodeInfo, defaults,
};
use throughline_link::{CloseCode, Instant};
use throughline_store::Store;
use tokio::sync::{Semaphore, mpsc, watch};

pub(crate) use beat::Order;
pub(crate) use counts::{ClusterCounts, Stage};
pub(crate) use courier::{Sending, report, start_courier};
pub(crate) use drain::{DrainControl, DrainOrder};
pub(crate) use group::send_to_group;
pub(crate) use half_copy::refuse_half_copy;
pub(crate) use holding::{Holding, create, elsewhere, store_down};
pub(crate) use key::{Keying, take as take_key};
pub use locate::{LocateError, Location};
pub(crate) use locate::{Whereabouts, locate, locate_record};
pub(crate) use meet::{life_of, meet};
pub(crate) use message::{tell_move, tell_start};
pub(crate) use open::{Opened, open};
pub(crate) use place::{Found, Host, place};
pub(crate) use poke::poke;
pub(crate) use serve::{Asked, Server};
pub(crate) use swept::SweptStatus;
pub(crate) use unheld::{end_and_dismiss, park, park_as_it_was};
pub(crate) use versions::{FinalError, KindVersion};
pub(crate) use view::View;

use crate::{
    clock::{Clock, wall_ms},
    environment::Spawner,
    node::Shared,
    peers::Peers,
};

/// What this node knows of its cluster, and its means to act in it.
pub(crate) struct Cluster {
    pub(crate) store: Arc<dyn Store>,
    store_name: String,
    spawner: Spawner,
    /// The node's clocks.
    pub(crate) clock: Clock,
    view: RwLock<Arc<View>>,
    /// Until when this node may act, in microseconds of the lease clock; 0: not at all.
    lease: AtomicU64,
    /// Which incarnation the lease is of.
    incarnation: AtomicU64,
    stage: AtomicU8,
    /// This node is without the store, and these others are not.
    adrift: RwLock<Option<Vec<Member>>>,
    orders: mpsc::Sender<Order>,
    peers: OnceLock<Arc<Peers>>,
    requests: AtomicU64,
    /// Held by every message to another node that is under way.
    errands: Arc<()>,
    /// Resumes that look for their session.
    places: Arc<Semaphore>,
    /// Records that could not be loaded here.
    failing: Mutex<Failing>,
    pub(crate) counts: ClusterCounts,
    pub(crate) drain: DrainControl,
}

/// Orders to the lease that wait, at most: there are a handful in a node's life, and while the
/// store is away each other node asks twice a second.
const ORDERS_MAX: usize = 1_024;

impl Cluster {
    /// A node that has not joined yet, and what is ordered of it.
    pub(crate) fn new(
        store: Arc<dyn Store>,
        store_name: String,
        me: Member,
        spawner: Spawner,
    ) -> (Arc<Self>, mpsc::Receiver<Order>) {
        let (orders, ordered) = mpsc::channel(ORDERS_MAX);
        let cluster = Self {
            store,
            store_name,
            spawner,
            clock: Clock::start(),
            view: RwLock::new(Arc::new(View::alone(me))),
            lease: AtomicU64::new(0),
            incarnation: AtomicU64::new(me.incarnation),
            stage: AtomicU8::new(Stage::Starting as u8),
            adrift: RwLock::default(),
            orders,
            peers: OnceLock::new(),
            requests: AtomicU64::new(0),
            errands: Arc::new(()),
            places: Arc::new(Semaphore::new(defaults::PLACEMENTS_MAX)),
            failing: Mutex::default(),
            counts: ClusterCounts::default(),
            drain: DrainControl::new(),
        };
        (Arc::new(cluster), ordered)
    }

    pub(crate) fn set_peers(&self, peers: Arc<Peers>) {
        // Set once, before the node joins.
        let _ = self.peers.set(peers);
    }

    pub(crate) fn peers(&self) -> Option<&Arc<Peers>> {
        self.peers.get()
    }

    /// What of the loads here has failed.
    pub(crate) fn failing(&self) -> MutexGuard<'_, Failing> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where tasks run that belong to no worker.
    pub(crate) fn handle(&self) -> &Spawner {
        &self.spawner
    }

    pub(crate) fn store_name(&self) -> &str {
        &self.store_name
    }

    /// Whether what is parked outlives this process.
    pub(crate) fn is_durable(&self) -> bool {
        self.store_name != open::MEMORY
    }

    pub(crate) fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set_view(&self, view: View) {
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
    }

    /// One node as it stands now, and what was final after that; `None`: that could not be read.
    fn see(&self, entry: Entry, finals: Option<FinalVersions>) {
        let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
        let mut seen = View::clone(&view);
        seen.nodes.retain(|other| other.member != entry.member);
        seen.nodes.push(entry);
        if let Some(finals) = finals {
            seen.finals = finals;
        }
        *view = Arc::new(seen);
    }

    /// This node's incarnation.
    pub(crate) fn member(&self) -> Member {
        self.view().me.member
    }

    pub(crate) fn stage(&self) -> Stage {
        Stage::from_number(self.stage.load(Ordering::Relaxed))
    }

    fn set_stage(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Relaxed);
    }

    /// Whether this node may act at `now`, a time of the lease clock.
    #[inline]
    pub(crate) fn may_act(&self, now: Instant) -> bool {
        now.as_micros() < self.lease.load(Ordering::Acquire)
    }

    /// Whether a record of this owner is this incarnation's. A session may come into being after
    /// its node was declared dead: it is not among those that are told, and the next lease is not
    /// its own. Asked after the lease, which is given after the incarnation.
    #[inline]
    pub(crate) fn is_mine(&self, owner: Option<Member>) -> bool {
        let incarnation = self.incarnation.load(Ordering::Acquire);
        owner.is_none_or(|owner| owner.incarnation == incarnation) || canary!(FencedKeepsAll)
    }

    fn set_incarnation(&self, incarnation: u64) {
        self.incarnation.store(incarnation, Ordering::Release);
    }

    fn set_lease(&self, until: Option<Instant>) {
        self.lease.store(until.map_or(0, Instant::as_micros), Ordering::Release);
    }

    pub(crate) fn order(&self, order: Order) {
        // A node that has stopped takes none any more.
        if let Err(mpsc::error::TrySendError::Full(order)) = self.orders.try_send(order) {
            log::error!("cluster: {order:?} is lost: too many orders");
        }
    }

    /// For a message that goes to another node.
    pub(crate) fn errand(&self) -> Arc<()> {
        Arc::clone(&self.errands)
    }

    /// Whether messages to other nodes are under way.
    pub(crate) fn has_errands(&self) -> bool {
        Arc::strong_count(&self.errands) > 1
    }

    fn next_request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The entry of a node: as last seen, or as it stands now.
    pub(crate) async fn entry(&self, member: Member) -> Option<Entry> {
        if let Some(entry) = self.view().entry(member) {
            return Some(entry.clone());
        }
        rows::entry(&self.store, member).await.ok()
    }

    /// The cluster's wall clock, in milliseconds since 1970 UTC: what expiry is written by and
    /// compared with.
    pub(crate) fn wall_ms(&self) -> u64 {
        self.view().wall_clock.wall_ms(self.clock.lease_now(), wall_ms())
    }

    /// The same, `None` if this node's own clock is too far off for it to sweep or claim.
    pub(crate) fn trusted_ms(&self) -> Option<u64> {
        self.view().wall_clock.trusted_ms(self.clock.lease_now(), wall_ms())
    }

    /// A time as the store has it, in milliseconds since 1970 UTC.
    pub(crate) fn ms_from_now(&self, after: Duration) -> u64 {
        self.wall_ms().saturating_add(u64::try_from(after.as_millis()).unwrap_or(u64::MAX))
    }

    /// Addresses for clients that are sent elsewhere.
    pub(crate) fn others(&self, header: Option<&Header>) -> Vec<String> {
        self.view().others(header)
    }

    /// Whether there is another node that may have this record, or, without one, anything.
    pub(crate) fn has_others(&self, header: Option<&Header>) -> bool {
        self.view().takers(header).next().is_some()
    }

    /// Deletes the record of a session whose end nobody will ask for.
    pub(crate) async fn dismiss(&self, header: &Header) {
        if let Ok(step) = Law::default().dismiss(header) {
            // What is not deleted now is deleted when it is due.
            rows::commit(&self.store, &step.commit).await;
        }
    }

    /// How a session ends that was lost with its owner.
    fn lost(&self) -> Ending {
        unheld::ending(self, CloseCode::Lost.number())
    }
}

/// What a node tells the others of itself, and who is told when it has joined.
pub(crate) struct Joining {
    pub(crate) info: NodeInfo,
    pub(crate) ordered: mpsc::Receiver<Order>,
    pub(crate) joined: watch::Sender<bool>,
}

/// The life of the thread `cluster`: the lease, and what stands on it.
pub(crate) async fn run(node: Arc<Shared>, joining: Joining) {
    let cluster = &node.cluster;
    cluster.handle().spawn(drainer::run(Arc::clone(&node)));
    let Joining { info, ordered, joined } = joining;
    beat::run(Arc::clone(&node), Arc::new(info), ordered, joined).await;
    if let Some(peers) = cluster.peers() {
        peers.close();
        peers.finish().await;
    }
    if let Err(error) = cluster.store.close().await {
        log::error!("cluster: {error}");
    }
}

/// A random number for an incarnation or a life; never 0.
pub(crate) fn random_number(node: &Shared) -> u64 {
    let id = node.random_id().0;
    let (head, _) = id.split_first_chunk::<8>().unwrap_or((&[1; 8], &[]));
    u64::from_be_bytes(*head).max(1)
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("store", &self.store_name).finish_non_exhaustive()
    }
}
