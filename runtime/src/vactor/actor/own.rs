//! The driver of a VActor's record.

use std::task::{Context, Poll};

use bytes::Bytes;
use throughline_cluster::{HeldAction, Turn as RecordTurn, TurnState};
use throughline_queue::{Pieces, QueueName};

use super::{VActorActor, VActorSnapshot, turn::write};
use crate::{
    care::Care,
    queues::{Beside, beside},
    session::HandlerError,
    snapshot,
    vactor::Durability,
};

impl VActorActor {
    /// Whether this node may act for it at this moment.
    pub(super) fn may_act(&self) -> bool {
        let Some(holding) = &self.holding else { return false };
        let node = &self.worker.node;
        node.cluster.may_act(node.clock.lease_now())
            && node.cluster.is_mine(holding.held.header().owner)
    }

    /// Whether the record is an earlier incarnation's of this node.
    pub(super) fn is_stale(&self) -> bool {
        let owner = self.holding.as_ref().and_then(|holding| holding.held.header().owner);
        !self.worker.node.cluster.is_mine(owner)
    }

    /// Goes on with the record. True if anything happened.
    pub(super) fn own(&mut self, cx: &mut Context<'_>) -> bool {
        let mut any = false;
        while let Some(holding) = &mut self.holding
            && let Poll::Ready(action) = holding.poll(cx)
        {
            any = true;
            match action {
                HeldAction::SwapOut => self.leaving.begin(),
                HeldAction::GoOn => self.goes_on(),
                HeldAction::Committed => self.committed(),
                HeldAction::NotCommitted => self.not_committed(),
                HeldAction::Gone(gone) => self.gone(gone),
                _ => {}
            }
        }
        any
    }

    /// Whether the turn that has just ended is to be committed before its effects leave.
    pub(super) fn needs_commit(&self) -> bool {
        self.settings.durability == Durability::EveryTurn
            || self.loaded.is_some()
            || !self.stage.effects().borrow().durable.is_empty()
            || self.holding.as_ref().is_some_and(|holding| {
                holding.held.header().state != throughline_cluster::State::Running
            })
    }

    /// Commits the turn that has just ended, with what it has staged and what it uses up; whom to
    /// poke when that is in.
    pub(super) fn commit(&mut self, used_up: Pieces) -> Result<Vec<QueueName>, HandlerError> {
        let staged = self.stage.effects().borrow_mut().durable.take();
        let now_ms = self.worker.node.cluster.wall_ms();
        let Some(holding) = &self.holding else {
            return Err(HandlerError::new("its record is gone"));
        };
        let header = holding.held.header();
        let made = beside(header, &mut self.enqueued_ms, now_ms, staged, used_up);
        let Beside { more, pokes, .. } = made;
        let (state, due) = match self.settings.durability {
            // What runs without a snapshot has no reminders either once its node is dead.
            Durability::OnSwapOut => (TurnState::Running, None),
            Durability::EveryTurn => {
                let (snapshot, state_version) = self.snapshot()?;
                let state = TurnState::Committed { snapshot, state_version };
                (state, self.reminders.next())
            }
        };
        let Some(holding) = &mut self.holding else {
            return Err(HandlerError::new("its record is gone"));
        };
        let attempt = holding.held.header().attempt;
        holding.held.turn(RecordTurn { state, attempt, due, more })?;
        Ok(pokes)
    }

    /// What is to stand in the store, within its limit.
    pub(super) fn snapshot(&self) -> Result<(Bytes, u32), HandlerError> {
        let node = &self.worker.node;
        let view = node.cluster.view();
        let own = &self.settings;
        let version = view.common_version(own.kind, own.state_version, own.oldest_version);
        let mut state = Vec::new();
        let version = write(&*self.instance, version, &mut state)?;
        let snapshot = VActorSnapshot {
            state: state.into(),
            reminders: self.reminders.clone(),
            enqueued_ms: self.enqueued_ms,
            peers: self.stage.effects().borrow().peers.export(),
            care: Care::noted(self.care.as_deref()),
        };
        Ok((snapshot::encode(node, &self.id, &snapshot)?, version))
    }
}
