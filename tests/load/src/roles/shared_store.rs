//! The store that the processes of a run share, as one of them opens it.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use throughline_store::Store;
use throughline_store_hub::{HubStore, Options as HubOptions, Secret};
use throughline_store_postgres::Options as PostgresOptions;

use crate::error::Error;

/// The cluster of every run: what nodes are called by default.
const CLUSTER: &str = "throughline";

/// Where the store is, and who may use it.
#[derive(Clone, Debug, Args)]
pub(crate) struct SharedStore {
    /// `hub:ADDRESS` or `postgres:WORDS`, as nodes have it in `store.at`.
    #[arg(long)]
    pub(crate) store: String,
    /// The file with the cluster's secret.
    #[arg(long)]
    pub(crate) secret_file: PathBuf,
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Store(error.to_string())
}

impl SharedStore {
    pub(crate) async fn open(&self) -> Result<Arc<dyn Store>, Error> {
        let Some(hub) = self.store.strip_prefix("hub:") else {
            let options = PostgresOptions::of_address(&self.store, CLUSTER).map_err(failed)?;
            return Ok(Arc::new(options.open().await.map_err(failed)?));
        };
        let secret = read_secret(&self.secret_file)?;
        let options = HubOptions::new(hub.parse().map_err(failed)?, secret);
        Ok(Arc::new(HubStore::connect(options).await.map_err(failed)?))
    }
}

/// The secret of that file.
pub(crate) fn read_secret(path: &PathBuf) -> Result<Secret, Error> {
    let bytes = std::fs::read(path).map_err(Error::io(format!("reading {}", path.display())))?;
    // As the nodes do: what an editor leaves at the end is no part of it.
    Secret::new(bytes.trim_ascii()).map_err(failed)
}
