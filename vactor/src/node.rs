//! How a node gets its kinds of VActors.

use throughline::{Node, NodeBuilder};

use crate::{VActor, kind::Of};

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
