//! Who moves when a node has joined: a few with each beat, so that nobody notices.

use std::sync::Arc;

use throughline_cluster::{Entry, Member};

use super::{Deactivation, Placement, actor::ToVActor, place};
use crate::node::Shared;

/// VActors that one node sends away for balance with one beat, at most: 32 a second with the
/// default beat, since it looks with every second one, each without an owner for milliseconds.
const MOVES_MAX: usize = 32;

/// A node sends VActors away only if it has so many more than another: fewer are not worth it.
const DIFFERENCE_MIN: u32 = 16;

/// Keeps VActors where their kinds want them.
#[derive(Debug, Default)]
pub(crate) struct Balancer {
    beats: u32,
}

/// Looks with every so many-th beat.
const EVERY: u32 = 2;

impl Balancer {
    /// Called after each beat.
    pub(crate) fn look(&mut self, node: &Arc<Shared>) {
        self.beats = self.beats.wrapping_add(1);
        let view = node.cluster.view();
        node.vactors.keep_loads(|member| view.alive().any(|entry| entry.member == member));
        if !self.beats.is_multiple_of(EVERY) || !view.me.is_alive() {
            return;
        }
        let nodes: Vec<_> = view.alive().cloned().collect();
        if nodes.len() < 2 {
            return;
        }
        let mut moves = 0;
        let mut left = u32::try_from(node.vactors.len()).unwrap_or(u32::MAX);
        for (id, kind, actor) in node.vactors.all() {
            if moves == MOVES_MAX {
                return;
            }
            let own = node.vactors.kind(kind).settings();
            let serving = nodes.iter().filter(|entry| {
                let info = entry.standing.as_ref().map(|standing| &standing.info);
                info.is_some_and(|info| info.reads(own.kind, own.state_version))
            });
            let to = match own.placement {
                Placement::Hash => place::home(&id, serving.map(|entry| entry.member)),
                Placement::LeastLoaded => lighter(node, left, serving),
                Placement::Local => None,
            };
            let to = to.filter(|to| *to != view.me.member);
            let Some(to) = to.and_then(|to| nodes.iter().find(|entry| entry.member == to)) else {
                continue;
            };
            let leave = ToVActor::Leave(Deactivation::Moves, Some(Box::new(to.clone())));
            if actor.send(leave).is_ok() {
                moves += 1;
                left = left.saturating_sub(1);
            }
        }
    }
}

/// The node with the fewest, if this one has many more: then each gets half of the difference.
fn lighter<'a>(node: &Shared, own: u32, nodes: impl Iterator<Item = &'a Entry>) -> Option<Member> {
    let least = nodes.map(|entry| (node.vactors.load_of(entry.member), entry.member));
    let (load, member) = least.filter(|(_, m)| *m != node.cluster.member()).min()?;
    // What was sent away just now is not told yet: an eighth of what it has is left alone.
    let margin = DIFFERENCE_MIN.max(own / 8);
    (own > load.saturating_add(margin)).then_some(member)
}
