//! Every limit and default of ownership, with its reason.

use core::time::Duration;

/// Longest name of a record: it stands in three keys of the store.
pub const RECORD_ID_MAX: usize = 255;
/// Longest name of a kind.
pub const KIND_MAX: usize = 64;
/// Longest session key: a player's own id, such as an address or a UUID.
pub const SESSION_KEY_MAX: usize = 256;
/// Longest login identity kept for the ban hook.
pub const LOGIN_MAX: usize = 512;
/// Longest address of a node.
pub const ADDRESS_MAX: usize = 256;
/// Addresses for clients that a node tells the others about: a TCP and a WebSocket one, mostly.
pub const CLIENT_ADDRESSES_MAX: usize = 8;
/// Kinds a node tells the others about.
pub const KINDS_MAX: usize = 256;
/// Kinds whose final versions are kept, of all builds that a cluster has had: one value of the
/// store, read with every beat.
pub const VERSIONS_MAX: usize = 1024;

/// A node renews its lease so often: six tries within a term.
pub const BEAT: Duration = Duration::from_millis(500);
/// A node whose beat did not change for so long is dead.
pub const TERM: Duration = Duration::from_secs(3);
/// A node stops acting so long before its term ends: time enough for what was written to a socket
/// right after the last check, and for two clocks that differ a little.
pub const MARGIN: Duration = Duration::from_millis(500);
/// Nodes that one asks before it plays on: they stand in each of its beats, 12 bytes each, and
/// every node reads all beats with each of its own. One that knows more acts by its lease alone.
pub const ASKED_MAX: usize = 64;
/// A node this far off the median of the clocks neither sweeps nor claims what is due.
pub const CLOCK_SKEW_MAX: Duration = Duration::from_secs(2);
/// An owner that does not answer for so long is asked through the store.
pub const ASK_TIMEOUT: Duration = Duration::from_secs(1);
/// The same for a record that may be seized: that harms nobody, and its player waits.
pub const SEIZE_TIMEOUT: Duration = Duration::from_millis(400);
/// A resume that found no place in so long is told to try again: the owner's death takes a term,
/// and a beat to be seen.
pub const PLACEMENT_TIMEOUT: Duration = Duration::from_secs(5);
/// What a client is told to wait when it is told to try again.
pub const RETRY_AFTER: Duration = Duration::from_millis(500);
/// Commits that one placement tries when others keep changing its record.
pub const PLACEMENT_COMMITS_MAX: u32 = 8;
/// Loads of one record that fail on a node before it rests there: a hook may wait for something
/// that is back soon, and a client tries twice a second.
pub const LOAD_TRIES: u32 = 5;
/// A record rests so long after each further failed load: long enough to cost the store nothing,
/// short enough that a player who waits is let in once what failed is mended.
pub const LOAD_REST: Duration = Duration::from_secs(30);
/// Records whose failed loads a node remembers; beyond, it forgets what failed longest ago.
pub const FAILING_MAX: usize = 4096;
/// Dead incarnations whose messages are refused after their entries are gone: each restart of a
/// node makes one, and one that stood still for longer than so many restarts knows by its own clock
/// that its lease is over.
pub const FORGOTTEN_MAX: usize = 256;
/// An ended session is remembered so long: a late resume learns why it ended.
pub const ENDED_KEPT: Duration = Duration::from_secs(600);
/// Sessions that a drain tells to come back elsewhere, in a second.
pub const DRAIN_RATE: u32 = 500;
/// What could not go is tried again after so long: mostly it waits for a node or a turn.
pub const DRAIN_AGAIN: Duration = Duration::from_secs(1);
/// A drain that was held up makes up for so much of that time at most: clients that were not told
/// during an outage of the store must not all be told in its first moment after it.
pub const DRAIN_CATCH_UP: Duration = Duration::from_millis(100);
/// A drain leaves behind what is not gone by then.
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(60);
/// Records that one node works on for resumes at the same time; more are told to try again.
pub const PLACEMENTS_MAX: usize = 10_000;

const _: () = assert!(BEAT.as_millis() * 4 <= TERM.as_millis(), "a lost beat or two kill nobody");
const _: () = assert!(MARGIN.as_millis() >= BEAT.as_millis(), "a margin is a beat at least");
const _: () = assert!(MARGIN.as_millis() * 2 < TERM.as_millis(), "a lease must last a while");
