//! Every limit and default of queues, with its reason.

use std::time::Duration;

use throughline_store::limits::{
    BATCH_BYTES_MAX, BATCH_CHECKS_MAX, BATCH_WRITES_MAX, KEY_BYTES_MAX, VALUE_BYTES_MAX,
};

/// Longest name of a queue, tag included: the longest record id and the longest session key fit
/// twice.
pub const NAME_BYTES_MAX: usize = 512;
/// A longer name stands in keys as its hash, so that a name, a position and what is around them
/// stay far below what a store takes.
pub const NAME_IN_KEY_BYTES_MAX: usize = 96;
/// Longest name of a producer: it stands in its record's key.
pub const PRODUCER_NAME_BYTES_MAX: usize = 64;
/// Largest payload: a quarter of what one dequeue returns.
pub const PAYLOAD_BYTES_MAX: usize = 256 * 1024;
/// What a dead letter has in front of the payload that could not be handled.
pub const DEAD_LETTER_HEAD_BYTES_MAX: usize = 2 * 1024;
/// Why a message could not be handled, in a dead letter: a few lines. The rest is in the log.
pub const DEAD_LETTER_WHY_BYTES_MAX: usize = 1024;
/// The kind that a dead letter was for, and the hook, each.
pub const DEAD_LETTER_TEXT_BYTES_MAX: usize = 128;
/// A dead letter is kept for so long: somebody has looked within a week, or never does.
pub const DEAD_LETTER_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// A message that is tried again has so long at least before it expires, however little was left:
/// whoever handles it may have to be started for it.
pub const DEAD_LETTER_LEFT_MIN: Duration = Duration::from_secs(60);
/// Messages of one page, one dequeue, or one commit of enqueues.
pub const MESSAGES_MAX: usize = 1024;
/// Keys and values of one page or one dequeue, of which a token keeps a copy in one value, where
/// each message takes some bytes more than in a shared row; and payloads of one commit of enqueues.
pub const BYTES_MAX: usize = VALUE_BYTES_MAX - 64 * 1024;
/// Messages of one row.
pub const ROW_MESSAGES_MAX: usize = 64;
/// Bytes of a row that several messages share: with its head it is one entry of sled.
pub const ROW_BYTES_MAX: usize = 4_000;
/// Rows read first, when nobody knows yet how many messages share one.
pub const ROWS_FIRST: usize = 128;
/// Rows of non-empty queues in one page.
pub const NONEMPTY_MAX: usize = 1024;
/// A producer's record that was not used for so long is swept: its handle is fenced then, and may
/// be opened again.
pub const PRODUCER_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Longest token: a UUID, a request id, a name and a number.
pub const TOKEN_BYTES_MAX: usize = 64;
/// A batch is kept under its token for so long: whoever asked comes back sooner, or never.
pub const TOKEN_KEPT: Duration = Duration::from_secs(60 * 60);
/// Looks at a commit of unknown outcome; with the pauses between them about half a minute, in
/// which a store comes back or an operator has noticed.
pub const SETTLE_TRIES_MAX: usize = 40;
/// The first pause between two looks, doubled each time.
pub const SETTLE_PAUSE_MIN: Duration = Duration::from_millis(10);
/// The longest pause between two looks.
pub const SETTLE_PAUSE_MAX: Duration = Duration::from_secs(1);
/// Commits tried in one call when others take messages away, or when outcomes are unknown and turn
/// out as not landed.
pub const COMMITS_MAX: usize = 64;
/// Dequeues of one handle under way at the same time; further ones wait.
pub const DEQUEUES_MAX: usize = 64;
/// Payloads that wait in one handle for a commit; further callers wait outside.
pub const WAITING_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What a message that waits is counted with beside its payload.
pub const WAITING_MESSAGE_BYTES: usize = 256;
/// Messages of one queue, unless the options say otherwise: more than a player reads, less than a
/// scan can count in a moment.
pub const QUEUE_MESSAGES_MAX: u64 = 10_000;
/// Payload bytes of one queue, unless the options say otherwise.
pub const QUEUE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Messages of all queues together, unless the options say otherwise.
pub const ALL_MESSAGES_MAX: u64 = 10_000_000;
/// Payload bytes of all queues together, unless the options say otherwise.
pub const ALL_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// What was counted is trusted for so long.
pub const COUNT_KEPT: Duration = Duration::from_secs(10);
/// A queue that seems half full is counted so often, at most.
pub const COUNT_AGAIN: Duration = Duration::from_secs(1);
/// Queues whose sizes are remembered; beyond, some are counted once more.
pub const ESTIMATES_MAX: usize = 16 * 1024;
/// Queues that one handle counts at the same time: each may be a page of its limit.
pub const COUNTS_MAX: usize = 8;
/// `length` looks at so many messages at most, and so many bytes.
pub const LENGTH_MESSAGES_MAX: u64 = 16 * 1024;
/// See [`LENGTH_MESSAGES_MAX`].
pub const LENGTH_BYTES_MAX: u64 = 16 * 1024 * 1024;

const _: () = assert!(
    KEY_BYTES_MAX >= 3 + NAME_IN_KEY_BYTES_MAX + 32 && KEY_BYTES_MAX >= PRODUCER_NAME_BYTES_MAX + 8,
    "every key fits"
);
const _: () = assert!(
    PAYLOAD_BYTES_MAX + DEAD_LETTER_HEAD_BYTES_MAX + KEY_BYTES_MAX + 64 <= BYTES_MAX,
    "a message fits a page, and so does a dead one"
);
const _: () = assert!(
    NAME_BYTES_MAX + DEAD_LETTER_WHY_BYTES_MAX + 2 * DEAD_LETTER_TEXT_BYTES_MAX + 64
        <= DEAD_LETTER_HEAD_BYTES_MAX,
    "what a dead letter says of its message fits"
);
const _: () = assert!(
    MESSAGES_MAX + 2 <= BATCH_CHECKS_MAX && 2 * MESSAGES_MAX + 2 <= BATCH_WRITES_MAX,
    "a dequeue and an enqueue fit a batch: messages, as many rows, and the producer's record"
);
const _: () = assert!(
    BYTES_MAX + MESSAGES_MAX * 48 + 2 * TOKEN_BYTES_MAX <= VALUE_BYTES_MAX,
    "a dequeue fits the value of a token"
);
const _: () = assert!(ROW_MESSAGES_MAX <= MESSAGES_MAX, "a row fits a page");
const _: () = assert!(
    2 * BYTES_MAX + MESSAGES_MAX * KEY_BYTES_MAX + 8 * 1024 <= BATCH_BYTES_MAX,
    "a dequeue fits a batch: messages as they are, their copy under a token, and their keys"
);
