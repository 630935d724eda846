//! Every bound and time of a hub and its clients, with its reason.

use std::time::Duration;

use throughline_store::limits::{
    BATCH_BYTES_MAX, BATCH_CHECKS_MAX, BATCH_WRITES_MAX, KEY_BYTES_MAX, PAGE_BYTES_MAX,
    PAGE_ENTRIES_MAX, VALUE_BYTES_MAX,
};

/// Longest frame, its length field not counted: the largest batch or page, and the lengths in it.
pub const FRAME_BYTES_MAX: usize = BATCH_BYTES_MAX + 64 * 1024;
/// Longest frame before both proofs: a refusal with its text. Who has proved nothing gets no more.
pub const HANDSHAKE_BYTES_MAX: usize = 2 * 1024;
/// Longest text in a frame: a sentence or two for an operator; what is longer is cut.
pub const TEXT_BYTES_MAX: usize = 1024;
/// Shortest secret: 128 bits, so that a recorded handshake cannot be searched.
pub const SECRET_BYTES_MIN: usize = 16;

/// What calls under way are counted in: one unit for each KiB begun. So a number of units bounds
/// both their bytes and how many there are.
pub const UNIT_BYTES: usize = 1024;
/// Units of the calls that one connection has under way at the hub, the room for their answers
/// included: 32 MiB, or 32 of the largest values. Beyond that the hub stops reading from it.
pub const CONNECTION_UNITS_MAX: usize = 32 * 1024;
/// Units of all connections of a hub: 128 MiB. Beyond that it reads from nobody until answers
/// have left.
pub const HUB_UNITS_MAX: usize = 128 * 1024;
/// Units of the calls that one client has under way: 16 MiB of batches. Further calls wait.
pub const CLIENT_UNITS_MAX: usize = 16 * 1024;
/// What a get weighs at a client: 1,024 of them under way saturate any hub.
pub const GET_UNITS: usize = 16;
/// What a scan weighs at a client: 256 of them under way.
pub const SCAN_UNITS: usize = 64;

/// Connections of a hub that have proved the secret: one per process and one per worker of a node,
/// so this is a dozen nodes on a machine of 16 cores.
pub const CONNECTIONS_MAX: usize = 256;
/// Connections of a hub that have not: more wait in the system's backlog. Strangers cannot use up
/// the places of those who know the secret.
pub const HANDSHAKES_MAX: usize = 16;
/// Prefixes that one connection watches. A client that wants more gives up the one that was
/// watched or hinted at longest ago.
pub const PREFIXES_MAX: usize = 256;

/// One read from a connection: several hundred small calls.
pub const READ_BYTES: usize = 64 * 1024;
/// Where a batch of frames ends and is written: enough to make a system call cheap, few enough to
/// stay in a processor's cache. A single larger frame is a batch of its own.
pub const WRITE_BYTES: usize = 128 * 1024;

/// How long the whole handshake may take, for both sides.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a client may take no byte of its answers before the hub closes the connection: they
/// take memory that the others need. A process that was suspended connects again.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a store that is closed waits for the connections of threads: one that is stuck in
/// a game's hook does not drive its own any more, and must not hold up the end of its process.
pub const ATTACHED_CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a hub that stops waits for the calls under way.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// At most one line of log per this time about refused connections, with their number.
pub const REFUSAL_LOG_PERIOD: Duration = Duration::from_secs(1);

/// Default of how long a call waits to be sent, because the hub is away or too much is under way.
/// Longer than the restart of a hub takes, and than a node's term: a node that waits longer has
/// lost what it wanted to write for.
pub const CALL_WAIT: Duration = Duration::from_secs(5);
/// Default of how long a read may take in all, over as many connections as it needs.
pub const READ_DEADLINE: Duration = Duration::from_secs(10);
/// Default of how long a commit that was sent waits for its answer before it is unknown: a disk
/// that takes longer for a sync is broken.
pub const COMMIT_DEADLINE: Duration = Duration::from_secs(10);
/// How exactly these three are kept: a look at every call under way this often.
pub const SWEEP_PERIOD: Duration = Duration::from_millis(100);
/// The first wait before a client connects again; it doubles, with full jitter.
pub const BACKOFF_MIN: Duration = Duration::from_millis(10);
/// The longest wait before a client connects again: a failed connect on one machine costs little.
pub const BACKOFF_MAX: Duration = Duration::from_millis(500);
/// What `Down` tells callers to wait while the hub is away.
pub const AWAY_RETRY_AFTER: Duration = BACKOFF_MAX;

/// Bytes beside keys and values: a tag and two lengths per check or write, a length per end, and
/// the head of the frame.
const BATCH_OVERHEAD: usize = (BATCH_CHECKS_MAX + BATCH_WRITES_MAX) * 7 + 32;
const PAGE_OVERHEAD: usize = PAGE_ENTRIES_MAX * 6 + KEY_BYTES_MAX + 32;

const _: () = assert!(BATCH_BYTES_MAX + BATCH_OVERHEAD <= FRAME_BYTES_MAX, "a batch must fit");
const _: () = assert!(PAGE_BYTES_MAX + PAGE_OVERHEAD <= FRAME_BYTES_MAX, "a page must fit");
const _: () = assert!(TEXT_BYTES_MAX + 64 <= HANDSHAKE_BYTES_MAX, "a refusal must fit");
const _: () = assert!(
    CONNECTION_UNITS_MAX * UNIT_BYTES >= 2 * FRAME_BYTES_MAX + VALUE_BYTES_MAX,
    "the largest call and its answer must fit, or it would wait for ever"
);
const _: () = assert!(HUB_UNITS_MAX >= CONNECTION_UNITS_MAX, "one connection must fit");
const _: () = assert!(
    CLIENT_UNITS_MAX * UNIT_BYTES >= 2 * BATCH_BYTES_MAX,
    "the largest batch must fit, or it would wait for ever"
);

/// The units of so many bytes.
pub(crate) const fn units(bytes: usize) -> usize {
    bytes.div_ceil(UNIT_BYTES)
}
