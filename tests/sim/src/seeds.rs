//! Many seeds, as many at the same time as there are cores.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::Options;
use crate::plan::Plan;
use crate::run::{self, Outcome};
use crate::truth;

/// One seed in so many runs twice, and both runs must be the same.
const TWICE_EVERY: u64 = 100;

/// A step of a run takes microseconds. One that takes so long does not end: something in it goes
/// on without letting time pass, which nothing inside of it can stop.
const STEP_MAX: Duration = Duration::from_secs(120);

/// How often it is looked whether one does not end.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Whether more seeds are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Going {
    On,
    #[cfg_attr(not(feature = "canary"), allow(dead_code, reason = "who looks for one seed"))]
    Enough,
}

/// What a thread is at.
#[derive(Default)]
struct AtWork {
    seed: AtomicU64,
    /// The time of its run, in microseconds.
    time: Arc<AtomicU64>,
    is_over: AtomicBool,
}

/// What was last seen of a thread, and since when.
type Seen = Option<((u64, u64), Instant)>;

/// Runs the seeds of `options` and tells of each as it ends, in no order. A run that does not end
/// is told as failed, and is the last one.
pub(crate) fn run(options: &Options, mut told: impl FnMut(&Outcome) -> Going) {
    let threads = match (options.trace, options.threads) {
        (true, _) => 1,
        (_, Some(threads)) => threads.max(1),
        _ => thread::available_parallelism().map_or(1, NonZero::get),
    };
    let all = options.from..options.from.saturating_add(options.seeds);
    let next = AtomicU64::new(all.start);
    let is_enough = AtomicBool::new(false);
    let at_work: Vec<AtWork> = (0..threads).map(|_| AtWork::default()).collect();
    let mut seen = vec![None; threads];
    let (done, outcomes) = mpsc::channel();
    thread::scope(|scope| {
        for own in &at_work {
            let (done, next, is_enough) = (done.clone(), &next, &is_enough);
            let all = all.clone();
            scope.spawn(move || {
                truth::show_time(Arc::clone(&own.time));
                while !is_enough.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if !all.contains(&seed) {
                        break;
                    }
                    own.seed.store(seed, Ordering::Relaxed);
                    if done.send(one(seed, options)).is_err() {
                        break;
                    }
                }
                own.is_over.store(true, Ordering::Relaxed);
            });
        }
        drop(done);
        loop {
            let outcome = match outcomes.recv_timeout(LOOK_EVERY) {
                Ok(outcome) => outcome,
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    let Some(seed) = endless(&at_work, &mut seen) else { continue };
                    let text = format!("a step did not end in {} s", STEP_MAX.as_secs());
                    told(&Outcome::failed(seed, text));
                    // Its thread cannot be stopped, and the scope would wait for it.
                    std::process::exit(1);
                }
            };
            if told(&outcome) == Going::Enough {
                is_enough.store(true, Ordering::Relaxed);
            }
        }
    });
}

/// The seed of a run in which no time has passed for too long.
fn endless(at_work: &[AtWork], seen: &mut [Seen]) -> Option<u64> {
    at_work.iter().zip(seen).find_map(|(own, seen)| {
        let seed = own.seed.load(Ordering::Relaxed);
        let now = (seed, own.time.load(Ordering::Relaxed));
        let since = match seen {
            Some((before, since)) if *before == now => *since,
            _ => seen.insert((now, Instant::now())).1,
        };
        let is_endless = since.elapsed() > STEP_MAX && !own.is_over.load(Ordering::Relaxed);
        is_endless.then_some(seed)
    })
}

/// Runs one seed; some of them twice.
fn one(seed: u64, options: &Options) -> Outcome {
    let plan = Plan::new(seed, options.minutes);
    let is_twice = options.twice || seed.is_multiple_of(TWICE_EVERY);
    let mut outcome = run::run(&plan, options.trace, is_twice);
    if is_twice {
        let again = run::run(&plan, false, true);
        if again.hash != outcome.hash {
            outcome.failures.push(difference(&outcome.lines, &again.lines));
        }
    }
    outcome
}

/// Where two runs of one seed part.
fn difference(one: &[String], other: &[String]) -> String {
    let at = one.iter().zip(other).position(|(one, other)| one != other);
    let at = at.unwrap_or_else(|| one.len().min(other.len()));
    let line = |lines: &[String]| lines.get(at).cloned().unwrap_or_else(|| "the end".to_owned());
    let (one, other) = (line(one), line(other));
    format!("a second run went differently, from line {at} on: `{one}`, then `{other}`")
}
