//! A game's binary: which of its subcommands is meant.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args as _, Command, FromArgMatches as _};

use crate::{
    balancer::{self, BalancerOptions},
    config::{Asked, Config, ConfigError, ask, program_name, unknown_word},
    lend,
    listen::Page,
    local,
    node::{NodeBuilder, attached, serve},
    session::{Arrival, Refusal, Session},
    vactor,
};

/// The subcommands; without one, a local cluster is started.
const SUBCOMMANDS: [&str; 4] = ["node", "hub", "balancer", "cluster"];

/// The entry of a game's binary:
/// `Node::from_args().sessions::<Game>().run()`.
///
/// It has four subcommands, each with a `--help` of its own: `node` is one server process, `hub`
/// lends a store to the nodes of this machine, `balancer` stands in front of nodes while one
/// develops, and `cluster`, the default, starts all of these as processes of this machine.
#[derive(Debug)]
pub struct Node {
    builder: NodeBuilder,
    defaults: Vec<(&'static str, String)>,
}

impl Node {
    /// A node configured by `throughline.toml`, the environment and the command line.
    #[must_use]
    pub fn from_args() -> Self {
        Self { builder: Self::builder(Config::default()), defaults: Vec::new() }
    }

    /// A node with a configuration made by the caller: for tests, and for games that are more than
    /// a node.
    #[must_use]
    pub fn builder(config: Config) -> NodeBuilder {
        NodeBuilder::new(config)
    }

    /// Sets the game's own default for a setting, such as `("session.timeout", "5m")`, or for an
    /// option of `cluster`, such as `("data", "./data/chess")`. File, environment and command line
    /// go before it.
    #[must_use]
    pub fn default(mut self, setting: &'static str, value: impl Into<String>) -> Self {
        self.defaults.push((setting, value.into()));
        self
    }

    /// Serves sessions of this kind.
    #[must_use]
    pub fn sessions<S: Session>(mut self) -> Self {
        self.builder = self.builder.sessions::<S>();
        self
    }

    /// Hosts VActors of this kind: `throughline-vactor` has the typed call.
    #[doc(hidden)]
    #[must_use]
    pub fn vactor_kind(mut self, kind: Box<dyn vactor::Kind>) -> Self {
        self.builder = self.builder.vactor_kind(kind);
        self
    }

    /// Serves these files on the HTTP listener.
    #[must_use]
    pub fn pages(mut self, pages: &[Page]) -> Self {
        self.builder = self.builder.pages(pages);
        self
    }

    /// Asks `admit` before every login and every resume; see [`NodeBuilder::admit`].
    #[must_use]
    pub fn admit(
        mut self,
        admit: impl Fn(&Arrival<'_>) -> Result<(), Refusal> + Send + Sync + 'static,
    ) -> Self {
        self.builder = self.builder.admit(admit);
        self
    }

    /// Runs the subcommand that the command line names, until Ctrl-C or SIGTERM. The exit status
    /// is 0 if all went well (a node's: nothing was left behind), 1 if not or if it did not start,
    /// 2 if the command line or the configuration is wrong.
    pub fn run(self) -> ExitCode {
        attached::end_with_parent();
        let mut args: Vec<OsString> = std::env::args_os().collect();
        let program = program_name(&args);
        let word = args.get(1).map(|word| word.to_string_lossy().into_owned());
        let word = word.filter(|word| !word.starts_with('-'));
        if word.is_some() {
            args.remove(1);
        }
        let flags = || args.get(1..).unwrap_or_default();
        let is_option = |(name, _): &(&str, String)| local::DEFAULTED.contains(name);
        let (options, settings): (Vec<_>, Vec<_>) = self.defaults.into_iter().partition(is_option);
        match word.as_deref() {
            Some("node") => serve::run(self.builder, &settings, args),
            Some("hub") => lend::run(&program, flags()),
            Some("balancer") => balance(&program, flags()),
            Some("cluster") | None => {
                let defaults = local::Defaults { options: &options, settings: &settings };
                local::run(&program, flags(), defaults)
            }
            Some(other) => {
                eprintln!("{}", unknown_word(other, &SUBCOMMANDS));
                ExitCode::from(2)
            }
        }
    }
}

fn balance(program: &str, args: &[OsString]) -> ExitCode {
    let command = Command::new("balancer")
        .bin_name(format!("{program} balancer"))
        .about("Spreads connections over the nodes of a cluster, for development");
    let options = ask(BalancerOptions::augment_args(command), args).and_then(|asked| match asked {
        Asked::Answer(text) => Ok(Err(text)),
        Asked::Do(flags) => BalancerOptions::from_arg_matches(&flags)
            .map(Ok)
            .map_err(|error| ConfigError::of_usage(&error)),
    });
    match options {
        Ok(Ok(options)) => balancer::run(options),
        Ok(Err(answer)) => {
            say(&answer);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

pub(crate) fn start_log(level: &str) {
    // Fails if the program has set up a log of its own, which then is the right one.
    let _ = env_logger::Builder::new().parse_filters(level).format_timestamp_secs().try_init();
}

/// Prints a line. Whoever reads may have gone: that is no reason to stop uncleanly.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
