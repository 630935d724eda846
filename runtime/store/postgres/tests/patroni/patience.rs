//! Waits for what Patroni does, each with an end.

use std::time::Duration;

use tokio::time::{sleep, timeout};

/// Nothing here takes so long, unless it never happens: an election takes [`crate::config::TTL`],
/// and a member that was killed copies the server again at worst, on a machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(100);

/// The bound for callers of the store: commits go on so soon after the loss of a leader.
pub(crate) const GOES_ON_WITHIN: Duration = Duration::from_secs(60);

/// How long a member may take to answer one question; one that stands still never does.
pub(crate) const ASK_WITHIN: Duration = Duration::from_secs(2);

/// How often a condition is looked at that nothing announces.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The result of something that must come within [`PATIENCE`].
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("in vain: {what}"),
    }
}

/// Asks until there is an answer.
pub(crate) async fn ask<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    soon(what, async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            sleep(LOOK_EVERY).await;
        }
    })
    .await
}

/// Looks until it holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    ask(what, async || holds().then_some(())).await;
}
