//! Omok, five in a row, on Throughline.
//!
//! `omok` runs a cluster on this machine with the game and its page, `omok node` a single node;
//! `omok play` plays in a terminal; `omok bots N` lets bots play each other. It is a sample:
//! `README.md` beside the sources explains it in the order in which one would write it.
//!
//! # Layout
//! - `rules`, `clock`, `bot`: the game, without players
//! - `matches`, `lobby`, `arena`: players and what they share
//! - `messages`, `player`, `pages`: the node's side of a player, and the page
//! - `remote`, `play`, `bots`: the other side, in a terminal

#![forbid(unsafe_code)]
#![allow(unreachable_pub, reason = "a program has no public API: pub is for its other files")]
#![allow(missing_docs, reason = "the same; what a name does not say is said")]

mod arena;
mod bot;
mod bots;
mod clock;
mod lobby;
mod matches;
mod messages;
mod pages;
mod play;
mod player;
mod remote;
mod rules;

use throughline::prelude::*;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("play") => play::main(),
        Some("bots") => bots::main(),
        _ => Node::from_args()
            // The page's network panel needs it; a game that is not for show leaves it off.
            .default("development.simulate-link", "true")
            .sessions::<player::Player>()
            .pages(pages::PAGES)
            .run(),
    }
}
