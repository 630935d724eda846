//! The subcommand `cluster`: a whole cluster as processes of this machine.
//!
//! It starts a hub, some nodes and a balancer, all from the game's own binary, shows how they are,
//! and lets whoever develops drain, kill and start them while people play. It is made for one
//! machine and one developer: no process is started again by itself, so that what is seen is what
//! happened. However it ends, its processes end with it.
//!
//! # Layout
//! - `options`, `ports`, `layout`: what is asked for, and the places where things are
//! - `role`: who is who; `process`, `log_file`: one child process and its log; `ask`: its answers
//! - `member`, `plan`, `supervisor`: the state of all, without a terminal
//! - `command`, `events`, `status`, `table`: what is said in both directions
//! - `screen`, `output`, `input`: the terminal, or lines, or JSON

mod ask;
mod command;
mod events;
mod input;
mod layout;
mod log_file;
mod member;
mod options;
mod output;
mod plan;
mod ports;
mod process;
mod role;
mod screen;
mod status;
mod supervisor;
mod table;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::{
    config::{Asked, ConfigError, ConfigSources, Loaded, ask, refuse_own},
    node::say,
};

use layout::{Layout, LayoutError};
pub(crate) use options::DEFAULTED;
use options::LocalOptions;
use ports::PortError;
use supervisor::Supervisor;

/// Why a local cluster did not start. Each says what to change.
#[derive(Debug, thiserror::Error)]
enum LocalError {
    #[error(transparent)]
    Ports(#[from] PortError),
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
}

/// The game's own defaults.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Defaults<'a> {
    /// For what is in [`DEFAULTED`].
    pub(crate) options: &'a [(&'static str, String)],
    /// For settings of nodes.
    pub(crate) settings: &'a [(&'static str, String)],
}

/// Runs a local cluster until it is told to stop.
pub(crate) fn run(program: &str, args: &[OsString], defaults: Defaults<'_>) -> ExitCode {
    let options = match read(program, args, defaults) {
        Ok(Ok(options)) => options,
        Ok(Err(answer)) => {
            say(&answer);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    match start(options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What is asked for, or the answer to a `--help`. The settings for the nodes are checked here:
/// else each node would refuse them in a log of its own.
fn read(
    program: &str,
    args: &[OsString],
    defaults: Defaults<'_>,
) -> Result<Result<LocalOptions, String>, ConfigError> {
    refuse_own(options::OWN, options::INSTEAD, args)?;
    let flags = match ask(options::command(program, defaults.options), args)? {
        Asked::Do(flags) => flags,
        Asked::Answer(text) => return Ok(Err(text)),
    };
    let mut options = LocalOptions::of(&flags);
    let mut sources = ConfigSources::of_process(defaults.settings);
    sources.args = std::iter::once(program)
        .chain(options.settings.iter().map(String::as_str))
        .map(OsString::from)
        .collect();
    match sources.load()? {
        Loaded::Node { config, .. } => options.drain_deadline = config.drain.deadline,
        Loaded::Answer(text) => return Ok(Err(text)),
    }
    Ok(Ok(options))
}

/// True if all ended well.
fn start(mut options: LocalOptions) -> Result<bool, LocalError> {
    let program = std::env::current_exe()?;
    let layout = Layout::make(&options.data)?;
    // Kept until the end.
    let (ports, _reservation) = options.ports.found(options.nodes)?;
    options.ports = ports;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        let (supervisor, happenings) = Supervisor::new(program, options, layout);
        supervisor.run(happenings).await
    });
    // A thread may be reading the keyboard: it is not waited for.
    runtime.shutdown_background();
    Ok(ended?)
}
