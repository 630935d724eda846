//! Larger bounds than those of the tests; `docs/cluster.md` has what it found. It takes seven
//! minutes, and 9 GB:
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
    let two = bounds(2, &[R, R], 1);
    let mut key = bounds(2, &[R, R], 2);
    (key.attempts, key.keys, key.left.unknown) = (1, true, 1);
    let mut key_of_three = bounds(3, &[R, R], 2);
    (key_of_three.attempts, key_of_three.keys) = (1, true);
    // What these show for one session they show for two (`State`).
    let mut three_of_every_turn = bounds(3, &[C], 2);
    three_of_every_turn.attempts = 3;
    let mut drain = bounds(3, &[R], 2);
    drain.left.drains = 1;
    let mut three_in_drain = bounds(3, &[R], 1);
    (three_in_drain.attempts, three_in_drain.left.drains) = (3, 1);
    for (name, bounds) in [
        ("EveryTurn, two faults and an unknown outcome", every_turn),
        ("two sessions", two),
        ("two sessions for one key, two faults", key),
        ("two sessions for one key among three nodes, two faults", key_of_three),
        ("EveryTurn, three attempts, two faults", three_of_every_turn),
        ("a drain, two faults", drain),
        ("a drain, three attempts, one fault", three_in_drain),
    ] {
        println!("{}", exhaust(name, bounds, Progress::Shown));
    }
}
