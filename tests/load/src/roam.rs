//! What clients that roam over a cluster count, and how a report shows it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::latency::{Latency, Recorded};
use crate::numbers::Counts;
use crate::report::Report;

/// What the roaming clients counted together.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Roamed {
    /// Messages handled by clients so far, for the progress bar.
    pub(crate) handled: u64,
    /// Hops that were answered.
    pub(crate) hops: u64,
    /// Hops that were due while many others of the same client waited, and were left out.
    pub(crate) hops_missed: u64,
    /// Connections that broke, or were left for another node.
    pub(crate) repairs: u64,
    /// Repairs that were given up until the player acts.
    pub(crate) failed: u64,
    /// Messages not sent at their time since the window was full.
    pub(crate) held_back: u64,
    /// Sessions that ended under their clients, by the reason.
    pub(crate) ended: BTreeMap<String, u64>,
    /// Clients whose session said no totals within the time.
    pub(crate) unsettled: u64,
    /// From meaning to hop, or noticing a break, to the first answer.
    pub(crate) pause: Recorded,
    /// How many of these answers.
    pub(crate) answers: u64,
    /// When each of these answers was handled, on the machine's clock; in the answer to `Settle`.
    pub(crate) answered_us: Vec<u64>,
    /// Sessions that another process answered for than before; in the answer to `Settle`.
    pub(crate) went_over: Vec<WentOver>,
    /// Clients that were told to come back elsewhere, and when the last one was.
    pub(crate) told: u64,
    pub(crate) told_us: u64,
    /// Both sides of the sessions that were settled.
    pub(crate) up: Counts,
    pub(crate) down: Counts,
    /// Times that nodes took sessions over, as these counted it themselves.
    pub(crate) moves: u64,
}

/// A session whose client was answered by another process than before.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct WentOver {
    /// The process before.
    pub(crate) from: u32,
    /// When its last message was handled, on the machine's clock.
    pub(crate) heard_us: u64,
    /// When the first message of the next one was.
    pub(crate) at_us: u64,
}

impl Roamed {
    pub(crate) fn ended_in_all(&self) -> u64 {
        self.ended.values().sum()
    }

    /// The fields of what clients and sessions counted; `ended` must be 0 unless nodes are frozen.
    pub(crate) fn add_to(&self, report: &mut Report) {
        report.add("moves", self.moves);
        report.add("repairs", self.repairs);
        report.add_directions("", &[self.up, self.down]);
        report.add_counts("up_", &self.up);
        report.add_counts("down_", &self.down);
        report.add_zero("unsettled", self.unsettled);
        for (reason, count) in &self.ended {
            report.add(format!("ended_{}", snake(reason)), *count);
        }
        report.add("repair_failed", self.failed);
        report.add("held_back", self.held_back);
    }

    pub(crate) fn pause(&self) -> Latency {
        let mut latency = Latency::new();
        latency.add(&self.pause);
        latency
    }
}

/// A reason's name as the name of a field.
pub(crate) fn snake(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars().filter(char::is_ascii_alphanumeric) {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_becomes_a_name_of_a_field() {
        assert_eq!(snake("RetainedOverflow"), "retained_overflow");
        assert_eq!(snake("Lost"), "lost");
    }
}
