//! The faults that come from outside: which one comes when, and when it is over.

use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::fault::FaultKind;
use crate::network::{Line, Wires};
use crate::place::{LINK_PORT, Order, Place};
use crate::plan::Plan;
use crate::random::Random;
use crate::store::{Condition, Engine, Reach};
use crate::truth;

mod rolling;

use rolling::Rolling;

/// An hour.
const HOUR_MS: i64 = 3_600_000;

/// A flapping link changes so often.
const FLAP: Duration = Duration::from_millis(400);

/// Connections that break at once, to count as all of them.
const FLOOD_MIN: usize = 4;

/// What ends a fault.
enum Heal {
    Thaw(usize),
    Start(usize),
    Fast(usize),
    Reach(usize),
    Store,
    /// What was held goes on.
    Release(IpAddr, IpAddr),
    /// What was dropped stays dropped: its connections are reset.
    Repair(IpAddr, IpAddr),
    Loud(Weak<Line>),
    Clock(usize, i64),
    Scans(usize),
    Counters,
    Flap(IpAddr, IpAddr, u32),
}

/// All of them.
pub(crate) struct Weather {
    random: Random,
    plan: Plan,
    places: Vec<Place>,
    players: Vec<IpAddr>,
    engine: Engine,
    wires: Wires,
    next: Duration,
    heals: Vec<(Duration, Heal)>,
    rolling: Option<Rolling>,
    version: u32,
    /// Whether a node was ever of the second version, even if it is not any more.
    had_second: bool,
    is_over: bool,
}

impl Weather {
    pub(crate) fn new(
        plan: &Plan,
        places: &[Place],
        players: &[IpAddr],
        engine: &Engine,
        wires: &Wires,
    ) -> Self {
        Self {
            random: Random::of(plan.seed, 4),
            plan: plan.clone(),
            places: places.to_vec(),
            players: players.to_vec(),
            engine: engine.clone(),
            wires: wires.clone(),
            next: Duration::from_secs(4),
            heals: Vec::new(),
            rolling: None,
            version: 1,
            had_second: false,
            is_over: false,
        }
    }

    /// Called before each step of the run.
    pub(crate) fn step(&mut self, sim: &turmoil::Sim<'_>) {
        let now = truth::now();
        self.kill_who_yielded(now);
        let (due, later) =
            std::mem::take(&mut self.heals).into_iter().partition(|(at, _)| *at <= now);
        self.heals = later;
        for (_, heal) in due {
            self.heal(sim, heal);
        }
        self.roll();
        if self.is_over {
            self.start_who_left();
        } else if now >= self.next {
            self.next = now + self.random.millis(200, self.plan.calm_ms);
            if let Some(kind) = self.random.pick(&self.plan.faults) {
                self.begin(sim, kind, now);
            }
        }
    }

    /// Everything is healed, and nothing new comes.
    pub(crate) fn end(&mut self, sim: &turmoil::Sim<'_>) {
        self.is_over = true;
        if self.had_second {
            // What was written in the second version is read by it alone.
            self.roll_to(2, self.places.len());
        }
        self.engine.audit(|audit| audit.forgive());
        for (_, heal) in std::mem::take(&mut self.heals) {
            let heal = match heal {
                Heal::Flap(one, other, _) => Heal::Release(one, other),
                other => other,
            };
            self.heal(sim, heal);
        }
    }

    /// Whether a rolling update goes on, or a node is away.
    pub(crate) fn is_busy(&self) -> bool {
        self.rolling.is_some() || self.places.iter().any(|place| !place.is_well())
    }

    fn until(&mut self, from: u64, to: u64, heal: Heal) {
        let at = truth::now() + self.random.millis(from, to);
        self.heals.push((at, heal));
    }

    fn some_node(&mut self) -> usize {
        self.random.index(self.places.len())
    }

    /// A well one, if there is any.
    fn some_well(&mut self) -> Option<usize> {
        let well: Vec<_> = (0..self.places.len()).filter(|n| self.places[*n].is_well()).collect();
        self.random.pick(&well)
    }

    fn begin(&mut self, sim: &turmoil::Sim<'_>, kind: FaultKind, now: Duration) {
        match kind {
            FaultKind::CutInFrame => self.cut(),
            FaultKind::HalfOpen => self.silence(),
            FaultKind::NodeKilled => self.kill(),
            FaultKind::NodeFrozen => self.freeze(),
            FaultKind::KilledInHandover => {
                if let Some(by) = self.some_well().and_then(|n| self.places[n].by()) {
                    self.engine.audit(|audit| audit.kill_at_yield(by));
                }
            }
            FaultKind::StoreKilled => self.kill_store(),
            FaultKind::DiskFull => self.store(Condition::Full, 300, 3_000),
            FaultKind::SlowDisk => {
                let takes = self.random.millis(200, 1_200);
                self.store(Condition::Slow(takes), 1_000, 6_000);
            }
            FaultKind::DamagedBytes if self.random.percent(50) => self.hide_counters(),
            FaultKind::DamagedBytes => {
                let percent = 5 + self.random.below(30);
                self.store(Condition::Damaged(percent), 500, 4_000);
            }
            FaultKind::ClockJump => self.jump(),
            FaultKind::NodesParted => self.part(sim),
            FaultKind::NodeWithoutStore => self.cut_store(),
            FaultKind::FlappingLink => self.flap(now),
            FaultKind::RollingUpdate => self.update(),
            FaultKind::ReconnectFlood => self.flood(),
            // Players and hostile clients make the others; these keep the network awkward.
            _ => self.clog(sim),
        }
    }

    fn links(&self) -> Vec<Arc<Line>> {
        let mut lines = self.wires.open();
        lines.retain(|line| line.from.port() == LINK_PORT || line.to.port() == LINK_PORT);
        lines
    }

    fn cut(&mut self) {
        let links = self.links();
        if !links.is_empty() {
            links[self.random.index(links.len())].cut_in_frame();
        }
    }

    fn silence(&mut self) {
        let links = self.links();
        if links.is_empty() {
            return;
        }
        let line = &links[self.random.index(links.len())];
        for end in self.wires.both_ends(line) {
            end.silence();
            self.until(9_000, 14_000, Heal::Loud(Arc::downgrade(&end)));
        }
    }

    fn kill(&mut self) {
        let Some(n) = self.some_well() else { return };
        self.kill_node(n, FaultKind::NodeKilled);
    }

    fn kill_node(&mut self, n: usize, kind: FaultKind) {
        if self.places[n].sessions() > 0 {
            truth::fire(kind);
        }
        self.places[n].order(Order::Kill);
        self.until(500, 8_000, Heal::Start(n));
    }

    fn kill_who_yielded(&mut self, _now: Duration) {
        for by in self.engine.audit(|audit| audit.take_killed()) {
            let of = self.places.iter().position(|place| place.by() == Some(by));
            let other = if self.random.percent(30) { self.some_well() } else { None };
            if let Some(n) = other.or(of) {
                self.kill_node(n, FaultKind::KilledInHandover);
            }
        }
    }

    fn freeze(&mut self) {
        let Some(n) = self.some_well() else { return };
        if self.random.percent(25) {
            let slow = self.random.millis(5, 60);
            self.places[n].slow(Some(slow));
            self.until(2_000, 8_000, Heal::Fast(n));
            return;
        }
        self.places[n].freeze(true);
        let (from, to) = if self.random.percent(30) { (300, 2_400) } else { (4_000, 9_000) };
        self.until(from, to, Heal::Thaw(n));
    }

    fn store(&mut self, condition: Condition, from: u64, to: u64) {
        if self.engine.condition() == Condition::Well {
            self.engine.set_condition(condition);
            self.until(from, to, Heal::Store);
        }
    }

    /// What the states of counters are read with is away.
    fn hide_counters(&mut self) {
        truth::note(format_args!("counters cannot be read"));
        truth::counters(|counters| counters.are_unreadable = true);
        self.until(1_000, 8_000, Heal::Counters);
    }

    fn kill_store(&mut self) {
        if self.engine.condition() != Condition::Well {
            return;
        }
        if self.random.percent(30) {
            let percent = 5 + self.random.below(40);
            return self.store(Condition::Failing(percent), 500, 4_000);
        }
        self.engine.kill();
        self.until(200, 6_000, Heal::Store);
    }

    fn jump(&mut self) {
        // Of three clocks two are right: with fewer there is no time to keep.
        let is_off = self.heals.iter().any(|(_, heal)| matches!(heal, Heal::Clock(..)));
        if is_off || !self.places.iter().all(Place::is_well) {
            return;
        }
        let n = self.some_node();
        // A jump, or a clock that drifts.
        let by = match self.random.below(4) {
            0 => HOUR_MS,
            1 => -HOUR_MS,
            2 => 1_500,
            _ => -1_500,
        };
        if self.places[n].sessions() > 0 {
            truth::fire(FaultKind::ClockJump);
        }
        self.places[n].order(Order::Jump(by));
        self.until(3_000, 12_000, Heal::Clock(n, by));
    }

    fn part(&mut self, sim: &turmoil::Sim<'_>) {
        let one = self.some_node();
        let other = (one + 1 + self.random.index(self.places.len() - 1)) % self.places.len();
        let (one, other) = (self.places[one].ip, self.places[other].ip);
        for line in self.wires.between(one, other) {
            line.mark(Some(FaultKind::NodesParted));
        }
        let heal = match self.random.below(3) {
            0 => {
                sim.hold(one, other);
                Heal::Release(one, other)
            }
            1 => {
                sim.partition(one, other);
                Heal::Repair(one, other)
            }
            _ => {
                sim.partition_oneway(one, other);
                Heal::Repair(one, other)
            }
        };
        truth::note(format_args!("{one} and {other} are parted"));
        self.until(1_000, 10_000, heal);
    }

    /// A player's network and a node do not reach each other for a while.
    fn clog(&mut self, sim: &turmoil::Sim<'_>) {
        let n = self.some_node();
        let (node, player) = (self.places[n].ip, self.random.pick(&self.players));
        let Some(player) = player else { return };
        let heal = if self.random.percent(50) {
            sim.hold(node, player);
            Heal::Release(node, player)
        } else {
            sim.partition_oneway(node, player);
            Heal::Repair(node, player)
        };
        truth::note(format_args!("{node} and {player} are clogged"));
        self.until(200, 5_000, heal);
    }

    fn cut_store(&mut self) {
        let Some(n) = self.some_well() else { return };
        let reach = if self.random.percent(60) { Reach::Shut } else { Reach::Deaf };
        truth::note(format_args!("n{} reaches the store: {reach:?}", n + 1));
        self.places[n].reach(reach);
        self.until(400, 8_000, Heal::Reach(n));
    }

    fn flap(&mut self, now: Duration) {
        let n = self.some_node();
        let node = self.places[n].ip;
        let other = match self.random.percent(50) {
            true => self.places[(n + 1) % self.places.len()].ip,
            false => self.random.pick(&self.players).unwrap_or(node),
        };
        if other != node {
            let times = 6 + u32::try_from(self.random.below(12)).unwrap_or(0);
            self.heals.push((now, Heal::Flap(node, other, times)));
        }
    }

    fn flood(&self) {
        let links = self.links();
        if links.len() >= FLOOD_MIN * 2 {
            truth::fire(FaultKind::ReconnectFlood);
        }
        for line in links {
            line.reset();
        }
    }

    /// A node that drained and was to be started by nobody any more.
    fn start_who_left(&self) {
        for place in self.places.iter().filter(|place| !place.is_up()) {
            place.order(Order::Start(self.version));
        }
    }

    fn heal(&mut self, sim: &turmoil::Sim<'_>, heal: Heal) {
        match heal {
            Heal::Thaw(n) => self.places[n].freeze(false),
            Heal::Start(n) => self.places[n].order(Order::Start(self.version)),
            Heal::Fast(n) => self.places[n].slow(None),
            Heal::Reach(n) => self.places[n].reach(Reach::Open),
            Heal::Store => self.engine.set_condition(Condition::Well),
            Heal::Release(one, other) => sim.release(one, other),
            Heal::Repair(one, other) => {
                sim.repair(one, other);
                for line in self.wires.between(one, other) {
                    line.reset();
                }
            }
            Heal::Loud(line) => match line.upgrade() {
                Some(line) => line.reset(),
                None => truth::fire(FaultKind::HalfOpen),
            },
            Heal::Scans(n) => self.places[n].fail_scans(false),
            Heal::Counters => truth::counters(|counters| counters.are_unreadable = false),
            Heal::Clock(n, by) => self.places[n].order(Order::Jump(-by)),
            Heal::Flap(one, other, times) => self.flap_once(sim, (one, other), times),
        }
    }

    fn flap_once(&mut self, sim: &turmoil::Sim<'_>, (one, other): (IpAddr, IpAddr), times: u32) {
        if times.is_multiple_of(2) {
            for line in self.wires.between(one, other) {
                line.mark(Some(FaultKind::FlappingLink));
            }
            sim.hold(one, other);
        } else {
            sim.release(one, other);
        }
        let at = truth::now() + FLAP;
        match times {
            0 => self.heals.push((at, Heal::Release(one, other))),
            _ => self.heals.push((at, Heal::Flap(one, other, times - 1))),
        }
    }
}
