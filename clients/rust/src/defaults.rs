//! Every limit of this crate, with its reason. Those of the protocol are in `throughline-link`.

use std::time::Duration;

/// Bytes that a connection reads at once, at first: an idle one should cost little.
pub const READ_MIN: usize = 4 * 1024;
/// Bytes that a connection reads at once, at most; it doubles up to here while reads fill it.
pub const READ_MAX: usize = 64 * 1024;
/// Bytes gathered for one write: enough to make the cost of a system call small.
pub const WRITE_BATCH: usize = 64 * 1024;
/// Messages handed out between two looks at the clock. A game that takes a second for each still
/// keeps its heartbeats.
pub const CLOCK_EVERY: u32 = 4;
/// Longest time that messages already read keep others from being written.
pub const WRITE_WITHIN: Duration = Duration::from_millis(5);
/// Longest wait of a client that leaves: for the node to close the connection, and before that, if
/// it was spawned, for room in the window. A second is many round trips.
pub const LEAVE_WAIT: Duration = Duration::from_secs(1);
/// Messages that wait between the handles of a spawned client and its task: a window of them.
pub const MESSAGES: usize = 256;
/// What else handles ask of the task, such as a retry, and it has not seen: it looks at once.
pub const CONTROLS: usize = 8;
/// Events that a spawned client's task holds for an application that does not take them: a window
/// of them. The task then stops reading.
pub const EVENTS: usize = 256;
/// How often a spawned client whose application takes no events looks after its heartbeats.
pub const PAUSED_TICK: Duration = Duration::from_millis(500);
/// How long [`TestClient::expect`](crate::TestClient::expect) waits: more than a repair takes.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// The largest frame that a node can be configured to send, with its length.
const FRAME_MAX: usize = 16 * 1024 * 1024 + throughline_link::wire::LENGTH_BYTES;
/// Bytes of one WebSocket message received, at most: a node's batch, and the frame that filled it.
/// It is the same before Welcome says what the largest frame is, since Welcome may share its
/// message with data. The library reserves a message on its header, but touches that memory only
/// as the bytes come, [`WEBSOCKET_READ`] at a time; the link checks each frame's length.
pub const WEBSOCKET_MESSAGE_MAX: usize = WEBSOCKET_BATCH + FRAME_MAX;
/// Bytes of one WebSocket message sent, unless a single frame has more.
pub const WEBSOCKET_BATCH: usize = 64 * 1024;
/// Bytes that a WebSocket reads at once; the library's own default is 128 KiB per connection.
pub const WEBSOCKET_READ: usize = 8 * 1024;
