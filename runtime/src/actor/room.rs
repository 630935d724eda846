//! Whether what a turn leaves fits into what is committed of it.
//!
//! A snapshot has the state, and what the client has not acknowledged: also what the turn sends.
//! One beyond the limit would be refused when the turn can no longer be undone, and the client
//! would send the same input again, for ever. So it is looked at before, and fails the turn.

use throughline_link::Instant;

use super::SessionActor;
use crate::{
    session::{Effect, Session},
    snapshot::{self, SnapshotError},
};

/// What a snapshot has beside the state and the messages is below this: timers, groups, peers.
/// Nearer to the limit it is measured.
const OTHERS_BYTES: usize = 48 * 1024;
/// What a message, a timer, a key or a group takes beside its bytes: lengths, numbers, times.
const FRAME_BYTES: usize = 48;

impl<S: Session> SessionActor<S> {
    /// Why what the turn leaves does not fit into a snapshot, if it does not. One that adds nothing
    /// fits as what was committed before it did.
    pub(super) fn has_no_room(&self, now: Instant) -> Option<SnapshotError> {
        let before = self.committed.0.len();
        let written = self.turns.as_ref().and_then(super::Turns::written_bytes);
        let (written, added) = (written.unwrap_or(before), self.added_bytes());
        if added == 0 && written <= before {
            return None;
        }
        let limit = self.worker.node.config.session.snapshot_max;
        if written + self.link.retained_bytes() + added + OTHERS_BYTES <= limit {
            return None;
        }
        // As it would be without the turn; the state is bytes of it.
        let without = self.unwritten_snapshot(self.committed.0.clone(), now);
        match snapshot::measure(&without) {
            Ok(bytes) => {
                let bytes = (bytes + written + added).saturating_sub(before);
                (bytes > limit).then_some(SnapshotError::TooLarge { bytes, limit })
            }
            Err(error) => Some(error),
        }
    }

    /// What the turn adds to a snapshot, beside its state.
    fn added_bytes(&self) -> usize {
        let effects = self.shared.effects.borrow();
        let sent = effects.messages().map(<[u8]>::len);
        let others = effects.others.iter().filter_map(|effect| match effect {
            Effect::SetTimer { name, .. } => Some(name.len()),
            Effect::RegisterKey(key) => Some(key.len()),
            _ => None,
        });
        let joined = effects.durable.members(true).map(|group| group.as_str().len());
        sent.chain(others).chain(joined).map(|bytes| bytes + FRAME_BYTES).sum()
    }
}
