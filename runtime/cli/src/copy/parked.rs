//! Whether a cluster is parked: no node acts on its store.

use std::time::Duration;

use bytes::Bytes;
use throughline_cluster::{Beat, Member, NodeState, Row, Standing, keys};
use throughline_queue::Clock;
use throughline_store::Scan;

use super::error::{CopyError, Living};
use crate::{error::Error, pages::Side};

/// A node whose last beat is older is not alive: six times the slowest `cluster.beat`. Its clock
/// may be wrong by less. What it misses for a worse clock, the comparison at the end sees: a beat
/// changes the store.
pub(super) const RECENT: Duration = Duration::from_secs(60);

/// A node that was killed and had records then: whoever starts on the store finds it dead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gone {
    pub(crate) member: Member,
    /// What it owned, one page at most.
    pub(crate) owned: usize,
}

/// Refuses a store that a node acts on, or may. Returns the nodes that are gone without a word.
pub(super) async fn check(from: &Side) -> Result<Vec<Gone>, Error> {
    if from.get(Bytes::from_static(keys::HALF_COPY)).await?.is_some() {
        return Err(CopyError::FromHalf { from: from.name.clone() }.into());
    }
    let (mut living, mut gone) = (Vec::new(), Vec::new());
    let range = keys::standings();
    let mut pages = from.pages(Scan::range(range.start, Some(range.end)));
    while let Some(page) = pages.next().await? {
        for entry in page {
            let Some(Row::Standing(member)) = keys::row_of(&entry.key) else { continue };
            let standing = Standing::decode(&entry.value).map_err(|why| {
                CopyError::UnreadableNode { from: from.name.clone(), member, why }
            })?;
            if !matches!(standing.state, NodeState::Alive | NodeState::Draining) {
                continue;
            }
            match look(from, member, standing.state).await? {
                node if node.beat_age.is_none_or(|age| age < node.recent) => living.push(node),
                node => gone.push(Gone { member, owned: node.owned.len() }),
            }
        }
    }
    if living.is_empty() {
        return Ok(gone);
    }
    Err(CopyError::InUse { from: from.name.clone(), nodes: living }.into())
}

/// When this node was last alive, and what it owns.
async fn look(from: &Side, member: Member, state: NodeState) -> Result<Living, Error> {
    let beat = from.get(Row::Beat(member).key()).await?;
    let beat = beat.and_then(|beat| Beat::decode(&beat).ok());
    // It may act for so long without the store, and this machine may reach that.
    let limit_ms = beat.as_ref().and_then(|beat| Some(beat.plays_on.as_ref()?.limit_ms));
    let recent = RECENT + Duration::from_millis(limit_ms.unwrap_or(0).into());
    let now_ms = Clock::system().now_ms();
    let beat_age = beat.map(|beat| Duration::from_millis(now_ms.abs_diff(beat.wall_ms)));
    let range = keys::owned_by(member);
    let owned = from.pages(Scan::range(range.start, Some(range.end))).next().await?;
    let record = |key: &[u8]| match keys::row_of(key) {
        Some(Row::Owned(_, id)) => Some(id),
        _ => None,
    };
    let owned = owned.unwrap_or_default().iter().filter_map(|entry| record(&entry.key)).collect();
    Ok(Living { member, state, beat_age, recent, owned })
}
