//! Whether what a turn leaves fits into what is committed of it.
//!
//! A snapshot has the state, and what the client has not acknowledged: also what the turn sends.
//! One beyond the limit would be refused when the turn can no longer be undone, and the client
//! would send the same input again, for ever. So it is looked at before, and fails the turn.

use throughline_link::Instant;

use super::SessionActor;
use crate::{session::Session, snapshot::SnapshotError};

/// What a snapshot has beside the state and the messages is below this, mostly: nearer to the limit
/// it is measured.
const OTHERS_BYTES: usize = 16 * 1024;
/// What a message takes beside its payload: its length, and a number for it.
const MESSAGE_BYTES: usize = 16;
/// What another effect of a turn may add: a timer and its name, a key.
const EFFECT_BYTES: usize = 320;

impl<S: Session> SessionActor<S> {
    /// Why what the turn leaves does not fit into a snapshot, if it does not. One that neither
    /// sends nor grows fits as what was committed before it did.
    pub(super) fn has_no_room(&self, now: Instant) -> Option<SnapshotError> {
        let written = self.turns.as_ref().and_then(super::Turns::written_bytes).unwrap_or_default();
        let (sent, effects) = {
            let effects = self.shared.effects.borrow();
            let sent =
                effects.messages().map(|message| message.len() + MESSAGE_BYTES).sum::<usize>();
            (sent, effects.others.len() * EFFECT_BYTES)
        };
        let before = self.committed.0.len();
        if sent + effects == 0 && written <= before {
            return None;
        }
        let limit = self.worker.node.config.session.snapshot_max;
        let state = written.max(before);
        if state + self.link.retained_bytes() + sent + effects + OTHERS_BYTES <= limit {
            return None;
        }
        // As it was committed, or would be without the turn; the state is bytes of it.
        let now_has = match self.snapshot(self.committed.0.clone(), now) {
            Ok(snapshot) => snapshot.len(),
            Err(error) => return Some(error),
        };
        let bytes = now_has + written.saturating_sub(before) + sent + effects;
        (bytes > limit).then_some(SnapshotError::TooLarge { bytes, limit })
    }
}
