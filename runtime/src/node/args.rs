//! A game's binary: configuration, log, start, Ctrl-C.

use std::process::ExitCode;

use crate::{
    config::{Config, ConfigSources, Loaded},
    listen::Page,
    node::{NodeBuilder, RunningNode},
    session::{Arrival, Refusal, Session},
};

/// The entry of a game's binary:
/// `Node::from_args().sessions::<Game>().run()`.
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

    /// Sets the game's own default for a setting, such as `("session.timeout", "5m")`. File,
    /// environment and command line go before it.
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

    /// Runs the node until Ctrl-C or SIGTERM. The exit status is 0 if every session ended in time,
    /// 1 if not or if the node did not start, 2 if the configuration is wrong.
    pub fn run(mut self) -> ExitCode {
        let loaded = match ConfigSources::of_process(&self.defaults).load() {
            Ok(loaded) => loaded,
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::from(2);
            }
        };
        let config = match loaded {
            Loaded::Answer(text) => {
                println!("{text}");
                return ExitCode::SUCCESS;
            }
            Loaded::Node { config, .. } => *config,
        };
        start_log(&config);
        self.builder.configure(config);
        match self.builder.start() {
            Ok(node) => serve(node),
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        }
    }
}

fn start_log(config: &Config) {
    // Fails if the program has set up a log of its own, which then is the right one.
    let _ = env_logger::Builder::new()
        .parse_filters(&config.log.level)
        .format_timestamp_secs()
        .try_init();
}

fn serve(node: RunningNode) -> ExitCode {
    println!("{}", greeting(&node));
    if let Err(error) = wait_for_stop() {
        eprintln!("cannot wait for a signal: {error}");
        return ExitCode::FAILURE;
    }
    let (connections, sessions) = node.counts();
    println!("stopping: {sessions} sessions over {connections} connections are told");
    let report = node.stop();
    println!("stopped: {} sessions ended, {} left", report.ended, report.left);
    if report.left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn greeting(node: &RunningNode) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let http: Vec<_> = node.http_addresses().iter().map(|at| format!("http://{at}")).collect();
    let link: Vec<_> = node.link_addresses().iter().map(|at| format!("tcp://{at}")).collect();
    let places = [http, link].concat().join("   ");
    format!("throughline {version}   1 node   {places}   (Ctrl-C stops)")
}

/// Waits for Ctrl-C, or SIGTERM where there is one.
fn wait_for_stop() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let mut terminate = signal(SignalKind::terminate())?;
            tokio::select! {
                interrupted = tokio::signal::ctrl_c() => interrupted,
                _ = terminate.recv() => Ok(()),
            }
        }
        #[cfg(not(unix))]
        tokio::signal::ctrl_c().await
    })
}
