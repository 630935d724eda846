//! The store that the processes of a run share.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use tempfile::TempDir;

use super::{here, ports, write_secret};
use crate::child::Child;
use crate::error::Error;
use crate::options::{SLICE, pass};
use crate::parent::{Broken, Question};
use crate::roles::audit;
use crate::roles::hub::StoreCounts;
use crate::roles::servers::{self, Ready};

/// The store that the processes of a run share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoreKind {
    /// sled, lent by a hub
    Sled,
    /// PostgreSQL, started for the run: a server, or three where one of them is killed
    Postgres,
}

/// Servers of a run in which the primary is killed: two standbys, of which a commit awaits one.
const SERVERS: u64 = 3;

/// The folder of sled's files in that of the run.
const SLED: &str = "sled";

/// Which store, and where.
#[derive(Clone, Debug, Args)]
pub(crate) struct StoreOptions {
    /// The store that the processes of the run share
    #[arg(long, value_enum, default_value = "sled")]
    store: StoreKind,

    /// Where the store's files go for the run: a disk, since memory would flatter
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl StoreOptions {
    /// A folder for what the run writes.
    pub(crate) fn folder(&self) -> Result<TempDir, Error> {
        TempDir::new_in(self.data()).map_err(Error::io("making a folder for the store"))
    }

    fn data(&self) -> PathBuf {
        self.data.clone().unwrap_or_else(std::env::temp_dir)
    }

    /// For the report.
    pub(crate) fn name(&self) -> &'static str {
        match self.store {
            StoreKind::Sled => "sled",
            StoreKind::Postgres => "postgres",
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.store == StoreKind::Postgres
    }
}

/// A store for a node that can do without.
#[derive(Clone, Debug, Args)]
pub(crate) struct OptionalStore {
    /// A store for the node; without one, what it keeps is in its memory alone
    #[arg(long, value_enum)]
    store: Option<StoreKind>,

    /// Where the store's files go for the run
    #[arg(long, value_name = "DIR", requires = "store")]
    data: Option<PathBuf>,
}

impl OptionalStore {
    fn options(&self) -> Option<StoreOptions> {
        self.store.map(|store| StoreOptions { store, data: self.data.clone() })
    }

    /// Lends the store, if there is to be one.
    pub(crate) async fn start(&self) -> Result<Option<Lent>, Error> {
        match self.options() {
            Some(options) => Lent::start(&options, Lending::default()).await.map(Some),
            None => Ok(None),
        }
    }

    /// For the report.
    pub(crate) fn name(&self) -> &'static str {
        self.options().map_or("none", |options| options.name())
    }
}

/// What of a store differs from run to run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lending {
    /// Its commits are not looked at, for a rate alone.
    pub(crate) unaudited: bool,
    /// It is killed now and then, and reached by ports of this machine alone.
    pub(crate) mortal: bool,
}

/// A hub, or PostgreSQL, and the folder of the run.
#[derive(Debug)]
pub(crate) struct Lent {
    lender: Child,
    kind: StoreKind,
    lending: Lending,
    /// Where it listens, if on ports of this machine.
    ports: Vec<u16>,
    /// What it is started with.
    arguments: Vec<String>,
    /// What lenders before it counted, until they were killed.
    before: StoreCounts,
    /// Folders of the store that are not in the run's.
    apart: Vec<PathBuf>,
    /// Removed last.
    folder: TempDir,
}

impl Lent {
    pub(crate) async fn start(options: &StoreOptions, lending: Lending) -> Result<Self, Error> {
        let folder = options.folder()?;
        write_secret(&secret(&folder))?;
        match options.store {
            StoreKind::Sled => Self::hub(folder, lending).await,
            StoreKind::Postgres => Self::postgres(options, folder, lending).await,
        }
    }

    async fn hub(folder: TempDir, lending: Lending) -> Result<Self, Error> {
        let ports = if lending.mortal { ports::free(1)? } else { Vec::new() };
        let path = folder.path().join(SLED);
        let socket = format!("unix:{}", socket(&folder));
        let own = [("path", path.display().to_string()), ("at", socket)];
        let own = own.iter().flat_map(|(name, value)| pass(&[(name, value)]));
        let secret = pass(&[("secret-file", &secret(&folder).display())]);
        let unaudited = lending.unaudited.then(|| "--unaudited".to_owned());
        let port = ports.iter().flat_map(|port| pass(&[("at", &format_args!("127.0.0.1:{port}"))]));
        let arguments: Vec<_> = own.chain(secret).chain(unaudited).chain(port).collect();
        let (lender, ()) = Child::start("serve-hub", &arguments).await?;
        let (kind, before, apart) = (StoreKind::Sled, StoreCounts::default(), Vec::new());
        Ok(Self { lender, kind, lending, ports, arguments, before, apart, folder })
    }

    async fn postgres(
        options: &StoreOptions,
        folder: TempDir,
        lending: Lending,
    ) -> Result<Self, Error> {
        let ports = ports::free(if lending.mortal { SERVERS } else { 1 })?;
        let place = pass(&[("folder", &options.data().display())]);
        let port = ports.iter().flat_map(|port| pass(&[("port", port)]));
        let arguments: Vec<_> = place.into_iter().chain(port).collect();
        let (lender, ready): (_, Ready) = Child::start("serve-postgres", &arguments).await?;
        let (kind, before, apart) = (StoreKind::Postgres, StoreCounts::default(), ready.folders);
        Ok(Self { lender, kind, lending, ports, arguments, before, apart, folder })
    }

    /// It is killed: the hub's process, or the primary of the servers. What it lends is there again
    /// after [`Lent::start_again`].
    pub(crate) async fn kill(&mut self) -> Result<(), Error> {
        self.before = self.raw_counts().await?;
        match self.kind {
            StoreKind::Sled => self.lender.kill().await,
            StoreKind::Postgres => {
                let () = self.lender.ask(&Question::Break(Broken::Cut), SLICE).await?;
                Ok(())
            }
        }
    }

    /// Another in its place: a hub, or a standby that is the primary from now on. It lends the
    /// store when this returns.
    pub(crate) async fn start_again(&mut self) -> Result<(), Error> {
        match self.kind {
            StoreKind::Sled => {
                (self.lender, ()) = Child::start("serve-hub", &self.arguments).await?;
                Ok(())
            }
            StoreKind::Postgres => {
                let () = self.lender.ask(&Question::Mend, SLICE).await?;
                Ok(())
            }
        }
    }

    /// The resident memory of its process, and what its files take, in bytes.
    pub(crate) fn takes(&self) -> Result<(u64, u64), Error> {
        let apart: u64 = self.apart.iter().map(|folder| disk_bytes(folder)).sum();
        Ok((self.lender.resident_bytes()?, disk_bytes(self.folder.path()) + apart))
    }

    /// What the tables of the store take, with their indexes, in bytes; of sled, its files.
    pub(crate) async fn tables(&mut self) -> Result<u64, Error> {
        match self.kind {
            StoreKind::Sled => Ok(disk_bytes(&self.folder.path().join(SLED))),
            StoreKind::Postgres => self.lender.ask(&Question::Tables, SLICE).await,
        }
    }

    /// What a process of the run is told that uses the store by itself.
    pub(crate) fn client(&self) -> Vec<String> {
        pass(&[("store", &self.store_at()), ("secret-file", &self.secret_file())])
    }

    /// What a node is told.
    pub(crate) fn store_at(&self) -> String {
        match self.kind {
            StoreKind::Sled => format!("hub:unix:{}", socket(&self.folder)),
            StoreKind::Postgres => servers::store_at(&self.ports),
        }
    }

    /// What a node is told that reaches it by other ports of this machine, one for each of its own.
    pub(super) fn store_behind(&self, ports: &[u16]) -> String {
        match self.kind {
            StoreKind::Sled => {
                let port = ports.first().copied().unwrap_or_default();
                format!("hub:tcp:{}", here(port))
            }
            StoreKind::Postgres => servers::store_at(ports),
        }
    }

    /// Where it listens, if on ports of this machine.
    pub(super) fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// What drives the engine without the store.
    pub(crate) fn engine(&self) -> Vec<String> {
        match self.kind {
            StoreKind::Sled => Vec::new(),
            StoreKind::Postgres => pass(&[("postgres", &self.store_at())]),
        }
    }

    /// Where nodes write what they have seen accepted, if nobody else sees it.
    pub(super) fn audit(&self) -> Option<String> {
        let is_audited = self.kind == StoreKind::Postgres && !self.lending.unaudited;
        is_audited.then(|| self.folder.path().display().to_string())
    }

    /// What a node is told, too.
    pub(crate) fn secret_file(&self) -> String {
        secret(&self.folder).display().to_string()
    }

    /// A place beside the store.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    async fn raw_counts(&mut self) -> Result<StoreCounts, Error> {
        let mut counts: StoreCounts = self.lender.ask(&Question::Report, SLICE).await?;
        counts += self.before;
        Ok(counts)
    }

    pub(crate) async fn counts(&mut self) -> Result<StoreCounts, Error> {
        let mut counts = self.raw_counts().await?;
        if let Some(folder) = self.audit() {
            (counts.audited, counts.stale_accepted) = audit::judge(Path::new(&folder))?;
        }
        Ok(counts)
    }
}

fn secret(folder: &TempDir) -> PathBuf {
    folder.path().join("secret")
}

fn socket(folder: &TempDir) -> String {
    folder.path().join("hub").display().to_string()
}

/// What the files below this folder take. What vanishes meanwhile takes nothing.
fn disk_bytes(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let bytes = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path()),
        Ok(metadata) => metadata.blocks() * 512,
        Err(_) => 0,
    };
    entries.flatten().map(bytes).sum()
}
