//! Where the session of a key is.

use std::fmt;

use throughline_cluster::SessionKey;
use throughline_link::SessionId;

use super::rows;
use crate::node::Shared;

/// Where the session that holds a key is, at the moment of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Location {
    /// It is on a node, whether its client is connected or not.
    Online {
        /// The number of the node.
        node: u32,
        /// The session.
        session: SessionId,
    },
    /// It is in the store, on no node, and waits for its client.
    Parked {
        /// The session.
        session: SessionId,
    },
    /// No session that lives holds the key.
    Unknown,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Online { node, .. } => write!(f, "online at node {node}"),
            Self::Parked { .. } => f.write_str("parked"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// The store did not say where a session is. Retrying may help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the store does not say where the session is: {0}")]
pub struct LocateError(String);

/// Where the session of this key is.
pub(crate) async fn locate(node: &Shared, key: &str) -> Result<Location, LocateError> {
    let cluster = &node.cluster;
    if let Some(session) = node.directory.find_key(key)
        && cluster.may_act(node.clock.lease_now())
    {
        return Ok(Location::Online { node: node.config.cluster.node, session });
    }
    let Ok(key) = SessionKey::new(key) else { return Ok(Location::Unknown) };
    let silent = |error: rows::Unread| LocateError(error.to_string());
    let holder = rows::holder(&cluster.store, &key).await.map_err(silent)?;
    let Some(holder) = holder else { return Ok(Location::Unknown) };
    let header = rows::header(&cluster.store, &holder.id).await.map_err(silent)?;
    let live = header.filter(|h| h.life == holder.life && !h.state.is_ended());
    let (Some(header), Some(session)) = (live, holder.id.session_id()) else {
        return Ok(Location::Unknown);
    };
    let owner = rows::owner(&cluster.store, Some(&cluster.view()), &header).await;
    Ok(match owner.map_err(silent)? {
        Some(owner) if !owner.is_gone() => Location::Online { node: owner.member.node.0, session },
        // Its node is dead: what had no snapshot is lost, and only its record does not say so yet.
        Some(_) if !header.state.has_snapshot() => Location::Unknown,
        _ => Location::Parked { session },
    })
}
