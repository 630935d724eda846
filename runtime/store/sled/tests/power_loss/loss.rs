//! How a loss of power chooses among the changes that were not synced.

use std::collections::HashMap;

use crate::disk::{Fate, Unsynced};
use fastrand::Rng;

/// A way to lose power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Loss {
    /// Nothing that was not synced is there.
    All,
    /// All of it is there, as after a kill.
    Nothing,
    /// Any part of it.
    Some,
    /// Any part of it, writes in part, too.
    Torn,
    /// All but the last write, which is there in part.
    LastTorn,
    /// What came later is there, what came before is not.
    Reordered,
    /// All of some files and directories, nothing of the others.
    Uneven,
}

pub(crate) const LOSSES: [Loss; 7] = [
    Loss::All,
    Loss::Nothing,
    Loss::Some,
    Loss::Torn,
    Loss::LastTorn,
    Loss::Reordered,
    Loss::Uneven,
];

impl Loss {
    /// What becomes of each change, which are in their order.
    pub(crate) fn fates(self, unsynced: &[Unsynced], seed: u64) -> HashMap<usize, Fate> {
        let mut random = Rng::with_seed(seed);
        let last_write = unsynced.iter().rfind(|change| change.is_write);
        let cut = random.usize(..unsynced.len().max(1));
        // Mostly much or mostly little of it.
        let percent = [15, 50, 85][random.usize(..3)];
        let fate = |(index, change): (usize, &Unsynced)| {
            let is_torn = match self {
                Self::Torn => change.is_write && random.bool(),
                Self::LastTorn => last_write.is_some_and(|last| last.step == change.step),
                _ => false,
            };
            let is_kept = match self {
                Self::All => false,
                Self::Nothing | Self::LastTorn => true,
                Self::Some | Self::Torn => random.u8(..100) < percent,
                Self::Reordered => index >= cut,
                Self::Uneven => Rng::with_seed(seed ^ change.node as u64).bool(),
            };
            let fate = match (is_torn, is_kept) {
                (true, _) => Fate::Torn(random.u64(..)),
                (false, true) => Fate::Kept,
                (false, false) => Fate::Lost,
            };
            (change.step, fate)
        };
        unsynced.iter().enumerate().map(fate).collect()
    }
}
