//! Both sides and the network, driven in virtual time.

use throughline_link::{ClientConfig, ClientEvent, Instant, LinkConfig};

use crate::{
    client::Client,
    host::Host,
    net::{Arrival, Network, Side},
};

/// Steps at one point in time, at most: more of them is a side that spins.
const STEPS_AT_ONCE_MAX: u32 = 10_000;

/// One second, in microseconds.
pub(crate) const SECOND: u64 = 1_000_000;

#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) now: u64,
    pub(crate) net: Network,
    pub(crate) client: Client,
    pub(crate) host: Host,
    /// Of what is due together, timeouts are handled first.
    pub(crate) timeouts_first: bool,
    /// How much later than due things are handled, in microseconds.
    pub(crate) lag: u64,
    steps_at_once: u32,
}

impl Pair {
    pub(crate) fn new(client: ClientConfig, node: LinkConfig) -> Self {
        Self {
            now: SECOND,
            net: Network::new(),
            client: Client::new(client),
            host: Host::new(node),
            timeouts_first: false,
            lag: 0,
            steps_at_once: 0,
        }
    }

    pub(crate) fn time(&self) -> Instant {
        Instant::from_micros(self.now)
    }

    pub(crate) fn connect(&mut self) {
        self.client.link.connect(self.time());
        self.drain();
    }

    /// Both sides do what they want done; after everything that happens.
    pub(crate) fn drain(&mut self) {
        let now = self.time();
        self.client.drain(&mut self.net, now);
        self.host.drain(&mut self.net, now);
    }

    /// Goes to the next thing that happens until `end` at most, and lets it happen.
    fn step(&mut self, end: u64) -> bool {
        let timeouts = [self.client.link.poll_timeout(), self.host.timeout()];
        let timeouts = timeouts.into_iter().flatten().map(Instant::as_micros);
        let next = timeouts.chain(self.net.next()).min();
        let Some(next) = next.map(|next| next.max(self.now)).filter(|next| *next <= end) else {
            self.now = self.now.max(end);
            return false;
        };
        let before = self.now;
        self.now = if next == before { next } else { next + self.lag };
        self.steps_at_once = if self.now == before { self.steps_at_once + 1 } else { 0 };
        assert!(self.steps_at_once < STEPS_AT_ONCE_MAX, "a side makes no progress: {self:?}");
        if self.timeouts_first {
            self.time_out();
        }
        while let Some((id, side, arrival)) = self.net.pop(self.now) {
            self.deliver(id, side, arrival);
            self.drain();
        }
        self.time_out();
        true
    }

    fn time_out(&mut self) {
        let now = self.time();
        self.client.link.handle_timeout(now);
        self.host.handle_timeout(&mut self.net, now);
        self.drain();
    }

    pub(crate) fn deliver(&mut self, id: usize, side: Side, arrival: Arrival) {
        let now = self.time();
        match (side, arrival) {
            (Side::Client, Arrival::Opened(open)) => self.client.opened(id, open, now),
            (Side::Client, Arrival::Bytes(bytes)) => self.client.receive(id, &bytes, now),
            (Side::Client, Arrival::End) => self.client.ended(id, now),
            (Side::Node, Arrival::Bytes(bytes)) => {
                self.host.receive(id, &bytes, &mut self.net, now);
            }
            (Side::Node, Arrival::End) => self.host.ended(id, now),
            (Side::Node, Arrival::Opened(_)) => unreachable!("only the client dials"),
        }
    }

    /// Lets so many microseconds pass.
    pub(crate) fn run(&mut self, micros: u64) {
        let end = self.now + micros;
        self.drain();
        while self.step(end) {}
    }

    /// Lets one thing happen.
    pub(crate) fn run_step(&mut self) {
        self.drain();
        self.step(self.now + 10 * SECOND);
    }

    /// The network is well again: whatever waits gets through, or the session ends. A client that
    /// gave up is asked to try again, as its player would.
    pub(crate) fn settle(&mut self) {
        self.net.heal();
        self.client.holds = false;
        self.host.holds = false;
        for _ in 0..40 {
            self.run(4 * SECOND);
            if self.client.end().is_some() {
                // Long enough for the node to learn of it, or to expire the session.
                self.run(80 * SECOND);
                return;
            }
            let gave_up = self.client.events.contains(&ClientEvent::RepairFailed);
            if gave_up && self.client.link.is_resting() {
                self.connect();
            }
            if self.is_all_through() {
                return;
            }
        }
        panic!("the network is well, and not all is through: {self:?}");
    }

    /// Whether everything sent by either side was handled by the other, both know, and the
    /// session goes on.
    pub(crate) fn is_all_through(&mut self) -> bool {
        if self.host.last.is_none() {
            return false;
        }
        let client = &self.client;
        let (sent, handled) = (client.sent, client.handled);
        let known = client.link.is_live() && client.link.numbering().retained() == 0;
        let session = self.host.session();
        known
            && session.end.is_none()
            && session.link.numbering().retained() == 0
            && session.handled == sent
            && session.sent == handled
    }
}

impl Pair {
    /// The session moves to another node, with what that node would find in a snapshot now.
    pub(crate) fn handover(&mut self) {
        let saved = self.host.session().save();
        self.load_host(&saved);
    }

    /// Another node goes on from this snapshot.
    pub(crate) fn load_host(&mut self, saved: &crate::host::Saved) {
        let (now, config) = (self.time(), self.host.config.clone());
        let id = self.host.last.expect("a session has begun");
        if let Some(session) = self.host.sessions.get_mut(&id) {
            session.load(saved, &config, &mut self.net, now);
        }
        self.drain();
    }

    /// The client's process is replaced by one that goes on from what was saved.
    pub(crate) fn load_client(&mut self, saved: &crate::client::Saved) {
        let now = self.time();
        self.client.load(saved, &mut self.net, now);
        self.drain();
    }
}
