//! One run: a cluster, its players, its faults, and what must be true of it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use throughline::Config;
use throughline_vactor::{Ask as _, VActor as _};

use crate::balancer;
use crate::fault::{FaultKind, Fired};
use crate::game::{Noted, TALLIES, Tally, Total};
use crate::hostile;
use crate::letters::Letters;
use crate::network::{Host, Wires};
use crate::omok::{self, Matches, Opponent};
use crate::place::{LINK_PORT, Order, Place, World};
use crate::plan::{Plan, SETTLE, SETTLED_WITHIN};
use crate::player::{Phase, Player, Seat, Table, kind_of};
use crate::post::{Office, Post};
use crate::random::Random;
use crate::shop::Shop;
use crate::store::Engine;
use crate::tabs::{Tabs, Visitor};
use crate::truth::{self, Asked, Counts};
use crate::weather::Weather;

/// A reminder comes within so long, once all is well. While one clock is off and the others are
/// away, its time is that clock's.
const REMINDED_WITHIN: Duration = Duration::from_secs(10);

/// The networks that players are in.
const PLAYER_HOSTS: usize = 3;

/// How a run went.
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    pub(crate) hash: u64,
    pub(crate) counts: Counts,
    pub(crate) fired: Fired,
    pub(crate) failures: Vec<String>,
    /// Everything that happened, if it was to be kept.
    pub(crate) lines: Vec<String>,
    pub(crate) simulated: Duration,
}

impl Outcome {
    /// Of a run of which nothing else is known.
    pub(crate) fn failed(seed: u64, failure: String) -> Self {
        let (counts, fired) = (Counts::default(), Fired::default());
        let (failures, lines) = (vec![failure], Vec::new());
        Self { seed, hash: 0, counts, fired, failures, lines, simulated: Duration::ZERO }
    }
}

/// Runs `plan` on this thread.
pub(crate) fn run(plan: &Plan, shows: bool, keeps: bool) -> Outcome {
    truth::begin(shows, keeps);
    truth::note(format_args!("{plan:?}"));
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| simulate(plan)));
    let simulated = truth::now();
    if let Err(panic) = caught {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        truth::fail(format_args!("the run itself panicked: {text}"));
    }
    let told = truth::end();
    let truth::Told { hash, counts, fired, failures, lines } = told;
    Outcome { seed: plan.seed, hash, counts, fired, failures, lines, simulated }
}

fn settings(config: &mut Config) {
    // Little enough that a queue that nobody empties is full within a run.
    config.queue.messages = 300;
    // Short enough that it is over within a run.
    config.cluster.play_on = Duration::from_secs(10);
    config.drain.spread = Duration::from_secs(2);
    config.drain.deadline = Duration::from_secs(20);
}

const fn host(group: u8, n: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, group, 0, n as u8 + 1))
}

fn simulate(plan: &Plan) {
    truth::set_wide(plan.is_wide());
    let wires = Wires::default();
    let engine = Engine::new(plan.seed);
    let world =
        Rc::new(World { seed: plan.seed, engine: engine.clone(), wires: wires.clone(), settings });
    let mut builder = turmoil::Builder::new();
    builder
        .rng_seed(plan.seed)
        .tick_duration(plan.tick)
        .min_message_latency(plan.latency.0)
        .max_message_latency(plan.latency.1)
        .simulation_duration(Duration::from_secs(86_400))
        .tcp_capacity(1024);
    let mut sim = builder.build();
    let places = add_nodes(&mut sim, plan, &world);
    let table = Rc::new(table(plan, &places));
    if plan.balancer {
        let nodes: Vec<_> = places.iter().map(|place| (place.ip, LINK_PORT).into()).collect();
        let entrance = Host { ip: host(2, 0), wires: wires.clone() };
        sim.host(entrance.ip, move || {
            let (entrance, nodes) = (entrance.clone(), nodes.clone());
            async move { Ok(balancer::forward(entrance, nodes).await?) }
        });
    }
    let players: Vec<_> = (0..PLAYER_HOSTS).map(|n| host(1, n)).collect();
    for (n, ip) in players.iter().enumerate() {
        add_players(&mut sim, plan, &table, &Host { ip: *ip, wires: wires.clone() }, n);
    }
    let office = Office { engine: engine.clone(), table: Rc::clone(&table), seed: plan.seed };
    sim.client(host(3, 0), async move {
        tokio::task::spawn_local(office.clone().sell());
        office.work().await;
        Ok(())
    });
    let mut weather = Weather::new(plan, &places, &players, &engine, &wires);
    let step = |sim: &mut turmoil::Sim<'_>, weather: &mut Weather| {
        truth::set_now(sim.elapsed());
        weather.step(sim);
        engine.step();
        if let Err(error) = sim.step() {
            truth::fail(format_args!("a host failed: {error}"));
        }
    };
    while sim.elapsed() < plan.play {
        step(&mut sim, &mut weather);
    }
    truth::note(format_args!("the faults end"));
    weather.end(&sim);
    table.phase.set(Phase::Settle);
    let found = Found::default();
    let mut why = Some(String::new());
    let mut looked = sim.elapsed();
    while why.is_some() && sim.elapsed() < plan.play + SETTLED_WITHIN {
        step(&mut sim, &mut weather);
        let is_time = sim.elapsed() >= looked + Duration::from_secs(1);
        if is_time && sim.elapsed() >= plan.play + SETTLE {
            looked = sim.elapsed();
            why = unsettled(&table, &places, &weather, plan.play, &found);
        }
    }
    if let Some(why) = why {
        truth::fail(format_args!("liveness: {SETTLED_WITHIN:?} after the faults: {why}"));
    }
    table.phase.set(Phase::Over);
    for place in &places {
        place.order(Order::Exit);
    }
    for _ in 0..3 {
        step(&mut sim, &mut weather);
    }
}

fn add_nodes(sim: &mut turmoil::Sim<'_>, plan: &Plan, world: &Rc<World>) -> Vec<Place> {
    let places: Vec<_> = (0..plan.nodes).map(|n| Place::new(n, host(0, n), world)).collect();
    for place in &places {
        place.order(Order::Start(1));
        let place = place.clone();
        sim.host(place.ip, move || {
            let place = place.clone();
            async move {
                place.run().await;
                Ok(())
            }
        });
    }
    places
}

fn table(plan: &Plan, places: &[Place]) -> Table {
    let orders = plan.faults.clone();
    Table {
        phase: Cell::new(Phase::Play),
        names: (0..plan.players).map(|n| format!("player {n}")).collect(),
        addresses: places.iter().map(|place| format!("{}:{LINK_PORT}", place.ip)).collect(),
        entrance: plan.balancer.then(|| format!("{}:{LINK_PORT}", host(2, 0))),
        orders,
        seats: RefCell::default(),
        matches: Matches::default(),
        post: Post::default(),
        shop: Shop::default(),
        tabs: Tabs::default(),
        think_ms: plan.think_ms,
    }
}

/// The players of one network, and a hostile one if the seed says so.
fn add_players(sim: &mut turmoil::Sim<'_>, plan: &Plan, table: &Rc<Table>, host: &Host, n: usize) {
    let hostile = [
        FaultKind::NeverAcks,
        FaultKind::RepeatedFrames,
        FaultKind::StolenResume,
        FaultKind::RacingResumes,
    ];
    let is_hostile = plan.faults.iter().any(|kind| hostile.contains(kind));
    let (plan, table, host) = (plan.clone(), Rc::clone(table), host.clone());
    sim.client(host.ip, async move {
        for number in (n..plan.players).step_by(PLAYER_HOSTS) {
            let player = Player {
                name: table.names[number].clone(),
                kind: kind_of(number),
                host: host.clone(),
                table: Rc::clone(&table),
                random: Random::of(plan.seed, 1_000 + number as u64),
                sessions: 0,
            };
            tokio::task::spawn_local(player.play());
        }
        if let Some(name) = omok::NAMES.get(n).copied() {
            let random = Random::of(plan.seed, 3_000 + n as u64);
            let (host, table) = (host.clone(), Rc::clone(&table));
            tokio::task::spawn_local(Opponent { name, host, table, random }.play());
        }
        if n == 0 {
            let random = Random::of(plan.seed, 5_000);
            let (host, table) = (host.clone(), Rc::clone(&table));
            tokio::task::spawn_local(Visitor { host, table, random }.play());
        }
        if is_hostile {
            let nodes = table.addresses.iter().filter_map(|address| address.parse().ok());
            let nodes: Vec<SocketAddr> = nodes.collect();
            let seed = Random::of(plan.seed, 2_000 + n as u64).next();
            tokio::task::spawn_local(hostile::harass(host, Rc::clone(&table), nodes, seed));
        }
        while table.phase.get() != Phase::Over {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    });
}

/// What nodes were asked at the end.
#[derive(Default)]
struct Found {
    /// By the keys of the virtual actors.
    noted: Rc<RefCell<BTreeMap<String, Noted>>>,
    letters: Letters,
}

/// What is not yet as it must be at the end.
fn unsettled(
    table: &Table,
    places: &[Place],
    weather: &Weather,
    since: Duration,
    found: &Found,
) -> Option<String> {
    if weather.is_busy() {
        return Some("a node is not up and well".to_owned());
    }
    let seats = table.seats.borrow();
    let missing: Vec<_> = table.names.iter().filter(|name| !seats.contains_key(*name)).collect();
    if !missing.is_empty() {
        return Some(format!("{missing:?} have no report of a session"));
    }
    for (name, seat) in seats.iter() {
        if let Some(why) = undelivered(name, seat, &seats, table.shop.sent(name)) {
            return Some(why);
        }
        let owners = places.iter().filter(|place| place.has_session(seat.id)).count();
        if owners != 1 {
            return Some(format!("session {} of {name} is on {owners} nodes", seat.id));
        }
    }
    if let Some(name) = table.matches.still_since(since) {
        return Some(format!("{name} has seen no stone placed"));
    }
    if let Some(missing) = table.post.missing() {
        return Some(missing);
    }
    if !table.orders.contains(&FaultKind::ClockJump)
        && let Some(late) = truth::now()
            .checked_sub(REMINDED_WITHIN)
            .and_then(|by| truth::wishes(|w| w.overdue(by)))
    {
        return Some(format!("{late}, and has not come"));
    }
    if let Some(untold) = table.tabs.untold() {
        return Some(untold.to_owned());
    }
    if let Some(missing) = places.first().and_then(|place| found.letters.missing(place)) {
        return Some(missing);
    }
    tallied(places, &found.noted)
}

/// Numbers that one session passed to another, where neither was lost; and the last of those that
/// were sold to it, which come from nobody.
fn undelivered(name: &str, to: &Seat, seats: &BTreeMap<String, Seat>, sold: u64) -> Option<String> {
    if to.sessions != 1 {
        return None;
    }
    let bought = to.report.got.get("").copied().unwrap_or(0);
    if bought != sold {
        return Some(format!("{sold} were sold to {name}, who got {bought}"));
    }
    seats.iter().find_map(|(sender, from)| {
        let sent = from.report.passed.get(name).copied().unwrap_or(0);
        let got = to.report.got.get(&from.report.id).copied().unwrap_or(0);
        (sent != got).then(|| format!("{sender} passed {sent} to {name}, who got {got}"))
    })
}

/// Compares what virtual actors noted with what their callers know.
fn tallied(places: &[Place], found: &Rc<RefCell<BTreeMap<String, Noted>>>) -> Option<String> {
    if found.borrow().len() < TALLIES.len() {
        let place = places.iter().find(|place| place.is_well())?;
        for key in TALLIES {
            let found = Rc::clone(found);
            place.order(Order::Run(Box::new(move |node| {
                Box::pin(async move {
                    if let Ok(noted) = node.ask(&Tally::at(key), Total {}).await {
                        found.borrow_mut().insert(key.to_owned(), noted);
                    }
                })
            })));
        }
        return Some("the virtual actors have not answered".to_owned());
    }
    let found = found.borrow();
    for (key, noted) in found.iter() {
        for wrong in &noted.wrong {
            truth::count(|counts| counts.duplicated += 1);
            truth::fail(format_args!("{wrong}"));
        }
        for (id, asks) in truth::asks_of(key) {
            let none = std::collections::BTreeSet::new();
            let noted = noted.numbers.get(&id.to_string()).unwrap_or(&none);
            for (number, how) in asks {
                truth::count(|counts| counts.messages += 1);
                let is_there = noted.contains(&number);
                match how {
                    Asked::Answered if !is_there => {
                        truth::count(|counts| counts.lost += 1);
                        truth::fail(format_args!("{key} has lost ask {number} of {id}"));
                    }
                    Asked::NotRun if is_there => {
                        truth::fail(format_args!("{key} has run ask {number} of {id}, refused"));
                    }
                    _ => {}
                }
            }
        }
    }
    None
}
