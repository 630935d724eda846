//! Who may open a store.

use std::fmt;

/// From how far away a store is shared. A wider scope is greater, so that a cluster asks for
/// `store.scope() >= Scope::Cluster`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Only the process that opened it: the in-memory store, an embedded engine.
    Process,
    /// The processes of this machine: a store that one of them lends to the others.
    Machine,
    /// Every machine that reaches it.
    Cluster,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Process => "this process",
            Self::Machine => "this machine",
            Self::Cluster => "the cluster",
        })
    }
}
