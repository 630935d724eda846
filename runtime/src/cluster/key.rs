//! Session keys: one session holds a key, on whichever node it is.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use throughline_cluster::{Found, RecordId, SessionKey, State};
use throughline_link::SessionId;

use super::{message, message::Call, rows, unheld};
use crate::{actor::ToSession, node::Shared};

/// A key is waited for so long: the node of a holder that hangs is dead after its term, and what it
/// held is passed over. Longer than that, the store does not answer.
const KEY_TIME: Duration = Duration::from_secs(30);

/// Between two looks at whether the holder has ended; it doubles, up to the second.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(250));

/// A key that a session is about to take.
pub(crate) struct Keying {
    pub(crate) key: SessionKey,
    /// What stands under the key, once nobody alive holds it; `None` if that took too long. Gone
    /// while the commit that takes it is under way.
    pub(crate) found: Option<BoxFuture<'static, Option<Found>>>,
    /// How often the commit was refused since others were faster.
    pub(crate) refused: u32,
}

impl std::fmt::Debug for Keying {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keying").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Ends the session that holds the key, if one does, and says what then stands under it.
///
/// `refused` is how often others were faster: then it is looked at a little later.
pub(crate) fn take(
    node: &Arc<Shared>,
    key: SessionKey,
    taker: SessionId,
    refused: u32,
) -> BoxFuture<'static, Option<Found>> {
    let node = Arc::clone(node);
    Box::pin(async move {
        let (pause, longest) = LOOK_AGAIN;
        tokio::time::sleep((pause * refused).min(longest)).await;
        let all = look(&node, &key, taker);
        tokio::time::timeout(KEY_TIME, all).await.ok()
    })
}

/// A key as sessions have it.
fn key_text(key: &SessionKey) -> String {
    String::from_utf8_lossy(key.as_bytes()).into_owned()
}

async fn look(node: &Arc<Shared>, key: &SessionKey, taker: SessionId) -> Found {
    let (mut pause, longest) = LOOK_AGAIN;
    loop {
        if let Some(found) = find(node, key, taker).await {
            return found;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}

/// What stands under the key; `None` while its holder is being ended, or the store is silent.
async fn find(node: &Arc<Shared>, key: &SessionKey, taker: SessionId) -> Option<Found> {
    let cluster = &node.cluster;
    let Some(holder) = rows::holder(&cluster.store, key).await.ok()? else {
        return Some(Found::Nobody);
    };
    let header = rows::header(&cluster.store, &holder.id).await.ok()?;
    let live = header.as_ref().filter(|h| h.life == holder.life && !h.state.is_ended());
    let owner = match live {
        Some(live) => rows::owner(&cluster.store, Some(&cluster.view()), live).await.ok()?,
        None => None,
    };
    let may_speak = live.is_some_and(|h| h.state != State::Parked)
        && owner.as_ref().is_some_and(|owner| !owner.is_gone());
    if let (true, Some(owner), Some(id)) = (may_speak, &owner, holder.id.session_id())
        && id != taker
    {
        if !cluster.may_act(node.clock.lease_now()) {
            return None;
        }
        log::debug!("session {taker}: takes the key of session {id} at {}", owner.member);
        if owner.member != cluster.member() {
            // Whatever the answer, what the store says counts.
            let _ = message::call(node, owner.member, &Call::EndForKey { id, key: key_text(key) })
                .await;
        } else if let Some(actor) = node.directory.find(id) {
            let _ = actor.try_send(ToSession::EndForKey(key_text(key)));
        } else {
            unheld::put_away(node, &RecordId::session(id)).await;
        }
        return None;
    }
    Some(Found::Session { holder, header: header.map(Box::new), owner })
}
