//! The clocks of a node.

use std::time::{SystemTime, UNIX_EPOCH};

use throughline_link::Instant;
use tokio::time::Instant as TokioInstant;

use crate::environment::{seen_start, seen_wall_ms};

/// A monotonic clock for everything that decides, and the wall clock for what people read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: TokioInstant,
    /// Whether the runtime's clock is all there is.
    is_injected: bool,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: runtime_now(), is_injected: seen_start().is_some() }
    }

    #[inline]
    pub(crate) fn now(&self) -> Instant {
        let micros = self.start.elapsed().as_micros();
        Instant::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// Whether the machine may be suspended unnoticed: not in a clock that is injected.
    pub(crate) const fn may_be_suspended(&self) -> bool {
        !self.is_injected
    }

    /// The same moment for the timers of the runtime.
    pub(crate) fn at(&self, instant: Instant) -> TokioInstant {
        self.start + instant.since(Instant::ZERO)
    }

    /// The clock of leases: it counts the time that the machine was suspended, too.
    #[inline]
    pub(crate) fn lease_now(&self) -> Instant {
        if self.is_injected {
            return self.now();
        }
        #[cfg(target_os = "linux")]
        {
            let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
            let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
            let micros = u64::try_from(time.tv_nsec / 1000).unwrap_or_default();
            Instant::from_micros(seconds * 1_000_000 + micros)
        }
        #[cfg(not(target_os = "linux"))]
        self.now()
    }
}

/// What the clock of the tokio runtime shows.
pub(crate) fn runtime_now() -> TokioInstant {
    TokioInstant::now()
}

/// Milliseconds since 1970 UTC, of the system or of the node's
/// [`Environment`](crate::environment::Environment); 0 if the clock stands before that.
pub(crate) fn wall_ms() -> u64 {
    if let Some(injected) = seen_wall_ms() {
        return injected;
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
