//! What nobody asks for: records that are due, that dead nodes owned, or that were left here.

use std::collections::BTreeSet;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use throughline_cluster::{Class, Entry, Header, Law, Outcome, RecordId, State, Taken};

use super::{random_number, rows, unheld};
use crate::{kinds::Expiring, node::Shared, vactor};

/// Records that one sweep looks at, at most: a sweep costs commits that players want.
const RECORDS_MAX: usize = 256;
/// Records of a dead node looked at in one sweep: a client that comes back is served before.
const DEAD_MAX: usize = 1024;
/// Rows of the due index that are read for them: what no live node can read stays in front.
const DUE_ROWS_MAX: usize = 4096;
/// A node's own index is looked at with every so many-th beat.
const OWN_EVERY: u32 = 20;
/// Records of this node that are not in memory, which one look remembers for the next.
const AWAY_MAX: usize = 4096;

/// When this node's own index is to be looked at.
#[derive(Debug, Default)]
struct OwnLook {
    beats: u32,
    /// Stays until it was looked at: a sweep may run for many beats, the one it fell on among them.
    is_due: bool,
}

impl OwnLook {
    fn beat(&mut self) {
        self.beats = self.beats.wrapping_add(1);
        self.is_due |= self.beats.is_multiple_of(OWN_EVERY);
    }

    /// Whether the sweep that begins now is to look.
    fn take(&mut self) -> bool {
        std::mem::take(&mut self.is_due)
    }
}

/// Begins sweeps, one at a time.
#[derive(Debug, Default)]
pub(super) struct Sweeper {
    running: Arc<AtomicBool>,
    own_look: OwnLook,
    /// Records of this node that were not in memory at the last look.
    suspects: Arc<Mutex<BTreeSet<RecordId>>>,
}

impl Sweeper {
    /// Called after each beat that was followed by a look at the others.
    pub(super) fn look(&mut self, node: &Arc<Shared>) {
        self.own_look.beat();
        if self.running.swap(true, Ordering::AcqRel) {
            return;
        }
        let (node, running) = (Arc::clone(node), Arc::clone(&self.running));
        let own = self.own_look.take().then(|| Arc::clone(&self.suspects));
        node.cluster.handle().clone().spawn(async move {
            if let Some(suspects) = own {
                own_records(&node, &suspects).await;
            }
            for gone in node.cluster.view().gone(node.clock.lease_now()) {
                of_the_dead(&node, gone).await;
            }
            due(&node).await;
            running.store(false, Ordering::Release);
        });
    }
}

/// Records of this node that were not in memory at two looks: nobody is at work on them.
async fn own_records(node: &Arc<Shared>, suspects: &Mutex<BTreeSet<RecordId>>) {
    let cluster = &node.cluster;
    let is_away = |id: &RecordId| !node.directory.knows(id) && !node.vactors.has(id);
    let owned = rows::owned(&cluster.store, cluster.member(), AWAY_MAX, is_away).await;
    let Ok(away) = owned.map(BTreeSet::<_>::from_iter) else { return };
    let before = {
        let mut suspects = suspects.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *suspects, away.clone())
    };
    for id in away.intersection(&before).take(RECORDS_MAX) {
        if let Some(gone) = unheld::put_away(node, id).await {
            log::info!("cluster: {id} was this node's, and not in memory: {gone:?}");
        }
    }
}

/// What a node owned that is gone: sessions that ran are lost, snapshots are parked; then its entry
/// goes.
async fn of_the_dead(node: &Arc<Shared>, gone: &Entry) {
    let cluster = &node.cluster;
    let view = cluster.view();
    if !view.me.is_alive() {
        return;
    }
    let Ok(owned) = rows::owned(&cluster.store, gone.member, DEAD_MAX, |_| true).await else {
        return;
    };
    let mut lost = 0;
    for id in owned.iter().filter(|id| view.may_be_mine(id)) {
        let Ok(Some(header)) = rows::header(&cluster.store, id).await else { continue };
        if !view.is_mine_of_the_dead(&header) {
            continue;
        }
        let was_running = header.state == State::Running;
        let expires = cluster.ms_from_now(node.config.session.timeout);
        let life = random_number(node);
        let taken = Taken { attempt: None, expires, lost: cluster.lost(), life };
        let Ok(step) = Law::default().take(&header, gone, &view.me, &taken) else { continue };
        let is_in = rows::commit(&cluster.store, &step.commit).await == Outcome::Done;
        if is_in {
            cluster.counts.swept.add_of_the_dead();
        }
        if id.class() == Class::VActor {
            // It begins anew, from nothing, and hears of its loss.
            if is_in && step.after.as_ref().is_some_and(|after| after.state == State::New) {
                vactor::start(node, id);
            }
        } else {
            lost += u64::from(is_in && was_running);
        }
    }
    if lost > 0 {
        cluster.counts.add_lost(lost);
        log::warn!("cluster: {lost} sessions were lost with {}", gone.member);
    }
    if owned.is_empty() && view.is_mine(&gone.member.incarnation.to_be_bytes()) {
        let Ok(requests) = rows::requests(&cluster.store, gone.member, RECORDS_MAX).await else {
            return;
        };
        let requests: Vec<_> = requests.into_iter().map(|(id, _)| id).collect();
        if let Ok(step) = Law::default().forget(gone, 0, &requests)
            && rows::commit(&cluster.store, &step.commit).await == Outcome::Done
        {
            cluster.counts.swept.add_node();
        }
    }
}

/// Records whose time has come: ended ones are forgotten, parked ones expire.
async fn due(node: &Arc<Shared>) {
    let cluster = &node.cluster;
    let view = cluster.view();
    let Some(now) = cluster.trusted_ms().filter(|_| view.me.is_alive()) else { return };
    let Ok(due) = rows::due(&cluster.store, now, DUE_ROWS_MAX).await else { return };
    let mut dealt_with = 0;
    for id in &due {
        let Ok(Some(header)) = rows::header(&cluster.store, id).await else { continue };
        if !view.is_mine_of(&header) {
            continue;
        }
        dealt_with += 1;
        if dealt_with > RECORDS_MAX {
            return;
        }
        match (header.state, node.expiring(header.identity.kind())) {
            (State::Parked, Some(Expiring::Destroyed(kind))) => {
                expire(node, kind, header).await;
            }
            (State::Parked, _) if id.class() == Class::VActor => vactor::wake(node, id).await,
            // Nobody here knows its kind: a node that does looks after it.
            (State::Parked, None) => {}
            _ => {
                if let Ok(step) = Law::default().remove(&header, now)
                    && rows::commit(&cluster.store, &step.commit).await == Outcome::Done
                {
                    cluster.counts.swept.add_ended();
                }
            }
        }
    }
}

/// Takes a parked session once more, so that its game hears of its end.
async fn expire(node: &Arc<Shared>, kind: usize, header: Header) {
    let cluster = &node.cluster;
    let id = header.id.clone();
    let Some(session) = id.session_id() else { return };
    let Some(reserved) = node.directory.reserve(session) else { return };
    let Ok(Some(snapshot)) = rows::snapshot(&cluster.store, &id).await else { return };
    let view = cluster.view();
    let Ok(step) = Law::default().claim(&header, &view.me, None) else { return };
    if rows::commit(&cluster.store, &step.commit).await != Outcome::Done {
        return;
    }
    cluster.counts.swept.add_expired();
    if let Some(header) = step.after {
        node.expire(kind, header, snapshot, reserved);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_at_the_own_records_that_fell_on_a_long_sweep_is_made_by_the_next_one() {
        let mut look = OwnLook::default();
        let mut looks = 0;
        // Each sweep lasts for seven beats, so that next to no look is due when one begins.
        for beat in 1..=OWN_EVERY * 6 {
            look.beat();
            looks += u32::from(beat % 7 == 0 && look.take());
        }
        assert_eq!(looks, 5, "the sixth waits for the next sweep");
        assert!(look.take() && !look.take());
    }
}
