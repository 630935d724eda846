//! Whether a client was away for so long that its session may have expired.

use std::time::Duration;

use tokio::time::Instant;

/// A session may be gone whose client was away for about as long as it is kept.
const EXPIRES: Duration = Duration::from_secs(50);

/// The connection of one client.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Away {
    since: Option<Instant>,
    /// When it was repaired last, and how long that took.
    back: Option<(Instant, Duration)>,
}

impl Away {
    pub(crate) fn leaves(&mut self) {
        self.since = Some(Instant::now());
    }

    pub(crate) fn comes_back(&mut self) {
        self.back = self.since.take().map(|since| (Instant::now(), since.elapsed()));
    }

    /// Whether it is, or was until just now, and came back only to hear that it had come too late.
    /// What a session has to say when its client comes back is heard within `told`.
    pub(crate) fn may_have_expired(&self, told: Duration) -> bool {
        let is_told = |(at, took): (Instant, Duration)| at.elapsed() < told && took > EXPIRES;
        self.since.is_some_and(|since| since.elapsed() > EXPIRES) || self.back.is_some_and(is_told)
    }
}
