//! A node: the real core, driven as the real driver drives it.

use core::time::Duration;
use std::sync::Arc;

use throughline_cluster::{
    Batch, Member, MemberAction, Membership, NodeId, NodeInfo, Readable, Row, Value, Write, keys,
};
use throughline_link::Instant;

use super::{
    LIMIT_MS, Without, lease,
    state::{Cut, OutageState},
};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    pub(crate) core: Membership,
    pub(crate) cut: Cut,
    pub(crate) frozen: bool,
}

impl Node {
    pub(crate) fn new(number: u32, without: Without, now: Instant) -> Self {
        let readable = vec![Readable { kind: "game".to_owned(), oldest: 1, newest: 1 }];
        let info = NodeInfo::new("n", readable);
        // Short names: they are within their limits.
        let info = Arc::new(info.expect("short names"));
        let me = Member { node: NodeId(number), incarnation: number.into() };
        let core = Membership::new(me, info, lease(without), now);
        Self { core, cut: Cut::Not, frozen: false }
    }

    pub(crate) fn member(&self) -> Member {
        self.core.me().member
    }

    pub(crate) fn acts(&self, now: Instant) -> bool {
        self.core.may_act(now)
    }

    /// What it does in a tick; one that was fenced stays so.
    pub(crate) fn step(&mut self, s: &mut OutageState, at: usize, without: Without) {
        if self.frozen {
            return;
        }
        let now = s.now();
        self.ask(s, at, without);
        if self.core.poll_timeout().is_some_and(|next| next <= now) {
            self.core.handle_timeout(now, 0);
        }
        while let Some(action) = self.core.poll_action() {
            match action {
                MemberAction::Commit(step) => {
                    let mut batch = step.commit.batch();
                    said_wrong(&mut batch, without);
                    let outcome = s.commit(batch, self.cut, step.name);
                    self.core.handle_commit(step.name, outcome, now);
                }
                MemberAction::Read if self.cut != Cut::Not => self.core.handle_read_failed(),
                MemberAction::Read => {
                    let entries = s.entries(self.member().node);
                    self.core.handle_entries(&entries, now, 0);
                }
                _ => {}
            }
        }
    }

    /// Asks those whom it knows, as it does while its beats do not get through.
    fn ask(&mut self, s: &OutageState, at: usize, without: Without) {
        let now = s.now();
        let asked: Vec<_> = self.core.asks().collect();
        for member in asked {
            let other = s.nodes.iter().position(|node| node.member() == member);
            let reached = other.filter(|other| !s.are_apart(at, *other) && !s.nodes[*other].frozen);
            let Some(other) = reached else {
                if without == Without::Silence {
                    self.core.handle_counted(member, now, Some(Duration::ZERO));
                }
                continue;
            };
            let counted = s.nodes[other].core.counted(self.member(), now);
            let counted = match without {
                Without::Counted => Some(Duration::ZERO),
                Without::Marked => counted.or(Some(Duration::ZERO)),
                _ => counted,
            };
            self.core.handle_counted(member, now, counted);
        }
    }
}

/// What a beat says with a check left out: that it knows whoever may come, or a limit that its node
/// does not keep.
fn said_wrong(batch: &mut Batch, without: Without) {
    for write in &mut batch.writes {
        let Write::Put { key, value } = write else { continue };
        let Some(row @ Row::Beat(_)) = keys::row_of(key) else { continue };
        let Ok(Value::Beat(mut beat)) = Value::decode(&row, value) else { continue };
        let Some(plays_on) = beat.plays_on.as_mut() else { continue };
        match without {
            Without::Stranger => {
                let member = |n: u32| Member { node: NodeId(n), incarnation: n.into() };
                plays_on.asks = (1..=4).map(member).collect();
            }
            Without::Limit => plays_on.limit_ms = LIMIT_MS,
            _ => return,
        }
        *value = beat.encode();
    }
}
