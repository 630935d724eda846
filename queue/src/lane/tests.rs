//! Lives that take over a row from each other while the first of them looks what has become of its
//! commit.

use throughline_store::{MemoryStore, Write};

use super::*;
use crate::{Clock, Estimates, Limits};

const KEY: &[u8] = b"row";

fn common(store: &MemoryStore) -> Common {
    Common {
        store: Arc::new(store.clone()),
        clock: Clock::new(|| 0),
        estimates: Arc::new(Estimates::new(Limits::default())),
        counters: Arc::default(),
    }
}

async fn take_over(common: &Common, life: u64) {
    let mut lane = Lane::new(common, Bytes::from_static(KEY), life, None);
    lane.reload().await.unwrap();
    assert!(matches!(lane.commit(Pieces::default(), 0, 0).await, Ok(true)));
}

/// Settles a commit of life 1 of unknown outcome, which has landed or not before so many others
/// took the row over.
async fn settle(store: &MemoryStore, landed: bool, others: u64) -> Result<bool, LaneError> {
    let common = common(store);
    let mut lane = Lane::new(&common, Bytes::from_static(KEY), 1, None);
    assert!(matches!(lane.commit(Pieces::default(), 0, 0).await, Ok(true)));
    let next = Record::after(lane.known, 1, 0, 0);
    if landed {
        let write = Write::Put { key: KEY.into(), value: next.encode() };
        let pieces = Pieces { checks: Vec::new(), writes: vec![write] };
        store.commit(pieces.into_batch()).await.unwrap();
    }
    lane.attempt = Some(next);
    for other in 0..others {
        take_over(&common, 2 + other).await;
    }
    lane.settle().await
}

#[tokio::test]
async fn a_commit_that_did_not_land_has_not_landed_however_many_took_over() {
    for others in 0..4 {
        let settled = settle(&MemoryStore::new(), false, others).await;
        let is_right = match others {
            0 => matches!(settled, Ok(false)),
            1 => matches!(settled, Err(LaneError::Fenced)),
            // The row does not say any more.
            _ => matches!(settled, Err(LaneError::Unknown(_))),
        };
        assert!(is_right, "{others}: {settled:?}");
    }
}

#[tokio::test]
async fn a_commit_that_landed_is_found_by_who_took_over_or_is_unknown() {
    for others in 0..4 {
        let settled = settle(&MemoryStore::new(), true, others).await;
        let is_right = match others {
            0 | 1 => matches!(settled, Ok(true)),
            _ => matches!(settled, Err(LaneError::Unknown(_))),
        };
        assert!(is_right, "{others}: {settled:?}");
    }
}
