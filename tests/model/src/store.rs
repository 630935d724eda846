//! How a commit lands, and what the store's own history must be.

use throughline_cluster::NodeState;

use crate::{
    env::Env,
    part::Part,
    small::{R, SmallCommit, V},
};

/// Applies a commit about sessions if every guard holds.
///
/// # Panics
/// If it writes a row of a node, which is none of its business.
pub(crate) fn land(env: &Env, part: &mut Part, commit: &SmallCommit) -> bool {
    let stands = |row: R| if is_of_node(row) { env.rows.get(row) } else { part.rows.get(row) };
    if commit.guards.iter().any(|(row, expected)| stands(*row) != *expected) {
        return false;
    }
    for (row, value) in &commit.writes {
        assert!(!is_of_node(*row), "a commit about a session writes {row:?} of a node");
        watch(part, *row, *value);
        part.rows.put(*row, *value);
    }
    true
}

/// Applies what a commit about nodes says of them if every guard holds.
///
/// # Panics
/// If it has to do with a row of a session.
pub(crate) fn land_of_nodes(env: &mut Env, commit: &SmallCommit) -> bool {
    let rows = commit.guards.iter().chain(&commit.writes);
    rows.for_each(|(row, _)| assert!(is_of_node(*row), "{row:?} in a commit about nodes"));
    if commit.guards.iter().any(|(row, expected)| env.rows.get(*row) != *expected) {
        return false;
    }
    for (row, value) in &commit.writes {
        watch_node(env, *row, *value);
        env.rows.put(*row, *value);
    }
    true
}

/// Whether a row is about a node, and not about a session.
const fn is_of_node(row: R) -> bool {
    matches!(row, R::Standing(_) | R::Beat(_) | R::Node(_))
}

/// Whether a commit can still land: a header's version never comes back.
pub(crate) fn can_land(part: &Part, commit: &SmallCommit) -> bool {
    commit.guards.iter().all(|(row, expected)| match (row, expected) {
        (R::Header(_), Some(V::Header(h))) => {
            let Some(V::Header(now)) = part.rows.get(*row) else { return false };
            now.version <= h.version
        }
        _ => true,
    })
}

/// Notes what a single state does not show of sessions.
fn watch(part: &mut Part, row: R, value: Option<V>) {
    match (row, part.rows.get(row), value) {
        (R::Header(_), Some(V::Header(old)), Some(V::Header(new))) => {
            part.broken.version |= new.version <= old.version;
        }
        (R::Header(record), Some(V::Header(old)), None) => {
            let due = part.sessions[usize::from(record)].due;
            part.broken.removed |= old.owner.is_some() || !due;
        }
        _ => {}
    }
}

/// Notes what a single state does not show of nodes.
fn watch_node(env: &mut Env, row: R, value: Option<V>) {
    match (row, env.rows.get(row), value) {
        (R::Standing(_), Some(V::Standing(old)), Some(V::Standing(new))) => {
            env.went_back |= new <= old || old > NodeState::Draining;
        }
        (R::Standing(_), None, Some(V::Standing(new))) => {
            env.went_back |= new != NodeState::Alive;
        }
        _ => {}
    }
}
