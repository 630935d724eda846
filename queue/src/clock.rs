//! The wall clock, which expiry and positions are told by.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

/// Where the time comes from, in milliseconds since 1970 UTC. A clone is the same clock.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Clock {
    /// A clock of one's own: for tests, and for those who have a better one.
    pub fn new(now_ms: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(now_ms))
    }

    /// The system's.
    #[must_use]
    pub fn system() -> Self {
        Self::new(|| {
            // Before 1970 everything is new.
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
        })
    }

    /// The time.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.0()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now_ms())
    }
}
