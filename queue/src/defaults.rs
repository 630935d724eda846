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
/// Messages of one page, one dequeue, or one commit of enqueues.
pub const MESSAGES_MAX: usize = 1024;
/// Keys and values of one page or one dequeue, of which a token keeps a copy in one value; and
/// payloads of one commit of enqueues.
pub const BYTES_MAX: usize = VALUE_BYTES_MAX - 4 * 1024;
/// Rows of non-empty queues in one page.
pub const NONEMPTY_MAX: usize = 1024;
/// A producer's record that was not used for so long is swept: its handle is fenced then, and may
/// be opened again.
pub const PRODUCER_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

const _: () = assert!(
    KEY_BYTES_MAX >= 3 + NAME_IN_KEY_BYTES_MAX + 32 && KEY_BYTES_MAX >= PRODUCER_NAME_BYTES_MAX + 8,
    "every key fits"
);
const _: () = assert!(PAYLOAD_BYTES_MAX + KEY_BYTES_MAX + 64 <= BYTES_MAX, "a message fits a page");
const _: () = assert!(
    MESSAGES_MAX + 2 <= BATCH_CHECKS_MAX && 2 * MESSAGES_MAX + 2 <= BATCH_WRITES_MAX,
    "a dequeue and an enqueue fit a batch: messages, as many rows, and the producer's record"
);
const _: () = assert!(
    2 * BYTES_MAX + MESSAGES_MAX * KEY_BYTES_MAX + 8 * 1024 <= BATCH_BYTES_MAX,
    "a dequeue fits a batch: messages as they are, their copy under a token, and their keys"
);
