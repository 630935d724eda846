//! How a session's connections and the session itself end.

use throughline_link::{CloseCode, Instant, NodeEvent};

use super::{Ending, Input, SessionActor, outlet::CLOSE_TIME, turn};
use crate::{counters::is_worth_a_line, session::Session};

impl<S: Session> SessionActor<S> {
    /// Does what the link asks for. True if there was anything.
    pub(super) fn handle_link_events(&mut self, now: Instant) -> bool {
        let mut any = false;
        while let Some(event) = self.link.poll_event() {
            any = true;
            match event {
                NodeEvent::Ended(code) => {
                    let node = &self.worker.node;
                    let count = node.counters.ended.add(code);
                    if is_worth_a_line(count) {
                        let id = self.link.session_id();
                        log::info!("session {id} of {} ended: {code}; {count} so far", S::KIND);
                    }
                    if self.ending == Ending::No {
                        self.ending = Ending::Due(code);
                    }
                }
                NodeEvent::CloseConnection(code) => {
                    let id = self.link.session_id();
                    let violation = self.link.violation();
                    let Some(connection) = &mut self.connection else { continue };
                    connection.closing = Some((code, now + CLOSE_TIME));
                    let count = self.worker.node.counters.closed.add(code);
                    if !code.ends_session() && is_worth_a_line(count) {
                        let why = match (violation, connection.garbage) {
                            (Some(why), _) => format!(": {why}"),
                            (None, Some(why)) => format!(": {why}"),
                            (None, None) => String::new(),
                        };
                        let peer = connection.peer;
                        log::info!(
                            "closed the connection of {peer}, session {id}: {code}{why}; \
                             {count} so far"
                        );
                    }
                }
                _ => {}
            }
        }
        any
    }

    /// The connection is gone, or is given up.
    pub(super) fn drop_connection(&mut self, now: Instant) {
        // What the link has to say about this connection is forgotten with it, and not counted.
        self.handle_link_events(now);
        if self.connection.take().is_some() {
            self.link.handle_disconnected(now);
            self.cut_simulated();
            self.set_peer(None);
            self.queue_change(Input::ConnectionLost);
        }
    }

    /// What is on a simulated line is lost with its connection; the next one is as bad.
    pub(super) fn cut_simulated(&mut self) {
        if let Some(link) = &mut self.simulated {
            link.cut();
        }
    }

    pub(super) fn set_peer(&self, peer: Option<std::net::SocketAddr>) {
        let mut facts = self.shared.facts.get();
        facts.peer = peer;
        self.shared.facts.set(facts);
    }

    /// The game's side is over: what is left is the memory of the end.
    pub(super) fn bury(&mut self, now: Instant) {
        let node = std::sync::Arc::clone(&self.worker.node);
        let id = self.link.session_id();
        turn::drop_quietly(self.turns.take());
        self.turn = None;
        self.empty_inbox();
        self.timers.clear();
        self.leave_groups();
        if self.is_listed {
            self.leave_peers();
        }
        self.permit = None;
        if let Some(key) = self.shared.key.take() {
            node.directory.release_key(&key, id);
        }
        if self.leaving.fenced {
            self.ending = Ending::Forgotten;
            return;
        }
        self.keying = None;
        self.commit_end(self.link.end_code().unwrap_or(CloseCode::HandlerFailed));
        self.ending = Ending::Ended(now + node.config.link.ended_memory);
        let bytes = self.link.numbering().retained_bytes();
        for oldest in node.directory.ended(id, bytes, &node.config.link) {
            // An actor that has just stopped is forgotten already.
            let _ = oldest.try_send(super::ToSession::Forget);
        }
    }
}

impl<S: Session> Drop for SessionActor<S> {
    /// However the actor ends, also by a panic, nothing points to it any more.
    fn drop(&mut self) {
        self.unlist();
        turn::drop_quietly(self.turns.take());
    }
}
