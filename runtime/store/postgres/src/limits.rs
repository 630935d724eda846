//! Every bound and time of this store, with its reason.

use std::time::Duration;

use throughline_store::limits::{BATCH_BYTES_MAX, BATCH_CHECKS_MAX, BATCH_WRITES_MAX};

/// Calls that wait or are under way; further callers wait outside.
pub const CALLS_MAX: usize = 4096;
/// Bytes of batches that wait or are under way; further callers wait outside.
pub const CALLS_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Commits that share a transaction: more would not make it cheaper, but each of them waits for
/// all, and the locks of all are held until then.
pub const GROUP_COMMITS_MAX: usize = 1024;
/// Bytes of the commits that share a transaction, beyond which no further one is taken: what a
/// server writes to its log in a few milliseconds.
pub const GROUP_BYTES_MAX: usize = 1024 * 1024;
/// Keys that a transaction checks and writes, counted once for each batch, beyond which no further
/// commit is taken: what a server looks up in a few milliseconds.
pub const GROUP_KEYS_MAX: usize = 4096;
/// Values that one query reads. They may have 1 MiB each, so this is what a reading connection may
/// take in memory, in MiB.
pub const GETS_MAX: usize = 64;
/// Pages that are read together: they share the wait for the standbys. Each may have 4 MiB.
pub const SCANS_MAX: usize = 8;
/// Connections that commit, by default. One writes while another waits for the disk and the
/// standbys; more than the server has cores and disks to keep busy only make groups smaller.
pub const WRITERS: usize = 3;
/// Most connections that commit: a server has 100 by default, for all nodes together.
pub const WRITERS_MAX: usize = 32;
/// Connections that read: one goes on while the other has a large page. Together with that of the
/// monitor a store has three more connections than [`WRITERS`].
pub const READERS: usize = 2;
/// How often a transaction is tried that the server refuses to serialize, or whose connection
/// breaks: each such refusal means that another transaction got on, so more would be a fault.
pub const TRIES_MAX: u32 = 10;
/// Longest wait before a transaction is tried again, at random, so that two that met part.
pub const TRY_AGAIN_WITHIN: Duration = Duration::from_millis(20);
/// How long a host has to accept a connection, and as long again to answer on it; then the next one
/// is tried.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the statements may take that verify and prepare a new connection: each of them
/// [`OPEN_STATEMENT`] at most, and they are sent a few at a time.
pub const OPEN_DEADLINE: Duration = Duration::from_secs(8);
/// Longest statement while a connection opens, and longest wait then for a standby, which the
/// server itself would never end.
pub const OPEN_STATEMENT: Duration = Duration::from_secs(2);
/// Longest statement of a migration, and longest wait for another process that migrates: a large
/// table may take its time.
pub const MIGRATION_STATEMENT: Duration = Duration::from_secs(600);
/// How long a store that opens waits for a primary, by default: a failover takes 15 to 20 s, and a
/// node that starts meanwhile need not be started again.
pub const OPEN_WAIT: Duration = Duration::from_secs(30);
/// How long until a connection that could not be opened is tried again.
pub const RECONNECT_EVERY: Duration = Duration::from_millis(250);
/// How long a call waits to be begun, by default: a node's patience, not a failover's length.
pub const CALL_WAIT: Duration = Duration::from_secs(5);
/// How long a read may take in all, by default.
pub const READ_DEADLINE: Duration = Duration::from_secs(10);
/// How long a commit that was begun may take, by default.
pub const COMMIT_DEADLINE: Duration = Duration::from_secs(10);
/// How long a transaction waits for a row that another has locked, before it is tried again:
/// longer than any transaction of a healthy server, shorter than a commit's deadline.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the server lets a transaction stand still whose client has vanished, with its locks.
pub const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(10);
/// How long a peer may leave bytes unacknowledged before a connection counts as broken.
pub const PEER_SILENCE: Duration = Duration::from_secs(10);
/// When to look at the server's health again.
pub const HEALTH_EVERY: Duration = Duration::from_millis(500);
/// How long the answer to that may take; then the server counts as away.
pub const HEALTH_DEADLINE: Duration = Duration::from_secs(3);
/// A commit that waits for a standby this long is told in [`Health`](crate::Health).
pub const STANDBY_PATIENCE: Duration = Duration::from_secs(1);
/// When to look for calls that waited too long.
pub const EXPIRE_EVERY: Duration = Duration::from_millis(50);
/// How long outcomes of transactions are kept, far longer than a transaction can be under way: its
/// waits for locks and its silence are bounded above.
pub const OUTCOMES_KEPT: Duration = Duration::from_secs(600);
/// When to sweep older outcomes.
pub const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Longest name of a cluster: it stands in messages.
pub const CLUSTER_BYTES_MAX: usize = 64;

const _: () = assert!(
    CALLS_BYTES_MAX >= 2 * BATCH_BYTES_MAX && CALLS_BYTES_MAX <= u32::MAX as usize,
    "the largest batch must fit, or it would wait for ever"
);
const _: () = assert!(GROUP_KEYS_MAX <= BATCH_CHECKS_MAX + BATCH_WRITES_MAX, "as one batch");
const _: () = assert!(
    OUTCOMES_KEPT.as_secs() > 10 * (COMMIT_DEADLINE.as_secs() + IDLE_IN_TRANSACTION.as_secs()),
    "an outcome outlives its transaction"
);
const _: () = assert!(LOCK_TIMEOUT.as_millis() < COMMIT_DEADLINE.as_millis(), "it must be told");
