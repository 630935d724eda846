//! What fails, when: two things at a time at most, so that one node is always healthy.

use std::cell::RefCell;
use std::time::{Duration, Instant, SystemTime};

use fastrand::Rng;
use indicatif::ProgressBar;
use tokio::time::sleep;

use super::failover::{Cause, Fault, Outage, failovers, latency};
use crate::child::Child;
use crate::cluster::{Cluster, Lent, Links, Member};
use crate::curve::Curve;
use crate::error::Error;
use crate::parent::{Broken, Question};
use crate::report::Report;
use crate::roam::WentOver;
use crate::roles::proxy::micros;

/// Play between two faults of the same lane, in ms: about as long as a failover takes. Were it much
/// shorter, every other owner that a session goes over to would fail before it has answered, and
/// what is measured were two failovers.
const REST_MS: std::ops::Range<u64> = 1_500..5_000;

/// How long a killed node stays away, in ms: from less than others take to notice, to more than
/// they take to take over.
const AWAY_MS: std::ops::Range<u64> = 200..6_000;

/// How long a node stands still, in ms: longer than its lease of 3 s.
const STOPPED_MS: std::ops::Range<u64> = 4_000..7_000;

/// By then a node that goes on has noticed whether it was declared dead: with its next beat.
const NOTICED: Duration = Duration::from_secs(1);

/// How long a link is broken, in ms: also longer than a lease.
const BROKEN_MS: std::ops::Range<u64> = 500..5_000;

/// The same of the ways of all clients to a node. A client whose owner is gone waits so much longer
/// if it tries that node next, which has nothing to do with the owner.
const CLIENTS_BROKEN_MS: std::ops::Range<u64> = 500..2_000;

/// How long the hub stays away, in ms.
const HUB_AWAY_MS: std::ops::Range<u64> = 200..2_000;

/// How often memory and disk are looked at.
const SAMPLE_EVERY: Duration = Duration::from_secs(5);

/// How long a proxy may take to do as it is told.
const TOLD_WITHIN: Duration = Duration::from_secs(5);

/// What will fail, and for how long.
#[derive(Debug)]
pub(super) struct Chaos {
    seed: u64,
    lasting: Duration,
}

/// What failed.
#[derive(Debug, Default)]
pub(super) struct Struck {
    kills: u64,
    stops: u64,
    cuts: u64,
    store_kills: u64,
    faults: Vec<Fault>,
    outages: Vec<Outage>,
}

/// A node and its ways to everybody.
struct Site {
    member: Member,
    clients: Child,
    links: Links,
}

/// What both lanes look at. Never borrowed across an await.
struct Stage {
    /// Nodes that nothing is done to.
    calm: RefCell<Vec<Site>>,
    struck: RefCell<Struck>,
    end: Instant,
}

impl Chaos {
    pub(super) fn new(seed: u64, lasting: Duration) -> Self {
        Self { seed, lasting }
    }

    /// Until the time is over. Everything is whole again when it returns.
    pub(super) async fn run(
        &self,
        cluster: &mut Cluster,
        (memory, disk): (&mut Curve, &mut Curve),
        progress: &ProgressBar,
    ) -> Result<Struck, Error> {
        let members = std::mem::take(&mut cluster.members).into_iter();
        let proxies = std::mem::take(&mut cluster.proxies).into_iter();
        let links = std::mem::take(&mut cluster.links).into_iter();
        let sites = members.zip(proxies).zip(links);
        let site = |((member, clients), links)| Site { member, clients, links };
        let stage = Stage {
            calm: RefCell::new(sites.map(site).collect()),
            struck: RefCell::default(),
            end: Instant::now() + self.lasting,
        };
        let start = Instant::now();
        let store = tokio::sync::Mutex::new(&mut cluster.store);
        let lanes = async {
            tokio::try_join!(
                stage.nodes(Rng::with_seed(self.seed)),
                stage.links(Rng::with_seed(!self.seed), &store),
            )
        };
        let watch = async {
            loop {
                sleep(SAMPLE_EVERY).await;
                let lent = store.lock().await;
                let (memory_bytes, disk_bytes) = stage.takes(&lent);
                drop(lent);
                let at_s = start.elapsed().as_secs_f64();
                memory.add(at_s, memory_bytes);
                disk.add(at_s, disk_bytes);
                progress.set_position(start.elapsed().as_secs());
                progress.set_message(stage.struck.borrow().told());
            }
        };
        tokio::select! {
            done = lanes => drop(done?),
            () = watch => {}
        }
        let Stage { calm, struck, .. } = stage;
        let mut sites = calm.into_inner();
        sites.sort_by_key(|site| site.member.number());
        for Site { member, clients, links } in sites {
            cluster.members.push(member);
            cluster.proxies.push(clients);
            cluster.links.push(links);
        }
        Ok(struck.into_inner())
    }
}

impl Stage {
    fn goes_on(&self) -> bool {
        Instant::now() < self.end
    }

    fn note(&self, note: impl FnOnce(&mut Struck)) {
        note(&mut self.struck.borrow_mut());
    }

    /// A node that nothing is done to, until it is given back.
    fn take(&self, random: &mut Rng) -> Site {
        let mut calm = self.calm.borrow_mut();
        let at = random.usize(0..calm.len());
        calm.swap_remove(at)
    }

    /// The lane of nodes: killed or stopped, one at a time.
    async fn nodes(&self, mut random: Rng) -> Result<(), Error> {
        while self.goes_on() {
            sleep(millis(&mut random, REST_MS)).await;
            let mut site = self.take(&mut random);
            if random.u8(0..3) > 0 {
                self.kill(&mut site.member, millis(&mut random, AWAY_MS)).await?;
            } else {
                self.stop(&site.member, millis(&mut random, STOPPED_MS)).await?;
            }
            self.calm.borrow_mut().push(site);
        }
        Ok(())
    }

    async fn kill(&self, member: &mut Member, away: Duration) -> Result<(), Error> {
        let (process, from_us) = (member.process(), now_us());
        member.kill().await?;
        self.note(|struck| {
            struck.kills += 1;
            struck.faults.push(Fault { cause: Cause::Kill, process, from_us, until_us: u64::MAX });
        });
        sleep(away).await;
        member.start_again().await
    }

    async fn stop(&self, member: &Member, lasting: Duration) -> Result<(), Error> {
        let (process, from_us) = (member.process(), now_us());
        member.stand_still(lasting).await?;
        // If nobody could mark it dead meanwhile, for want of a store, it is the same incarnation.
        sleep(NOTICED).await;
        member.serves().await?;
        let until_us = from_us + u64::try_from(lasting.as_micros()).unwrap_or(0);
        self.note(|struck| {
            struck.stops += 1;
            struck.faults.push(Fault { cause: Cause::Stop, process, from_us, until_us });
        });
        Ok(())
    }

    /// The lane of links and of the store: one broken, or the hub killed, at a time.
    async fn links(
        &self,
        mut random: Rng,
        store: &tokio::sync::Mutex<&mut Lent>,
    ) -> Result<(), Error> {
        while self.goes_on() {
            sleep(millis(&mut random, REST_MS)).await;
            if random.u8(0..4) == 0 {
                self.kill_store(store, millis(&mut random, HUB_AWAY_MS)).await?;
                continue;
            }
            let mut site = self.take(&mut random);
            self.cut(&mut site, &mut random).await?;
            self.calm.borrow_mut().push(site);
        }
        Ok(())
    }

    async fn cut(&self, site: &mut Site, random: &mut Rng) -> Result<(), Error> {
        let ways = [Broken::Cut, Broken::BlackHole, Broken::Up, Broken::Down];
        let broken = ways[random.usize(0..ways.len())];
        let (to_store, proxies, lasting) = match random.u8(0..3) {
            0 => (true, &mut site.links.store[..], BROKEN_MS),
            1 => (false, std::slice::from_mut(&mut site.links.peers), BROKEN_MS),
            _ => (false, std::slice::from_mut(&mut site.clients), CLIENTS_BROKEN_MS),
        };
        let lasting = millis(random, lasting);
        let (process, from_us) = (site.member.process(), now_us());
        tell(proxies, Question::Break(broken)).await?;
        sleep(lasting).await;
        tell(proxies, Question::Mend).await?;
        let until_us = now_us();
        self.note(|struck| {
            struck.cuts += 1;
            let fault = Fault { cause: Cause::Cut, process, from_us, until_us };
            struck.faults.extend(to_store.then_some(fault));
        });
        // One that was without a store for longer than its lease joins again.
        site.member.serves().await
    }

    async fn kill_store(
        &self,
        store: &tokio::sync::Mutex<&mut Lent>,
        away: Duration,
    ) -> Result<(), Error> {
        let mut store = store.lock().await;
        let from_us = now_us();
        store.kill().await?;
        sleep(away).await;
        store.start_again().await?;
        self.note(|struck| {
            struck.store_kills += 1;
            struck.outages.push(Outage { from_us, until_us: now_us() });
        });
        Ok(())
    }

    /// What the calm nodes and the store take; a node that something is done to is counted as much
    /// as the others are on average.
    fn takes(&self, store: &Lent) -> (u64, u64) {
        let calm = self.calm.borrow();
        // A process that goes meanwhile takes nothing.
        let bytes = |site: &Site| site.member.resident_bytes().unwrap_or(0);
        let nodes: u64 = calm.iter().map(bytes).sum();
        let count = u64::try_from(calm.len()).unwrap_or(1).max(1);
        let (hub, disk) = store.takes().unwrap_or_default();
        let memory = nodes * crate::cluster::NODES / count + hub;
        (memory, disk)
    }
}

impl Struck {
    fn all(&self) -> u64 {
        self.kills + self.stops + self.cuts + self.store_kills
    }

    fn told(&self) -> String {
        let Self { kills, stops, cuts, store_kills, .. } = self;
        format!("{kills} kills, {stops} stops, {cuts} cuts, {store_kills} kills of the store")
    }

    pub(super) fn add_to(&self, report: &mut Report) {
        report.add("kills", self.kills);
        report.add("stops", self.stops);
        report.add("cuts", self.cuts);
        report.add("store_kills", self.store_kills);
        report.add("faults", self.all());
    }

    pub(super) fn add_failovers(&self, report: &mut Report, went_over: &[WentOver]) {
        let failovers: Vec<_> = failovers(&self.faults, &self.outages, went_over).collect();
        report.add("failovers", failovers.len());
        report.add_latency("failover", &latency(&failovers, None));
        report.add_latency("failover_kill", &latency(&failovers, Some(Cause::Kill)));
        report.add_latency("failover_stop", &latency(&failovers, Some(Cause::Stop)));
        report.add_latency("failover_store_cut", &latency(&failovers, Some(Cause::Cut)));
    }
}

/// Tells all of these proxies the same.
async fn tell(proxies: &mut [Child], question: Question) -> Result<(), Error> {
    for proxy in proxies {
        let _: serde_json::Value = proxy.ask(&question, TOLD_WITHIN).await?;
    }
    Ok(())
}

fn now_us() -> u64 {
    micros(SystemTime::now())
}

fn millis(random: &mut Rng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(random.u64(range))
}
