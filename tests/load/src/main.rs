//! Measures a Throughline node: every published figure comes from here.
//!
//! It starts the processes of a scenario, itself under other subcommands, and reports what they
//! counted. It holds no figure and no bar of its own: `--bar` brings them. What each scenario
//! measures stands in docs/measures.md.
//!
//! # Layout
//! - `echo`, `idle`, `cut`: the scenarios of one node. `handover`, `drain`, `rolling`, `storm`,
//!   `freeze`, `kill`: those of a cluster; `cluster`, `roam`: what these have in common. `queue`:
//!   that of a store alone. `vactor`: asks. `turns`: sessions whose every turn is a commit.
//! - `roles`: the processes of a run. `child`, `parent`: how both ends talk.
//! - `report`, `bar`: what comes out, and what is expected of it.
//! - `latency`, `numbers`: what is counted.
//! - `limits`, `resident`, `git`, `options`, `error`: what all of them need.

#![forbid(unsafe_code)]

mod bar;
mod child;
mod cluster;
mod curve;
mod cut;
mod drain;
mod echo;
mod error;
mod freeze;
mod git;
mod handover;
mod idle;
mod kill;
mod latency;
mod limits;
mod numbers;
mod options;
mod parent;
mod queue;
mod report;
mod resident;
mod roam;
mod roles;
mod rolling;
mod storm;
mod turns;
mod vactor;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use error::Error;

/// A node allocates and frees a few KiB for each session that comes; the system's allocator takes a
/// tenth of its time for that. The same for both sides of every ratio.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures a Throughline node on this machine.
#[derive(Debug, Parser)]
#[command(name = "load", version)]
struct Arguments {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Debug, Subcommand)]
enum Scenario {
    Echo(echo::Options),
    Idle(idle::Options),
    Cut(cut::Options),
    Handover(handover::Options),
    Drain(drain::Options),
    Rolling(rolling::Options),
    Storm(storm::Options),
    Vactor(vactor::Options),
    Queue(queue::Options),
    Turns(turns::Options),
    Kill(kill::Options),
    #[command(hide = true)]
    Freeze(freeze::Options),
    #[command(flatten)]
    Role(roles::Role),
}

fn main() -> ExitCode {
    match run(Arguments::parse().scenario) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(scenario: Scenario) -> Result<ExitCode, Error> {
    if let Scenario::Role(role) = scenario {
        return role.play().map(|()| ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Error::io("starting a runtime"))?;
    runtime.block_on(async {
        match scenario {
            Scenario::Echo(options) => echo::run(&options).await,
            Scenario::Idle(options) => idle::run(&options).await,
            Scenario::Cut(options) => cut::run(&options).await,
            Scenario::Handover(options) => handover::run(&options).await,
            Scenario::Drain(options) => drain::run(&options).await,
            Scenario::Rolling(options) => rolling::run(&options).await,
            Scenario::Storm(options) => storm::run(&options).await,
            Scenario::Vactor(options) => vactor::run(&options).await,
            Scenario::Queue(options) => queue::run(&options).await,
            Scenario::Turns(options) => turns::run(&options).await,
            Scenario::Kill(options) => kill::run(&options).await,
            Scenario::Freeze(options) => freeze::run(&options).await,
            Scenario::Role(_) => Ok(ExitCode::SUCCESS),
        }
    })
}
