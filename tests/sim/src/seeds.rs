//! Many seeds, as many at the same time as there are cores.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::Options;
use crate::plan::Plan;
use crate::run::{self, Outcome};

/// One seed in so many runs twice, and both runs must be the same.
const TWICE_EVERY: u64 = 100;

/// A run takes seconds. One that is at work for so long does not end: something in it goes on
/// without letting time pass, which nothing inside of it can stop.
const RUN_MAX: Duration = Duration::from_secs(120);

/// How often it is looked whether one does not end.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Whether more seeds are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Going {
    On,
    #[cfg_attr(not(feature = "canary"), expect(dead_code, reason = "who looks for one seed"))]
    Enough,
}

/// What each thread is at: a seed, and since when.
type AtWork = Mutex<Vec<Option<(u64, Instant)>>>;

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
    let at_work: AtWork = Mutex::new(vec![None; threads]);
    let (done, outcomes) = mpsc::channel();
    thread::scope(|scope| {
        for n in 0..threads {
            let (done, next, is_enough) = (done.clone(), &next, &is_enough);
            let (at_work, all) = (&at_work, all.clone());
            scope.spawn(move || {
                let work = |now| at_work.lock().unwrap_or_else(PoisonError::into_inner)[n] = now;
                while !is_enough.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if !all.contains(&seed) {
                        break;
                    }
                    work(Some((seed, Instant::now())));
                    if done.send(one(seed, options)).is_err() {
                        break;
                    }
                }
                work(None);
            });
        }
        drop(done);
        loop {
            let outcome = match outcomes.recv_timeout(LOOK_EVERY) {
                Ok(outcome) => outcome,
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    let Some(seed) = endless(&at_work) else { continue };
                    let text = format!("the run did not end in {} s", RUN_MAX.as_secs());
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

fn endless(at_work: &AtWork) -> Option<u64> {
    let at_work = at_work.lock().unwrap_or_else(PoisonError::into_inner);
    let endless = at_work.iter().flatten().find(|(_, since)| since.elapsed() > RUN_MAX);
    endless.map(|(seed, _)| *seed)
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
