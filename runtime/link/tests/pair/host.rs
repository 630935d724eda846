//! The node's driver: accepts connections, owns the sessions, runs their handlers.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use throughline_link::{
    Answer, Close, CloseCode, Frame, FrameError, Incoming, Instant, LinkConfig, NodeEvent,
    NodeLink, Refused, Resume, Secret, SessionId, Split, split,
};

use crate::{
    message::{check, message},
    net::{Network, Side},
};

/// How long the node reads on after its Close, in microseconds.
const LINGER: u64 = 1_000_000;

/// What the node's wall clock shows at the start, in milliseconds since 1970.
const EPOCH_MS: u64 = 1_767_225_600_000;

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) link: NodeLink,
    pub(crate) connection: Option<usize>,
    /// Until when the connection is read on after a Close.
    lingers: Option<u64>,
    mailbox: VecDeque<(u64, Vec<u8>)>,
    /// Messages that the handler has handled, and has sent.
    pub(crate) handled: u64,
    pub(crate) sent: u64,
    /// Why the session ended, as the handler was told.
    pub(crate) end: Option<CloseCode>,
}

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) config: Arc<LinkConfig>,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    /// Sessions whose client knows of their end.
    pub(crate) forgotten: BTreeMap<SessionId, Session>,
    /// The last one begun.
    pub(crate) last: Option<SessionId>,
    /// Bytes of connections, whole frames taken out.
    buffers: BTreeMap<usize, Vec<u8>>,
    /// The handler answers each message with one.
    pub(crate) echoes: bool,
    /// What other nodes, by address, answer to the next handshakes; then they are this one.
    pub(crate) others: BTreeMap<String, VecDeque<Refusal>>,
    /// Attempts that were read, at any node.
    pub(crate) attempts: Vec<u64>,
    /// Why connections were refused.
    pub(crate) refusals: Vec<CloseCode>,
    /// No turn is run.
    pub(crate) holds: bool,
}

/// A node's no.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) code: CloseCode,
    pub(crate) retry_after_ms: u32,
    pub(crate) elsewhere: Vec<&'static str>,
}

impl Refusal {
    pub(crate) const fn of(code: CloseCode) -> Self {
        Self { code, retry_after_ms: 0, elsewhere: Vec::new() }
    }
}

/// Refuses the connection, and closes it: never a session's.
fn refuse(id: usize, refusal: &Refusal, net: &mut Network, now: Instant) -> bool {
    let elsewhere: Vec<_> = refusal.elsewhere.iter().map(|&to| to.to_owned()).collect();
    let mut out = Vec::new();
    Refused::write_no(&mut out, refusal.code, refusal.retry_after_ms, "", None, &elsewhere);
    net.write(id, Side::Node, out, now.as_micros());
    net.close(id, Side::Node, now.as_micros());
    false
}

impl Host {
    pub(crate) fn new(config: LinkConfig) -> Self {
        Self {
            config: Arc::new(config),
            sessions: BTreeMap::new(),
            forgotten: BTreeMap::new(),
            last: None,
            buffers: BTreeMap::new(),
            echoes: false,
            others: BTreeMap::new(),
            attempts: Vec::new(),
            refusals: Vec::new(),
            holds: false,
        }
    }

    /// The session begun last.
    pub(crate) fn session(&mut self) -> &mut Session {
        let id = self.last.expect("a session has begun");
        self.sessions.get_mut(&id).or_else(|| self.forgotten.get_mut(&id)).unwrap()
    }

    pub(crate) fn send(&mut self) -> bool {
        let Some(id) = self.last else { return false };
        self.sessions.get_mut(&id).is_some_and(Session::send)
    }

    pub(crate) fn ended(&mut self, id: usize, now: Instant) {
        self.buffers.remove(&id);
        if let Some(session) = self.of_connection(id) {
            session.disconnect(now);
        }
    }

    fn of_connection(&mut self, id: usize) -> Option<&mut Session> {
        self.sessions.values_mut().find(|session| session.connection == Some(id))
    }

    pub(crate) fn receive(&mut self, id: usize, bytes: &[u8], net: &mut Network, now: Instant) {
        let mut buffer = self.buffers.remove(&id).unwrap_or_default();
        buffer.extend_from_slice(bytes);
        let mut rest = &buffer[..];
        loop {
            let frame = match split(rest, self.config.max_frame) {
                Ok(Split::Incomplete(_)) => break,
                Ok(Split::Whole { kind, body, bytes }) => {
                    rest = &rest[bytes..];
                    Frame::read(kind, body)
                }
                Err(error) => Err(error),
            };
            match (self.of_connection(id), frame) {
                (Some(session), Ok(frame)) => session.take(frame, now),
                (Some(session), Err(error)) => return session.link.handle_garbage(error.code()),
                (None, first) => {
                    if !self.open(id, first, net, now) {
                        return;
                    }
                }
            }
        }
        self.buffers.insert(id, rest.to_vec());
    }

    /// The first frame of a connection. False if the connection is closed with that.
    fn open(
        &mut self,
        id: usize,
        first: Result<Frame<'_>, FrameError>,
        net: &mut Network,
        now: Instant,
    ) -> bool {
        if let Ok(Frame::Resume(resume)) = &first {
            self.attempts.push(resume.attempt);
        }
        let of_other = self.others.get_mut(net.address(id)).and_then(VecDeque::pop_front);
        if let Some(refusal) = of_other {
            return refuse(id, &refusal, net, now);
        }
        let refusal = match first {
            Ok(Frame::Hello(hello)) if hello.extensions.unknown_required().is_none() => {
                self.begin(id, now);
                return true;
            }
            Ok(Frame::Resume(resume)) if resume.extensions.unknown_required().is_none() => {
                match self.resume(id, &resume, net, now) {
                    Ok(()) => return true,
                    Err(code) => code,
                }
            }
            Ok(Frame::Hello(_) | Frame::Resume(_)) => CloseCode::UnknownExtension,
            Ok(_) => CloseCode::ProtocolError,
            Err(error) => error.code(),
        };
        self.refusals.push(refusal);
        refuse(id, &Refusal::of(refusal), net, now)
    }

    fn begin(&mut self, connection: usize, now: Instant) {
        // Not random, so that a failure is the same one again.
        let number = (self.sessions.len() + self.forgotten.len()) as u8 + 1;
        let (id, secret) = (SessionId([number; 16]), Secret([!number; 32]));
        let link = NodeLink::new(self.config.clone(), id, secret, now, wall(now));
        self.sessions.insert(id, Session::new(link, Some(connection)));
        self.last = Some(id);
    }

    fn resume(
        &mut self,
        connection: usize,
        resume: &Resume<'_>,
        net: &mut Network,
        now: Instant,
    ) -> Result<(), CloseCode> {
        let session = self.sessions.get_mut(&resume.session_id).ok_or(CloseCode::Unknown)?;
        let answer = session.link.handle_resume(resume, now, wall(now));
        let (closes_old, result) = match answer {
            Answer::Accepted { takes_over } => {
                assert_eq!(takes_over, session.connection.is_some());
                (Some(CloseCode::TakenOver), Ok(()))
            }
            Answer::Refused(code) if code.ends_session() => (Some(code), Err(code)),
            Answer::Refused(code) => (None, Err(code)),
        };
        if let Some(code) = closes_old
            && let Some(old) = session.connection.take()
        {
            let ack = session.link.numbering().handled_up_to();
            let mut out = Vec::new();
            Frame::Close(Close { code, ack, text: "" }).write(&mut out);
            if session.lingers.is_none() {
                net.write(old, Side::Node, out, now.as_micros());
            }
            net.close(old, Side::Node, now.as_micros());
            self.buffers.remove(&old);
        }
        if result.is_ok() {
            session.connection = Some(connection);
            session.lingers = None;
        }
        result
    }

    /// Does all that the links want done now.
    pub(crate) fn drain(&mut self, net: &mut Network, now: Instant) {
        for session in self.sessions.values_mut() {
            if !self.holds {
                session.run_turns(self.echoes, now);
            }
            session.drain(net, now);
        }
        for (id, session) in self.sessions.extract_if(.., |_, session| session.link.is_over()) {
            self.forgotten.insert(id, session);
        }
    }

    pub(crate) fn timeout(&self) -> Option<Instant> {
        let of_session = |session: &Session| {
            let lingers = session.lingers.map(Instant::from_micros);
            lingers.into_iter().chain(session.link.poll_timeout()).min()
        };
        self.sessions.values().filter_map(of_session).min()
    }

    pub(crate) fn handle_timeout(&mut self, net: &mut Network, now: Instant) {
        for session in self.sessions.values_mut() {
            if session.lingers.is_some_and(|until| until <= now.as_micros())
                && let Some(id) = session.connection
            {
                net.close(id, Side::Node, now.as_micros());
                session.disconnect(now);
            }
            session.link.handle_timeout(now);
        }
    }
}

impl Session {
    fn new(link: NodeLink, connection: Option<usize>) -> Self {
        let mailbox = VecDeque::new();
        Self { link, connection, lingers: None, mailbox, handled: 0, sent: 0, end: None }
    }

    fn disconnect(&mut self, now: Instant) {
        (self.connection, self.lingers) = (None, None);
        self.link.handle_disconnected(now);
    }

    pub(crate) fn send(&mut self) -> bool {
        let taken = self.link.send(&message(self.sent)).is_ok();
        self.sent += u64::from(taken);
        taken
    }

    fn take(&mut self, frame: Frame<'_>, now: Instant) {
        if let Incoming::Message { seq, payload } = self.link.handle_frame(frame, now) {
            self.mailbox.push_back((seq, payload.to_vec()));
        }
    }

    fn run_turns(&mut self, echoes: bool, now: Instant) {
        while !self.link.is_window_full() {
            let Some((seq, payload)) = self.mailbox.pop_front() else { break };
            check(&payload, self.handled, "the node");
            self.handled += 1;
            if echoes {
                self.send();
            }
            self.link.handled(seq, now);
        }
    }

    fn drain(&mut self, net: &mut Network, now: Instant) {
        if let Some(id) = self.connection {
            let mut out = Vec::new();
            self.link.poll_transmit(now, wall(now), &mut out, usize::MAX);
            net.write(id, Side::Node, out, now.as_micros());
            assert!(!self.link.wants_transmit(now), "all was transmitted");
        }
        while let Some(event) = self.link.poll_event() {
            match event {
                NodeEvent::Ended(code) => assert_eq!(self.end.replace(code), None, "told twice"),
                NodeEvent::CloseConnection(_) => {
                    if let Some(id) = self.connection.filter(|_| self.lingers.is_none()) {
                        net.close_writing(id, Side::Node, now.as_micros());
                        self.lingers = Some(now.as_micros() + LINGER);
                    }
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// The link's state and the handler's, as a handover carries them.
    pub(crate) fn save(&self) -> Saved {
        Saved { link: self.link.export(), handled: self.handled, sent: self.sent, end: self.end }
    }

    /// Another node has taken the session, from what was saved.
    pub(crate) fn load(
        &mut self,
        saved: &Saved,
        config: &Arc<LinkConfig>,
        net: &mut Network,
        now: Instant,
    ) {
        if let Some(id) = self.connection {
            net.break_connection(id, now.as_micros());
        }
        let link = NodeLink::import(config.clone(), &saved.link, now).unwrap();
        *self = Self { end: saved.end, ..Self::new(link, None) };
        (self.handled, self.sent) = (saved.handled, saved.sent);
    }
}

/// What a handover keeps.
#[derive(Debug, Clone)]
pub(crate) struct Saved {
    link: Vec<u8>,
    handled: u64,
    sent: u64,
    end: Option<CloseCode>,
}

fn wall(now: Instant) -> u64 {
    EPOCH_MS + now.as_micros() / 1_000
}
