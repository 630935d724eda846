//! How a node gets its kinds of VActors.

use std::future::Future;

use throughline::{Node, NodeBuilder, RunningNode};

use crate::{Address, VActor, kind::Of};

/// Adds kinds of VActors to a node.
pub trait Vactors: Sized {
    /// Hosts VActors of this kind. A name that is there twice is refused when the node starts.
    #[must_use]
    fn vactors<V: VActor>(self) -> Self;
}

impl Vactors for Node {
    fn vactors<V: VActor>(self) -> Self {
        self.vactor_kind(Box::new(Of::<V>::new()))
    }
}

impl Vactors for NodeBuilder {
    fn vactors<V: VActor>(self) -> Self {
        self.vactor_kind(Box::new(Of::<V>::new()))
    }
}

/// Moves VActors on demand, for operators and for tests.
pub trait Move {
    /// Has the VActor go to the node of this number, with its state. Nothing happens if it is in no
    /// node's memory, or that node does not serve its kind or drains; a kind that is placed by hash
    /// goes back by itself. Asks wait while it moves.
    fn move_vactor<V: VActor>(&self, vactor: &Address<V>, node: u32) -> impl Future<Output = ()>;
}

impl Move for RunningNode {
    fn move_vactor<V: VActor>(&self, vactor: &Address<V>, node: u32) -> impl Future<Output = ()> {
        let (caller, target) = (self.caller(), vactor.target());
        async move {
            if let Ok(target) = target {
                caller.move_to(&target, node).await;
            }
        }
    }
}
