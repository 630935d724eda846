//! What Patroni is told: the settings of `docs/operating.md`, with files and ports of a test.

use std::path::Path;

use serde_json::{Value, json};
use throughline_store_postgres::testing::USER;

/// How long a leader may say nothing before another takes its place, in seconds.
pub(crate) const TTL: u64 = 15;
/// How often each member looks, in seconds.
const LOOP_WAIT: u64 = 2;
/// How long a leader asks etcd and its server again before it steps down, in seconds.
const RETRY_TIMEOUT: u64 = 5;

const _: () = assert!(TTL >= LOOP_WAIT + 2 * RETRY_TIMEOUT, "what Patroni's manual asks for");

/// What a member is, and where.
pub(crate) struct Place<'a> {
    pub(crate) name: &'a str,
    pub(crate) folder: &'a Path,
    pub(crate) port: u16,
    pub(crate) api: u16,
    pub(crate) etcd: u16,
    pub(crate) programs: &'a Path,
}

/// The configuration of a member. JSON is YAML, too.
pub(crate) fn member(place: &Place<'_>) -> Value {
    let local = |port: u16| format!("127.0.0.1:{port}");
    // What is asked for is not looked at: everyone of this machine is let in.
    let login = |name: &str| json!({ "username": name, "password": "unused" });
    json!({
        "scope": "throughline",
        "name": place.name,
        "restapi": { "listen": local(place.api), "connect_address": local(place.api) },
        // Not `etcd3`: with that, Patroni before 3.0.3 (Debian 12 has 3.0.2) lets a leader that
        // stood still take the lock from the one that replaced it, and what was answered is lost.
        "etcd": { "hosts": [local(place.etcd)] },
        "bootstrap": { "dcs": cluster(), "initdb": [{ "encoding": "UTF8" }, "data-checksums"] },
        "postgresql": {
            "listen": local(place.port),
            "connect_address": local(place.port),
            "data_dir": place.folder.join("data"),
            "bin_dir": place.programs,
            "pgpass": place.folder.join("pgpass"),
            "authentication": { "superuser": login(USER), "replication": login("replicator") },
            "parameters": { "unix_socket_directories": place.folder },
            "pg_hba": [
                "host all all 127.0.0.1/32 trust",
                "host replication all 127.0.0.1/32 trust",
            ],
            "basebackup": [{ "checkpoint": "fast" }],
        },
    })
}

/// What holds for all members, kept in etcd.
fn cluster() -> Value {
    json!({
        "ttl": TTL,
        "loop_wait": LOOP_WAIT,
        "retry_timeout": RETRY_TIMEOUT,
        // A commit is answered once a standby has it, and none but such a standby is promoted.
        "synchronous_mode": true,
        // Without a standby nothing is answered, instead of all with one copy.
        "synchronous_mode_strict": true,
        "synchronous_node_count": 1,
        "postgresql": {
            // What a leader that was replaced has written for itself alone is taken back.
            "use_pg_rewind": true,
            "remove_data_directory_on_rewind_failure": true,
            "remove_data_directory_on_diverged_timelines": true,
            "use_slots": true,
            "parameters": {
                "max_connections": 60,
                "shared_buffers": "64MB",
                // A standby that does not find its place at the new leader at once looks again
                // after this, 5 s by default. Until one has, nothing is answered.
                "wal_retrieve_retry_interval": "500ms",
            },
        },
    })
}
