//! How a commit lands, and what the store's own history must be.

use throughline_cluster::NodeState;

use crate::{
    small::{R, SmallCommit, V},
    state::State,
};

/// Applies a commit if every guard holds.
pub(crate) fn land(state: &mut State, commit: &SmallCommit) -> bool {
    if commit.guards.iter().any(|(row, expected)| state.get(*row) != *expected) {
        return false;
    }
    for (row, value) in &commit.writes {
        watch(state, *row, *value);
        state.put(*row, *value);
    }
    true
}

/// Whether a commit can still land: a header's version never comes back.
pub(crate) fn can_land(state: &State, commit: &SmallCommit) -> bool {
    commit.guards.iter().all(|(row, expected)| match (row, expected) {
        (R::Header(_), Some(V::Header(h))) => {
            let Some(V::Header(now)) = state.get(*row) else { return false };
            now.version <= h.version
        }
        _ => true,
    })
}

/// Notes what a single state does not show.
fn watch(state: &mut State, row: R, value: Option<V>) {
    match (row, state.get(row), value) {
        (R::Header(_), Some(V::Header(old)), Some(V::Header(new))) => {
            state.broken.version |= new.version <= old.version;
        }
        (R::Header(record), Some(V::Header(old)), None) => {
            state.broken.removed |= old.owner.is_some() || !state.due[usize::from(record)];
        }
        (R::Standing(_), Some(V::Standing(old)), Some(V::Standing(new))) => {
            state.broken.standing |= new <= old || old > NodeState::Draining;
        }
        (R::Standing(_), None, Some(V::Standing(new))) => {
            state.broken.standing |= new != NodeState::Alive;
        }
        _ => {}
    }
}
