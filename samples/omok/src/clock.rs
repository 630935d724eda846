//! The turn clock: each move has 30 seconds.
//!
//! Times are the cluster's clock, in milliseconds since 1970 UTC. A client draws the remaining
//! time from the deadline and its estimate of that clock; only the match decides.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::rules::Stone;

/// The time for one move. Also how long a player may be away in the middle of it.
pub const TURN: Duration = Duration::from_secs(30);

/// Whose turn it is, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    pub stone: Stone,
    pub deadline_ms: u64,
}

impl Turn {
    pub fn new(stone: Stone, now_ms: u64) -> Self {
        Self { stone, deadline_ms: now_ms.saturating_add(TURN.as_millis() as u64) }
    }

    /// What is left; zero after the deadline, and never more than a whole turn, so that a
    /// wall clock that was set back cannot stop the game.
    pub fn left(&self, now_ms: u64) -> Duration {
        Duration::from_millis(self.deadline_ms.saturating_sub(now_ms)).min(TURN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_lasts_thirty_seconds() {
        let turn = Turn::new(Stone::Black, 1_000);
        assert_eq!(turn.left(1_000), TURN);
        assert_eq!(turn.left(30_999), Duration::from_millis(1));
        assert_eq!(turn.left(31_000), Duration::ZERO);
    }

    #[test]
    fn a_clock_set_back_gives_no_more_than_a_turn() {
        assert_eq!(Turn::new(Stone::White, 1_000_000).left(0), TURN);
    }

    #[test]
    fn a_clock_set_forward_leaves_nothing() {
        assert_eq!(Turn::new(Stone::White, 0).left(u64::MAX), Duration::ZERO);
    }
}
