//! Why options are refused, and why a store does not open.

use std::io;

use tokio_postgres::error::SqlState;

/// Why options are refused: the caller's fault, and no retry helps.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// The connection string is not one.
    #[error("not a connection string of PostgreSQL: {reason}")]
    Address {
        /// What is wrong with it.
        reason: String,
    },
    /// The address is none of a database of PostgreSQL.
    #[error(
        "no address of a database of PostgreSQL: expected postgres:host=a,b dbname=game user=game, \
         or a URL postgres://.. or postgresql://.., found {found}"
    )]
    NoAddress {
        /// What it begins with. Not all of it, which may have a password.
        found: String,
    },
    /// An address has a password, which would stand in lists of processes and in logs.
    #[error(
        "the address has a password in it, where every list of processes shows it: take it out, \
         and put it into the file that the password is read from"
    )]
    PasswordInAddress,
    /// The connection string names no host.
    #[error("the connection string names no host: host=a,b,c names three")]
    NoHost,
    /// The cluster's name is empty, too long, or has other characters.
    #[error(
        "\"{name}\" is no name of a cluster: 1 to {} of a-z, 0-9, '-' and '_'",
        crate::limits::CLUSTER_BYTES_MAX
    )]
    Cluster {
        /// The name.
        name: String,
    },
    /// The certificates that the server is judged by cannot be read.
    #[error("cannot read the certificates that the server is judged by: {reason}")]
    Certificates {
        /// What is wrong.
        reason: String,
    },
}

/// Why a store does not open, or, in an outage's reason, why a later connection does not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The options name a file that does not serve: the caller's fault, and no retry helps.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// No host took a connection as one that can be written to: the environment's fault. Retrying
    /// helps once there is one.
    #[error("no host of {hosts} is a primary that takes connections: {reason}")]
    Away {
        /// The hosts that were tried.
        hosts: String,
        /// What the last try met.
        reason: String,
    },
    /// The server refuses this user, password or database. Retrying does not help.
    #[error("the server at {hosts} refuses the connection: {reason}")]
    Denied {
        /// The hosts.
        hosts: String,
        /// What it said.
        reason: String,
    },
    /// The database has no tables of a store, and was to have them. Nothing was changed: it is the
    /// wrong database, or nobody has used it yet.
    #[error(
        "the database at {hosts} has no store in it: name the database that the nodes use, or let \
         a first node start on it, which creates the tables"
    )]
    NoStore {
        /// The hosts.
        hosts: String,
    },
    /// The server's certificate is not one for this host from an authority that is trusted: a fault
    /// of the settings, here or there. Retrying does not help.
    #[error(
        "the certificate of the server at {host} is not accepted: {reason}; the file of \
         certificates must have the authority that signed it, and the connection string a name \
         that is in it"
    )]
    Untrusted {
        /// The host.
        host: String,
        /// What is wrong with the certificate.
        reason: String,
    },
    /// The server does not offer TLS, which `sslmode=require` asks for. Retrying does not help.
    #[error(
        "the server at {host} offers no TLS, and sslmode=require asks for it: set ssl = on there, \
         or sslmode=disable here if nobody else is in the network between"
    )]
    NoTls {
        /// The host.
        host: String,
    },
    /// The database belongs to another cluster: the wrong name, or the wrong database. Nothing was
    /// changed, and no retry helps.
    #[error(
        "the database is that of the cluster \"{found}\", not of \"{wanted}\": \
         use that name, or another database"
    )]
    OtherCluster {
        /// The name that it has.
        found: String,
        /// The name that was asked for.
        wanted: String,
    },
    /// Migrated by a newer version of this program. Nothing is wrong with it.
    #[error(
        "the schema of the database has version {found}, this program knows up to {known}: \
         start the newer version"
    )]
    NewerSchema {
        /// The version found.
        found: i32,
        /// The newest version that this build knows.
        known: i32,
    },
    /// The server would acknowledge what it can lose. No retry helps: an operator sets it.
    #[error("the server has {setting} = {found}: what it acknowledges could be lost; set it to on")]
    NotDurable {
        /// The setting.
        setting: &'static str,
        /// Its value.
        found: String,
    },
    /// The server does not get an acknowledgement from enough standbys, so nothing can be
    /// committed, and what can be read may be lost. Retrying helps once they are back.
    #[error("commits wait for a synchronous standby: {reason}")]
    NoStandby {
        /// What the server waits for.
        reason: String,
    },
    /// The connection broke, or the server stops or is the primary no more: the environment's
    /// fault. Retrying helps once there is a primary; opening a store does that by itself for as
    /// long as it waits for one.
    #[error("the connection to the server broke: {reason}")]
    Broke {
        /// What was met.
        reason: String,
    },
    /// The server failed a statement.
    #[error("the server failed: {reason}")]
    Failed {
        /// What it said.
        reason: String,
    },
    /// The system gave no thread: the environment's fault.
    #[error("cannot start the thread of the store: {source}")]
    Start {
        /// Why.
        source: io::Error,
    },
}

impl OpenError {
    /// Whether a primary is to be waited for.
    pub(crate) const fn may_pass(&self) -> bool {
        matches!(self, Self::Away { .. } | Self::Broke { .. })
    }

    /// Of what two hosts met, that which explains more: of most hosts it is known that they are no
    /// primary.
    pub(crate) fn or(self, later: Self) -> Self {
        match (&self, &later) {
            (Self::Away { .. }, _) => later,
            (_, Self::Away { .. }) => self,
            _ => later,
        }
    }
}

/// What a server or a connection said, in one line.
pub(crate) fn text(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => format!("{} ({})", error.message(), error.code().code()),
        None => {
            let source = std::error::Error::source(error);
            source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
        }
    }
}

/// Whether the server is going, or the way to it, whatever was asked.
fn is_broken(error: &tokio_postgres::Error) -> bool {
    match error.code() {
        Some(code) => [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::READ_ONLY_SQL_TRANSACTION,
        ]
        .contains(code),
        None => {
            let source = std::error::Error::source(error);
            error.is_closed() || source.is_some_and(|source| source.is::<io::Error>())
        }
    }
}

impl From<tokio_postgres::Error> for OpenError {
    fn from(error: tokio_postgres::Error) -> Self {
        let reason = text(&error);
        if is_broken(&error) { Self::Broke { reason } } else { Self::Failed { reason } }
    }
}
