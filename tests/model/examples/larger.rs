//! Larger bounds than those of the tests; `docs/cluster.md` has what it found. It takes half an
//! hour, and 6 GB:
//!
//!     cargo run --release -p throughline-model --example larger

use throughline_cluster::Law;
use throughline_model::{Bounds, Progress, exhaust};

/// `OnSwapOut`: state is written at swap-out.
const R: bool = false;
/// `EveryTurn`: every turn is committed.
const C: bool = true;

fn bounds(nodes: usize, clients: &[bool], faults: u8) -> Bounds {
    Bounds::calm(Law::default(), nodes, clients).faults(faults)
}

fn main() {
    let mut every_turn = bounds(3, &[C], 2);
    every_turn.left.unknown = 1;
    let mut drain = bounds(3, &[R], 2);
    drain.left.drains = 1;
    let two = bounds(2, &[R, R], 1);
    let mut key = bounds(2, &[R, R], 2);
    (key.attempts, key.keys, key.left.unknown) = (1, true, 1);
    // What it shows for one session it shows for two (`State`).
    let mut all = bounds(3, &[R], 2);
    all.attempts = 3;
    for (name, bounds) in [
        ("EveryTurn, two faults and an unknown outcome", every_turn),
        ("a drain, two faults", drain),
        ("two sessions", two),
        ("two sessions for one key, two faults", key),
        ("three attempts among three nodes, two faults", all),
    ] {
        println!("{}", exhaust(name, bounds, Progress::Shown));
    }
}
