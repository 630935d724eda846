//! The store of a run, lent by a hub.

use std::fmt::Display;
use std::path::PathBuf;

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
    /// Removed last.
    folder: TempDir,
}

impl Lent {
    /// `unaudited`: its commits are not looked at, for a rate alone.
    pub(crate) async fn start(options: &StoreOptions, unaudited: bool) -> Result<Self, Error> {
        let folder = options.folder()?;
        write_secret(&secret(&folder))?;
        let sled = pass(&[("path", &folder.path().join("sled").display())]);
        let unaudited = unaudited.then(|| "--unaudited".to_owned());
        let hub: Vec<_> = sled.into_iter().chain(client(&folder)).chain(unaudited).collect();
        let (hub, ()) = Child::start("serve-hub", &hub).await?;
        Ok(Self { hub, folder })
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
        self.hub.ask(&Question::Report, SLICE).await
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
