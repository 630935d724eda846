//! The store that the configuration names.

use std::path::Path;
use std::sync::Arc;

use throughline_store::{MemoryStore, Store};
use throughline_store_hub::{ConnectError, HubStore, Options, Secret};
use throughline_store_postgres::{Options as PostgresOptions, OptionsError, PostgresStore};
use throughline_store_sled::SledOptions;

use crate::config::{Config, is_postgres};

/// The name of the store that outlives nothing.
pub(super) const MEMORY: &str = "memory";

/// Why the store did not open. The text says the way out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("cannot open store.at ({at}): {source}")]
    Sled { at: String, source: throughline_store_sled::OpenError },
    #[error("cannot reach store.at ({at}): {source}")]
    Hub { at: String, source: ConnectError },
    #[error("store.at ({at}) names no hub: {why}")]
    Address { at: String, why: String },
    #[error("cannot use store.at ({at}): {source}")]
    Postgres { at: String, source: throughline_store_postgres::OpenError },
    #[error("store.at ({at}) names no database: {source}")]
    Database { at: String, source: OptionsError },
    #[error("cannot read store.password-file ({path}): {source}")]
    Password { path: String, source: std::io::Error },
    #[error("cannot read cluster.secret-file ({path}): {source}")]
    Secret { path: String, source: std::io::Error },
    #[error("cluster.secret-file ({path}) has {found} bytes, at least 16 expected")]
    ShortSecret { path: String, found: usize },
}

/// The store, and the cluster's secret if there is one.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    /// The same store, if a hub lends it: each worker has a connection of its own.
    pub(crate) hub: Option<HubStore>,
    pub(crate) secret: Option<Arc<[u8]>>,
    /// For operators.
    pub(crate) name: String,
}

/// The shortest secret: as many bytes as an attacker cannot try.
const SECRET_BYTES_MIN: usize = 16;

/// The longest: a file of another kind is a mistake.
const SECRET_BYTES_MAX: usize = 4096;

/// Opens the store, unless the program has brought one. Blocks while a store on disk is verified.
pub(crate) async fn open(
    config: &Config,
    injected: Option<Arc<dyn Store>>,
) -> Result<Opened, OpenError> {
    let secret = read_secret(&config.cluster.secret_file)?;
    if let Some(store) = injected {
        return Ok(Opened { store, hub: None, secret, name: "the program's own".to_owned() });
    }
    let at = &config.store.at;
    let mut hub = None;
    let store: Arc<dyn Store> = match at.split_once(':') {
        Some(("sled", path)) => {
            let opened = SledOptions::new(Path::new(path)).open();
            Arc::new(opened.map_err(|source| OpenError::Sled { at: at.clone(), source })?)
        }
        Some(("hub", address)) => {
            let wrong = |why: String| OpenError::Address { at: at.clone(), why };
            let address = address.parse().map_err(|error| wrong(format!("{error}")))?;
            let proof = secret.as_deref().unwrap_or_default().to_vec();
            let proof = Secret::new(proof).map_err(|error| wrong(error.to_string()))?;
            let connected = HubStore::connect_here(Options::new(address, proof)).await;
            let connected =
                connected.map_err(|source| OpenError::Hub { at: at.clone(), source })?;
            hub = Some(connected.clone());
            Arc::new(connected)
        }
        _ if is_postgres(at) => Arc::new(postgres(config).await?),
        _ => Arc::new(MemoryStore::new()),
    };
    Ok(Opened { store, hub, secret, name: at.clone() })
}

async fn postgres(config: &Config) -> Result<PostgresStore, OpenError> {
    let settings = &config.store;
    let at = || settings.at.clone();
    let options = PostgresOptions::of_address(&settings.at, &config.cluster.name);
    let mut options = options.map_err(|source| OpenError::Database { at: at(), source })?;
    if !settings.password_file.is_empty() {
        let path = settings.password_file.clone();
        let bytes = std::fs::read(&path);
        let bytes = bytes.map_err(|source| OpenError::Password { path, source })?;
        // What an editor leaves at the end is no part of it.
        options.password(bytes.trim_ascii_end());
    }
    if !settings.ca_file.is_empty() {
        options.ca_file(&settings.ca_file);
    }
    let opened = options.open().await;
    opened.map_err(|source| OpenError::Postgres { at: at(), source })
}

fn read_secret(path: &str) -> Result<Option<Arc<[u8]>>, OpenError> {
    use std::io::Read as _;
    if path.is_empty() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(SECRET_BYTES_MAX as u64).read_to_end(&mut bytes))
        .map_err(|source| OpenError::Secret { path: path.to_owned(), source })?;
    let text = bytes.trim_ascii();
    if text.len() < SECRET_BYTES_MIN {
        return Err(OpenError::ShortSecret { path: path.to_owned(), found: text.len() });
    }
    Ok(Some(text.into()))
}
