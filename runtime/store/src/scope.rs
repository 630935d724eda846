//! What a store is: who may open it, and what is wrong with it.

use std::fmt;

/// From how far away a store is shared. A wider scope is greater, so that a cluster asks for
/// `store.about().scope >= Scope::Cluster`.
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

/// What a store says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// From how far away it is shared. Never changes.
    pub scope: Scope,
    /// What is wrong with it, in words for operators; `None` if nothing is known to be. A call that
    /// fails has its own reason: this is about what callers cannot see, such as commits that wait
    /// for a standby.
    pub trouble: Option<String>,
}

impl From<Scope> for About {
    /// Nothing is wrong.
    fn from(scope: Scope) -> Self {
        Self { scope, trouble: None }
    }
}
