//! The store of a run, lent by a hub.

use std::fmt::Display;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use tempfile::TempDir;

use super::write_secret;
use crate::child::Child;
use crate::error::Error;
use crate::options::{SLICE, pass};
use crate::parent::Question;
use crate::roles::hub::StoreCounts;

/// The store that the processes of a run share.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum StoreKind {
    /// sled, lent by a hub
    Sled,
}

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
        let folder = match &self.data {
            Some(data) => TempDir::new_in(data),
            None => TempDir::new(),
        };
        folder.map_err(Error::io("making a folder for the store"))
    }
}

/// A hub, and the folder of the run.
#[derive(Debug)]
pub(crate) struct Lent {
    hub: Child,
    /// What it is started with.
    arguments: Vec<String>,
    /// What hubs before it counted, until they were killed.
    before: StoreCounts,
    /// Removed last.
    folder: TempDir,
}

impl Lent {
    /// `unaudited`: its commits are not looked at, for a rate alone.
    pub(crate) async fn start(options: &StoreOptions, unaudited: bool) -> Result<Self, Error> {
        Self::start_at(options, unaudited, None).await
    }

    /// The same, which also listens on a port of this machine.
    pub(crate) async fn start_at(
        options: &StoreOptions,
        unaudited: bool,
        port: Option<u16>,
    ) -> Result<Self, Error> {
        let folder = options.folder()?;
        write_secret(&secret(&folder))?;
        let sled = pass(&[("path", &folder.path().join("sled").display())]);
        let unaudited = unaudited.then(|| "--unaudited".to_owned());
        let port = port.map(|port| pass(&[("at", &format_args!("127.0.0.1:{port}"))]));
        let arguments = sled.into_iter().chain(client(&folder)).chain(unaudited);
        let arguments: Vec<_> = arguments.chain(port.into_iter().flatten()).collect();
        let (hub, ()) = Child::start("serve-hub", &arguments).await?;
        Ok(Self { hub, arguments, before: StoreCounts::default(), folder })
    }

    /// Its process is killed. What it lends is there again after [`Lent::start_again`].
    pub(crate) async fn kill(&mut self) -> Result<(), Error> {
        self.before = self.counts().await?;
        self.hub.kill().await
    }

    /// Another process in its place; it lends the store when this returns.
    pub(crate) async fn start_again(&mut self) -> Result<(), Error> {
        (self.hub, ()) = Child::start("serve-hub", &self.arguments).await?;
        Ok(())
    }

    /// The resident memory of its process, and what its files take, in bytes.
    pub(crate) fn takes(&self) -> Result<(u64, u64), Error> {
        Ok((self.hub.resident_bytes()?, disk_bytes(self.folder.path())))
    }

    /// What a process of the run is told that uses the store by itself.
    pub(crate) fn client(&self) -> Vec<String> {
        client(&self.folder)
    }

    /// What a node is told.
    pub(crate) fn store_at(&self) -> String {
        format!("hub:{}", socket(&self.folder))
    }

    /// What a node is told, too.
    pub(crate) fn secret_file(&self) -> String {
        secret(&self.folder).display().to_string()
    }

    /// A place beside the store.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    pub(crate) async fn counts(&mut self) -> Result<StoreCounts, Error> {
        let mut counts: StoreCounts = self.hub.ask(&Question::Report, SLICE).await?;
        counts += self.before;
        Ok(counts)
    }
}

fn secret(folder: &TempDir) -> PathBuf {
    folder.path().join("secret")
}

fn socket(folder: &TempDir) -> impl Display {
    format!("unix:{}", folder.path().join("hub").display())
}

fn client(folder: &TempDir) -> Vec<String> {
    pass(&[("at", &socket(folder)), ("secret-file", &secret(folder).display())])
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
