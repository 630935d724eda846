//! The subcommand `hub`: lends a store on this machine's disk to the nodes of this machine.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Arg, ArgMatches, Command};
use throughline_store::Store;
use throughline_store_hub::{Address, Hub, Secret, SecretTooShort, ServeError};
use throughline_store_sled::{OpenError, SledStore};

use crate::{
    config::{Asked, ask},
    node::{Signals, say, start_log},
};

/// A secret has some dozens of bytes; more is a mistaken path. Checked before it is read.
const SECRET_BYTES_MAX: u64 = 4096;

/// Why a hub did not start, or did not end well. Each says what to change.
#[derive(Debug, thiserror::Error)]
enum LendError {
    #[error("--secret-file {}: {source}; it is a file with at least 16 bytes", path.display())]
    SecretFile { path: PathBuf, source: std::io::Error },
    #[error("--secret-file {}: {source}", path.display())]
    Secret { path: PathBuf, source: SecretTooShort },
    #[error("--secret-file {}: over {SECRET_BYTES_MAX} bytes: is this the file?", .0.display())]
    SecretTooLong(PathBuf),
    #[error("{0} (the path is set with --path)")]
    Open(#[from] OpenError),
    #[error("{0} (addresses are set with --socket and --tcp)")]
    Serve(#[from] ServeError),
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
    #[error("the store did not close cleanly: {0}; what was acknowledged is safe")]
    Close(#[from] throughline_store::CloseError),
}

/// What a hub lends, where, and to whom.
#[derive(Debug)]
struct LendOptions {
    path: PathBuf,
    addresses: Vec<Address>,
    secret_file: PathBuf,
}

/// Runs a hub until Ctrl-C or SIGTERM.
pub(crate) fn run(program: &str, args: &[OsString]) -> ExitCode {
    let options = match ask(command(program), args) {
        Ok(Asked::Do(flags)) => LendOptions::of(&flags),
        Ok(Asked::Answer(text)) => {
            say(&text);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    start_log("info");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let lent = runtime.map_err(LendError::System);
    match lent.and_then(|runtime| runtime.block_on(lend(&options))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn lend(options: &LendOptions) -> Result<(), LendError> {
    let secret = read_secret(&options.secret_file)?;
    // Before the store is open: it is to be closed cleanly from then on.
    let mut signals = Signals::new()?;
    let store = Arc::new(SledStore::open(&options.path)?);
    let hub = match Hub::serve(store.clone(), secret, &options.addresses).await {
        Ok(hub) => hub,
        Err(error) => {
            store.close().await?;
            return Err(error.into());
        }
    };
    let places: Vec<_> = hub.addresses().iter().map(ToString::to_string).collect();
    let (version, path) = (env!("CARGO_PKG_VERSION"), options.path.display());
    say(&format!("throughline {version}   hub of sled at {path}   {}", places.join("   ")));
    signals.next().await;
    hub.stop().await;
    store.close().await?;
    say("stopped: the store is closed");
    Ok(())
}

/// What is in the file, without the line's end that an editor adds: as nodes read it.
fn read_secret(path: &Path) -> Result<Secret, LendError> {
    let failed = |source| LendError::SecretFile { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(failed)?.len() > SECRET_BYTES_MAX {
        return Err(LendError::SecretTooLong(path.to_owned()));
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    Secret::new(bytes.trim_ascii())
        .map_err(|source| LendError::Secret { path: path.to_owned(), source })
}

fn command(program: &str) -> Command {
    let flag = |name: &'static str, value| Arg::new(name).long(name).value_name(value);
    Command::new(format!("{program} hub"))
        .bin_name(format!("{program} hub"))
        .about("Lends a store on this machine's disk to the nodes of this machine")
        .args_override_self(true)
        .arg(flag("path", "DIR").required(true).help("The store's directory; made if missing"))
        .arg(
            flag("socket", "PATH")
                .required_unless_present("tcp")
                .help("Listens on this Unix socket: nodes say --store.at hub:unix:PATH"),
        )
        .arg(
            flag("tcp", "127.0.0.1:PORT")
                .value_parser(clap::value_parser!(std::net::SocketAddr))
                .help(
                    "Listens on this loopback address: nodes say --store.at hub:tcp:127.0.0.1:PORT",
                ),
        )
        .arg(
            flag("secret-file", "FILE").required(true).help(
                "The cluster's secret, at least 16 bytes; nodes say --cluster.secret-file FILE",
            ),
        )
}

impl LendOptions {
    fn of(flags: &ArgMatches) -> Self {
        let path = |name| flags.get_one::<String>(name).map(PathBuf::from);
        let socket = path("socket").map(Address::Unix);
        let tcp = flags.get_one::<std::net::SocketAddr>("tcp").copied().map(Address::Tcp);
        Self {
            path: path("path").unwrap_or_default(),
            addresses: socket.into_iter().chain(tcp).collect(),
            secret_file: path("secret-file").unwrap_or_default(),
        }
    }
}
