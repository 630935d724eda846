//! A connection to the primary, opened and verified.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_postgres::error::{Severity, SqlState};
use tokio_postgres::{AsyncMessage, Client};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::text;
use crate::hosts::HostConfig;
use crate::limits::{CONNECT_TIMEOUT, OPEN_DEADLINE, OPEN_STATEMENT};
use crate::statements::Statements;
use crate::{OpenError, Options, schema, tls};

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Groups of commits. No statement is cut short: the server would then acknowledge a commit
    /// that no standby has.
    Write,
    /// Reads, each cut short after this time.
    Read(Duration),
    /// The server's health.
    Watch,
}

/// A connection whose statements are prepared. Dropping it closes it at once.
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) statements: Statements,
    /// Which server it is, and since when that runs.
    pub(crate) server: String,
    /// Its place among the hosts.
    host: usize,
    link: Link,
    /// The server waits for its standbys, and for nothing else.
    settles: AtomicBool,
    tls: MakeRustlsConnect,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("server", &self.server).finish_non_exhaustive()
    }
}

/// A server never ends the wait for a standby by itself, not for a `statement_timeout` and not for
/// a client that has gone: it would keep its side of the connection for ever.
impl Drop for Connection {
    fn drop(&mut self) {
        if !*self.settles.get_mut() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (token, tls) = (self.client.cancel_token(), self.tls.clone());
        runtime.spawn(async move {
            // A server that does not answer has other worries.
            let _ = timeout(CONNECT_TIMEOUT, token.cancel_query(tls)).await;
        });
    }
}

/// The socket, which goes with it.
#[derive(Debug)]
struct Link {
    task: AbortHandle,
    warned: Arc<AtomicBool>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Connection {
    /// Whether the server has warned since the last call. It does when a commit no longer waits
    /// for its standbys: it is acknowledged, and may be lost all the same.
    pub(crate) fn take_warning(&self) -> bool {
        self.link.warned.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// How often the database has changed its primary, with every one before this.
    async fn timeline(&self) -> Result<i64, OpenError> {
        let hex = "select substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)";
        let hex: String = self.client.query_one(hex, &[]).await?.try_get(0)?;
        let number = i64::from_str_radix(&hex, 16);
        number.map_err(|error| OpenError::Failed { reason: format!("timeline {hex}: {error}") })
    }

    /// Waits until all that was committed before is as durable as a commit can be: the log is
    /// one sequence, and this is written behind it. What was read before on this connection was
    /// then read at the primary: the standbys take nothing more from one that was replaced.
    ///
    /// A server that was killed shows, once it runs again, commits whose standbys never had them;
    /// one that stood still while another replaced it shows what was true before.
    ///
    /// It waits as long as it takes. Whoever gives it up drops the connection.
    pub(crate) async fn settle(&self) -> Result<(), OpenError> {
        self.take_warning();
        self.settles.store(true, Ordering::Release);
        let settled = self.client.execute(&self.statements.settle, &[]).await;
        self.settles.store(false, Ordering::Release);
        settled?;
        if self.take_warning() {
            let reason = "no standby has what it commits".to_owned();
            return Err(OpenError::NoStandby { reason });
        }
        Ok(())
    }
}

/// A number that no other transaction has.
pub(crate) fn random_id() -> Result<i64, OpenError> {
    let number = getrandom::u64();
    let number = number.map_err(|error| OpenError::Failed { reason: error.to_string() })?;
    Ok(i64::from_be_bytes(number.to_be_bytes()))
}

/// Opens connections.
#[derive(Clone)]
pub(crate) struct Connector {
    options: Arc<Options>,
    tls: MakeRustlsConnect,
    /// The host that was the primary last, and so is tried first.
    first: Arc<AtomicUsize>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Connector {
    pub(crate) fn new(options: Arc<Options>) -> Result<Self, OpenError> {
        let tls = tls::connector(options.ca_file.as_deref())?;
        Ok(Self { options, tls, first: Arc::default() })
    }

    /// Creates or upgrades the tables.
    pub(crate) async fn migrate(&self) -> Result<(), OpenError> {
        let mut last = self.away("there is none".to_owned());
        for index in self.in_turn() {
            match self.migrate_at(&self.options.hosts[index]).await {
                Ok(()) => {
                    self.first.store(index, Ordering::Relaxed);
                    return Ok(());
                }
                Err(error) => last = last.or(error),
            }
        }
        Err(last)
    }

    async fn migrate_at(&self, host: &HostConfig) -> Result<(), OpenError> {
        let (client, link) = self.connect(host).await?;
        durable(&client).await?;
        schema::migrate(&client, &self.options).await?;
        if link.warned.load(Ordering::Acquire) {
            let reason = "the tables were created, but are on no standby yet".to_owned();
            return Err(OpenError::NoStandby { reason });
        }
        Ok(())
    }

    /// Opens a connection, and verifies that the database is ours and keeps what it acknowledges.
    ///
    /// Every host is tried once. One that takes writes and has no standby for them is passed over,
    /// too: it may be a primary that was replaced, and was not stopped.
    pub(crate) async fn open(&self, purpose: Purpose) -> Result<Connection, OpenError> {
        let mut last = self.away("there is none".to_owned());
        for index in self.in_turn() {
            match self.open_at(index, purpose).await {
                Ok(connection) => {
                    self.first.store(index, Ordering::Relaxed);
                    return Ok(connection);
                }
                Err(error) => last = last.or(error),
            }
        }
        Err(last)
    }

    /// Looks whether another host is the primary by now, though this one still takes writes: one
    /// whose history is newer, and whose standbys have what it commits.
    pub(crate) async fn open_newer(&self, than: &Connection) -> Option<Connection> {
        let old = than.timeline().await.ok()?;
        for index in self.in_turn().filter(|index| *index != than.host) {
            let Ok(connection) = self.open_at(index, Purpose::Watch).await else { continue };
            let is_primary = async {
                let is_newer = connection.timeline().await.is_ok_and(|timeline| timeline > old);
                is_newer && connection.settle().await.is_ok()
            };
            if timeout(OPEN_STATEMENT, is_primary).await == Ok(true) {
                self.first.store(index, Ordering::Relaxed);
                return Some(connection);
            }
        }
        None
    }

    /// The hosts by their places, that of the last primary first.
    fn in_turn(&self) -> impl Iterator<Item = usize> + use<> {
        let (first, count) = (self.first.load(Ordering::Relaxed), self.options.hosts.len());
        (first..first + count).map(move |index| index % count)
    }

    async fn open_at(&self, index: usize, purpose: Purpose) -> Result<Connection, OpenError> {
        let (client, link) = self.connect(&self.options.hosts[index]).await?;
        let opened = timeout(OPEN_DEADLINE, self.prepare(client, link, index, purpose)).await;
        let late = || self.away(format!("no answer within {} s", OPEN_DEADLINE.as_secs()));
        opened.map_err(|_| late())?
    }

    async fn prepare(
        &self,
        client: Client,
        link: Link,
        host: usize,
        purpose: Purpose,
    ) -> Result<Connection, OpenError> {
        durable(&client).await?;
        schema::verify(&client, &self.options.cluster).await?;
        let server = client.query_one(
            "select concat_ws(' ', inet_server_addr(), inet_server_port(),
                pg_postmaster_start_time())",
            &[],
        );
        let server = server.await?.try_get(0)?;
        let statements = Statements::prepare(&client).await?;
        let (settles, tls) = (AtomicBool::new(false), self.tls.clone());
        let connection = Connection { client, statements, server, host, link, settles, tls };
        if purpose != Purpose::Watch {
            let settled = timeout(OPEN_STATEMENT, connection.settle()).await;
            let reason = "no standby has what it commits".to_owned();
            settled.map_err(|_| OpenError::NoStandby { reason })??;
        }
        let statement_timeout = match purpose {
            Purpose::Write => Some(0),
            Purpose::Read(deadline) => Some(deadline.as_millis()),
            Purpose::Watch => None,
        };
        if let Some(millis) = statement_timeout {
            let set = format!("set statement_timeout = {millis}");
            connection.client.batch_execute(&set).await?;
        }
        Ok(connection)
    }

    async fn connect(&self, host: &HostConfig) -> Result<(Client, Link), OpenError> {
        let connected = timeout(host.within, host.config.connect(self.tls.clone())).await;
        let late = || format!("{} does not answer within {:?}", host.name, host.within);
        let connected = connected.map_err(|_| self.away(late()))?;
        let (client, mut connection) =
            connected.map_err(|error| self.not_connected(host, &error))?;
        let warned = Arc::new(AtomicBool::new(false));
        let flag = warned.clone();
        let mut messages =
            futures_util::stream::poll_fn(move |context| connection.poll_message(context));
        let drive = async move {
            while let Some(Ok(message)) = messages.next().await {
                if let AsyncMessage::Notice(notice) = message {
                    log::warn!("the server warns: {}", notice.message());
                    flag.store(true, Ordering::Release);
                }
            }
        };
        let task = tokio::spawn(drive).abort_handle();
        Ok((client, Link { task, warned }))
    }

    fn not_connected(&self, host: &HostConfig, error: &tokio_postgres::Error) -> OpenError {
        if let Some(refusal) = tls::refusal(&host.name, error) {
            return refusal;
        }
        let hosts = self.options.hosts();
        let is_denied = error.as_db_error().is_some_and(|error| {
            let class = &error.code().code()[..2];
            class == "28" || class == "3D" || *error.code() == SqlState::INSUFFICIENT_PRIVILEGE
        });
        match is_denied {
            true => OpenError::Denied { hosts, reason: text(error) },
            false => OpenError::Away { hosts, reason: text(error) },
        }
    }

    fn away(&self, reason: String) -> OpenError {
        OpenError::Away { hosts: self.options.hosts(), reason }
    }
}

/// Refuses a server that acknowledges what it can lose.
async fn durable(client: &Client) -> Result<(), OpenError> {
    let row = client.query_one(
        "select current_setting('fsync'), current_setting('full_page_writes'),
            current_setting('synchronous_commit')",
        &[],
    );
    let row = row.await?;
    for (index, setting) in ["fsync", "full_page_writes", "synchronous_commit"].iter().enumerate() {
        let found: String = row.try_get(index)?;
        if found != "on" {
            return Err(OpenError::NotDurable { setting, found });
        }
    }
    Ok(())
}

/// Whether the server has ended the connection with this error.
pub(crate) fn is_fatal(error: &tokio_postgres::Error) -> bool {
    let Some(error) = error.as_db_error() else { return true };
    match error.parsed_severity() {
        Some(severity) => matches!(severity, Severity::Fatal | Severity::Panic),
        None => !error.severity().eq_ignore_ascii_case("error"),
    }
}
