//! Where a VActor is to be that is nowhere.

use throughline_cluster::{Entry, Member, RecordId};

use super::Placement;
use crate::node::Shared;

/// The node for a VActor, whose state, if it has one, is of this version. `None`: no live node
/// serves its kind and reads it.
pub(super) fn choose(
    node: &Shared,
    id: &RecordId,
    kind: &str,
    version: Option<u32>,
) -> Option<Member> {
    let view = node.cluster.view();
    let me = view.me.member;
    let may = |entry: &&Entry| {
        let info = entry.standing.as_ref().map(|standing| &standing.info);
        info.is_some_and(|info| match version {
            Some(version) => info.reads(kind, version),
            None => info.readable(kind).is_some(),
        })
    };
    // This node, which has just joined, may not have looked at the others yet.
    let own = Some(&view.me).filter(|entry| entry.is_alive());
    let others = view.alive().filter(|entry| entry.member != me);
    let nodes = others.chain(own).filter(may).map(|entry| entry.member);
    let mut nodes: Vec<_> = nodes.collect();
    if nodes.is_empty() {
        return None;
    }
    nodes.sort_unstable();
    // A node that does not serve the kind does not know where it is to be: any that does will do.
    let placement = node.vactors.kind_named(kind);
    let placement = placement.map(|number| node.vactors.kind(number).settings().placement);
    match placement {
        Some(Placement::Local) if nodes.contains(&me) => Some(me),
        Some(Placement::LeastLoaded) => nodes.into_iter().min_by_key(|member| {
            let load = match *member == me {
                true => u32::try_from(node.vactors.len()).unwrap_or(u32::MAX),
                false => node.vactors.load_of(*member),
            };
            // Of two that have as many, this one.
            (load, *member != me)
        }),
        _ => home(id, nodes),
    }
}

/// Whether any node that is not gone serves the kind: then a place for it is to be had sooner or
/// later.
pub(super) fn is_served(node: &Shared, kind: &str) -> bool {
    let view = node.cluster.view();
    let serves = |entry: &Entry| {
        let info = entry.standing.as_ref().map(|standing| &standing.info);
        !entry.is_gone() && info.is_some_and(|info| info.readable(kind).is_some())
    };
    node.vactors.kind_named(kind).is_some() || view.nodes.iter().any(serves)
}

/// The node that follows from the name, by rendezvous: when a node comes or goes, only what is its
/// own moves (Thaler and Ravishankar, "A Name-Based Mapping Scheme for Rendezvous", 1996).
pub(super) fn home(id: &RecordId, nodes: impl IntoIterator<Item = Member>) -> Option<Member> {
    nodes.into_iter().max_by_key(|member| {
        // By the node, not its incarnation: a restart moves nothing for good.
        let node = member.node.0.to_be_bytes();
        let bytes = id.as_bytes().iter().chain(&node);
        // FNV-1a, and a last mix, since its high bits change little with the last bytes: every
        // node must come to the same answer.
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        (mixed ^ (mixed >> 33), *member)
    })
}

#[cfg(test)]
mod tests {
    use throughline_cluster::NodeId;

    use super::*;

    fn nodes(count: u32) -> Vec<Member> {
        (1..=count).map(|node| Member { node: NodeId(node), incarnation: 7 }).collect()
    }

    fn all() -> impl Iterator<Item = RecordId> {
        (0..3_000).map(|n| RecordId::vactor("match", format!("m{n}").as_bytes()).unwrap())
    }

    #[test]
    fn by_hash_every_node_has_about_its_share() {
        let mut counts = [0_i32; 3];
        for id in all() {
            counts[home(&id, nodes(3)).unwrap().node.0 as usize - 1] += 1;
        }
        assert!(counts.iter().all(|count| (count - 1_000).abs() < 150), "{counts:?}");
    }

    #[test]
    fn when_a_node_goes_only_its_own_move() {
        for id in all() {
            let before = home(&id, nodes(3)).unwrap();
            let after = home(&id, nodes(2)).unwrap();
            assert!(before == after || before.node.0 == 3);
        }
    }

    #[test]
    fn a_restarted_node_has_what_it_had() {
        let restarted = nodes(3).into_iter().map(|m| Member { incarnation: 8, ..m });
        let restarted: Vec<_> = restarted.collect();
        for id in all() {
            let (before, after) = (home(&id, nodes(3)), home(&id, restarted.clone()));
            assert_eq!(before.unwrap().node, after.unwrap().node);
        }
    }
}
