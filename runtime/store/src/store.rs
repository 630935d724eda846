//! The trait, and the law of every store.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

use crate::{
    About, Batch, CloseError, CommitError, GetError, Page, Scan, ScanError, Watch, WatchError,
};

/// The answer of a store, to be awaited. It borrows nothing, so that an actor can keep it beside
/// itself, and it is `Send`, so that it can be awaited on any thread and by any executor.
pub type StoreFuture<T> = Pin<Box<dyn Future<Output = T> + Send + 'static>>;

/// An ordered keyspace of bytes with atomic, checked, durable commits.
///
/// A store is used as `Arc<dyn Store>`: nodes choose theirs when they start, and wrap it (in
/// faults, in counters, in a connection to another process), so the trait is object-safe and its
/// futures are boxed. A box costs tens of nanoseconds, a commit at least a sync of a disk.
///
/// A store that answers many calls at once, as one that commits groups does, should do so within
/// [`together`](crate::wake::together): whoever waits for several of them wakes once then.
///
/// # The law
///
/// The suite of the feature `conformance` has a case for each rule that can be seen from outside.
///
/// 1. **Keyspace.** Keys are 1 to [`KEY_BYTES_MAX`] bytes, ordered as unsigned bytes. Values are 0
///    to [`VALUE_BYTES_MAX`] bytes; an empty value is a value, not an absent key.
/// 2. **All or nothing.** The writes of a batch MUST take effect together or not at all, whatever
///    ends the process or the machine meanwhile. Nobody sees some of them without the others.
/// 3. **Linearizable.** A commit, a `get` and one page of a `scan` MUST each take effect at one
///    moment between call and answer, in one order that all callers see. So of two commits one of
///    which returned before the other was called, the first comes first; calls under way at the
///    same time have no promised order.
/// 4. **Durable.** When `commit` returns `Ok`, its writes MUST survive a kill of any process, and
///    in a store on disk the loss of power. The same holds for all that a `get`, a page or a
///    refused check has shown: a store MUST NOT show what a crash could take back. A store in
///    memory keeps this rule up to the end of its process.
/// 5. **Checks.** A check is "this key equals these bytes" or "this key is absent". All checks of
///    a batch MUST hold at the moment it takes effect, against the state before its own writes,
///    for keys it does not write as for those it does. A batch of checks alone is a commit.
/// 6. **Refused.** If a check does not hold, the store MUST write nothing and answer
///    [`CommitError::Refused`] with the index of a check that did not hold.
/// 7. **Whole values.** A `get` MUST return the whole value of one commit, however the store keeps
///    it. An entry of a page likewise.
/// 8. **Scans.** A page MUST be in ascending order, within its range, and within the caller's
///    bounds by count and bytes, lowered to [`PAGE_ENTRIES_MAX`] and [`PAGE_BYTES_MAX`]; only its
///    first entry may exceed the bytes alone, so that a scan always gets on. `next` is absent only
///    if the range has nothing more. A page is one moment, the pages of a scan are not: a key that
///    is there throughout is seen once, a key that comes or goes meanwhile may be seen or not.
/// 9. **Unknown outcome.** If the store cannot tell whether a commit took effect, it MUST answer
///    [`CommitError::Unknown`]; the commit has landed, never lands, or lands later. Every other
///    error MUST mean that nothing of it was or will be written. A caller settles an unknown
///    outcome by a commit that checks and changes a key which the unknown one checked: once that
///    returned `Ok`, the unknown one can no longer land. A read settles nothing.
/// 10. **First write error.** After a failed write or sync a store MUST NOT acknowledge anything
///     until it has opened anew what is durable. It MUST NOT take the success of a repeated sync as
///     proof: the system may have dropped what the failed one was to write.
/// 11. **Dropped calls.** A future does nothing before it is first polled. Dropped after that, its
///     call has an unknown outcome, never half of one, and later calls are not disturbed.
/// 12. **Limits.** Each bound of [`limits`](crate::limits) MUST be checked before anything else;
///     what exceeds one is refused with the limit named and nothing written; what is exactly at it
///     is taken. A key is written at most once in a batch.
/// 13. **Watches.** A [`Watch`] is a hint that a key under a prefix may have changed. It MAY come
///     late, more than once, for nothing, or not at all; several changes MAY be one hint. A watch
///     that nobody looks at MUST NOT hold up commits or take memory that grows.
/// 14. **Close.** After `close` every call MUST answer `Closed`; calls made before get their true
///     answer. Closing twice is no error. When it returns, another may open the store.
/// 15. **Damage.** A value whose bytes are not those that were committed MUST be an error, never
///     an absent key and never other bytes.
/// 16. **Bounded.** What a store keeps for calls that wait MUST be bounded, by count and bytes;
///     further calls wait, and their callers set the deadlines.
///
/// [`KEY_BYTES_MAX`]: crate::limits::KEY_BYTES_MAX
/// [`VALUE_BYTES_MAX`]: crate::limits::VALUE_BYTES_MAX
/// [`PAGE_ENTRIES_MAX`]: crate::limits::PAGE_ENTRIES_MAX
/// [`PAGE_BYTES_MAX`]: crate::limits::PAGE_BYTES_MAX
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// What this store is, and what is wrong with it. Answered at once, from what was seen last.
    fn about(&self) -> About;

    /// The value of `key`, `None` if it is absent.
    fn get(&self, key: Bytes) -> StoreFuture<Result<Option<Bytes>, GetError>>;

    /// One page of a range, in order.
    fn scan(&self, scan: Scan) -> StoreFuture<Result<Page, ScanError>>;

    /// Writes the batch, whole and durably, if all its checks hold.
    fn commit(&self, batch: Batch) -> StoreFuture<Result<(), CommitError>>;

    /// Hints about keys that begin with `prefix`; an empty prefix means all keys.
    ///
    /// # Errors
    /// Closed, too many watches, or a prefix longer than a key may be.
    fn watch(&self, prefix: Bytes) -> Result<Watch, WatchError>;

    /// Ends this store: calls made before are answered, later ones refused.
    fn close(&self) -> StoreFuture<Result<(), CloseError>>;
}
