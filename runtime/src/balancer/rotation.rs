//! Whose turn it is: the nodes, which of them are ready, and which is next.

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::watch;

use crate::counters::is_worth_a_line;

use super::NodeAddresses;

/// So many checks that fail, one after the other, take a node out: one may be lost to a busy
/// machine.
const FAILURES_MAX: u32 = 2;

/// The nodes of a cluster, as a balancer sees them.
#[derive(Debug)]
pub(super) struct Rotation {
    nodes: Box<[NodeAddresses]>,
    health: watch::Sender<Vec<Health>>,
    next: AtomicUsize,
    /// Connections that this process could not make, through no fault of a node.
    own_failures: AtomicU64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Health {
    is_ready: bool,
    /// Checks that failed since the last one that did not.
    failures: u32,
}

/// What was found out about a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    /// It is ready: in at once.
    Ready,
    /// It says itself that it is not, or nothing listens there: out at once.
    Out(String),
    /// No answer, or none that makes sense: out if it happens again.
    Failed(String),
}

impl Rotation {
    /// All nodes are out until they are found ready.
    pub(super) fn new(nodes: &[NodeAddresses]) -> Self {
        Self {
            nodes: nodes.into(),
            health: watch::Sender::new(vec![Health::default(); nodes.len()]),
            next: AtomicUsize::new(0),
            own_failures: AtomicU64::new(0),
        }
    }

    pub(super) fn nodes(&self) -> &[NodeAddresses] {
        &self.nodes
    }

    /// The node whose turn it is among those that are ready.
    pub(super) fn next(&self) -> Option<usize> {
        let health = self.health.borrow();
        let begin = self.next.fetch_add(1, Ordering::Relaxed);
        let mut turn = (0..self.nodes.len()).map(|step| begin.wrapping_add(step));
        let node = turn.find(|turn| health[turn % self.nodes.len()].is_ready)?;
        // Whoever stands behind a node that is out does not get its turns on top.
        self.next.fetch_max(node.wrapping_add(1), Ordering::Relaxed);
        Some(node % self.nodes.len())
    }

    /// Returns as soon as some node is ready.
    pub(super) async fn ready(&self) {
        let mut health = self.health.subscribe();
        // The sender lives as long as `self`.
        let _ = health.wait_for(|health| health.iter().any(|health| health.is_ready)).await;
    }

    /// Notes that this process could make no connection, to whichever node.
    pub(super) fn note_own_failure(&self, error: &io::Error) {
        let count = self.own_failures.fetch_add(1, Ordering::Relaxed) + 1;
        if is_worth_a_line(count) {
            log::error!("cannot connect to any node: {error}; {count} so far");
        }
    }

    /// Notes a finding, and logs what it changes.
    pub(super) fn note(&self, node: usize, finding: Finding) {
        let mut reason = None;
        let has_changed = self.health.send_if_modified(|health| {
            let health = &mut health[node];
            let was_ready = health.is_ready;
            match finding {
                Finding::Ready => *health = Health { is_ready: true, failures: 0 },
                Finding::Out(why) => {
                    *health = Health::default();
                    reason = Some(why);
                }
                Finding::Failed(why) => {
                    health.failures = health.failures.saturating_add(1);
                    health.is_ready &= health.failures < FAILURES_MAX;
                    reason = Some(why);
                }
            }
            health.is_ready != was_ready
        });
        if !has_changed {
            return;
        }
        let (number, at) = (node + 1, self.nodes[node].http);
        match reason {
            None => log::info!("node {number} ({at}) is in"),
            Some(why) => log::warn!("node {number} ({at}) is out: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotation(nodes: usize) -> Rotation {
        let node = "127.0.0.1:1,127.0.0.1:2,127.0.0.1:3".parse().unwrap();
        Rotation::new(&vec![node; nodes])
    }

    fn turns(rotation: &Rotation, count: usize) -> Vec<usize> {
        (0..count).filter_map(|_| rotation.next()).collect()
    }

    fn out() -> Finding {
        Finding::Out("gone".into())
    }

    fn failed() -> Finding {
        Finding::Failed("silent".into())
    }

    #[test]
    fn nodes_are_out_until_they_are_found_ready_and_then_take_turns() {
        let rotation = rotation(3);
        assert_eq!(rotation.next(), None);
        for node in 0..3 {
            rotation.note(node, Finding::Ready);
        }
        let mut seen = turns(&rotation, 6);
        assert_eq!(seen[..3], seen[3..]);
        seen.sort_unstable();
        assert_eq!(seen, [0, 0, 1, 1, 2, 2]);
    }

    #[test]
    fn a_node_that_is_out_leaves_its_turns_to_all_others() {
        let rotation = rotation(3);
        for node in 0..3 {
            rotation.note(node, Finding::Ready);
        }
        rotation.note(1, out());
        let seen = turns(&rotation, 10);
        assert_eq!(seen.iter().filter(|node| **node == 0).count(), 5, "{seen:?}");
        assert_eq!(seen.iter().filter(|node| **node == 2).count(), 5, "{seen:?}");
    }

    #[test]
    fn one_failed_check_takes_no_node_out_and_two_in_a_row_do() {
        let rotation = rotation(1);
        rotation.note(0, Finding::Ready);
        rotation.note(0, failed());
        assert_eq!(rotation.next(), Some(0));
        rotation.note(0, Finding::Ready);
        rotation.note(0, failed());
        assert_eq!(rotation.next(), Some(0), "not in a row");
        rotation.note(0, failed());
        assert_eq!(rotation.next(), None);
        rotation.note(0, Finding::Ready);
        assert_eq!(rotation.next(), Some(0), "one success is enough");
    }

    #[test]
    fn a_node_that_says_so_or_is_gone_is_out_at_once() {
        let rotation = rotation(1);
        rotation.note(0, Finding::Ready);
        rotation.note(0, out());
        assert_eq!(rotation.next(), None);
    }

    #[tokio::test]
    async fn who_waits_for_a_node_is_woken_by_the_first_one() {
        let rotation = rotation(2);
        let note = async { rotation.note(1, Finding::Ready) };
        tokio::join!(rotation.ready(), note);
        assert_eq!(rotation.next(), Some(1));
    }
}
