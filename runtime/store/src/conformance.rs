//! The suite that tells whether a store keeps the law of [`Store`].
//!
//! It needs a [`Subject`]: something that opens the store, and that can end it as a crash would.
//! It uses no executor of its own, so a store may need any; the calls of a case that run at the
//! same time are polled in one task.
//!
//! Two rules have no case, since the suite cannot bring them about from outside: 10 (the first
//! write error) and 16 (what waits is bounded). A store has tests of its own for those.
//!
//! ```
//! use std::sync::Arc;
//! use throughline_store::conformance::{self, SubjectFuture, Subject};
//! use throughline_store::{MemoryStore, Store};
//!
//! struct InMemory(MemoryStore);
//!
//! impl Subject for InMemory {
//!     fn open(&mut self) -> SubjectFuture<'_, Arc<dyn Store>> {
//!         let store: Arc<dyn Store> = Arc::new(self.0.reopen());
//!         Box::pin(async move { Ok(store) })
//!     }
//!     fn crash(&mut self, store: Arc<dyn Store>) -> SubjectFuture<'_, ()> {
//!         drop(store);
//!         Box::pin(async move { Ok(()) })
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let run = conformance::run(|| InMemory(MemoryStore::new()), 1).await;
//! run.expect("the store in memory keeps the law");
//! # }
//! ```
//!
//! # Layout
//!
//! - `subject`, `breach`: what the suite needs and answers; `tools`: what the cases share
//! - `values`, `checks`, `scans`, `bounds`, `together`, `ends`, `crashes`, `random`: the cases

use std::sync::Arc;

use crate::Store;

mod bounds;
mod breach;
mod checks;
mod crashes;
mod ends;
mod random;
mod scans;
mod subject;
mod together;
mod tools;
mod values;

pub use breach::Breach;
pub use subject::{Subject, SubjectFuture};

/// One case of the suite.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Case {
    /// What the case is about.
    pub name: &'static str,
    /// The rules of the law it looks at.
    pub rules: &'static [u8],
    run: Run,
}

/// Runs a case against a subject whose store is empty.
type Run = for<'a> fn(&'a mut dyn Subject, u64) -> CaseFuture<'a>;
type CaseFuture<'a> = std::pin::Pin<Box<dyn Future<Output = Result<(), Breach>> + Send + 'a>>;

macro_rules! case {
    ($rules:expr, $module:ident :: $name:ident) => {
        Case {
            name: stringify!($name),
            rules: &$rules,
            run: |subject, seed| Box::pin($module::$name(subject, seed)),
        }
    };
}

/// Every case, simple ones first.
pub const CASES: &[Case] = &[
    case!([1, 2], values::what_was_committed_is_read_back),
    case!([1], values::an_empty_value_is_not_an_absent_key),
    case!([7, 15], values::values_of_all_sizes_come_back_whole),
    case!([1], values::keys_that_contain_one_another_are_apart),
    case!([5, 6], checks::a_refused_batch_names_its_check_and_writes_nothing),
    case!([5], checks::a_check_holds_for_keys_that_are_not_written),
    case!([5], checks::checks_look_at_the_state_before_the_writes),
    case!([5, 7], checks::a_check_compares_every_byte),
    case!([8], scans::a_scan_is_in_order_and_within_its_range),
    case!([8], scans::pages_join_to_the_whole_range),
    case!([8], scans::a_page_keeps_its_bounds_and_always_gets_on),
    case!([8], scans::a_key_that_stays_is_seen_once_while_others_come_and_go),
    case!([12], bounds::what_is_at_a_limit_is_taken),
    case!([12], bounds::what_is_over_a_limit_is_refused_and_writes_nothing),
    case!([3, 5], together::racing_increments_all_count),
    case!([2, 3], together::a_page_never_shows_half_a_batch),
    case!([7], together::a_get_never_mixes_two_values),
    case!([3], together::a_read_is_never_older_than_what_was_answered),
    case!([11], together::dropped_calls_leave_whole_batches),
    case!([13], ends::a_watch_that_nobody_looks_at_holds_up_nothing),
    case!([14], ends::a_closed_store_refuses_calls_and_opens_again),
    case!([14], ends::calls_made_before_a_close_get_true_answers),
    case!([4], crashes::what_was_answered_survives_crashes),
    case!([2, 4], crashes::a_crash_leaves_whole_batches),
    case!([4, 7], crashes::large_values_survive_crashes_whole),
    case!([2, 3, 4, 5, 8, 9], random::random_calls_agree_with_a_model),
];

impl Case {
    /// Runs this case; the subject's store must be empty.
    ///
    /// # Errors
    /// The rule that the store broke, and how.
    pub async fn run(&self, subject: &mut dyn Subject, seed: u64) -> Result<(), Breach> {
        (self.run)(subject, seed).await.map_err(|breach| breach.of(self, seed))
    }
}

/// Runs every case, each against a new subject, until one finds a breach.
///
/// # Errors
/// The first breach.
pub async fn run<S: Subject>(mut new: impl FnMut() -> S, seed: u64) -> Result<(), Breach> {
    for case in CASES {
        case.run(&mut new(), seed).await?;
    }
    Ok(())
}

/// Opens the subject's store.
async fn open(subject: &mut dyn Subject) -> Result<Arc<dyn Store>, Breach> {
    subject.open().await.map_err(|reason| Breach::new(4, format!("does not open: {reason}")))
}

/// Ends the store as a crash does, and opens it again.
async fn crash(subject: &mut dyn Subject, store: Arc<dyn Store>) -> Result<Arc<dyn Store>, Breach> {
    let crashed = subject.crash(store).await;
    crashed.map_err(|reason| Breach::new(4, format!("does not crash: {reason}")))?;
    open(subject).await
}
