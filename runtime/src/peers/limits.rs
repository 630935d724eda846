//! Every bound and time of the connections between nodes, with its reason.

use std::time::Duration;

/// Longest frame, its length field not counted: the largest snapshot that can be configured, with
/// what stands beside it, in one frame.
pub(crate) const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest payload: a frame less its type, number and deadline.
pub(crate) const PAYLOAD_BYTES_MAX: usize = FRAME_BYTES_MAX - 17;
/// Longest frame before both proofs. Who has proved nothing gets no more memory than this.
pub(crate) const HANDSHAKE_BYTES_MAX: usize = 256;
/// Shortest secret: 128 bits, so that a recorded handshake cannot be searched.
pub(crate) const SECRET_BYTES_MIN: usize = 16;

/// What waits to leave is counted in: one unit for each KiB begun. So a number of units bounds
/// both the bytes and how many there are.
pub(crate) const UNIT_BYTES: usize = 1024;
/// Units of the calls and tells to one node, from the moment of the call to its answer: 16 MiB, or
/// 16,384 small ones. What is more is `Overloaded` at once.
pub(crate) const LINK_UNITS_MAX: usize = 16 * 1024;
/// Units to all nodes: 128 MiB.
pub(crate) const UNITS_MAX: usize = 128 * 1024;
/// Calls that are under way on one connection: enough to fill a fast network for a round trip. The
/// others wait here, where they are surely not handled if the connection breaks.
pub(crate) const WINDOW_CALLS_MAX: usize = 1024;
/// Nodes that this one talks to at a time, and as many that talk to it: far more than a cluster
/// has, with restarted ones counted twice for a while.
pub(crate) const LINKS_MAX: usize = 256;
/// Connections that have proved nothing yet: more wait in the system's backlog. Strangers cannot
/// use up the places of the cluster's nodes.
pub(crate) const HANDSHAKES_MAX: usize = 64;

/// Payload bytes of the calls of one connection that are being handled: beyond that no more are
/// read from it. A larger single one is taken when nothing else is being handled.
pub(crate) const HANDLED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of answers that have not left, with those that the calls being handled are expected to
/// get, above which no more calls are read: the other node sends faster than it reads.
pub(crate) const ANSWER_BYTES_PAUSE: usize = 16 * 1024 * 1024;
/// What the first calls of a connection are expected to get: 256 of them are begun before it is
/// known what they do get. A quarter of the largest snapshot by default.
pub(crate) const ANSWER_BYTES_EXPECTED: usize = 64 * 1024;
/// Bytes of answers that have not left, above which the connection is closed: what the calls of a
/// first window get if each is answered with the largest snapshot by default.
pub(crate) const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One read from a connection: several hundred small calls.
pub(crate) const READ_BYTES: usize = 64 * 1024;
/// Where a batch of frames ends and is written: enough to make a system call cheap, few enough to
/// stay in a processor's cache. A single larger frame is a batch of its own.
pub(crate) const WRITE_BYTES: usize = 128 * 1024;
/// Buffers above this are given back once they are empty: one large frame must not keep its memory
/// for as long as the connection lasts.
pub(crate) const BUFFER_BYTES_KEPT: usize = 4 * WRITE_BYTES;

/// How long connecting and the handshake may take, for both sides.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(2);
/// How often each side says that it lives.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long a side that listens hears nothing before the connection is given up: two heartbeats,
/// and one for a thread that was held up. About the term of a node.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(3);
/// How long a node may take no byte of its answers before its connection is closed: they take
/// memory.
pub(crate) const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a node that stops waits for the answers to calls that it has begun, and for the other
/// node to close the connection: an ask of a VActor takes milliseconds.
pub(crate) const GOODBYE_TIME: Duration = Duration::from_secs(1);

/// The first wait before a node is dialed again is below twice this; it doubles, with full jitter.
pub(crate) const BACKOFF_MIN: Duration = Duration::from_millis(10);
/// The longest wait before a node is dialed again.
pub(crate) const BACKOFF_MAX: Duration = Duration::from_millis(500);
/// How long a node is away before calls to it fail with the next failed dial, without waiting for
/// their deadlines: a broken connection is made anew meanwhile, and a dead node costs no caller
/// its whole deadline.
pub(crate) const AWAY_GRACE: Duration = Duration::from_millis(250);
/// How long a tell waits to be sent: what it says is stale then.
pub(crate) const TELL_WAIT: Duration = Duration::from_secs(2);
/// How long a node without a connection, to which nothing is to be sent, is remembered, so that
/// dialing it goes on with its backoff.
pub(crate) const LINGER: Duration = Duration::from_secs(5);
/// How long a measure of another node's clock is used, so that clocks that run at different speeds
/// are at most a few milliseconds apart.
pub(crate) const CLOCK_SAMPLE_AGE_MAX: Duration = Duration::from_secs(30);
/// How long accepting rests after an error: no descriptors are left, most likely.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// At most one line of log per this time about refused handshakes, with their number.
pub(crate) const REFUSAL_LOG_PERIOD: Duration = Duration::from_secs(1);

const _: () = assert!(
    LINK_UNITS_MAX * UNIT_BYTES >= 2 * FRAME_BYTES_MAX && UNITS_MAX >= LINK_UNITS_MAX,
    "the largest call must fit, or it could never be made"
);
const _: () = assert!(SILENCE_MAX.as_millis() >= 2 * HEARTBEAT.as_millis());
const _: () = assert!(ANSWER_BYTES_MAX > ANSWER_BYTES_PAUSE + 2 * FRAME_BYTES_MAX);

/// The units of a call or tell with a payload of so many bytes.
pub(crate) const fn units(bytes: usize) -> usize {
    bytes / UNIT_BYTES + 1
}
