//! What the suite needs to know about a store.

use std::pin::Pin;
use std::sync::Arc;

use crate::Store;

/// The answer of a subject; the text of an error is shown to who runs the suite.
pub type SubjectFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send + 'a>>;

/// A store under test, which can be opened again and again. Only one handle is open at a time.
pub trait Subject: Send {
    /// Opens the store: empty at first, then with what was committed before.
    fn open(&mut self) -> SubjectFuture<'_, Arc<dyn Store>>;

    /// Ends it without `close` and without waiting for calls under way, as nearly like a kill of
    /// its process as can be done; the suite has dropped its other handles. When it returns,
    /// `open` must work.
    fn crash(&mut self, store: Arc<dyn Store>) -> SubjectFuture<'_, ()>;
}
