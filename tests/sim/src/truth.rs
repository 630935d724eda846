//! What really happened in the run of this thread: told by nodes' handlers, players, the store and
//! the faults, which all run on it, and compared at the end.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use throughline::SessionId;

use crate::fault::{FaultKind, Fired};
use crate::game::{Counters, Poisons, Wishes};

/// Failures that are told of one run, at most: more of them say nothing new.
const FAILURES_MAX: usize = 20;

/// What must be 0, and what must not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Numbered messages that were handled, of any kind.
    pub(crate) messages: u64,
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) reordered: u64,
    pub(crate) double_owner: u64,
    /// Games of omok that both players saw to the same end.
    pub(crate) games: u64,
    /// Games of which one player saw the end, and the other one did not, or not as the same game.
    pub(crate) half_told: u64,
}

impl Counts {
    pub(crate) const fn add(&mut self, other: Self) {
        self.messages += other.messages;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.double_owner += other.double_owner;
        self.games += other.games;
        self.half_told += other.half_told;
    }
}

/// How an ask went, as its caller knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Answered,
    /// It surely was not run.
    NotRun,
    Unknown,
}

/// Who asks: a session, and the VActor's key.
pub(crate) type Caller = (SessionId, String);

#[derive(Default)]
struct Truth {
    now: Duration,
    shown: Option<Arc<AtomicU64>>,
    hash: u64,
    shows: bool,
    /// All lines, if they are to be compared with another run's.
    lines: Option<Vec<String>>,
    counts: Counts,
    fired: Fired,
    failures: Vec<String>,
    asks: BTreeMap<Caller, BTreeMap<u64, Asked>>,
    /// Sessions that may end as lost: what owned them was killed, frozen or declared dead.
    bereft: BTreeSet<SessionId>,
    /// The store has refused commits: turns that send durably may have failed for that.
    has_refused: bool,
    /// Until when each node may act.
    leases: BTreeMap<u32, Duration>,
    /// The nodes are on several machines: they play on without the store.
    is_wide: bool,
    /// Nodes that were declared dead, and when, until they join again.
    dead: BTreeMap<u32, Duration>,
    counters: Counters,
    wishes: Wishes,
    poisons: Poisons,
    /// The last attempt that the store knows, of each session of which it has a snapshot.
    attempts: BTreeMap<SessionId, u64>,
}

thread_local! {
    static TRUTH: RefCell<Truth> = RefCell::default();
}

/// What a run leaves.
pub(crate) struct Told {
    pub(crate) hash: u64,
    pub(crate) counts: Counts,
    pub(crate) fired: Fired,
    pub(crate) failures: Vec<String>,
    pub(crate) lines: Vec<String>,
}

/// A run begins on this thread.
pub(crate) fn begin(shows: bool, keeps: bool) {
    // The offset basis of FNV-1a.
    let hash = 0xcbf2_9ce4_8422_2325;
    let lines = keeps.then(Vec::new);
    let shown = TRUTH.take().shown;
    TRUTH.set(Truth { shown, shows, hash, lines, ..Truth::default() });
}

pub(crate) fn end() -> Told {
    let Truth { hash, counts, fired, failures, lines, .. } = TRUTH.take();
    Told { hash, counts, fired, failures, lines: lines.unwrap_or_default() }
}

/// Shows the time of the run to who watches this thread.
pub(crate) fn show_time(to: Arc<AtomicU64>) {
    TRUTH.with_borrow_mut(|truth| truth.shown = Some(to));
}

pub(crate) fn set_now(now: Duration) {
    TRUTH.with_borrow_mut(|truth| {
        truth.now = now;
        if let Some(shown) = &truth.shown {
            shown.store(u64::try_from(now.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    });
}

pub(crate) fn now() -> Duration {
    TRUTH.with_borrow(|truth| truth.now)
}

/// A line of the trace: it counts for whether two runs are the same, and is shown if asked for.
pub(crate) fn note(line: std::fmt::Arguments<'_>) {
    TRUTH.with_borrow_mut(|truth| {
        let text = format!("{:>8.3} {line}", truth.now.as_secs_f64());
        for byte in text.bytes() {
            truth.hash = (truth.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if truth.shows {
            eprintln!("{text}");
        }
        if let Some(lines) = &mut truth.lines {
            lines.push(text);
        }
    });
}

/// A fault took effect.
pub(crate) fn fire(kind: FaultKind) {
    TRUTH.with_borrow_mut(|truth| truth.fired.count(kind));
    note(format_args!("fault {} {}", kind.number(), kind.field().0));
}

/// Something is wrong.
pub(crate) fn fail(what: std::fmt::Arguments<'_>) {
    note(format_args!("FAILED {what}"));
    TRUTH.with_borrow_mut(|truth| {
        if truth.failures.len() < FAILURES_MAX {
            let at = truth.now.as_secs_f64();
            truth.failures.push(format!("at {at:.3} s: {what}"));
        }
    });
}

pub(crate) fn count(change: impl FnOnce(&mut Counts)) {
    TRUTH.with_borrow_mut(|truth| change(&mut truth.counts));
}

/// One number of a sender was handled; each must be the one after the last.
pub(crate) fn handled(who: std::fmt::Arguments<'_>, last: u64, number: u64) {
    if number == last + 1 {
        return count(|counts| counts.messages += 1);
    }
    wrong(Some(last), number, &format!("{who}: {number} came after {last}"));
}

/// A number came that is not the one after the last.
pub(crate) fn wrong(last: Option<u64>, number: u64, what: &str) {
    let last = last.unwrap_or(0);
    count(|counts| match number {
        _ if number > last => counts.lost += number - last - 1,
        _ if number == last => counts.duplicated += 1,
        _ => counts.reordered += 1,
    });
    fail(format_args!("{what}"));
}

/// A caller is about to ask with this number; nothing is known until it is told.
pub(crate) fn asks(caller: Caller, number: u64) {
    TRUTH.with_borrow_mut(|truth| {
        truth.asks.entry(caller).or_default().insert(number, Asked::Unknown);
    });
}

pub(crate) fn asked(caller: Caller, number: u64, how: Asked) {
    TRUTH.with_borrow_mut(|truth| {
        truth.asks.entry(caller).or_default().insert(number, how);
    });
}

/// All asks of one VActor: of each session, each number.
pub(crate) fn asks_of(key: &str) -> Vec<(SessionId, BTreeMap<u64, Asked>)> {
    TRUTH.with_borrow(|truth| {
        let of = truth.asks.iter().filter(|((_, asked), _)| asked == key);
        of.map(|((id, _), asks)| (*id, asks.clone())).collect()
    })
}

/// The store could not take a commit, or a node could not reach it.
pub(crate) fn store_refuses() {
    TRUTH.with_borrow_mut(|truth| truth.has_refused = true);
}

pub(crate) fn has_store_refused() -> bool {
    TRUTH.with_borrow(|truth| truth.has_refused)
}

pub(crate) fn set_lease(node: u32, until: Duration) {
    TRUTH.with_borrow_mut(|truth| truth.leases.insert(node, until));
}

/// A beat that lands late takes nothing back of what a later one has given.
pub(crate) fn extend_lease(node: u32, until: Duration) {
    TRUTH.with_borrow_mut(|truth| {
        let lease = truth.leases.entry(node).or_default();
        *lease = until.max(*lease);
    });
}

/// Nodes are ahead of what is known of the time by a step at most.
const STEP: Duration = Duration::from_millis(10);

pub(crate) fn set_wide(is_wide: bool) {
    TRUTH.with_borrow_mut(|truth| truth.is_wide = is_wide);
}

pub(crate) fn is_wide() -> bool {
    TRUTH.with_borrow(|truth| truth.is_wide)
}

/// How a node stands, by a commit that took effect just now.
pub(crate) fn set_dead(node: u32, is_dead: bool) {
    TRUTH.with_borrow_mut(|truth| {
        let now = truth.now;
        match is_dead {
            true => drop(truth.dead.entry(node).or_insert(now)),
            false => drop(truth.dead.remove(&node)),
        }
    });
}

/// A turn begins on a node, which must have its lease, or, on several machines, a proof that nobody
/// has declared it dead.
pub(crate) fn acts(node: u32, who: std::fmt::Arguments<'_>) {
    let (now, until, dead) = TRUTH.with_borrow(|truth| {
        let (lease, dead) = (truth.leases.get(&node), truth.dead.get(&node));
        (truth.now, lease.copied().unwrap_or_default(), dead.copied())
    });
    if let Some(dead) = dead.filter(|dead| now >= *dead + STEP) {
        let late = (now - dead).as_millis();
        fail(format_args!("lease: {who} has a turn on node {node}, {late} ms after its death"));
    } else if is_wide() && now >= until + STEP {
        note(format_args!("{who} plays on"));
    } else if now >= until + STEP {
        let late = (now - until).as_millis();
        fail(format_args!("lease: {who} has a turn on node {node}, {late} ms after its lease"));
    }
}

/// What is known of the counters of this run.
pub(crate) fn counters<T>(look: impl FnOnce(&mut Counters) -> T) -> T {
    TRUTH.with_borrow_mut(|truth| look(&mut truth.counters))
}

/// What is known of the reminders of this run.
pub(crate) fn wishes<T>(look: impl FnOnce(&mut Wishes) -> T) -> T {
    TRUTH.with_borrow_mut(|truth| look(&mut truth.wishes))
}

/// What is known of the inputs of this run that always fail.
pub(crate) fn poisons<T>(look: impl FnOnce(&mut Poisons) -> T) -> T {
    TRUTH.with_borrow_mut(|truth| look(&mut truth.poisons))
}

pub(crate) fn set_attempt(id: SessionId, attempt: Option<u64>) {
    TRUTH.with_borrow_mut(|truth| match attempt {
        Some(attempt) => truth.attempts.insert(id, attempt),
        None => truth.attempts.remove(&id),
    });
}

pub(crate) fn attempt_of(id: SessionId) -> Option<u64> {
    TRUTH.with_borrow(|truth| truth.attempts.get(&id).copied())
}

pub(crate) fn bereave(id: SessionId) {
    TRUTH.with_borrow_mut(|truth| truth.bereft.insert(id));
}

pub(crate) fn is_bereft(id: SessionId) -> bool {
    TRUTH.with_borrow(|truth| truth.bereft.contains(&id))
}
