//! The hosts of a connection string, each to be tried alone.

use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, TargetSessionAttrs};

use crate::limits::{
    CONNECT_TIMEOUT, IDLE_IN_TRANSACTION, LOCK_TIMEOUT, OPEN_STATEMENT, PEER_SILENCE,
};

/// One host. Given several, the client tries the next one only if a host refuses or does not
/// accept; one that accepts and says nothing, such as a machine that stands still, holds it for
/// ever. So each is tried alone, within a time of its own.
#[derive(Clone)]
pub(crate) struct HostConfig {
    pub(crate) name: String,
    pub(crate) config: Config,
    /// How long it has to accept and to answer.
    pub(crate) within: Duration,
}

/// The hosts of this configuration, with all that every connection needs.
pub(crate) fn split(config: &Config) -> Vec<HostConfig> {
    let count = config.get_hosts().len().max(config.get_hostaddrs().len());
    (0..count).map(|index| host(config, index)).collect()
}

fn host(from: &Config, index: usize) -> HostConfig {
    let mut config = Config::new();
    let mut name = String::new();
    match from.get_hosts().get(index) {
        Some(Host::Tcp(host)) => {
            config.host(host);
            name.clone_from(host);
        }
        #[cfg(unix)]
        Some(Host::Unix(path)) => {
            config.host_path(path);
            name = path.display().to_string();
        }
        None => {}
    }
    if let Some(address) = from.get_hostaddrs().get(index) {
        config.hostaddr(*address);
        if name.is_empty() {
            name = address.to_string();
        }
    }
    let ports = from.get_ports();
    let port = ports.get(index).or_else(|| ports.first()).copied().unwrap_or(5432);
    config.port(port);
    copy(from, &mut config);
    let timeout = from.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT);
    config.connect_timeout(timeout);
    settle(&mut config, from.get_options().unwrap_or_default());
    HostConfig { name: format!("{name}:{port}"), config, within: 2 * timeout }
}

/// Copies what is the same for all hosts.
fn copy(from: &Config, config: &mut Config) {
    if let Some(user) = from.get_user() {
        config.user(user);
    }
    if let Some(password) = from.get_password() {
        config.password(password);
    }
    if let Some(database) = from.get_dbname() {
        config.dbname(database);
    }
    config.application_name(from.get_application_name().unwrap_or("throughline"));
    config.ssl_mode(from.get_ssl_mode());
    config.ssl_negotiation(from.get_ssl_negotiation());
    config.channel_binding(from.get_channel_binding());
}

/// Sets what every connection needs, whatever the server's and the user's defaults are.
fn settle(config: &mut Config, options: &str) {
    config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    // Notices a peer that is gone without a word, whatever the system's defaults are.
    config.tcp_user_timeout(PEER_SILENCE);
    config.keepalives_idle(PEER_SILENCE / 2);
    config.keepalives_interval(PEER_SILENCE / 5);
    config.keepalives_retries(3);
    let mut settings = options.to_owned();
    let seconds = |time: Duration| time.as_secs().to_string();
    let millis = |time: Duration| time.as_millis().to_string();
    for (name, value) in [
        // Flushed here and, if the server has synchronous standbys, there.
        ("synchronous_commit", "on".to_owned()),
        ("lock_timeout", millis(LOCK_TIMEOUT)),
        ("statement_timeout", millis(OPEN_STATEMENT)),
        ("idle_in_transaction_session_timeout", millis(IDLE_IN_TRANSACTION)),
        ("idle_session_timeout", "0".to_owned()),
        // The server, too, notices a client that is gone without a word, and frees its locks.
        ("tcp_user_timeout", millis(PEER_SILENCE)),
        ("tcp_keepalives_idle", seconds(PEER_SILENCE / 2)),
        ("tcp_keepalives_interval", seconds(PEER_SILENCE / 5)),
        ("tcp_keepalives_count", "3".to_owned()),
        // Arrays of keys are looked up one by one in the index. What is planned once for all
        // arrays must not be a scan of the table because that was empty once.
        ("plan_cache_mode", "force_generic_plan".to_owned()),
        ("enable_seqscan", "off".to_owned()),
        ("enable_bitmapscan", "off".to_owned()),
        ("enable_hashjoin", "off".to_owned()),
        ("enable_mergejoin", "off".to_owned()),
        ("enable_sort", "off".to_owned()),
        ("enable_material", "off".to_owned()),
        ("jit", "off".to_owned()),
        ("max_parallel_workers_per_gather", "0".to_owned()),
        ("client_min_messages", "warning".to_owned()),
    ] {
        settings.push_str(&format!(" -c {name}={value}"));
    }
    config.options(settings.trim_start());
}
