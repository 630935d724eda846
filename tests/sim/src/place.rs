//! The place of one node: its host runs the node that is there, as the faults say.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use throughline::environment::{Environment, WALL_MS};
use throughline::{Config, Node, NodeHere, RunningNode, SessionId, StopReport};
use tokio::time::{Instant, Sleep, sleep};

use crate::game;
use crate::network::{Host, Wires};
use crate::store::{Engine, NodeStore, Reach};
use crate::truth;

/// What the nodes of every run know.
const SECRET: &[u8] = b"a secret of simulations only";

/// Where nodes take links, and other nodes.
pub(crate) const LINK_PORT: u16 = 7778;
const PEER_PORT: u16 = 7776;

/// Of a node that is not there any more.
type Gone = Pin<Box<dyn Future<Output = ()>>>;

/// The place, as the faults see it. Clones are the same.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) number: usize,
    pub(crate) ip: IpAddr,
    inner: Rc<RefCell<Inner>>,
    world: Rc<World>,
}

/// What all places share.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) engine: Engine,
    pub(crate) wires: Wires,
    pub(crate) settings: fn(&mut Config),
}

#[derive(Default)]
struct Inner {
    orders: VecDeque<Order>,
    up: Option<Up>,
    starts: u64,
    is_frozen: bool,
    frozen_at: Duration,
    /// Between two turns of a slow one so much time passes.
    slow: Option<Duration>,
    /// How much its wall clock is off.
    skew_ms: i64,
    waker: Option<Waker>,
}

struct Up {
    node: NodeHere,
    store: NodeStore,
    by: usize,
    version: u32,
    stop: Option<Pin<Box<dyn Future<Output = StopReport>>>>,
    is_draining: bool,
}

/// What is to be done in the node's own host.
pub(crate) enum Order {
    /// A node of this version, if none is there.
    Start(u32),
    Kill,
    Drain,
    /// Its wall clock goes on from another time.
    Jump(i64),
    /// Something that asks the node.
    Run(Box<dyn FnOnce(Rc<RunningNode>) -> Gone>),
    /// The run is over.
    Exit,
}

impl Place {
    pub(crate) fn new(number: usize, ip: IpAddr, world: &Rc<World>) -> Self {
        Self { number, ip, inner: Rc::default(), world: Rc::clone(world) }
    }

    pub(crate) fn order(&self, order: Order) {
        let mut inner = self.inner.borrow_mut();
        inner.orders.push_back(order);
        inner.wake();
    }

    pub(crate) fn is_up(&self) -> bool {
        self.inner.borrow().up.is_some()
    }

    /// Whether it runs as it should.
    pub(crate) fn is_well(&self) -> bool {
        let inner = self.inner.borrow();
        !inner.is_frozen
            && inner.slow.is_none()
            && inner.up.as_ref().is_some_and(|up| !up.is_draining)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.inner.borrow().up.as_ref().is_some_and(|up| up.is_draining)
    }

    /// The number of its start, as the audit knows it.
    pub(crate) fn by(&self) -> Option<usize> {
        self.inner.borrow().up.as_ref().map(|up| up.by)
    }

    pub(crate) fn version(&self) -> Option<u32> {
        self.inner.borrow().up.as_ref().map(|up| up.version)
    }

    /// Sessions that it has in memory.
    pub(crate) fn sessions(&self) -> usize {
        let inner = self.inner.borrow();
        inner.up.as_ref().map_or(0, |up| {
            let (live, waiting) = up.node.running().counts();
            live + waiting
        })
    }

    pub(crate) fn has_session(&self, id: SessionId) -> bool {
        self.inner.borrow().up.as_ref().is_some_and(|up| up.node.has_session(id))
    }

    pub(crate) fn freeze(&self, is_frozen: bool) {
        let mut inner = self.inner.borrow_mut();
        if inner.is_frozen == is_frozen {
            return;
        }
        inner.is_frozen = is_frozen;
        let now = truth::now();
        truth::note(format_args!("n{} frozen: {is_frozen}", self.number + 1));
        match is_frozen {
            true => inner.frozen_at = now,
            false => {
                let was_long = now - inner.frozen_at > Duration::from_secs(3);
                if let (Some(up), true) = (&inner.up, was_long) {
                    self.world.engine.audit(|audit| audit.thawed(up.by));
                }
                inner.wake();
            }
        }
    }

    pub(crate) fn slow(&self, by: Option<Duration>) {
        let mut inner = self.inner.borrow_mut();
        inner.slow = by;
        inner.wake();
    }

    pub(crate) fn reach(&self, reach: Reach) {
        if let Some(up) = &self.inner.borrow().up {
            up.store.set(reach);
        }
    }

    /// Whether it cannot read lists from the store.
    pub(crate) fn fail_scans(&self, fail: bool) {
        if let Some(up) = &self.inner.borrow().up {
            up.store.fail_scans(fail);
        }
    }

    /// The software of its host, until it exits.
    pub(crate) async fn run(self) {
        let mut host = Running { place: self, tasks: Vec::new(), pause: None };
        poll_fn(|cx| host.poll(cx)).await;
    }
}

impl Inner {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// A host at work.
struct Running {
    place: Place,
    tasks: Vec<Gone>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Running {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.place.inner.borrow_mut().waker = Some(cx.waker().clone());
        loop {
            let order = self.place.inner.borrow_mut().orders.pop_front();
            match order {
                Some(Order::Exit) => {
                    self.kill("exit");
                    return Poll::Ready(());
                }
                Some(order) => self.carry_out(order),
                None => break,
            }
        }
        if self.is_still(cx) {
            return Poll::Pending;
        }
        // Not borrowed while the node runs: its tasks look at nothing here, but its faults may.
        let up = self.place.inner.borrow_mut().up.take();
        if let Some(mut up) = up {
            if let Some(stop) = &mut up.stop
                && let Poll::Ready(report) = stop.as_mut().poll(cx)
            {
                up.stop = None;
                self.drained(&report);
            }
            match Pin::new(&mut up.node).poll(cx) {
                Poll::Ready(()) => self.left(&up),
                Poll::Pending => self.place.inner.borrow_mut().up = Some(up),
            }
        }
        self.tasks.retain_mut(|task| task.as_mut().poll(cx).is_pending());
        Poll::Pending
    }

    /// Whether it is frozen, or a slow one pauses.
    fn is_still(&mut self, cx: &mut Context<'_>) -> bool {
        let (is_frozen, slow) = {
            let inner = self.place.inner.borrow();
            (inner.is_frozen, inner.slow)
        };
        let Some(slow) = slow else {
            self.pause = None;
            return is_frozen;
        };
        let pause = self.pause.get_or_insert_with(|| Box::pin(sleep(slow)));
        if is_frozen || pause.as_mut().poll(cx).is_pending() {
            return true;
        }
        pause.as_mut().reset(Instant::now() + slow);
        // Polled so that it wakes the host next time, too.
        let _ = pause.as_mut().poll(cx);
        false
    }

    fn carry_out(&mut self, order: Order) {
        match order {
            Order::Start(version) => self.start(version),
            Order::Kill => self.kill("killed"),
            Order::Drain => {
                let mut inner = self.place.inner.borrow_mut();
                if let Some(up) = inner.up.as_mut().filter(|up| !up.is_draining) {
                    truth::note(format_args!("n{} is told to drain", self.place.number + 1));
                    up.is_draining = true;
                    up.stop = Some(Box::pin(up.node.stop()));
                }
            }
            Order::Jump(by) => {
                let mut inner = self.place.inner.borrow_mut();
                inner.skew_ms += by;
                let (number, off) = (self.place.number + 1, inner.skew_ms);
                truth::note(format_args!("n{number}'s wall clock is {off} ms off"));
                if let Some(up) = &mut inner.up {
                    up.node.jump_wall(by);
                }
            }
            Order::Run(run) => {
                let node = self.place.inner.borrow().up.as_ref().map(|up| up.node.running());
                if let Some(node) = node {
                    self.tasks.push(run(node));
                }
            }
            Order::Exit => {}
        }
    }

    fn start(&self, version: u32) {
        let Place { number, ip, inner, world } = &self.place;
        if inner.borrow().up.is_some() {
            return;
        }
        let (start, skew_ms) = {
            let mut inner = inner.borrow_mut();
            inner.starts += 1;
            inner.is_frozen = false;
            inner.slow = None;
            (inner.starts, inner.skew_ms)
        };
        let by = number * 1000 + usize::try_from(start).unwrap_or(0);
        let seed = crate::random::Random::of(world.seed, 100 + by as u64).next();
        let store = NodeStore::new(&world.engine, by, seed);
        let host = Host { ip: *ip, wires: world.wires.clone() };
        let passed = u64::try_from(truth::now().as_millis()).unwrap_or(0);
        let environment = Environment::new(host, Arc::new(store.clone()), SECRET, seed)
            .wall_ms((WALL_MS + passed).saturating_add_signed(skew_ms));
        world.engine.audit(|audit| audit.started(by, version));
        let builder = game::kinds(Node::builder(self.config()), version);
        match builder.start_here(environment) {
            Ok(node) => {
                truth::note(format_args!("n{} starts as #{by}, version {version}", number + 1));
                let up = Up { node, store, by, version, stop: None, is_draining: false };
                inner.borrow_mut().up = Some(up);
            }
            Err(error) => truth::fail(format_args!("n{} does not start: {error}", number + 1)),
        }
    }

    fn config(&self) -> Config {
        let Place { number, ip, world, .. } = &self.place;
        let mut config = Config::default();
        (world.settings)(&mut config);
        config.cluster.node = u32::try_from(number + 1).unwrap_or(u32::MAX);
        config.cluster.listen = vec![(*ip, PEER_PORT).into()];
        config.listen.link = vec![(*ip, LINK_PORT).into()];
        config.listen.advertise = vec![format!("{ip}:{LINK_PORT}")];
        config.listen.http = Vec::new();
        config.admin.listen = Vec::new();
        config
    }

    fn kill(&self, how: &str) {
        let up = {
            let mut inner = self.place.inner.borrow_mut();
            inner.is_frozen = false;
            inner.slow = None;
            inner.up.take()
        };
        let Some(up) = up else { return };
        truth::note(format_args!("n{} {how}", self.place.number + 1));
        // First: what is dropped may still want to say something.
        up.store.set(Reach::Gone);
        self.place.world.engine.audit(|audit| audit.killed(up.by));
        drop(up);
    }

    fn drained(&self, report: &StopReport) {
        truth::note(format_args!(
            "n{} drained: {} moved, {} parked, {} left",
            self.place.number + 1,
            report.moved,
            report.parked,
            report.left
        ));
    }

    fn left(&self, up: &Up) {
        truth::note(format_args!("n{} has left", self.place.number + 1));
        self.place.world.engine.audit(|audit| audit.killed(up.by));
    }
}
