//! A game's binary: configuration, log, start, Ctrl-C.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

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
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot wait for a signal: {error}");
            return ExitCode::FAILURE;
        }
    };
    let stopped = runtime.block_on(async {
        // Before anybody can know that the node is there.
        let mut signals = Signals::new()?;
        say(&greeting(&node));
        signals.next().await;
        Ok::<_, std::io::Error>(signals)
    });
    let mut signals = match stopped {
        Ok(signals) => signals,
        Err(error) => {
            eprintln!("cannot wait for a signal: {error}");
            return ExitCode::FAILURE;
        }
    };
    let (links, sessions) = node.counts();
    say(&format!(
        "stopping: {sessions} sessions, {links} of them connected, are told; once more ends it now"
    ));
    let stopping = std::thread::spawn(move || node.stop());
    // A second signal does not wait for sessions that hang.
    runtime.block_on(async {
        while !stopping.is_finished() {
            let again = tokio::time::timeout(LOOK_EVERY, signals.next()).await;
            if again.is_ok() {
                say("stopped at once: sessions were left");
                std::process::exit(1);
            }
        }
    });
    match stopping.join() {
        Ok(report) => {
            say(&format!("stopped: {} sessions ended, {} left", report.ended, report.left));
            if report.left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(_) => ExitCode::FAILURE,
    }
}

/// How often a stopping node is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Prints a line. Whoever reads may have gone: that is no reason to stop uncleanly.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn greeting(node: &RunningNode) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let http: Vec<_> = node.http_addresses().iter().map(|at| format!("http://{at}")).collect();
    let link: Vec<_> = node.link_addresses().iter().map(|at| format!("tcp://{at}")).collect();
    let places = [http, link].concat().join("   ");
    format!("throughline {version}   1 node   {places}   (Ctrl-C stops)")
}

/// Ctrl-C, and SIGTERM where there is one.
struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// From here on the signals no longer end the process.
    fn new() -> std::io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let interrupt = signal(SignalKind::interrupt())?;
            Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}
