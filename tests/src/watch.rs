//! Waiting for what other threads do.

use std::time::Duration;

/// Nothing in these tests takes so long, unless it never happens.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How often a condition is looked at that nothing announces.
pub const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Waits until `holds`, which counters and the like do not announce.
///
/// # Panics
/// If it does not hold within [`PATIENCE`].
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let look = async {
        while !holds() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, look).await.is_ok(), "in vain: {what}");
}

/// The result of something that must come within [`PATIENCE`].
///
/// # Panics
/// If it does not.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("in vain: {what}"),
    }
}
