//! `omok` runs a cluster on this machine with the game and its page, `omok node` a single node;
//! `omok play` plays in a terminal; `omok bots N` lets bots play each other.

#![forbid(unsafe_code)]

use omok::{Game as _, bots, pages, play};
use throughline::prelude::*;

/// A node allocates and frees a few KiB for each session that comes; this one takes less time for
/// that than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("play") => play::main(),
        Some("bots") => bots::main(),
        _ => Node::from_args()
            // The page's network panel needs it; a game that is not for show leaves it off.
            .default("development.simulate-link", "true")
            .omok()
            .pages(pages::PAGES)
            .run(),
    }
}
