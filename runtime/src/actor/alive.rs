//! Signs of life: a session that stands still tells its client that its node does not.

use std::task::{Context, Poll};

use throughline_link::Instant;

use super::SessionActor;
use crate::session::Session;

/// Signs within a heartbeat: one may be late, and the client has not given up.
const SIGNS_PER_HEARTBEAT: u32 = 2;

/// The signs of life over a connection while its session stands still.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signs {
    /// When the next one is due.
    next: Instant,
    /// Beyond the session's timeout something is wrong, and the client may look elsewhere.
    until: Instant,
}

impl<S: Session> SessionActor<S> {
    /// Writes the sign that is due, and says when the next one is. It is a Ping: it tells nothing
    /// of the session, so it may leave while a commit is under way, and without a lease. A node
    /// that is adrift shows none: its clients are to go on elsewhere.
    pub(super) fn show_life(&mut self, cx: &mut Context<'_>, now: Instant) -> Option<Instant> {
        let node = &self.worker.node;
        let every = node.config.link.heartbeat / SIGNS_PER_HEARTBEAT;
        let until = now + node.config.session.timeout;
        let connection = self.connection.as_mut()?;
        let is_adrift = !self.acts && node.cluster.is_adrift();
        if is_adrift || connection.closing.is_some() || self.simulated.is_some() {
            return None;
        }
        let signs = connection.signs.get_or_insert(Signs { next: now + every, until });
        if signs.next > now {
            return Some(signs.next);
        }
        if signs.until <= now {
            return None;
        }
        signs.next = now + every;
        let next = signs.next;
        // What the socket has not taken yet may not follow now, and nothing may overtake it.
        if connection.unsent.is_empty() {
            let mut bytes = self.worker.take_write_buffer();
            if self.link.write_sign_of_life(now, &mut bytes) {
                let taken = match connection.transport.poll_write(cx, &bytes) {
                    Poll::Ready(Ok(count)) => count,
                    // An error comes again with the next write, where it is dealt with.
                    Poll::Pending | Poll::Ready(Err(_)) => 0,
                };
                // Half a frame is finished by whatever is written next; a whole one is not needed.
                if taken > 0 {
                    connection.unsent.extend_from_slice(&bytes[taken..]);
                }
                let _ = connection.transport.poll_flush(cx);
            }
            self.worker.give_write_buffer(bytes);
        }
        Some(next)
    }
}
