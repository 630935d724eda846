//! The rate limit of one client: token buckets for messages and bytes.
//!
//! A client over its rate is not refused: the node reads no further until the debt is paid, so
//! nothing is lost and the client feels it as a slow connection. One that is held back without a
//! pause for too long is a flood.

use std::time::Duration;

use throughline_link::Instant;

/// What a client may send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    /// Messages a second; 0: no limit.
    pub(crate) messages: u64,
    /// Bytes of payload a second; 0: no limit.
    pub(crate) bytes: u64,
    /// How much of it may come at once, as time at the full rate.
    pub(crate) burst: Duration,
    /// Held back without a pause for so long is a flood.
    pub(crate) patience: Duration,
}

/// The buckets, as times: each message moves a bucket's time ahead by what it costs. Source: the
/// generic cell rate algorithm (ITU-T I.371).
#[derive(Debug, Default)]
pub(super) struct Meter {
    messages: Instant,
    bytes: Instant,
    /// Since when the client has been held back without a pause.
    held_since: Option<Instant>,
}

impl Meter {
    /// Takes a message of `bytes` into account.
    #[inline]
    pub(super) fn take(&mut self, bytes: usize, rate: &Rate, now: Instant) {
        if let Some(cost) = 1_000_000_u64.checked_div(rate.messages) {
            self.messages = self.messages.max(now) + Duration::from_micros(cost);
        }
        if let Some(cost) = (bytes as u64 * 1_000_000).checked_div(rate.bytes) {
            self.bytes = self.bytes.max(now) + Duration::from_micros(cost);
        }
    }

    /// Until when nothing more is read; `None`: read on.
    #[inline]
    pub(super) fn held_until(&mut self, rate: &Rate, now: Instant) -> Option<Instant> {
        let ahead = self.messages.max(self.bytes);
        if ahead <= now + rate.burst {
            // Half the burst is free again: a pause.
            if self.held_since.is_some() && ahead <= now + rate.burst / 2 {
                self.held_since = None;
            }
            return None;
        }
        self.held_since.get_or_insert(now);
        // A quarter of the burst must be free, so that a held client is not read one by one.
        let debt = ahead.since(now).saturating_sub(rate.burst * 3 / 4);
        Some(now + debt)
    }

    /// Whether the client has been held back for too long.
    pub(super) fn is_flood(&self, rate: &Rate, now: Instant) -> bool {
        self.held_since.is_some_and(|since| now.since(since) >= rate.patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        messages: 100,
        bytes: 0,
        burst: Duration::from_secs(1),
        patience: Duration::from_secs(10),
    };

    fn millis(ms: u64) -> Instant {
        Instant::from_micros(ms * 1_000)
    }

    #[test]
    fn a_burst_passes_and_what_is_beyond_waits() {
        let mut meter = Meter::default();
        for _ in 0..100 {
            meter.take(10, &RATE, millis(0));
        }
        assert_eq!(meter.held_until(&RATE, millis(0)), None);
        meter.take(10, &RATE, millis(0));
        assert_eq!(meter.held_until(&RATE, millis(0)), Some(millis(260)));
        assert_eq!(meter.held_until(&RATE, millis(260)), None);
    }

    #[test]
    fn a_client_over_its_rate_for_long_is_a_flood_and_one_that_pauses_is_not() {
        for (pause, flood) in [(0, true), (2_000, false)] {
            let mut meter = Meter::default();
            let mut now = 0;
            let mut flooded = false;
            for round in 0..100 {
                for _ in 0..200 {
                    meter.take(10, &RATE, millis(now));
                }
                while let Some(until) = meter.held_until(&RATE, millis(now)) {
                    now = until.as_micros() / 1_000 + 1;
                }
                flooded |= meter.is_flood(&RATE, millis(now));
                now += if round % 4 == 3 { pause } else { 0 };
                meter.held_until(&RATE, millis(now));
            }
            assert_eq!(flooded, flood);
        }
    }
}
