//! The client's driver: what a socket and a game are to a real one.

use std::collections::VecDeque;

use throughline_link::{
    ClientConfig, ClientEvent, ClientLink, CloseCode, Frame, Incoming, Instant, SendError, Split,
    split,
};

use crate::{
    message::{check, message},
    net::{Network, Side},
};

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) config: ClientConfig,
    pub(crate) link: ClientLink,
    pub(crate) connection: Option<usize>,
    buffer: Vec<u8>,
    inbox: VecDeque<(u64, Vec<u8>)>,
    /// The game takes no message.
    pub(crate) holds: bool,
    /// Messages that the game has handled, and has sent.
    pub(crate) handled: u64,
    pub(crate) sent: u64,
    pub(crate) events: Vec<ClientEvent>,
    /// Where it dialed.
    pub(crate) dials: Vec<String>,
    /// The last Hello or Resume it wrote.
    pub(crate) opening: Vec<u8>,
    /// Whether the link must have begun before it is driven.
    greets: bool,
}

/// What a reload of a page keeps: the link's state and the game's.
#[derive(Debug, Clone)]
pub(crate) struct Saved {
    link: Vec<u8>,
    handled: u64,
    sent: u64,
}

impl Client {
    pub(crate) fn new(config: ClientConfig) -> Self {
        Self {
            link: ClientLink::new(config.clone()),
            config,
            connection: None,
            buffer: Vec::new(),
            inbox: VecDeque::new(),
            holds: false,
            handled: 0,
            sent: 0,
            events: Vec::new(),
            dials: Vec::new(),
            opening: Vec::new(),
            greets: false,
        }
    }

    pub(crate) fn send(&mut self) -> Result<(), SendError> {
        self.link.send(&message(self.sent))?;
        self.sent += 1;
        Ok(())
    }

    pub(crate) fn opened(&mut self, id: usize, open: bool, now: Instant) {
        if self.connection != Some(id) {
            return;
        }
        if open {
            self.greets = true;
            self.link.handle_connected();
        } else {
            self.ended(id, now);
        }
    }

    pub(crate) fn ended(&mut self, id: usize, now: Instant) {
        if self.connection == Some(id) {
            self.connection = None;
            self.buffer.clear();
            self.link.handle_disconnected(now);
        }
    }

    pub(crate) fn receive(&mut self, id: usize, bytes: &[u8], now: Instant) {
        if self.connection != Some(id) {
            return;
        }
        self.buffer.extend_from_slice(bytes);
        let buffer = core::mem::take(&mut self.buffer);
        let mut rest = &buffer[..];
        loop {
            let frame = match split(rest, self.link.frame_limit()) {
                Ok(Split::Incomplete(_)) => break,
                Ok(Split::Whole { kind, body, bytes }) => {
                    rest = &rest[bytes..];
                    Frame::read(kind, body)
                }
                Err(error) => Err(error),
            };
            match frame {
                Ok(frame) => {
                    if let Incoming::Message { seq, payload } = self.link.handle_frame(frame, now) {
                        self.inbox.push_back((seq, payload.to_vec()));
                    }
                }
                Err(error) => {
                    self.link.handle_garbage(&error, now);
                    return;
                }
            }
        }
        self.buffer = rest.to_vec();
    }

    /// Does all that the link wants done now.
    pub(crate) fn drain(&mut self, net: &mut Network, now: Instant) {
        while !self.holds {
            let Some((seq, payload)) = self.inbox.pop_front() else { break };
            check(&payload, self.handled, "the client");
            self.handled += 1;
            self.link.handled(seq, now);
        }
        if let Some(id) = self.connection {
            let mut out = Vec::new();
            self.link.poll_transmit(now, &mut out, usize::MAX);
            if core::mem::take(&mut self.greets) {
                self.opening.clone_from(&out);
            }
            net.write(id, Side::Client, out, now.as_micros());
            assert!(!self.link.wants_transmit(now), "all was transmitted");
        }
        if self.link.poll_hang_up()
            && let Some(id) = self.connection.take()
        {
            self.buffer.clear();
            net.close(id, Side::Client, now.as_micros());
        }
        self.events.extend(core::iter::from_fn(|| self.link.poll_event()));
        if let Some(dial) = self.link.poll_dial() {
            assert_eq!(self.connection, None, "the old connection is closed before a new one");
            self.connection = Some(net.dial(&dial.address, now.as_micros()));
            self.dials.push(dial.address);
        }
    }

    /// Why the session is over for the client.
    pub(crate) fn end(&self) -> Option<CloseCode> {
        let ends = self.events.iter().filter_map(|event| match event {
            ClientEvent::Ended { code, .. } => Some(*code),
            _ => None,
        });
        let ends: Vec<_> = ends.collect();
        assert!(ends.len() <= 1, "told more than once: {ends:?}");
        ends.first().copied()
    }

    pub(crate) fn saw(&self, wanted: &ClientEvent) -> usize {
        self.events.iter().filter(|event| *event == wanted).count()
    }

    /// What a reload would keep now; nothing before the session has begun.
    pub(crate) fn save(&self) -> Option<Saved> {
        let link = self.link.export()?;
        Some(Saved { link, handled: self.handled, sent: self.sent })
    }

    /// The process is gone, with its connection; another one goes on from what was saved.
    pub(crate) fn load(&mut self, saved: &Saved, net: &mut Network, now: Instant) {
        if let Some(id) = self.connection.take() {
            net.break_connection(id, now.as_micros());
        }
        let (dials, holds) = (core::mem::take(&mut self.dials), self.holds);
        *self = Self { dials, holds, ..Self::new(self.config.clone()) };
        self.link = ClientLink::import(self.config.clone(), &saved.link).unwrap();
        (self.handled, self.sent) = (saved.handled, saved.sent);
        self.link.connect(now);
        self.drain(net, now);
    }
}
