//! PostgreSQL for a run: a server, or three of them, of which the primary can be killed.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use clap::Args;
use serde::{Deserialize, Serialize};
use throughline_store_postgres::testing::{Server, ServerError, USER};

use crate::error::Error;
use crate::parent::{self, Broken, Question, json};
use crate::roles::hub::StoreCounts;

/// The database of a run.
const DATABASE: &str = "load";

/// Settings of each server: the defaults of a small production server, every commit synced.
const SETTINGS: &str = "
    max_connections = 100
    shared_buffers = 256MB
    max_wal_size = 2GB
    wal_compression = on
    max_wal_senders = 10
    wal_keep_size = 256MB
";

/// What the servers are told.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// The folder of their folders; the user `postgres` must be able to enter it.
    #[arg(long)]
    folder: PathBuf,
    /// The port of each. With several, the others are standbys, and a commit waits for one of them.
    #[arg(long, required = true)]
    port: Vec<u16>,
}

/// Where they are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ready {
    /// The folders of their files.
    pub(crate) folders: Vec<PathBuf>,
}

/// `store.at`, of servers at these ports.
pub(crate) fn store_at(ports: &[u16]) -> String {
    let hosts = vec!["127.0.0.1"; ports.len()].join(",");
    let ports: Vec<_> = ports.iter().map(ToString::to_string).collect();
    // Without TLS: they are on this machine.
    let ports = ports.join(",");
    format!("postgres:host={hosts} port={ports} user={USER} dbname={DATABASE} sslmode=disable")
}

/// The servers; the primary is one of them.
struct Servers {
    all: Arc<Mutex<Vec<Server>>>,
    primary: usize,
    /// One that comes back as a standby.
    returning: Option<JoinHandle<Result<(), ServerError>>>,
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Store(error.to_string())
}

fn name(index: usize) -> String {
    format!("s{index}")
}

/// Serves until the parent is gone.
pub(crate) fn serve(options: &Options) -> Result<(), Error> {
    let mut servers = Servers::start(options).map_err(failed)?;
    let folders = {
        let all = servers.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|server| server.folder().to_owned()).collect()
    };
    parent::answer(&Ready { folders }, |question| match question {
        Question::Break(Broken::Cut) => servers.kill().map(|()| json(&())).map_err(failed),
        Question::Mend => servers.promote().map(|()| json(&())).map_err(failed),
        Question::Tables => servers.tables().map(|bytes| json(&bytes)).map_err(failed),
        _ => Ok(json(&servers.counts().map_err(failed)?)),
    })
}

impl Servers {
    fn start(options: &Options) -> Result<Self, ServerError> {
        let (folder, ports) = (&options.folder, &options.port);
        let primary = Server::start_at(folder, ports[0])?;
        let standbys: Vec<_> = (0..ports.len()).map(name).collect();
        let names = match ports.len() {
            1 => String::new(),
            _ => format!("ANY 1 ({})", standbys.join(", ")),
        };
        primary.stop()?;
        primary.configure(&format!("{SETTINGS}synchronous_standby_names = '{names}'\n"))?;
        primary.run()?;
        let mut all = vec![primary];
        for (index, &port) in ports.iter().enumerate().skip(1) {
            let standby = all[0].standby_at(folder, port, &name(index))?;
            all.push(standby);
        }
        all[0].sql("postgres", &format!("create database {DATABASE}"))?;
        Ok(Self { all: Arc::new(Mutex::new(all)), primary: 0, returning: None })
    }

    /// The primary is killed, as by a loss of power.
    fn kill(&mut self) -> Result<(), ServerError> {
        // Two of three must be there, or nothing could be acknowledged.
        if let Some(returning) = self.returning.take() {
            returning.join().unwrap_or(Ok(()))?;
        }
        self.all.lock().unwrap_or_else(PoisonError::into_inner)[self.primary].kill()
    }

    /// The standby that has received most takes over, and the one that was killed comes back as its
    /// standby; one that is alone starts again.
    fn promote(&mut self) -> Result<(), ServerError> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let killed = self.primary;
        if all.len() == 1 {
            return all[killed].run();
        }
        let received = |index: &usize| {
            let query = "select pg_last_wal_receive_lsn() - '0/0'::pg_lsn";
            let received = all[*index].sql("postgres", query);
            received.ok().and_then(|text| text.trim().parse::<u64>().ok())
        };
        let standbys = (0..all.len()).filter(|index| *index != killed);
        let best = standbys.max_by_key(received).unwrap_or(killed);
        all[best].promote()?;
        for index in (0..all.len()).filter(|index| ![killed, best].contains(index)) {
            let (port, own) = (all[best].port(), name(index));
            all[index].configure(&format!(
                "primary_conninfo = 'host=127.0.0.1 port={port} user={USER} \
                 application_name={own}'\n"
            ))?;
            all[index].reload()?;
        }
        drop(all);
        self.primary = best;
        let all = Arc::clone(&self.all);
        self.returning = Some(std::thread::spawn(move || {
            let all = all.lock().unwrap_or_else(PoisonError::into_inner);
            all[killed].rejoin(&all[best], &name(killed))
        }));
        Ok(())
    }

    /// What the tables of the store take at the primary, with their indexes, in bytes.
    fn tables(&self) -> Result<u64, ServerError> {
        let query = "select coalesce(sum(pg_total_relation_size(oid)), 0) from pg_class
            where relnamespace = to_regnamespace('throughline') and relkind = 'r'";
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let output = all[self.primary].sql(DATABASE, query)?;
        let bytes = output.trim().parse();
        bytes.map_err(|_| ServerError::Failed { program: "psql".to_owned(), output })
    }

    /// The transactions of the primary since it was started.
    fn counts(&self) -> Result<StoreCounts, ServerError> {
        let query =
            format!("select xact_commit from pg_stat_database where datname = '{DATABASE}'");
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let commits = all[self.primary].sql("postgres", &query)?.trim().parse().unwrap_or(0);
        Ok(StoreCounts { commits, groups: commits, ..StoreCounts::default() })
    }
}
