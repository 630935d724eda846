//! What other parts of the node say to a session.

use std::net::SocketAddr;
use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use actix::{Handler, Message};
use throughline_canary::canary;
use throughline_link::{Answer, CloseCode, Frame, Instant};

use super::{Connection, Ending, Hook, Input, SessionActor, outlet::CLOSE_TIME};
use crate::{
    admission::ConnectionPermit,
    arrive,
    clock::wall_ms,
    cluster::{Asked, drainer::Release, elsewhere},
    handshake::refusal_frame,
    kinds::refusal,
    node::suits,
    queues::News,
    session::{Arrival, Recipient, Refusal, ServerMessage, Session, Undelivered},
    transport::{DetachedTransport, Transport},
};

/// A message for a session's actor, from any thread.
#[derive(Debug)]
pub(crate) enum ToSession {
    /// A client wants to resume the session over this connection.
    Resume(Box<Resuming<DetachedTransport>>),
    Server(ServerMessage),
    Undelivered(Recipient, Undelivered),
    End(CloseCode),
    /// Another session takes this key, if this one still holds it.
    EndForKey(String),
    /// An operator's word to the players.
    Announce(Arc<str>),
    /// Another node wants the session.
    Asked(Box<Asked>),
    /// The node drains: the session is to leave.
    Release(Release),
    /// Others declared this node dead.
    Fenced,
    /// This node alone is without the store: its clients are better off at another one.
    Adrift,
    /// Its queues, in the bits of `Inboxes`, have something new.
    Poked(Arc<AtomicU8>),
    /// Something was found out of somebody whom it has met.
    Heard(Box<News>),
    /// Too many ended sessions are remembered; this one goes.
    Forget,
    /// The connection of a Resume is registered with this worker.
    Arrived(Box<Resuming<Transport>>),
}

impl Message for ToSession {
    type Result = ();
}

/// A connection whose first frame is a Resume of this session.
#[derive(Debug)]
pub(crate) struct Resuming<T> {
    pub(crate) transport: T,
    pub(crate) peer: SocketAddr,
    /// The body of the Resume frame, read without an error before.
    pub(crate) body: Vec<u8>,
    pub(crate) permit: ConnectionPermit,
}

impl<S: Session> Handler<ToSession> for SessionActor<S> {
    type Result = ();

    fn handle(&mut self, message: ToSession, ctx: &mut Self::Context) {
        // Registering a WebSocket with this worker takes an await, if a short one.
        if let ToSession::Resume(resuming) = message {
            let address = actix::AsyncContext::address(ctx);
            let max_frame = self.worker.node.config.link.max_frame;
            actix_rt::spawn(async move {
                let Resuming { transport, peer, body, permit } = *resuming;
                if let Ok(transport) = transport.attach(max_frame).await {
                    let arrived = Resuming { transport, peer, body, permit };
                    let _ = address.send(ToSession::Arrived(Box::new(arrived))).await;
                }
            });
        } else if let ToSession::Poked(bits) = message {
            // Also of a session that is suspended: it is only noted.
            self.inboxes.look(bits.swap(0, Ordering::AcqRel));
        } else {
            // Looked at by `drive`, which the actor's context polls next.
            self.mail.push_back(message);
        }
    }
}

impl<S: Session> SessionActor<S> {
    /// Takes what was said since the last round. True if there was anything.
    pub(super) fn take_mail(&mut self, now: Instant) -> bool {
        if self.is_suspended() {
            return self.take_urgent_mail(now);
        }
        let mut any = false;
        if let Some(resume) = self.leaving.resume.take() {
            any = true;
            self.resume(*resume, now);
        }
        while !self.is_suspended()
            && let Some(message) = self.mail.pop_front()
        {
            any = true;
            match message {
                // Dealt with when they came, or not true any more.
                ToSession::Resume(_) | ToSession::Poked(_) | ToSession::Adrift => {}
                ToSession::Server(message) => self.queue_server_message(message),
                ToSession::Undelivered(to, why) => self.queue_undelivered(to, why),
                ToSession::End(code) => self.link.end(code),
                ToSession::EndForKey(key) => {
                    if self.holds_key(&key) {
                        self.link.end(CloseCode::KeyTaken);
                    }
                }
                ToSession::Announce(text) => {
                    if self.has_room_for_others() {
                        self.queue(Input::Announced(text));
                    }
                }
                ToSession::Asked(asked) => self.asked(*asked, now),
                ToSession::Release(release) => self.release(release, now),
                ToSession::Fenced => self.fence(now),
                ToSession::Heard(news) => self.hear(*news),
                ToSession::Forget => {
                    if let Ending::Ended(_) = self.ending {
                        // A client that is being told may still hear the end of it.
                        let stays = self.connection.as_ref().map(|_| CLOSE_TIME);
                        self.ending = Ending::Ended(now + stays.unwrap_or_default());
                    }
                }
                ToSession::Arrived(resuming) => self.resume(*resuming, now),
            }
        }
        any
    }

    fn resume(&mut self, resuming: Resuming<Transport>, now: Instant) {
        if self.leaving.fenced {
            // Where it is now, the store says.
            return arrive::come_again(&self.worker, resuming);
        }
        let Resuming { transport, peer, body, permit } = resuming;
        let Ok(Frame::Resume(resume)) = Frame::read(throughline_link::wire::RESUME, &body) else {
            return;
        };
        if let Err(code) = self.link.check_resume(&resume) {
            self.refuse(transport, peer, permit, &refusal(code, ""));
            return;
        }
        if S::DURABILITY.is_every_turn() && self.link.is_behind(&resume) {
            // It was taken from here, alive, and nobody has said so yet: the store knows who goes
            // on with it, and whether anybody has what its client saw.
            self.unload();
            let resuming = Resuming { transport, peer, body, permit };
            return arrive::come_again(&self.worker, resuming);
        }
        let key = self.shared.key.borrow().clone();
        let arrival = Arrival {
            peer,
            session_id: self.link.session_id(),
            key: key.as_deref(),
            game_version: resume.game_version(),
            resumes: true,
        };
        if let Err(refusal) = self.worker.node.admit(&arrival) {
            self.refuse(transport, peer, permit, &refusal);
            return;
        }
        let cluster = &self.worker.node.cluster;
        let header = self.holding.as_ref().map(|holding| holding.held.header());
        if self.park_at().is_some() && cluster.has_others(header) {
            // It was told to go elsewhere, and a balancer has not heard of that yet.
            let all = cluster.others(header);
            let suiting = suits(&all, transport.is_websocket()).cloned().collect();
            return self.refuse(transport, peer, permit, &elsewhere(suiting, true));
        }
        self.link.set_config(Arc::clone(self.worker.node.link_over(&transport)));
        match self.link.handle_resume(&resume, now, wall_ms()) {
            Answer::Refused(code) => {
                self.drop_connection(now);
                self.refuse(transport, peer, permit, &refusal(code, ""));
            }
            Answer::Accepted { takes_over } => {
                if let Some(holding) = &mut self.holding {
                    // The link knows every attempt that the record knows, so it is not refused.
                    let _ = holding.held.handle_resume(resume.attempt);
                }
                if let Some(old) = self.connection.take() {
                    self.say_taken_over(old, takes_over);
                    self.cut_simulated();
                    self.queue_change(Input::ConnectionLost);
                }
                let permits = (permit, self.worker.node.admission.link());
                self.connection = Some(Connection::new(transport, peer, permits));
                self.set_peer(Some(peer));
                self.queue_change(Input::Repaired);
                self.commit_resume(now);
            }
        }
    }

    /// Queues the loss or the repair of a connection. However often a client flaps while a turn
    /// takes long, at most one of each waits, and the last one tells how things are.
    pub(super) fn queue_change(&mut self, input: Input) {
        // A repair that still waits was over before the game heard of it.
        let undone = input.hook() == Hook::ConnectionLost && self.inbox.remove(Hook::Repaired);
        if !undone && !self.inbox.contains(input.hook()) {
            self.queue(input);
        }
    }

    fn refuse(
        &self,
        mut transport: Transport,
        peer: SocketAddr,
        permit: ConnectionPermit,
        refusal: &Refusal,
    ) {
        self.worker.node.note_refused(peer, refusal);
        let (bytes, code) = (refusal_frame(refusal), refusal.code);
        say_goodbye(async move {
            let _ = transport.write_last(&bytes, code).await;
            drop(permit);
        });
    }

    pub(super) fn say_taken_over(&self, old: Connection, is_live: bool) {
        let Connection { mut transport, unsent, closing: None, permits, .. } = old else { return };
        if !is_live || canary!(TakenOverNotSaid) {
            return;
        }
        self.worker.node.counters.closed.add(CloseCode::TakenOver);
        // What was begun must be finished, or the frame behind it cannot be read.
        let mut bytes = unsent;
        let ack = self.link.numbering().handled_up_to();
        let code = CloseCode::TakenOver;
        Frame::Close(throughline_link::Close { code, ack, text: "" }).write(&mut bytes);
        say_goodbye(async move {
            let _ = transport.write_last(&bytes, code).await;
            drop(permits);
        });
    }
}

/// Lets a connection that nobody waits for say its last, within a limit.
fn say_goodbye(last: impl Future<Output = ()> + 'static) {
    actix_rt::spawn(tokio::time::timeout(CLOSE_TIME, last));
}
