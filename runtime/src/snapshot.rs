//! What of an actor goes into the store, within its limit: of sessions and of VActors.

use std::fmt;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use serde::Serialize;

use crate::{
    codec::{self, Codec, EncodeError},
    counters::is_worth_a_line,
    node::Shared,
};

/// Why an actor stays where it is, or why its turn fails: the game's state is at fault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    /// Its serde type refused.
    #[error("its snapshot cannot be written: {0}")]
    Encode(#[from] EncodeError),
    /// It is larger than nodes pass on and the store is to keep for each turn.
    #[error("its snapshot has {bytes} bytes, at most {limit} (session.snapshot-max)")]
    TooLarge { bytes: usize, limit: usize },
}

/// How large a snapshot would be.
pub(crate) fn measure(snapshot: &impl Serialize) -> Result<usize, SnapshotError> {
    let mut body = Vec::new();
    codec::encode(Codec::Cbor, snapshot, &mut body)?;
    Ok(body.len())
}

/// The bytes of a snapshot. One beyond half of the limit is counted and warned of: a state that
/// grows is seen before it cannot leave.
pub(crate) fn encode(
    node: &Shared,
    id: &dyn fmt::Display,
    snapshot: &impl Serialize,
) -> Result<Bytes, SnapshotError> {
    let mut body = Vec::new();
    codec::encode(Codec::Cbor, snapshot, &mut body)?;
    let (bytes, limit) = (body.len(), node.config.session.snapshot_max);
    if bytes > limit / 2 {
        let count = node.cluster.counts.large_snapshots.fetch_add(1, Ordering::Relaxed) + 1;
        if is_worth_a_line(count) {
            log::warn!(
                "{id}: its snapshot has {bytes} bytes, at most {limit} (session.snapshot-max); \
                 {count} so large so far"
            );
        }
    }
    if bytes > limit {
        return Err(SnapshotError::TooLarge { bytes, limit });
    }
    Ok(body.into())
}
