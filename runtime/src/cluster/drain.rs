//! What others may ask of a drain; the drain itself is `throughline-cluster`'s.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use throughline_cluster::{DrainProgress, DrainReport, RecordId, Went};
use tokio::sync::{mpsc, watch};

use super::Stage;

/// What is asked of a drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DrainOrder {
    /// Begin, with another rate and deadline than the configuration's.
    Start {
        rate: Option<u32>,
        deadline: Option<Duration>,
    },
    Pause,
    Resume,
    Stop,
}

impl DrainOrder {
    const fn is_start(&self) -> bool {
        matches!(self, Self::Start { .. })
    }
}

/// What a drain is told by the lease and by the sessions.
#[derive(Debug)]
pub(super) enum News {
    /// `draining` is committed.
    Draining,
    /// The node still owns records.
    NotLeft,
    /// `left` is committed.
    Left,
    /// A record has gone; nobody could act for it for so long.
    Gone(RecordId, Went, Duration),
    /// A record stays, for this reason.
    Failed(RecordId, String),
}

/// The handle of a node's drain: orders in, progress out.
#[derive(Debug)]
pub(crate) struct DrainControl {
    orders: watch::Sender<Vec<DrainOrder>>,
    /// Whether one is to begin, or has begun.
    is_ordered: AtomicBool,
    state: Mutex<State>,
    over: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    /// Where news go while a drain runs; at most one for each session and try, so the number of
    /// sessions bounds it.
    news: Option<mpsc::UnboundedSender<News>>,
    progress: Option<DrainProgress>,
    report: Option<DrainReport>,
}

/// Orders that wait, at most: an operator gives a few.
const ORDERS_MAX: usize = 64;

impl DrainControl {
    pub(crate) fn new() -> Self {
        let (orders, over) = (watch::Sender::new(Vec::new()), watch::Sender::new(false));
        Self { orders, is_ordered: AtomicBool::new(false), state: Mutex::default(), over }
    }

    /// Gives an order. A drain that runs is not begun again, but goes on as this order says, paused
    /// or not; without one, the others do nothing.
    pub(crate) fn order(&self, order: DrainOrder) {
        if order.is_start() {
            self.is_ordered.store(true, Ordering::Relaxed);
        }
        self.orders.send_if_modified(|orders| {
            let fits = orders.len() < ORDERS_MAX;
            if fits {
                orders.push(order);
            }
            fits
        });
    }

    /// Whether one was ordered, whoever did it: from then on no balancer is to send anybody here.
    pub(crate) fn is_ordered(&self) -> bool {
        self.is_ordered.load(Ordering::Relaxed)
    }

    /// How far it is; `None` before it was begun.
    pub(crate) fn progress(&self) -> Option<DrainProgress> {
        self.lock().progress
    }

    /// How it ended, once it has.
    pub(crate) fn report(&self) -> Option<DrainReport> {
        self.lock().report.clone()
    }

    /// Waits until the drain that was ordered last has ended; one that was over before then is not
    /// that one.
    pub(crate) async fn ended(&self) {
        // The senders are in `self`, so these do not fail.
        let is_taken = |orders: &Vec<DrainOrder>| !orders.iter().any(DrainOrder::is_start);
        let _ = self.orders.subscribe().wait_for(is_taken).await;
        let _ = self.over.subscribe().wait_for(|over| *over).await;
    }

    /// A record went elsewhere, or is over.
    pub(crate) fn gone(&self, id: &RecordId, went: Went, pause: Duration) {
        self.tell(|| News::Gone(id.clone(), went, pause));
    }

    /// A record that was to go stays.
    pub(crate) fn failed(&self, id: &RecordId, why: &str) {
        self.tell(|| News::Failed(id.clone(), why.to_owned()));
    }

    /// What became of the node's standing.
    pub(super) fn lease_says(&self, stage: Stage) {
        self.tell(|| match stage {
            Stage::Draining => News::Draining,
            Stage::Left => News::Left,
            _ => News::NotLeft,
        });
    }

    fn tell(&self, news: impl FnOnce() -> News) {
        if let Some(drain) = &self.lock().news {
            // A drain that is over needs no news.
            let _ = drain.send(news());
        }
    }

    /// A drain begins: where it hears of what happens. For the driver.
    pub(super) fn begin(&self) -> mpsc::UnboundedReceiver<News> {
        let (news, heard) = mpsc::unbounded_channel();
        *self.lock() = State { news: Some(news), ..State::default() };
        heard
    }

    /// Takes the next order: those behind it are for who acts on it. For the driver.
    pub(super) fn next_order(&self) -> Option<DrainOrder> {
        let mut next = None;
        self.orders.send_if_modified(|orders| {
            next = (!orders.is_empty()).then(|| orders.remove(0));
            if next.is_some_and(|next| next.is_start()) {
                // Before anybody sees that it is taken.
                self.over.send_replace(false);
            }
            next.is_some()
        });
        next
    }

    /// Waits for an order. For the driver.
    pub(super) async fn ordered(&self) {
        let _ = self.orders.subscribe().wait_for(|orders| !orders.is_empty()).await;
    }

    pub(super) fn set_progress(&self, progress: DrainProgress) {
        self.lock().progress = Some(progress);
    }

    pub(super) fn set_report(&self, report: DrainReport) {
        self.lock().report = Some(report);
        self.over.send_replace(true);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
