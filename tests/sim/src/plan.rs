//! What a seed says about a run.

use std::time::Duration;

use crate::fault::FaultKind;
use crate::random::Random;

/// The options of a run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) nodes: usize,
    pub(crate) players: usize,
    /// How long faults are made, and play goes on among them.
    pub(crate) play: Duration,
    /// One step of the network and of all hosts.
    pub(crate) tick: Duration,
    pub(crate) latency: (Duration, Duration),
    /// Between two actions of a player, on average.
    pub(crate) think_ms: u64,
    /// Between two faults, at most.
    pub(crate) calm_ms: u64,
    pub(crate) faults: Vec<FaultKind>,
    /// Whether players come in through a load balancer.
    pub(crate) balancer: bool,
}

/// The faults end so long before the run does, at least.
pub(crate) const SETTLE: Duration = Duration::from_secs(20);

/// Everything is playable again within this.
pub(crate) const SETTLED_WITHIN: Duration = Duration::from_secs(90);

impl Plan {
    /// Whether its nodes are on several machines: they play on while none of them reaches the
    /// store. Not drawn, so that the rest of a run is what it was.
    pub(crate) const fn is_wide(&self) -> bool {
        self.seed.is_multiple_of(4)
    }

    /// The run of `seed`, of this many virtual minutes at least.
    pub(crate) fn new(seed: u64, minutes: u64) -> Self {
        let mut random = Random::of(seed, 1);
        let play = Duration::from_secs(minutes * 60) - SETTLE;
        let tick = Duration::from_millis(random.pick(&[4, 6, 10]).unwrap_or(4));
        let least = random.millis(1, 5);
        // Many seeds have few kinds, so that one fault is not always hidden behind another.
        let share = random.pick(&[15, 30, 60]).unwrap_or(30);
        let mut faults: Vec<_> =
            FaultKind::ALL.into_iter().filter(|_| random.percent(share)).collect();
        if faults.is_empty() {
            faults.push(FaultKind::NodeKilled);
        }
        Self {
            seed,
            nodes: 3,
            players: 5 + random.index(6),
            play,
            tick,
            latency: (least, least + random.millis(1, 25)),
            think_ms: random.pick(&[120, 250, 600]).unwrap_or(250),
            calm_ms: random.pick(&[1_000, 3_000, 6_000]).unwrap_or(3_000),
            faults,
            balancer: random.percent(30),
        }
    }
}
