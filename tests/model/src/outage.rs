//! The model of playing on: nodes that lose the store and each other, one that joins meanwhile,
//! one that stands still, commits that land late.
//!
//! Here the nodes are not abstract: each is a real `Membership`, on a store of bytes, and time is
//! part of the state. In no state may a node act that the store says is dead.

mod node;
mod state;

use stateright::{Model, Property};
use throughline_cluster::LeaseConfig;
use throughline_link::Instant;

pub use state::{Cut, OutageState};

/// A tick of this model.
pub(crate) const TICK: core::time::Duration = core::time::Duration::from_millis(100);

/// A check of the rule that is left out, for what the model must then find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Without {
    /// Nothing: the rule as it is.
    Nothing,
    /// A node that is not known to another waits longer before it declares it dead.
    Stranger,
    /// A node that does not answer has confirmed nothing.
    Silence,
    /// A node says how long it has counted.
    Counted,
    /// A node that asked for another's death says so, whatever it has counted since.
    Marked,
    /// The limit.
    Limit,
}

/// The bounds of the model of an outage.
#[derive(Debug, Clone)]
pub struct OutageBounds {
    /// Nodes that are there from the beginning.
    pub nodes: usize,
    /// So many more may join.
    pub more: usize,
    /// Ticks that are looked at.
    pub ticks: u8,
    /// Things that may change: the store or a link goes or comes back, a node stands still or goes
    /// on, one joins, a late commit lands.
    pub changes: u8,
    /// What is left out.
    pub without: Without,
}

/// What may happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutageAction {
    /// A tick passes: every node that does not stand still acts, in order.
    Tick,
    /// The store is in reach of a node, or not, and what becomes of its commits then.
    Store(u8, Cut),
    /// Two nodes reach each other, or not.
    Link(u8, u8),
    /// A node stands still, or goes on.
    Freeze(u8),
    /// The last node begins to join.
    Start,
    /// A commit that was late lands.
    Land,
}

/// The limit, as beats say it: four ticks.
pub(crate) const LIMIT_MS: u32 = 400;

/// A beat is a tick, a term four.
pub(crate) fn lease(without: Without) -> LeaseConfig {
    let limit = core::time::Duration::from_millis(LIMIT_MS.into());
    let play_on = if without == Without::Limit { limit * 10 } else { limit };
    LeaseConfig { beat: TICK, term: TICK * 4, margin: TICK, play_on }
}

impl Model for OutageBounds {
    type State = OutageState;
    type Action = OutageAction;

    fn init_states(&self) -> Vec<OutageState> {
        vec![OutageState::joined(self)]
    }

    fn actions(&self, s: &OutageState, actions: &mut Vec<OutageAction>) {
        if s.ticks < self.ticks {
            actions.push(OutageAction::Tick);
        }
        if s.changes == self.changes {
            return;
        }
        let there = s.nodes.len();
        let number = |at: usize| u8::try_from(at).unwrap_or(u8::MAX);
        for at in 0..there {
            let cuts: &[Cut] = match s.nodes[at].cut {
                Cut::Not => &[Cut::Lost, Cut::Landed, Cut::Late, Cut::LateBeat],
                _ => &[Cut::Not],
            };
            actions.extend(cuts.iter().map(|cut| OutageAction::Store(number(at), *cut)));
            let links = (at + 1..there).map(|to| OutageAction::Link(number(at), number(to)));
            actions.extend(links);
            actions.push(OutageAction::Freeze(number(at)));
        }
        if there < self.nodes + self.more {
            actions.push(OutageAction::Start);
        }
        if s.late.is_some() {
            actions.push(OutageAction::Land);
        }
    }

    fn next_state(&self, s: &OutageState, action: OutageAction) -> Option<OutageState> {
        let mut next = s.clone();
        if action != OutageAction::Tick {
            next.changes += 1;
        }
        match action {
            OutageAction::Tick => next.tick(self.without),
            OutageAction::Store(at, cut) => next.nodes[usize::from(at)].cut = cut,
            OutageAction::Link(one, other) => next.toggle(one, other),
            OutageAction::Freeze(at) => {
                let node = &mut next.nodes[usize::from(at)];
                node.frozen = !node.frozen;
            }
            OutageAction::Start => next.start(self.without),
            OutageAction::Land => next.land(),
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("nobody acts that may be taken from", |_, s: &OutageState| {
                s.nodes.iter().all(|node| !s.is_dead(node.member()) || !node.acts(s.now()))
            }),
            Property::sometimes(
                "a node acts beyond its lease",
                |bounds: &Self, s: &OutageState| {
                    let lease = lease(bounds.without);
                    let lasts = lease.term.saturating_sub(lease.margin);
                    let is_over = |from: Instant| from + lasts <= s.now();
                    s.nodes.iter().any(|node| {
                        node.acts(s.now()) && node.core.last_beat().is_some_and(is_over)
                    })
                },
            ),
        ]
    }
}
