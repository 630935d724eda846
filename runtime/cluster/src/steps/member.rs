//! Steps 13 to 18: a node joins, beats, is marked dead, drains, leaves, is forgotten.

use std::sync::Arc;

use super::Step;
use crate::{
    entry::{Beat, Entry, NodeInfo, NodeState, Standing},
    id::{Member, RecordId},
    law::{Law, NotNow, Rule, StepName},
    plan::{Commit, Row, Value},
};

impl Law {
    /// `me` joins, if `before`, the incarnation that joined last as this node, is gone.
    ///
    /// # Errors
    /// [`NotNow::StillThere`]: wait a term, or stop the other process.
    pub fn join(
        &self,
        me: Member,
        info: &Arc<NodeInfo>,
        before: Option<&Entry>,
        first: Beat,
    ) -> Result<Step, NotNow> {
        let mut commit = Commit::default();
        if let Some(before) = before {
            let still = NotNow::StillThere(before.member);
            self.require(Rule::JoinGone, before.is_gone(), still)?;
            self.guard_standing(&mut commit, Rule::JoinGone, before);
        }
        if self.has(Rule::JoinNode) {
            let expected = before.map(|before| Value::Incarnation(before.member.incarnation));
            commit.guard(Rule::JoinNode, Row::Node(me.node), expected);
        }
        let standing = Standing { state: NodeState::Alive, info: Arc::clone(info) };
        commit.put(Row::Node(me.node), Value::Incarnation(me.incarnation));
        commit.put(Row::Standing(me), Value::Standing(standing));
        commit.put(Row::Beat(me), Value::Beat(first));
        Ok(Step { name: StepName::Join, commit, after: None })
    }

    /// `me`, as it last wrote itself, renews its lease.
    #[must_use]
    pub fn beat(&self, me: &Entry, next: Beat) -> Step {
        let mut commit = Commit::default();
        self.guard_standing(&mut commit, Rule::BeatAlive, me);
        commit.put(Row::Beat(me.member), Value::Beat(next));
        Step { name: StepName::Beat, commit, after: None }
    }

    /// Declares `node` dead, whose beat was `seen` for a term.
    ///
    /// # Errors
    /// [`NotNow::WrongState`] does not occur; [`NotNow::NotAlive`]: it is gone already, or its
    /// entry cannot be read.
    pub fn mark_dead(&self, node: &Entry, seen: Beat) -> Result<Step, NotNow> {
        let mut commit = Commit::default();
        let gone = NotNow::NotAlive(node.member);
        let may_die = !node.is_gone() && !node.is_unread();
        self.require(Rule::MarkStanding, may_die, gone.clone())?;
        self.guard_standing(&mut commit, Rule::MarkStanding, node);
        if self.has(Rule::MarkBeat) {
            let seen = Some(Value::Beat(seen));
            commit.guard(Rule::MarkBeat, Row::Beat(node.member), seen);
        }
        let info = &node.standing.as_ref().ok_or(gone)?.info;
        let dead = Standing { state: NodeState::Dead, info: Arc::clone(info) };
        commit.put(Row::Standing(node.member), Value::Standing(dead));
        Ok(Step { name: StepName::Mark, commit, after: None })
    }

    /// `me` takes nothing more from here on.
    ///
    /// # Errors
    /// [`NotNow::NotAlive`]: it drains already, or is gone.
    pub fn drain(&self, me: &Entry) -> Result<Step, NotNow> {
        let mut commit = Commit::default();
        self.guard_alive(&mut commit, Rule::DrainAlive, me)?;
        self.stand(&mut commit, me, NodeState::Draining)?;
        Ok(Step { name: StepName::Drain, commit, after: None })
    }

    /// `me`, which drains, leaves. `owned` is what a scan of its owner index found after the
    /// commit of `draining`: nothing can be added to it since.
    ///
    /// # Errors
    /// [`NotNow::NotEmpty`]; [`NotNow::NotAlive`]: it does not drain.
    pub fn leave(&self, me: &Entry, owned: usize) -> Result<Step, NotNow> {
        let draining = me.standing.as_ref().is_some_and(|s| s.state == NodeState::Draining);
        let mut commit = Commit::default();
        self.require(Rule::LeaveEmpty, owned == 0, NotNow::NotEmpty(me.member))?;
        self.require(Rule::LeaveEmpty, draining, NotNow::NotAlive(me.member))?;
        self.guard_standing(&mut commit, Rule::LeaveEmpty, me);
        self.stand(&mut commit, me, NodeState::Left)?;
        Ok(Step { name: StepName::Leave, commit, after: None })
    }

    /// Deletes the entry of a node that is gone, with the requests that were left for it. `owned`
    /// and `requests` are what scans of its owner index and of its requests found after it was
    /// seen to be gone: nothing can be added to them since.
    ///
    /// # Errors
    /// [`NotNow::NotEmpty`]; [`NotNow::StillThere`]: it is not gone.
    pub fn forget(
        &self,
        node: &Entry,
        owned: usize,
        requests: &[RecordId],
    ) -> Result<Step, NotNow> {
        let mut commit = Commit::default();
        self.require(Rule::ForgetGone, owned == 0, NotNow::NotEmpty(node.member))?;
        self.require(Rule::ForgetGone, node.is_gone(), NotNow::StillThere(node.member))?;
        self.guard_standing(&mut commit, Rule::ForgetGone, node);
        commit.delete(Row::Standing(node.member));
        commit.delete(Row::Beat(node.member));
        for id in requests {
            commit.delete(Row::Request(node.member, id.clone()));
        }
        Ok(Step { name: StepName::Forget, commit, after: None })
    }

    #[allow(clippy::unused_self)]
    fn stand(&self, commit: &mut Commit, me: &Entry, state: NodeState) -> Result<(), NotNow> {
        let standing = me.standing.as_ref().ok_or(NotNow::NotAlive(me.member))?;
        let standing = Standing { state, info: Arc::clone(&standing.info) };
        commit.put(Row::Standing(me.member), Value::Standing(standing));
        Ok(())
    }
}
