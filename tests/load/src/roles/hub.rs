//! A hub with sled behind it, and what it counts.

use std::ops::AddAssign;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde::{Deserialize, Serialize};
use throughline_store::Store;
use throughline_store_hub::{Address, Hub};
use throughline_store_sled::{SledOptions, SledStore};

use crate::error::Error;
use crate::parent::{self, json};
use crate::roles::audit::Audited;
use crate::roles::shared_store::read_secret;

/// What the hub is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// The folder of sled's database.
    #[arg(long)]
    path: PathBuf,
    /// Where it listens: `unix:PATH` or a loopback address.
    #[arg(long, required = true)]
    at: Vec<Address>,
    /// The file with the cluster's secret.
    #[arg(long)]
    secret_file: PathBuf,
    /// Lends the store as it is: nothing is looked at, and it costs nothing.
    #[arg(long)]
    unaudited: bool,
}

/// What the store counted.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct StoreCounts {
    /// Commits that were accepted.
    pub(crate) commits: u64,
    /// Commits that were refused: stale headers, lost races.
    pub(crate) refused: u64,
    /// Changes of records that were looked at after they were accepted.
    pub(crate) audited: u64,
    /// Accepted commits that changed a record whose header was no longer what they had read.
    pub(crate) stale_accepted: u64,
    /// Syncs; with PostgreSQL, transactions of the server, as are the commits.
    pub(crate) groups: u64,
}

impl AddAssign for StoreCounts {
    fn add_assign(&mut self, other: Self) {
        self.commits += other.commits;
        self.refused += other.refused;
        self.audited += other.audited;
        self.stale_accepted += other.stale_accepted;
        self.groups += other.groups;
    }
}

/// Lends the store until the parent is gone.
pub(crate) fn serve(options: &Options) -> Result<(), Error> {
    let secret = read_secret(&options.secret_file)?;
    let opened = SledOptions::new(&options.path).open();
    let sled = Arc::new(opened.map_err(|error| Error::Store(error.to_string()))?);
    let audited = Arc::new(Audited::new(sled.clone()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Error::io("starting a runtime"))?;
    let lent: Arc<dyn Store> = if options.unaudited { sled.clone() } else { audited.clone() };
    let serving = Hub::serve(lent, secret, &options.at);
    let served = runtime.block_on(serving);
    let _hub = served.map_err(|error| Error::Store(error.to_string()))?;
    std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    parent::answer(&(), |_| Ok(json(&counts(&sled, &audited))))
}

fn counts(sled: &SledStore, audited: &Audited) -> StoreCounts {
    let stats = sled.stats();
    StoreCounts {
        commits: stats.commits,
        refused: stats.refused,
        audited: audited.audited(),
        stale_accepted: audited.stale_accepted(),
        groups: stats.groups,
    }
}
