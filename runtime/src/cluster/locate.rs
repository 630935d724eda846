//! Where the session of a key is, and where a VActor.

use std::fmt;

use serde::Serialize;
use throughline_cluster::{Header, RecordId, SessionKey, State};
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
    Ok(match whereabouts(node, &header).await.map_err(silent)? {
        Whereabouts::Active { node, .. } => Location::Online { node, session },
        Whereabouts::Parked => Location::Parked { session },
        Whereabouts::Lost | Whereabouts::Unknown => Location::Unknown,
    })
}

/// Where a record is, at the moment of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub(crate) enum Whereabouts {
    /// On the node of this number.
    Active {
        /// The number.
        node: u32,
        /// It has been given to that node, and does not act there yet.
        arriving: bool,
    },
    /// In the store alone.
    Parked,
    /// Its node died with what was in its memory alone: it begins anew when it is asked.
    Lost,
    /// There is none, or it has ended.
    Unknown,
}

/// Where this VActor is.
pub(crate) async fn locate_record(
    node: &Shared,
    id: &RecordId,
) -> Result<Whereabouts, LocateError> {
    let silent = |error: rows::Unread| LocateError(error.to_string());
    match rows::header(&node.cluster.store, id).await.map_err(silent)? {
        Some(header) => whereabouts(node, &header).await.map_err(silent),
        None => Ok(Whereabouts::Unknown),
    }
}

async fn whereabouts(node: &Shared, header: &Header) -> Result<Whereabouts, rows::Unread> {
    if header.state.is_ended() {
        return Ok(Whereabouts::Unknown);
    }
    let cluster = &node.cluster;
    Ok(match rows::owner(&cluster.store, Some(&cluster.view()), header).await? {
        Some(owner) if !owner.is_gone() => Whereabouts::Active {
            node: owner.member.node.0,
            // Given to it, and not begun there yet.
            arriving: header.state == State::Handed,
        },
        // Its node is dead: what had no snapshot is lost, and only its record does not say so yet.
        Some(_) if !header.state.has_snapshot() => Whereabouts::Lost,
        _ => Whereabouts::Parked,
    })
}
