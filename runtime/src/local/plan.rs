//! Things to be done one after the other: the start, a rolling restart, the end.

use std::collections::VecDeque;

use super::role::Role;

/// One of them; the next is begun when it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Start it unless it runs; done when it serves.
    Start(Role),
    /// Stop it; done when it does not run.
    Stop(Role),
    /// Stop all nodes at once; done when none runs.
    StopNodes,
}

/// What the steps are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The first start of everything.
    Begin,
    /// All nodes are restarted, one after the other.
    Roll,
    /// Everything stops.
    End,
}

/// The steps that are left, the one under way in front.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) purpose: Purpose,
    pub(super) steps: VecDeque<Step>,
    /// Whether the one in front was begun.
    pub(super) begun: bool,
}

impl Plan {
    fn new(purpose: Purpose, steps: impl IntoIterator<Item = Step>) -> Self {
        Self { purpose, steps: steps.into_iter().collect(), begun: false }
    }

    /// The hub first: nodes join through it. The balancer last: who comes in finds nodes.
    pub(super) fn begin(nodes: u8) -> Self {
        let nodes = (1..=nodes).map(Role::Node);
        let roles = [Role::Hub].into_iter().chain(nodes).chain([Role::Balancer]);
        Self::new(Purpose::Begin, roles.map(Step::Start))
    }

    /// Each node is back before the next one goes.
    pub(super) fn roll(nodes: u8) -> Self {
        let nodes = (1..=nodes).map(Role::Node);
        let steps = nodes.flat_map(|node| [Step::Stop(node), Step::Start(node)]);
        Self::new(Purpose::Roll, steps)
    }

    /// Nodes park what they own, so the hub must be there until they are gone.
    pub(super) fn end(needs_hub: bool) -> Self {
        let hub = needs_hub.then_some(Step::Start(Role::Hub));
        let rest = [Step::StopNodes, Step::Stop(Role::Balancer), Step::Stop(Role::Hub)];
        Self::new(Purpose::End, hub.into_iter().chain(rest))
    }

    /// The step in front is done.
    pub(super) fn advance(&mut self) {
        self.steps.pop_front();
        self.begun = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_of_a_roll_is_back_before_the_next_one_goes() {
        let steps = Vec::from(Plan::roll(2).steps);
        let [one, two] = [Role::Node(1), Role::Node(2)];
        assert_eq!(steps, [Step::Stop(one), Step::Start(one), Step::Stop(two), Step::Start(two)]);
    }

    #[test]
    fn the_hub_comes_first_and_goes_last() {
        let begin = Plan::begin(1);
        assert_eq!(begin.steps.front(), Some(&Step::Start(Role::Hub)));
        let end = Plan::end(true);
        assert_eq!(end.steps.front(), Some(&Step::Start(Role::Hub)));
        assert_eq!(end.steps.back(), Some(&Step::Stop(Role::Hub)));
    }
}
