//! What an operator types: `throughline`.
//!
//! It looks at running nodes and gives them orders, over HTTP to their admin listeners; it checks,
//! counts, copies, dumps, compacts and backs up stores, and looks into their queues. It plays no
//! game, serves nobody, and knows nothing of a node but what the admin listener says.
//! docs/operating.md shows each command.
//!
//! The exit status is 0 if all was done and all is well, 1 if something was not done or is not
//! well, 2 if the command line is wrong.
//!
//! # Layout
//! - `arguments`: the command line
//! - `store`, `queue`: the commands for stores and the queues in them; `queue_name`: how a queue is
//!   called on the command line; `spinner`: what shows that they go on
//! - `place`: where a store is; `pages`: reading it; `census`: what its records are; `copy`: a
//!   cluster moves to another store
//! - `dead_letters`: what nobody could handle, at a node or in a store
//! - `admin`: the HTTP client; `answer`: what nodes answer; `nodes`: asking several
//! - `status`, `sessions`, `vactors`, `orders`, `versions`, `drain`: the commands for nodes
//! - `output`: lines, tables and JSON; `error`: what goes wrong

#![forbid(unsafe_code)]

mod admin;
mod answer;
mod arguments;
mod census;
mod copy;
mod dead_letters;
mod drain;
mod error;
mod nodes;
mod orders;
mod output;
mod pages;
mod place;
mod queue;
mod queue_name;
mod sessions;
mod spinner;
mod status;
mod store;
mod vactors;
mod versions;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::{Arguments, Command};
use error::Error;
use nodes::Nodes;

/// How a command ended that could be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// All was done, and all is well.
    Well,
    /// It said what is not: a damaged store, a node that did not answer, a session left behind.
    NotWell,
}

impl Ending {
    const fn of(is_well: bool) -> Self {
        if is_well { Self::Well } else { Self::NotWell }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let is_json = arguments.json;
    match run(arguments) {
        Ok(Ending::Well) => ExitCode::SUCCESS,
        Ok(Ending::NotWell) => ExitCode::FAILURE,
        // Whoever read has seen enough, as `head` does.
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            output::failure(&error, is_json);
            // As clap ends for what it sees itself.
            if error.is_of_command_line() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

fn run(arguments: Arguments) -> Result<Ending, Error> {
    let is_json = arguments.json;
    let command = match arguments.command {
        Command::Store(command) => return store::run(command, is_json),
        Command::Queue(command) => return queue::run(command, is_json),
        Command::DeadLetters(command) if command.store().is_some() => {
            return dead_letters::in_store(command, is_json);
        }
        command => command,
    };
    let nodes = Nodes::new(arguments.admin, is_json);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Error::System)?.block_on(async {
        match command {
            Command::Store(_) | Command::Queue(_) => Ok(Ending::Well),
            Command::Status => status::run(&nodes).await,
            Command::Sessions(command) => sessions::run(command, &nodes).await,
            Command::DeadLetters(command) => dead_letters::at_node(command, &nodes).await,
            Command::Announce { text } => orders::announce(&nodes, &text).await,
            Command::Maintenance(command) => orders::maintenance(command, &nodes).await,
            Command::Vactors(command) => vactors::run(command, &nodes).await,
            Command::Versions(command) => versions::run(command, &nodes).await,
            Command::Drain(command) => drain::run(command, &nodes).await,
        }
    })
}
