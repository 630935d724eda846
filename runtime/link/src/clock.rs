//! Round-trip time and the node's clock, from heartbeats.

use core::time::Duration;

use crate::time::Instant;

/// The offset is kept until a Pong came back faster than this many times the usual way: a slow
/// one says little about the node's clock.
const TRUSTED_RTT_FACTOR: u32 = 2;

/// What a client knows of the way to its node and of the node's clock.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NodeClock {
    rtt: Option<Duration>,
    /// The node's time, in milliseconds since 1970 UTC, and when it was so here.
    anchor: Option<(u64, Instant)>,
}

impl NodeClock {
    pub(crate) const fn welcome(&mut self, time: u64, now: Instant) {
        self.anchor = Some((time, now));
    }

    pub(crate) fn pong(&mut self, sent: Instant, time: u64, now: Instant) {
        let sample = now.since(sent);
        let usual = self.rtt.unwrap_or(sample);
        // The smoothing of TCP's round-trip time (RFC 6298): an eighth of each new sample.
        self.rtt = Some(usual.mul_f64(0.875) + sample.mul_f64(0.125));
        if time != 0 && sample <= usual * TRUSTED_RTT_FACTOR {
            let half = u64::try_from(sample.as_millis() / 2).unwrap_or(u64::MAX);
            self.anchor = Some((time.saturating_add(half), now));
        }
    }

    pub(crate) const fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    pub(crate) fn time(&self, now: Instant) -> Option<u64> {
        let (time, then) = self.anchor?;
        let passed = u64::try_from(now.since(then).as_millis()).unwrap_or(u64::MAX);
        Some(time.saturating_add(passed))
    }
}
