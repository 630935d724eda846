//! Time in which nothing on a worker's thread had its turn: its process was stopped, its machine
//! was suspended, or a hook of another actor blocked it.

use std::cell::Cell;
use std::time::Duration;

use throughline_link::Instant;

/// How often a worker notes that it runs: short against the turn deadline, of which less than half
/// a second is not given back, and four wake-ups a second cost nothing.
pub(crate) const NOTE_EVERY: Duration = Duration::from_millis(250);

/// A note so much later than meant is the lateness of a busy worker.
const LATE: Duration = NOTE_EVERY;

/// How long a worker has run.
#[derive(Debug, Default)]
pub(crate) struct Stood {
    /// When it noted last that it runs.
    noted: Cell<Instant>,
    /// How long it has not run until then.
    before: Cell<Duration>,
}

impl Stood {
    pub(crate) fn from(now: Instant) -> Self {
        Self { noted: Cell::new(now), before: Cell::default() }
    }

    /// It runs.
    pub(crate) fn note(&self, now: Instant) {
        self.before.set(self.until(now));
        self.noted.set(now);
    }

    /// How long it has not run until now. It may be asked for before the note that is due: what was
    /// awaited meanwhile comes in any order.
    pub(crate) fn until(&self, now: Instant) -> Duration {
        let late = now.since(self.noted.get() + NOTE_EVERY);
        self.before.get() + if late > LATE { late } else { Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1_000)
    }

    #[test]
    fn a_worker_that_notes_in_time_or_a_little_late_has_not_stood_still() {
        let stood = Stood::from(at(0));
        for millis in [250, 500, 1_000, 1_250] {
            assert_eq!(stood.until(at(millis)), Duration::ZERO, "at {millis} ms");
            stood.note(at(millis));
        }
    }

    #[test]
    fn what_a_worker_stood_still_is_known_before_and_after_it_notes_that_it_runs() {
        let stood = Stood::from(at(0));
        let still = Duration::from_millis(9_750);
        assert_eq!(stood.until(at(10_000)), still);
        stood.note(at(10_000));
        assert_eq!(stood.until(at(10_200)), still);
        stood.note(at(10_250));
        assert_eq!(stood.until(at(20_500)), still + Duration::from_secs(10));
    }
}
