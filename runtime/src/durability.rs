//! What survives the death of a node.

use throughline_cluster::Went;

/// What of a session or a VActor survives the death of its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// Its state is written when it is swapped out. A node that dies takes along what was in its
    /// memory: a session ends as lost, a VActor starts again from nothing. A turn costs no commit.
    OnSwapOut,
    /// Its state is written with every turn, before anything of that turn leaves: crash-proof. What
    /// was acknowledged, or became visible outside, is there after the death of the node, once. A
    /// turn costs a commit of the whole state.
    EveryTurn,
}

impl Durability {
    /// Whether each turn is committed.
    pub(crate) const fn is_every_turn(self) -> bool {
        matches!(self, Self::EveryTurn)
    }

    /// What a drain counts when others took it from this node, since they thought it dead.
    pub(crate) const fn went_when_taken(self) -> Went {
        match self {
            Self::OnSwapOut => Went::Lost,
            Self::EveryTurn => Went::Moved,
        }
    }
}
