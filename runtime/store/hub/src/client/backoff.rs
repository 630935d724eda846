//! When a client connects again.

use std::time::Duration;

use crate::limits::{BACKOFF_MAX, BACKOFF_MIN};

/// How long to wait after so many failures in a row, with full jitter: `jitter` is drawn from 0
/// to 1, so that the clients of a hub that comes back do not come all at once.
pub(crate) fn backoff(failures: u32, jitter: f64) -> Duration {
    let doubled = BACKOFF_MIN.saturating_mul(1 << failures.saturating_sub(1).min(16));
    doubled.min(BACKOFF_MAX).mul_f64(jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_bound() {
        assert_eq!(backoff(1, 1.0), BACKOFF_MIN);
        assert_eq!(backoff(2, 1.0), 2 * BACKOFF_MIN);
        assert_eq!(backoff(3, 0.5), 2 * BACKOFF_MIN);
        assert_eq!(backoff(u32::MAX, 1.0), BACKOFF_MAX);
        assert_eq!(backoff(0, 0.0), Duration::ZERO);
    }
}
