//! Empties the node: the driver of a drain.

use std::sync::Arc;
use std::time::Duration;

use throughline_canary::canary;
use throughline_cluster::{Drain, DrainAction, DrainConfig, Gone, RecordId, Went, defaults};
use throughline_link::{CloseCode, Instant};
use tokio::sync::mpsc;

use super::{DrainOrder, Order, Stage, drain::News, rows, unheld};
use crate::{actor::ToSession, node::Shared, vactor};

/// Clients that come back elsewhere in a second, when all are told at once: what two nodes on two
/// cores take without a pause that anybody notices.
const SPREAD_RATE: u32 = 2_000;

/// A client that was told to come back elsewhere and has not come so long after its time is away:
/// its session is parked for it.
const GRACE: Duration = Duration::from_secs(1);

/// A record that is not in memory is put away, and what the node owns is read, within so long, or
/// tried again: a store that does not answer must hold up neither the deadline nor an operator's
/// order.
const PUT_AWAY_TIME: Duration = Duration::from_secs(5);

/// A drain says in the log how far it is, so often.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Rows of its own index that a draining node reads.
const OWN_MAX: usize = 1_000_000;

/// What a session is told that is to go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Release {
    /// When its client is to come back elsewhere.
    pub(crate) reconnect_in: Duration,
    /// When the session is parked, if it has not gone by then.
    pub(crate) park_in: Duration,
}

/// Waits for orders to drain, and drains.
pub(super) async fn run(node: Arc<Shared>) {
    loop {
        node.cluster.drain.ordered().await;
        while let Some(order) = node.cluster.drain.next_order() {
            if let DrainOrder::Start { rate, deadline } = order {
                Drainer::new(&node, rate, deadline).run().await;
            }
        }
    }
}

/// What an order says, or else the settings: the rate, with 0 for all at once, and the drain's
/// configuration.
fn configured(node: &Shared, rate: Option<u32>, deadline: Option<Duration>) -> (u32, DrainConfig) {
    let settings = &node.config.drain;
    let rate = rate.unwrap_or(settings.rate);
    let deadline = deadline.unwrap_or(settings.deadline);
    // A rate beyond all sessions is none at all.
    (rate, DrainConfig { rate: if rate == 0 { u32::MAX } else { rate }, deadline })
}

struct Drainer<'a> {
    node: &'a Arc<Shared>,
    drain: Drain,
    /// 0: all at once.
    rate: u32,
    news: mpsc::UnboundedReceiver<News>,
    /// Drawn from for the times of clients; any seed does.
    draw: u64,
    /// How long clients are spread.
    spread: Duration,
    /// When the log was last told how far it is.
    told: Instant,
}

impl<'a> Drainer<'a> {
    fn new(node: &'a Arc<Shared>, rate: Option<u32>, deadline: Option<Duration>) -> Self {
        let (rate, config) = configured(node, rate, deadline);
        let drain = Drain::new(config, node.clock.now());
        let news = node.cluster.drain.begin();
        let draw = super::random_number(node);
        let told = node.clock.now();
        Self { node, drain, rate, news, draw, spread: Duration::ZERO, told }
    }

    async fn run(mut self) {
        let control = &self.node.cluster.drain;
        loop {
            while let Some(action) = self.drain.poll_action() {
                if let DrainAction::Over(mut report) = action {
                    if !report.has_left && report.left.is_empty() {
                        let why = "the store did not take that the node drains or leaves";
                        let here = self.in_memory().into_iter();
                        report.left = here.map(|id| (id, why.to_owned())).collect();
                    }
                    control.set_progress(self.drain.progress());
                    let left = report.left.len();
                    log::info!(
                        "drain: {} sessions moved, {} parked, {} ended, {} VActors gone; \
                         {left} left, {} lost, longest pause {:.0} ms, in {:.1} s",
                        report.moved,
                        report.parked,
                        report.ended,
                        report.vactors,
                        report.lost,
                        report.pause_max.as_secs_f64() * 1e3,
                        report.took.as_secs_f64()
                    );
                    for (id, why) in &report.left {
                        log::error!("drain: {id} was left: {why}");
                    }
                    control.set_report(report);
                    return;
                }
                self.act(action).await;
                self.obey();
                // What sessions say comes before what is found about them: a node that was fenced
                // would take them for moved.
                while let Ok(news) = self.news.try_recv() {
                    self.take(news).await;
                }
                self.drain.handle_timeout(self.node.clock.now());
            }
            control.set_progress(self.drain.progress());
            let now = self.node.clock.now();
            let at = self.drain.poll_timeout().unwrap_or(now).min(self.tell(now));
            tokio::select! {
                news = self.news.recv() => if let Some(news) = news { self.take(news).await; },
                () = control.ordered() => self.obey(),
                () = tokio::time::sleep_until(self.node.clock.at(at)) => {
                    self.drain.handle_timeout(self.node.clock.now());
                }
            }
        }
    }

    /// Says in the log how far it is, once in a while; when it says so next.
    fn tell(&mut self, now: Instant) -> Instant {
        if now.since(self.told) >= TELL_EVERY {
            self.told = now;
            let progress = self.drain.progress();
            let gone = progress.moved + progress.parked + progress.ended;
            let vactors = progress.vactors;
            let left = progress.waiting + progress.leaving;
            let paused = if progress.paused { ", paused" } else { "" };
            log::info!(
                "drain: {gone} sessions and {vactors} VActors have gone, {left} are left{paused}"
            );
        }
        self.told + TELL_EVERY
    }

    fn obey(&mut self) {
        let now = self.node.clock.now();
        // What was ordered after a stop is for the next drain.
        while !self.drain.is_over()
            && let Some(order) = self.node.cluster.drain.next_order()
        {
            match order {
                DrainOrder::Pause => self.drain.pause(),
                DrainOrder::Resume => self.drain.resume(now),
                DrainOrder::Stop => self.drain.stop(now),
                // The node stops: who had paused the drain or slowed it down did not mean that.
                DrainOrder::Start { rate, deadline } => {
                    let (rate, config) = configured(self.node, rate, deadline);
                    self.rate = rate;
                    self.drain.restart(config, now);
                }
            }
        }
    }

    async fn act(&mut self, action: DrainAction) {
        match action {
            // An earlier drain left something: this node drains since then.
            DrainAction::Begin if self.node.cluster.stage() == Stage::Draining => {
                self.take(News::Draining).await;
            }
            DrainAction::Begin => self.node.cluster.order(Order::Drain),
            DrainAction::Release(id) => self.release(id).await,
            DrainAction::Leave => {
                // Sessions that have ended still tell their clients; nobody owns them any more.
                let left = self.owned().await;
                match left {
                    Some(left)
                        if left.is_empty()
                            || canary!(DrainIgnoresNewcomers)
                            || canary!(DrainLeavesEarly) =>
                    {
                        self.node.cluster.order(Order::Leave(0));
                    }
                    Some(left) => self.drain.handle_found(left, self.node.clock.now()),
                    None => {
                        // The store is silent: what is in memory is looked at again, later.
                        tokio::time::sleep(defaults::DRAIN_AGAIN).await;
                        let here = self.in_memory();
                        self.drain.handle_found(here, self.node.clock.now());
                    }
                }
            }
            _ => {}
        }
    }

    /// What has an actor here: what is known without the store.
    fn in_memory(&self) -> Vec<RecordId> {
        let sessions = self.node.directory.all().into_iter().map(|(id, _)| RecordId::session(id));
        sessions.chain(self.node.vactors.ids()).collect()
    }

    async fn owned(&self) -> Option<Vec<RecordId>> {
        let cluster = &self.node.cluster;
        let owned = rows::owned(&cluster.store, cluster.member(), OWN_MAX, |_| true);
        tokio::time::timeout(PUT_AWAY_TIME, owned).await.ok()?.ok()
    }

    async fn take(&mut self, news: News) {
        let now = self.node.clock.now();
        match news {
            News::Draining => {
                vactor::hand_over_due(self.node);
                let owned = self.owned().await;
                let owned = owned.unwrap_or_else(|| self.in_memory());
                log::info!("drain: {} sessions and VActors are to go", owned.len());
                let count = u32::try_from(owned.len()).unwrap_or(u32::MAX);
                let needed = Duration::from_secs(1) * count / SPREAD_RATE;
                self.spread = needed.min(self.node.config.drain.spread);
                self.drain.handle_draining(owned, self.node.clock.now());
            }
            News::NotLeft => self.drain.handle_left(false, now),
            News::Left => self.drain.handle_left(true, now),
            News::Gone(id, went, pause) => self.drain.handle_gone(&id, went, pause, now),
            News::Failed(id, why) => self.drain.handle_failed(&id, &why, now),
        }
    }

    async fn release(&mut self, id: RecordId) {
        let reconnect_in = match self.rate {
            0 => self.spread.mul_f64(self.next_share()),
            _ => Duration::ZERO,
        };
        let release = Release { reconnect_in, park_in: reconnect_in + GRACE };
        let actor = id.session_id().and_then(|id| self.node.directory.find(id));
        if let Some(actor) = actor {
            if actor.try_send(ToSession::Release(release)).is_err() {
                let now = self.node.clock.now();
                self.drain.handle_failed(&id, "its mailbox is full", now);
            }
            return;
        }
        if vactor::release(self.node, &id) {
            return;
        }
        let began = self.node.clock.now();
        let putting = tokio::time::timeout(PUT_AWAY_TIME, self.put_away(&id)).await;
        let now = self.node.clock.now();
        match putting {
            Ok(Some(went)) => self.drain.handle_gone(&id, went, now.since(began), now),
            Ok(None) => self.drain.handle_failed(&id, "it is on its way here", now),
            Err(_) => self.drain.handle_failed(&id, "the store did not answer", now),
        }
    }

    /// Puts away a record that is not in memory. Where it went, `None` if it is still here.
    async fn put_away(&self, id: &RecordId) -> Option<Went> {
        match unheld::put_away(self.node, id).await {
            Some(Gone::Ended(code)) if code == CloseCode::Lost.number() => Some(Went::Lost),
            Some(Gone::Ended(_)) => Some(Went::Ended),
            Some(Gone::Moved(..)) => Some(Went::Moved),
            Some(Gone::Parked) => Some(Went::Parked),
            _ => {
                let header = rows::header(&self.node.cluster.store, id).await.ok()?;
                let is_mine = header.and_then(|header| header.owner) == Some(self.me());
                (!is_mine).then_some(Went::Moved)
            }
        }
    }

    fn me(&self) -> throughline_cluster::Member {
        self.node.cluster.member()
    }

    /// A number from 0 to 1: Marsaglia's xorshift64 (2003).
    fn next_share(&mut self) -> f64 {
        self.draw ^= self.draw << 13;
        self.draw ^= self.draw >> 7;
        self.draw ^= self.draw << 17;
        (self.draw >> 11) as f64 / (1_u64 << 53) as f64
    }
}
