//! Where a store is: as it is typed, and as it is opened.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use throughline_store::Store;
use throughline_store_hub::{HubStore, Options as HubOptions, Secret};
use throughline_store_postgres::{Options, PostgresStore};
use throughline_store_sled::SledOptions;

use crate::error::Error;

/// The default of the nodes' `cluster.name`.
pub(crate) const CLUSTER: &str = "throughline";

/// Longest password, and longest secret: longer ones no server takes, and a file of another kind is
/// a mistake.
const PASSWORD_BYTES_MAX: usize = 1024;

/// A hub that is being started again is waited for so long; a hub that is away is said soon.
const HUB_WAIT: Duration = Duration::from_secs(2);

/// The address of a store, as it is typed. It may have a password in it, by mistake, so it is not
/// shown before it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// A directory.
    Sled(PathBuf),
    /// What begins as an address of PostgreSQL does.
    Postgres(String),
    /// What the hub at this address lends.
    Hub(String),
}

impl From<OsString> for Address {
    fn from(typed: OsString) -> Self {
        let Some(text) = typed.to_str() else { return Self::Sled(typed.into()) };
        match text.split_once(':') {
            Some(("sled", path)) => Self::Sled(path.into()),
            Some(("postgres" | "postgresql", _)) => Self::Postgres(text.to_owned()),
            Some(("hub", _)) => Self::Hub(text.to_owned()),
            _ => Self::Sled(text.into()),
        }
    }
}

impl Address {
    /// Refuses what a hub lends: for what needs the whole store.
    pub(crate) fn is_at_rest(&self) -> Result<(), Error> {
        if matches!(self, Self::Hub(_)) { Err(Error::HubHasIt) } else { Ok(()) }
    }
}

// What opens a database, or a hub's store. No text of the documentation: clap would show it as the
// command's.
#[derive(Debug, Args)]
pub(crate) struct Access {
    /// The cluster's name (its `cluster.name`), which a database of PostgreSQL is checked against.
    #[arg(long, value_name = "NAME", default_value = CLUSTER)]
    cluster: String,
    /// A file with the password for PostgreSQL.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// A file with the cluster's secret (its `cluster.secret-file`), for the store of a hub.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// A file of certificates (PEM) by which PostgreSQL is judged. Default: the system's.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

/// Where a store is.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// A directory.
    Sled(PathBuf),
    /// A database. Its name has no password.
    Postgres { name: String, options: Box<Options> },
    /// What a hub lends, while nodes use it.
    Hub { name: String, options: HubOptions },
}

impl Place {
    /// Where this address leads.
    pub(crate) fn find(address: Address, access: &Access) -> Result<Self, Error> {
        match address {
            Address::Sled(path) => Ok(Self::Sled(path)),
            Address::Hub(name) => Ok(Self::Hub { options: lent(&name, access)?, name }),
            Address::Postgres(name) => {
                let mut options = Options::of_address(&name, &access.cluster)?;
                // Somebody waits for the answer.
                options.open_wait(Duration::ZERO);
                if let Some(file) = &access.password_file {
                    let line = line_of(file);
                    let failed = |source| Error::PasswordFile { path: file.clone(), source };
                    options.password(line.map_err(failed)?);
                }
                if let Some(file) = &access.ca_file {
                    options.ca_file(file);
                }
                Ok(Self::Postgres { name, options: Box::new(options) })
            }
        }
    }

    /// The directory, for what is done to files.
    pub(crate) fn directory(address: Address, instead: &'static str) -> Result<PathBuf, Error> {
        match address {
            Address::Sled(path) => Ok(path),
            Address::Hub(_) => Err(Error::HubHasIt),
            Address::Postgres(_) => Err(Error::NoDirectory { instead }),
        }
    }

    /// Opens the store that is there.
    pub(crate) async fn open(&self) -> Result<Arc<dyn Store>, Error> {
        match self {
            Self::Sled(path) => Ok(Arc::new(SledOptions::new(path).existing().open()?)),
            Self::Postgres { options, .. } => {
                let mut options = options.clone();
                options.existing();
                Ok(Arc::new(PostgresStore::open(*options).await?))
            }
            Self::Hub { options, .. } => {
                Ok(Arc::new(HubStore::connect_here(options.clone()).await?))
            }
        }
    }

    /// Opens the store, which is created if it is not there.
    pub(crate) async fn create(&self) -> Result<Arc<dyn Store>, Error> {
        match self {
            Self::Sled(path) => Ok(Arc::new(SledOptions::new(path).open()?)),
            Self::Postgres { options, .. } => {
                Ok(Arc::new(PostgresStore::open((**options).clone()).await?))
            }
            Self::Hub { .. } => Err(Error::HubHasIt),
        }
    }

    /// Whether both are the same, as far as their names tell.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Sled(one), Self::Sled(other)) => whole(one) == whole(other),
            (Self::Postgres { name, .. }, Self::Postgres { name: other, .. }) => name == other,
            _ => false,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sled(path) => path.display().fmt(f),
            Self::Postgres { name, .. } | Self::Hub { name, .. } => f.write_str(name),
        }
    }
}

/// The path without links; one that is not there yet stays as it is.
fn whole(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// How the hub of this address is reached.
fn lent(name: &str, access: &Access) -> Result<HubOptions, Error> {
    let address = name.strip_prefix("hub:").unwrap_or(name).parse()?;
    let path = access.secret_file.clone().ok_or(Error::NoSecret)?;
    let secret = line_of(&path).and_then(|line| {
        let wrong = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        Secret::new(line.trim_ascii()).map_err(wrong)
    });
    let secret = secret.map_err(|source| Error::SecretFile { path, source })?;
    let mut options = HubOptions::new(address, secret);
    // Somebody waits for the answer.
    options.call_wait(HUB_WAIT);
    Ok(options)
}

/// What the file has, without the end of its line.
fn line_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    // Two more for the end of the line, one more to see that it is longer.
    file.take(PASSWORD_BYTES_MAX as u64 + 3).read_to_end(&mut bytes)?;
    let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let wrong = |text: String| Err(io::Error::new(io::ErrorKind::InvalidData, text));
    match line.len() {
        0 => wrong("it is empty, and one line was expected".to_owned()),
        1..=PASSWORD_BYTES_MAX if !line.contains(&b'\n') => Ok(line.to_vec()),
        _ => wrong(format!("one line of at most {PASSWORD_BYTES_MAX} bytes was expected")),
    }
}

/// Does something with stores, on this thread.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Error::System)?.block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::from(OsString::from(text))
    }

    #[test]
    fn the_engine_is_told_by_the_scheme_and_is_sled_without_one() {
        assert_eq!(address("data/local"), Address::Sled("data/local".into()));
        assert_eq!(address("sled:data/local"), Address::Sled("data/local".into()));
        assert_eq!(address("./a:b"), Address::Sled("./a:b".into()));
        for text in ["postgres:host=db", "postgres://db/game", "postgresql://db/game"] {
            assert_eq!(address(text), Address::Postgres(text.to_owned()));
        }
        let hub = "hub:unix:/tmp/hub";
        assert_eq!(address(hub), Address::Hub(hub.to_owned()));
    }

    #[test]
    fn the_cluster_is_by_default_the_one_of_nodes() {
        assert_eq!(throughline::Config::default().cluster.name, CLUSTER);
    }

    #[test]
    fn a_password_is_one_line_of_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        for (written, expected) in
            [("secret\n", "secret"), ("secret", "secret"), ("se cret\r\n", "se cret")]
        {
            fs::write(&path, written).unwrap();
            assert_eq!(line_of(&path).unwrap(), expected.as_bytes());
        }
        for wrong in [String::new(), "\n".into(), "two\nlines\n".into(), "x".repeat(1025)] {
            fs::write(&path, &wrong).unwrap();
            let error = line_of(&path).unwrap_err().to_string();
            assert!(error.contains("expected"), "{error}");
        }
        assert!(line_of(&dir.path().join("gone")).is_err());
    }

    #[test]
    fn a_hub_is_reached_with_a_secret_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        let found = |secret_file| {
            let access =
                Access { cluster: CLUSTER.into(), password_file: None, ca_file: None, secret_file };
            Place::find(address("hub:unix:/tmp/hub"), &access)
        };
        assert!(matches!(found(None), Err(Error::NoSecret)));
        fs::write(&path, "short\n").unwrap();
        assert!(matches!(found(Some(path.clone())), Err(Error::SecretFile { .. })));
        fs::write(&path, "sixteen bytes or more\n").unwrap();
        assert!(matches!(found(Some(path)), Ok(Place::Hub { .. })));
    }
}
