//! Where a VActor is, and the order that it go to another node.

use std::sync::Arc;
use std::time::Duration;

use throughline_cluster::RecordId;

use crate::{
    cluster::{LocateError, Whereabouts, locate_record},
    node::Shared,
    vactor,
};

/// How long a VActor may take to arrive, before it is said that it did not: a turn that is under
/// way ends first, and who asked waits no longer.
const MOVE_WAIT: Duration = Duration::from_secs(5);
/// How often it is looked for meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// After how many looks it is told again: who has it may have had no ear for it yet.
const TELL_EVERY: u32 = 10;

/// Why a VActor is not at the node where it was to go.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MoveNo {
    /// There is none of this name. The asker's fault.
    #[error("there is no such VActor: it was never asked, or its state is forgotten")]
    Unknown,
    /// It is in no node's memory. It begins where its kind is placed, when it is asked next.
    #[error("it is in no node's memory: it begins where its kind is placed, when it is asked next")]
    Parked,
    /// No live node has that number, or it does not serve the kind. The asker's fault.
    #[error("no live node {0} serves its kind")]
    NoSuchNode(u32),
    /// It is still where it was, or elsewhere: the word was lost, or it is busy. Trying again
    /// helps.
    #[error(
        "it has not arrived at node {to} within {seconds} s, and may still go: it is {now}",
        seconds = MOVE_WAIT.as_secs()
    )]
    NotArrived { to: u32, now: String },
    /// The store does not say where it is. Trying again helps.
    #[error(transparent)]
    Unread(#[from] LocateError),
}

impl Shared {
    /// Where a VActor is.
    pub(crate) async fn locate_vactor(&self, id: &RecordId) -> Result<Whereabouts, LocateError> {
        locate_record(self, id).await
    }

    /// Has a VActor go to the node of this number; it is there when this returns.
    pub(crate) async fn move_vactor(
        self: &Arc<Self>,
        id: &RecordId,
        to: u32,
    ) -> Result<Whereabouts, MoveNo> {
        match self.locate_vactor(id).await? {
            Whereabouts::Unknown => return Err(MoveNo::Unknown),
            Whereabouts::Parked | Whereabouts::Lost => return Err(MoveNo::Parked),
            Whereabouts::Active { .. } => {}
        }
        if !vactor::is_served_at(self, id, to) {
            return Err(MoveNo::NoSuchNode(to));
        }
        let is_there = |at: &Whereabouts| *at == Whereabouts::Active { node: to, arriving: false };
        let arrives = async {
            for look in 0.. {
                let at = self.locate_vactor(id).await?;
                match at {
                    at if is_there(&at) => break,
                    Whereabouts::Active { arriving: false, .. } if look % TELL_EVERY == 0 => {
                        vactor::move_to(self, id, to).await;
                    }
                    _ => tokio::time::sleep(LOOK_EVERY).await,
                }
            }
            Ok::<_, MoveNo>(Whereabouts::Active { node: to, arriving: false })
        };
        if let Ok(arrived) = tokio::time::timeout(MOVE_WAIT, arrives).await {
            return arrived;
        }
        match self.locate_vactor(id).await? {
            at if is_there(&at) => Ok(at),
            Whereabouts::Active { node, arriving } => {
                let now = if arriving { "on its way to node" } else { "at node" };
                Err(MoveNo::NotArrived { to, now: format!("{now} {node}") })
            }
            Whereabouts::Parked | Whereabouts::Lost => Err(MoveNo::Parked),
            Whereabouts::Unknown => Err(MoveNo::Unknown),
        }
    }
}
