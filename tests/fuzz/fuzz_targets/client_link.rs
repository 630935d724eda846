//! A client's side under any frames and any driving.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use throughline_fuzz::{Input, Written};
use throughline_link::{
    ClientConfig, ClientEvent, ClientLink, Data, Extensions, Frame, FrameError, Incoming, Instant,
    Secret, SessionId, Split, Welcome, split,
};

struct Client {
    link: ClientLink,
    now: Instant,
    /// A connection is being opened.
    dialing: bool,
    connected: bool,
    written: Written,
    /// The highest message handed to the game.
    taken: u64,
    /// Of the Resume that waits for its answer; `None` for a Hello.
    attempt: Option<u64>,
    ended: bool,
}

fn config() -> ClientConfig {
    let addresses = vec!["a:1".to_owned(), "b:2".to_owned()];
    ClientConfig {
        game_version: Some("1".to_owned()),
        ..ClientConfig::new(addresses, "k", b"l", 3)
    }
}

fuzz_target!(|data: &[u8]| {
    let mut client = Client {
        link: ClientLink::new(config()),
        now: Instant::from_micros(1),
        dialing: false,
        connected: false,
        written: Written::default(),
        taken: 0,
        attempt: None,
        ended: false,
    };
    client.link.connect(client.now);
    client.check();
    let mut input = Input::new(data);
    while !input.is_empty() {
        client.perform(&mut input);
        client.check();
    }
});

impl Client {
    fn perform(&mut self, input: &mut Input<'_>) {
        match input.u8() % 13 {
            0 => self.take_bytes(input.bytes()),
            1 => {
                let numbering = self.link.numbering();
                let unacked = numbering.last() - numbering.acked();
                let ack = numbering.acked() + u64::from(input.u8()).min(unacked);
                let seq = numbering.received() + u64::from(input.u8() % 8 != 7);
                self.take(Frame::Data(Data { seq, ack, payload: input.bytes() }));
            }
            2 => {
                let (handled, received) =
                    (self.link.numbering().handled_up_to(), self.link.numbering().received());
                let seq = received.min(handled + u64::from(input.u8()));
                self.link.handled(seq, self.now);
            }
            3 => drop(self.link.send(input.bytes())),
            4 => {
                self.now = self.now + Duration::from_millis(u64::from(input.u16()));
                self.link.handle_timeout(self.now);
            }
            5 => {
                (self.dialing, self.connected) = (false, false);
                self.link.handle_disconnected(self.now);
            }
            6 | 7 if self.dialing => {
                (self.dialing, self.connected) = (false, true);
                self.written = Written::default();
                self.link.handle_connected();
            }
            6 | 7 => {}
            8 => self.welcome(input),
            9 => self.link.connect(self.now),
            10 => {
                let error = FrameError::UnknownType(input.u8());
                self.link.handle_garbage(&error, self.now);
            }
            11 => self.reload(),
            _ if input.u8() == 0 => self.link.leave(),
            _ => self.transmit(usize::from(input.u16())),
        }
    }

    fn take_bytes(&mut self, bytes: &[u8]) {
        match split(bytes, self.link.frame_limit()) {
            Ok(Split::Whole { kind, body, .. }) => match Frame::read(kind, body) {
                Ok(frame) => self.take(frame),
                Err(error) => self.link.handle_garbage(&error, self.now),
            },
            Ok(Split::Incomplete(_)) => {}
            Err(error) => self.link.handle_garbage(&error, self.now),
        }
    }

    fn take(&mut self, frame: Frame<'_>) {
        if let Incoming::Message { seq, .. } = self.link.handle_frame(frame, self.now) {
            assert_eq!(seq, self.taken + 1, "a gap, or a message twice");
            self.taken = seq;
        }
    }

    /// The answer that a node would give, with numbers that may fit or not.
    fn welcome(&mut self, input: &mut Input<'_>) {
        let numbering = self.link.numbering();
        let unacked = numbering.last() - numbering.acked();
        let received = (numbering.acked() + u64::from(input.u8()).min(unacked))
            .saturating_sub(u64::from(input.u8() % 16 == 15));
        let ack = received.saturating_sub(u64::from(input.u8()));
        let welcome = Welcome {
            version: 1,
            resumed: self.attempt.is_some(),
            session_id: SessionId([9; 16]),
            secret: self.attempt.is_none().then_some(Secret([5; 32])),
            attempt: self.attempt.unwrap_or(0),
            received,
            ack,
            time: 1,
            heartbeat_ms: u32::from(input.u16()),
            timeout_ms: u32::from(input.u16()),
            window_messages: u32::from(input.u8()),
            window_bytes: u32::from(input.u16()),
            max_frame: u32::from(input.u16()),
            extensions: Extensions::default(),
        };
        self.take(Frame::Welcome(welcome));
    }

    /// The client's next process goes on from the export.
    fn reload(&mut self) {
        let Some(export) = self.link.export().filter(|_| !self.ended) else { return };
        let numbers = |link: &ClientLink| {
            let numbering = link.numbering();
            [numbering.acked(), numbering.last(), numbering.handled_up_to()]
        };
        let before = numbers(&self.link);
        self.link = ClientLink::import(config(), &export).expect("an export is whole");
        assert_eq!(numbers(&self.link), before);
        self.taken = self.link.numbering().received();
        (self.dialing, self.connected) = (false, false);
    }

    fn transmit(&mut self, budget: usize) {
        if !self.connected {
            return;
        }
        let mut out = Vec::new();
        self.link.poll_transmit(self.now, &mut out, budget);
        let attempt = &mut self.attempt;
        self.written.check(&out, |frame| match frame {
            Frame::Resume(resume) => *attempt = Some(resume.attempt),
            Frame::Hello(_) => *attempt = None,
            _ => {}
        });
    }

    /// Drains the link, as its driver does, and checks that it comes to rest.
    fn check(&mut self) {
        for _ in 0..4 {
            self.transmit(usize::MAX);
            if self.link.poll_hang_up() {
                (self.dialing, self.connected) = (false, false);
            }
            while let Some(event) = self.link.poll_event() {
                assert!(!self.ended, "{event:?} after the end");
                self.ended = matches!(event, ClientEvent::Ended { .. });
            }
            if self.link.poll_dial().is_some() {
                assert!(!self.ended && !self.connected);
                self.dialing = true;
            }
            self.link.handle_timeout(self.now);
        }
        assert_eq!(self.ended, self.link.is_ended());
        let numbering = self.link.numbering();
        assert!(numbering.handled_up_to() <= numbering.received());
        assert!(numbering.acked() <= numbering.last());
        if self.connected || !self.link.is_live() {
            let at = self.link.poll_timeout();
            assert!(at.is_none_or(|at| at > self.now), "a timeout never passes");
        }
        if self.connected {
            assert!(!self.link.wants_transmit(self.now), "something is always to be written");
        }
    }
}
