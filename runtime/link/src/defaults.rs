//! Every default of the link, with its reason.

use core::time::Duration;

/// Largest `length` of a frame: a message above 64 KiB would hold up those behind it.
pub const MAX_FRAME: u32 = 64 * 1024;
/// Ping interval: two of them find a dead connection within the patience of a player.
pub const HEARTBEAT: Duration = Duration::from_millis(2_500);
/// Silence of so many heartbeats means half-open.
pub const HALF_OPEN_HEARTBEATS: u32 = 2;
/// A Ping or a message that has no answer for a heartbeat means half-open, too; on a slow way it
/// has so many round trips: an answer leaves at once, and one lost packet is sent again within two.
pub const ANSWER_ROUND_TRIPS: u32 = 4;
/// And so long at least, where heartbeats are shorter: a busy node is not a dead one.
pub const ANSWER_MIN: Duration = Duration::from_secs(1);
/// A client that looks so much later than it meant to was held up itself: the answer may be there.
/// Longer than a page or a game stalls while it loads, it would be found in two heartbeats anyway.
pub const ANSWER_LATE: Duration = Duration::from_millis(250);
/// Longest wait before a handled message is acknowledged: an ack mostly finds a message to ride on.
pub const ACK_DELAY: Duration = Duration::from_millis(20);
/// An ack leaves at once after so many handled messages: a sixteenth of the window.
pub const ACK_EVERY: u32 = 16;
/// Messages a sender may have unacknowledged.
pub const WINDOW_MESSAGES: u32 = 256;
/// Payload bytes a sender may have unacknowledged.
pub const WINDOW_BYTES: u32 = 1024 * 1024;
/// Messages a node retains for one client before the session ends: four windows, a minute of
/// absence at some 15 messages a second.
pub const RETAINED_MESSAGES: u32 = 1024;
/// Payload bytes a node retains for one client before the session ends.
pub const RETAINED_BYTES: u32 = 4 * 1024 * 1024;
/// Oldest unacknowledged message over a live connection before the session ends.
pub const ACK_TIMEOUT: Duration = Duration::from_secs(30);
/// Life of a session without a connection.
pub const SESSION_TIMEOUT: Duration = Duration::from_secs(60);
/// First step of the backoff.
pub const BACKOFF_BASE: Duration = Duration::from_millis(100);
/// Largest step of the backoff.
pub const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// Tries before a client asks its player: more of them would keep a slow server slow.
pub const TRIES: u32 = 8;
/// A try without an answer, from opening the connection to Welcome or Refused, has failed.
pub const TRY_TIMEOUT: Duration = Duration::from_secs(5);
/// The same for a try of a repair behind which there are others, at first: that at the node's
/// advertised address, those at addresses that nodes named, and those at several configured ones.
/// If that node is gone the player waits in vain, and any other can take the session. Each time
/// that all configured ones were tried in vain theirs is doubled, up to [`TRY_TIMEOUT`].
pub const ADVERTISED_TRY_TIMEOUT: Duration = Duration::from_secs(2);
/// After silence such tries have so many round trips instead: opening a connection, encrypting it
/// and resuming take five, and the rest is the node's. Such a try is often at another node that no
/// way leads to, and the player waits.
pub const HURRIED_TRY_ROUND_TRIPS: u32 = 8;
/// At least this long, whatever the round trip: a node may have to wake a session, or wait for its
/// store. At most [`ADVERTISED_TRY_TIMEOUT`].
pub const HURRIED_TRY_MIN: Duration = Duration::from_millis(750);
/// Tries at addresses that nodes named, in one repair, that do not count as tries: two full lists,
/// and no cluster needs more. Beyond it they count, so that no node keeps a client going for ever.
pub const NAMED_TRIES: u32 = 16;
/// Login payload, at most.
pub const LOGIN_PAYLOAD: u32 = 16 * 1024;

const _: () = assert!(RETAINED_MESSAGES >= WINDOW_MESSAGES, "a window must fit");
const _: () = assert!(RETAINED_BYTES >= WINDOW_BYTES, "a window must fit");
const _: () = assert!(WINDOW_BYTES >= MAX_FRAME, "a message must fit into the window");
