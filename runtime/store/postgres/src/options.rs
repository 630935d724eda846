//! What a store is told.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::hosts::{self, HostConfig};
use crate::limits::{
    CALL_WAIT, CLUSTER_BYTES_MAX, COMMIT_DEADLINE, OPEN_WAIT, READ_DEADLINE, WRITERS, WRITERS_MAX,
};
use crate::{OpenError, OptionsError, PostgresStore};

/// In front of key words in an address.
const KEY_WORDS: &str = "postgres:";

/// What an address begins with that is a URL.
const URLS: [&str; 2] = ["postgres://", "postgresql://"];

/// Where the database is, whose it is, and how long calls may wait.
#[derive(Clone)]
pub struct Options {
    pub(crate) hosts: Vec<HostConfig>,
    pub(crate) cluster: String,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) writers: usize,
    pub(crate) waits: Waits,
    pub(crate) is_existing: bool,
}

/// How long calls may wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waits {
    pub(crate) open: Duration,
    pub(crate) call: Duration,
    pub(crate) read: Duration,
    pub(crate) commit: Duration,
}

impl Options {
    /// The database of this connection string, `host=a,b,c dbname=game user=game sslmode=require`
    /// or `postgresql://..`, for the cluster of this name, with the defaults.
    ///
    /// Of several hosts the one is used that can be written to, whatever `target_session_attrs`
    /// says; each has 2 s to accept a connection ([`CONNECT_TIMEOUT`]) unless `connect_timeout`
    /// says otherwise, and as long again to answer on it. `sslmode` is `prefer` by default, which
    /// does not protect from an attacker between the machines: `require` does, since it verifies
    /// the server's certificate and name.
    ///
    /// [`CONNECT_TIMEOUT`]: crate::limits::CONNECT_TIMEOUT
    ///
    /// # Errors
    /// The string cannot be read or names no host, or the name is none.
    pub fn new(address: &str, cluster: &str) -> Result<Self, OptionsError> {
        let parsed = address.parse::<tokio_postgres::Config>();
        let config = parsed.map_err(|error| {
            let source = std::error::Error::source(&error);
            let reason = source.map_or_else(|| error.to_string(), ToString::to_string);
            OptionsError::Address { reason }
        })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(OptionsError::NoHost);
        }
        let is_plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-_".contains(&c);
        let is_name = (1..=CLUSTER_BYTES_MAX).contains(&cluster.len());
        if !is_name || !cluster.bytes().all(is_plain) {
            return Err(OptionsError::Cluster { name: cluster.to_owned() });
        }
        let waits = Waits {
            open: OPEN_WAIT,
            call: CALL_WAIT,
            read: READ_DEADLINE,
            commit: COMMIT_DEADLINE,
        };
        let (cluster, ca_file) = (cluster.to_owned(), None);
        let hosts = hosts::split(&config);
        Ok(Self { hosts, cluster, ca_file, writers: WRITERS, waits, is_existing: false })
    }

    /// The database of this address, as operators and configurations write it, for the cluster of
    /// this name: `postgres:host=a,b,c dbname=game user=game` with the key words of
    /// [`new`](Self::new), or the whole is a URL, `postgres://..` or `postgresql://..`.
    ///
    /// An address stands in lists of processes, in logs and in error messages, so there is no
    /// password in it: [`password`](Self::password) sets it.
    ///
    /// # Errors
    /// It is no such address, or has a password; and as for [`new`](Self::new).
    pub fn of_address(address: &str, cluster: &str) -> Result<Self, OptionsError> {
        let is_url = URLS.iter().any(|url| address.starts_with(url));
        let connection = if is_url { Some(address) } else { address.strip_prefix(KEY_WORDS) };
        let Some(connection) = connection else {
            return Err(OptionsError::NoAddress { found: scheme(address) });
        };
        let options = Self::new(connection, cluster)?;
        if options.hosts.iter().any(|host| host.config.get_password().is_some()) {
            return Err(OptionsError::PasswordInAddress);
        }
        Ok(options)
    }

    /// The password for all hosts, in place of any that the connection string has. Default: none,
    /// for servers that know who connects by other means.
    pub fn password(&mut self, password: impl AsRef<[u8]>) -> &mut Self {
        for host in &mut self.hosts {
            host.config.password(password.as_ref());
        }
        self
    }

    /// A file of certificates (PEM) by which the server's is judged. Default: those of the system.
    pub fn ca_file(&mut self, path: impl Into<PathBuf>) -> &mut Self {
        self.ca_file = Some(path.into());
        self
    }

    /// Connections that commit: 1 to 32, default 3 ([`WRITERS`]); a value outside is brought
    /// inside. Three more read and watch the server's health.
    pub fn writers(&mut self, connections: usize) -> &mut Self {
        self.writers = connections.clamp(1, WRITERS_MAX);
        self
    }

    /// How long opening waits for a primary, which a failover leaves a cluster without; then it
    /// fails with [`OpenError::Away`](crate::OpenError::Away). Default 30 s ([`OPEN_WAIT`]);
    /// zero: one try.
    pub fn open_wait(&mut self, wait: Duration) -> &mut Self {
        self.waits.open = wait;
        self
    }

    /// How long a commit waits to be begun while the server is away or too much is under way; then
    /// it answers `Down`, and nothing of it was written. Default 5 s ([`CALL_WAIT`]).
    pub fn call_wait(&mut self, wait: Duration) -> &mut Self {
        self.waits.call = wait;
        self
    }

    /// How long a read may take in all, over as many connections as it needs; then it answers
    /// `Down`. Default 10 s ([`READ_DEADLINE`]).
    pub fn read_deadline(&mut self, deadline: Duration) -> &mut Self {
        self.waits.read = deadline;
        self
    }

    /// How long a commit that was begun may take, with its repeats and the search for a lost
    /// answer; then it answers `Unknown`. Default 10 s ([`COMMIT_DEADLINE`]). Shorter than a
    /// failover, it makes commits unknown that could have been told.
    pub fn commit_deadline(&mut self, deadline: Duration) -> &mut Self {
        self.waits.commit = deadline;
        self
    }

    /// Refuses a database without a store, as the tools do, instead of creating its tables.
    pub fn existing(&mut self) -> &mut Self {
        self.is_existing = true;
        self
    }

    /// Opens the store; see [`PostgresStore::open`].
    ///
    /// # Errors
    /// As there.
    pub async fn open(self) -> Result<PostgresStore, OpenError> {
        PostgresStore::open(self).await
    }

    /// The hosts, as errors name them.
    pub(crate) fn hosts(&self) -> String {
        let names: Vec<_> = self.hosts.iter().map(|host| &host.name[..]).collect();
        names.join(", ")
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the configuration itself, which may have a password.
        let mut options = f.debug_struct("Options");
        options.field("hosts", &self.hosts()).field("cluster", &self.cluster);
        options.field("writers", &self.writers).field("waits", &self.waits).finish_non_exhaustive()
    }
}

/// What an address begins with, up to its first colon, if that is a word: the rest may have a
/// password.
fn scheme(address: &str) -> String {
    match address.split_once(':') {
        Some((scheme, _)) if scheme.bytes().all(|c| c.is_ascii_alphabetic()) => {
            format!("{scheme}:")
        }
        _ => "something that begins with no scheme".to_owned(),
    }
}

#[cfg(test)]
mod tests;
