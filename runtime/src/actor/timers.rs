//! The timers that a game set for its session.

use std::time::Duration;

use throughline_link::Instant;

use super::leave::TravellingTimer;

#[derive(Debug)]
struct Timer {
    name: String,
    at: Instant,
    every: Option<Duration>,
}

/// A handful of named timers; gone with the session.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    list: Vec<Timer>,
}

impl Timers {
    /// Sets or replaces a timer. False if there are `limit` others already.
    pub(super) fn set(
        &mut self,
        name: String,
        at: Instant,
        every: Option<Duration>,
        limit: usize,
    ) -> bool {
        self.cancel(&name);
        let fits = self.list.len() < limit;
        if fits {
            self.list.push(Timer { name, at, every });
        }
        fits
    }

    /// All timers, for another node; those whose names are `queued` are due already.
    pub(super) fn export(&self, now: Instant, queued: &[&str]) -> Vec<TravellingTimer> {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let mut timers = Vec::new();
        for timer in &self.list {
            let is_queued = queued.contains(&timer.name.as_str());
            let after = if is_queued { 0 } else { micros(timer.at.since(now)) };
            let every = timer.every.map(micros);
            timers.push(TravellingTimer { name: timer.name.clone(), after, every });
        }
        for name in queued {
            if !self.list.iter().any(|timer| timer.name == *name) {
                let name = (*name).to_owned();
                timers.push(TravellingTimer { name, after: 0, every: None });
            }
        }
        timers
    }

    /// The timers that another node had.
    pub(crate) fn import(travelled: Vec<TravellingTimer>, now: Instant) -> Self {
        let list = travelled.into_iter().map(|timer| Timer {
            name: timer.name,
            at: now + Duration::from_micros(timer.after),
            every: timer.every.map(Duration::from_micros),
        });
        Self { list: list.collect() }
    }

    pub(super) fn cancel(&mut self, name: &str) {
        self.list.retain(|timer| timer.name != name);
    }

    pub(super) fn clear(&mut self) {
        self.list = Vec::new();
    }

    #[inline]
    pub(super) fn next(&self) -> Option<Instant> {
        if self.list.is_empty() {
            return None;
        }
        self.list.iter().map(|timer| timer.at).min()
    }

    /// The most overdue timer, if one is due. A repeating one is set for its next tick after now:
    /// ticks that were missed come as one.
    pub(super) fn pop(&mut self, now: Instant) -> Option<String> {
        let due = self.list.iter().enumerate().filter(|(_, timer)| timer.at <= now);
        let (index, _) = due.min_by_key(|(_, timer)| timer.at)?;
        let timer = &mut self.list[index];
        let Some(every) = timer.every else { return Some(self.list.swap_remove(index).name) };
        let late = now.since(timer.at).as_micros();
        let ticks = late / every.as_micros().max(1) + 1;
        timer.at = timer.at + every.saturating_mul(u32::try_from(ticks).unwrap_or(u32::MAX));
        Some(timer.name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn timers_come_in_the_order_of_their_times_and_once() {
        let mut timers = Timers::default();
        assert!(timers.set("b".into(), at(2), None, 64));
        assert!(timers.set("a".into(), at(1), None, 64));
        assert_eq!(timers.next(), Some(at(1)));
        assert_eq!(timers.pop(at(0)), None);
        assert_eq!(timers.pop(at(5)).as_deref(), Some("a"));
        assert_eq!(timers.pop(at(5)).as_deref(), Some("b"));
        assert_eq!(timers.pop(at(5)), None);
    }

    #[test]
    fn missed_ticks_of_a_repeating_timer_come_as_one() {
        let mut timers = Timers::default();
        assert!(timers.set("tick".into(), at(1), Some(SECOND), 64));
        assert_eq!(timers.pop(at(10)).as_deref(), Some("tick"));
        assert_eq!(timers.pop(at(10)), None);
        assert_eq!(timers.next(), Some(at(11)));
    }

    #[test]
    fn p9_a_session_has_no_more_timers_than_its_limit() {
        let mut timers = Timers::default();
        assert!(timers.set("a".into(), at(1), None, 1));
        assert!(!timers.set("b".into(), at(1), None, 1));
        assert!(timers.set("a".into(), at(2), None, 1), "replacing needs no room");
    }
}
