//! Rolling updates: the nodes are drained one after the other, and started in another version.

use std::time::Duration;

use super::{Heal, Weather};
use crate::place::Order;
use crate::truth;

/// A drain waits so long for a record that is just being handed to its node.
const NEWCOMER_WITHIN: Duration = Duration::from_secs(3);

/// One under way.
pub(super) struct Rolling {
    /// The node that is next.
    node: usize,
    /// Whether it has been told to drain.
    is_told: bool,
    /// When it is told at the latest, if that is to be as it is handed something.
    told_by: Option<Duration>,
    /// Those that are restarted; the rest are left, or have been.
    left: usize,
}

impl Weather {
    pub(super) fn update(&mut self) {
        if self.rolling.is_none() {
            let is_half = self.version == 1 && self.random.percent(40);
            let left = if is_half { self.places.len() - 1 } else { self.places.len() };
            self.roll_to(2, left);
        }
    }

    pub(super) fn roll_to(&mut self, version: u32, left: usize) {
        truth::note(format_args!("version {version} rolls over {left} nodes"));
        self.version = version;
        self.had_second |= version == 2;
        self.rolling = Some(Rolling { node: 0, is_told: false, told_by: None, left });
    }

    /// One node after the other is drained, and started in the other version.
    pub(super) fn roll(&mut self) {
        let (version, count) = (self.version, self.places.len());
        let Some(Rolling { node, is_told, told_by, left }) = &mut self.rolling else { return };
        if *left == 0 {
            let is_whole = *node == count;
            self.rolling = None;
            // A part of them is updated: the operator has second thoughts, and the states that are
            // in the store are such as the old version reads. Once all were, there is no way back.
            if !is_whole && version == 2 {
                self.roll_to(1, count - 1);
            }
            return;
        }
        let place = &self.places[*node];
        if !place.is_up() {
            place.order(Order::Start(version));
        } else if *is_told || place.version() == Some(version) && version == 1 {
            if place.version() == Some(version) && !place.is_draining() {
                *node += 1;
                *left -= 1;
                *is_told = false;
                *told_by = None;
            }
        } else if place.is_well() {
            self.drain();
        }
    }

    /// Drains the node that is next: at once, or just as it is handed something, while it cannot
    /// find out in the store what is its own. Then it has what it does not know of as it begins.
    fn drain(&mut self) {
        let Some(Rolling { node, is_told, told_by, .. }) = &mut self.rolling else { return };
        let (node, now) = (*node, truth::now());
        let place = &self.places[node];
        let Some(by) = place.by() else { return };
        match *told_by {
            None if self.random.percent(50) => {
                *is_told = true;
                place.order(Order::Drain);
            }
            None => {
                *told_by = Some(now + NEWCOMER_WITHIN);
                self.engine.audit(|audit| audit.tell_of_grant(by));
            }
            Some(at) => {
                if self.engine.audit(|audit| audit.take_granted(by)) || now >= at {
                    *is_told = true;
                    place.fail_scans(true);
                    place.order(Order::Drain);
                    self.until(300, 1_500, Heal::Scans(node));
                }
            }
        }
    }
}
