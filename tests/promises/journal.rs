//! What the hooks of sessions saw, for tests to read: also hooks that no client can see.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use throughline::SessionId;
use tokio::sync::Semaphore;

use crate::watch;

static NOTES: LazyLock<Mutex<HashMap<SessionId, Vec<String>>>> = LazyLock::new(Mutex::default);
static GATES: LazyLock<Mutex<HashMap<SessionId, Arc<Semaphore>>>> = LazyLock::new(Mutex::default);

/// Notes that something happened to this session.
pub(crate) fn note(id: SessionId, what: impl Into<String>) {
    NOTES.lock().unwrap().entry(id).or_default().push(what.into());
}

/// What happened to this session so far, in order.
pub(crate) fn of(id: SessionId) -> Vec<String> {
    NOTES.lock().unwrap().get(&id).cloned().unwrap_or_default()
}

/// How often this happened to this session.
pub(crate) fn count(id: SessionId, what: &str) -> usize {
    of(id).iter().filter(|note| *note == what).count()
}

/// Waits until this has happened to this session.
pub(crate) async fn noted(id: SessionId, what: &str) {
    watch::until(what, || count(id, what) > 0).await;
}

/// What turns of this session wait at when asked to; each permit lets one go on.
pub(crate) fn gate(id: SessionId) -> Arc<Semaphore> {
    let mut gates = GATES.lock().unwrap();
    Arc::clone(gates.entry(id).or_insert_with(|| Arc::new(Semaphore::new(0))))
}
