//! Finding a worker that does not answer, and naming the hook that holds it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use throughline_link::Instant;

use crate::{actor::Hook, clock::Clock};

/// How often the workers are looked at: a quarter of the shortest sensible report time.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What one worker does at the moment; written by it, read by the watch.
#[derive(Debug)]
pub(crate) struct Pulse {
    index: usize,
    /// When the turn under way began, in microseconds; 0: none.
    since: AtomicU64,
    kind: AtomicUsize,
    hook: AtomicU8,
    /// Turns that succeeded.
    turns: AtomicU64,
}

impl Pulse {
    pub(crate) const fn new(index: usize) -> Self {
        Self {
            index,
            since: AtomicU64::new(0),
            kind: AtomicUsize::new(0),
            hook: AtomicU8::new(0),
            turns: AtomicU64::new(0),
        }
    }

    pub(crate) const fn index(&self) -> usize {
        self.index
    }

    /// A hook of session kind number `kind` is about to run.
    #[inline]
    pub(crate) fn enter(&self, kind: usize, hook: Hook, now: Instant) {
        self.kind.store(kind, Ordering::Relaxed);
        self.hook.store(hook as u8, Ordering::Relaxed);
        self.since.store(now.as_micros().max(1), Ordering::Release);
    }

    /// It has returned, done or not.
    #[inline]
    pub(crate) fn leave(&self) {
        self.since.store(0, Ordering::Release);
    }

    /// A turn has succeeded.
    #[inline]
    pub(crate) fn count_turn(&self) {
        self.turns.fetch_add(1, Ordering::Relaxed);
    }

    /// Turns that have succeeded on this worker.
    pub(crate) fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    /// How long the worker has been inside the hook that it is in.
    pub(crate) fn busy(&self, now: Instant) -> Option<Duration> {
        let since = self.since.load(Ordering::Acquire);
        (since != 0).then(|| now.since(Instant::from_micros(since)))
    }
}

/// Watches over workers on a thread of its own until `stop`: reports each one that has been inside
/// one hook for `limit`, with the kind and the hook.
pub(crate) fn watch(
    pulses: Vec<Arc<Pulse>>,
    kinds: Vec<&'static str>,
    clock: Clock,
    limit: Duration,
    stop: Arc<AtomicBool>,
) -> std::io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("watch".to_owned()).spawn(move || {
        let mut reported = vec![0; pulses.len()];
        while !stop.load(Ordering::Relaxed) {
            thread::park_timeout(LOOK_EVERY);
            for (pulse, reported) in pulses.iter().zip(&mut reported) {
                look(pulse, &kinds, clock.now(), limit, reported);
            }
        }
    })
}

fn look(pulse: &Pulse, kinds: &[&str], now: Instant, limit: Duration, reported: &mut u64) {
    let since = pulse.since.load(Ordering::Acquire);
    let stuck = now.since(Instant::from_micros(since));
    if since == 0 || stuck < limit || *reported == since {
        return;
    }
    *reported = since;
    let kind = kinds.get(pulse.kind.load(Ordering::Relaxed)).copied().unwrap_or("?");
    let hook = Hook::ALL.get(usize::from(pulse.hook.load(Ordering::Relaxed)));
    log::error!(
        "worker {} has not answered for {:.1} s: stuck in hook `{}` of kind `{kind}`; its \
         other sessions and VActors wait. Blocking work belongs into ctx.blocking(..)",
        pulse.index,
        stuck.as_secs_f64(),
        hook.map_or("?", |hook| hook.name()),
    );
}
