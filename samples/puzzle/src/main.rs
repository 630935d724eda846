//! A puzzle of the day, on Throughline: a game whose state is in a database.
//!
//! `puzzle` runs a cluster on this machine with the game and its page, `puzzle node` a single node.
//! `README.md` beside the sources explains it in the order in which one would write it.

#![forbid(unsafe_code)]
#![allow(unreachable_pub, reason = "a program has no public API: pub is for its other files")]
#![allow(missing_docs, reason = "the same; what a name does not say is said")]

mod database;
mod messages;
mod pages;
mod player;
mod rules;

use std::path::{Path, PathBuf};

use throughline::prelude::*;

fn main() -> ExitCode {
    // The other subcommands have no players.
    if std::env::args().nth(1).as_deref() == Some("node") {
        // The same file for all nodes of this machine.
        let path = std::env::var_os("PUZZLE_DATABASE").map(PathBuf::from);
        let path = path.unwrap_or_else(|| "./data/puzzle/puzzle.db".into());
        if let Err(error) = open(&path) {
            let path = path.display();
            eprintln!("the database {path}: {error}; PUZZLE_DATABASE sets another path");
            return ExitCode::FAILURE;
        }
    }
    let node = Node::from_args().default("data", "./data/puzzle");
    node.sessions::<player::Player>().pages(pages::PAGES).run()
}

fn open(path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    std::fs::create_dir_all(path.parent().unwrap_or(path))?;
    let database = database::Database::open(path, player::today())?;
    player::DATABASE.set(database).map_err(|_| "it is open already".into())
}
