//! A node's side under any frames and any driving.

#![no_main]

use std::sync::Arc;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use throughline_fuzz::{Input, Written};
use throughline_link::{
    Answer, Close, CloseCode, Data, Frame, Incoming, Instant, LinkConfig, NodeEvent, NodeLink,
    Secret, SessionId, Split, defaults::MAX_FRAME, proof, split,
};

const SECRET: Secret = Secret([5; 32]);

struct Node {
    config: Arc<LinkConfig>,
    link: NodeLink,
    now: Instant,
    written: Written,
    /// The highest message handed to the game.
    taken: u64,
    attempt: u64,
    ended: bool,
}

fuzz_target!(|data: &[u8]| {
    let config = Arc::new(LinkConfig {
        window_messages: 4,
        retained_messages: 8,
        retained_bytes: 4_096,
        idle_limit: Some(Duration::from_secs(40)),
        window_bytes: 1_024,
        ..LinkConfig::default()
    });
    let now = Instant::from_micros(1);
    let link = NodeLink::new(config.clone(), SessionId([9; 16]), SECRET, now, 1);
    let written = Written::default();
    let mut node = Node { config, link, now, written, taken: 0, attempt: 0, ended: false };
    let mut input = Input::new(data);
    while !input.is_empty() {
        node.perform(&mut input);
        node.check();
    }
});

impl Node {
    fn perform(&mut self, input: &mut Input<'_>) {
        match input.u8() % 14 {
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
                self.link.handle_disconnected(self.now);
                self.written = Written::default();
            }
            6 => self.resume(input),
            7 => self.link.end(CloseCode::ALL[usize::from(input.u8() % 13)]),
            8 => self.link.close(CloseCode::HalfOpen),
            9 => self.link.announce_restart(u32::from(input.u16()), &["next:7778".to_owned()]),
            10 => self.transmit(usize::from(input.u16())),
            11 => self.hand_over(),
            12 => {
                let index = usize::from(input.u8()) % CloseCode::ALL.len();
                let code = CloseCode::ALL[index];
                let ack = self.link.numbering().acked();
                self.take(Frame::Close(Close { code, ack, text: "" }));
            }
            _ => self.link.handle_garbage(CloseCode::TooLarge),
        }
    }

    fn take_bytes(&mut self, bytes: &[u8]) {
        if let Ok(Split::Whole { kind, body, .. }) = split(bytes, MAX_FRAME)
            && let Ok(frame) = Frame::read(kind, body)
        {
            self.take(frame);
        }
    }

    fn take(&mut self, frame: Frame<'_>) {
        if let Incoming::Message { seq, .. } = self.link.handle_frame(frame, self.now) {
            assert_eq!(seq, self.taken + 1, "a gap, or a message twice");
            assert!(!self.link.is_ended());
            self.taken = seq;
        }
    }

    /// A resume of the session's client, with numbers that may fit or not.
    fn resume(&mut self, input: &mut Input<'_>) {
        let numbering = self.link.numbering();
        let attempt = (self.attempt + 1).saturating_sub(u64::from(input.u8() % 4 == 3));
        let received = numbering.acked() + u64::from(input.u8() % 12);
        let acked = numbering.handled_up_to().saturating_sub(u64::from(input.u8()));
        let acked = acked + u64::from(input.u8() % 16 == 15);
        let mut body = b"TLNK\x01\x01".to_vec();
        body.extend_from_slice(&[9; 16]);
        for number in [attempt, received, acked] {
            body.extend_from_slice(&number.to_be_bytes());
        }
        body.extend_from_slice(&[0, 0]);
        let proof = proof(&SECRET, &body);
        body.extend_from_slice(&proof);
        let Ok(Frame::Resume(resume)) = Frame::read(2, &body) else { panic!("a good resume") };
        match self.link.handle_resume(&resume, self.now, 1) {
            Answer::Accepted { .. } => {
                assert!(attempt > self.attempt);
                self.attempt = attempt;
                self.written = Written::default();
                assert!(self.link.is_connected());
            }
            Answer::Refused(CloseCode::OldAttempt) => assert!(attempt <= self.attempt),
            Answer::Refused(code) => {
                assert!(code.ends_session() && self.link.is_ended());
                self.attempt = attempt;
                self.written = Written::default();
            }
        }
    }

    /// Another node goes on from the export.
    fn hand_over(&mut self) {
        let export = self.link.export();
        let link = NodeLink::import(self.config.clone(), &export, self.now);
        self.link = link.expect("an export is whole");
        assert_eq!(self.link.export(), export);
        self.taken = self.link.numbering().received();
        self.written = Written::default();
    }

    fn transmit(&mut self, budget: usize) {
        let mut out = Vec::new();
        self.link.poll_transmit(self.now, 7, &mut out, budget);
        self.written.check(&out, |_| ());
    }

    fn check(&mut self) {
        while let Some(event) = self.link.poll_event() {
            if matches!(event, NodeEvent::Ended(_)) {
                assert!(!self.ended, "ended twice");
                self.ended = true;
            }
        }
        assert_eq!(self.ended, self.link.is_ended());
        let numbering = self.link.numbering();
        assert!(numbering.handled_up_to() <= numbering.received());
        assert!(numbering.acked() <= numbering.last());
        assert!(numbering.retained() <= 9, "{} retained", numbering.retained());
        // Whoever drives it comes to rest.
        let (now, taken) = (self.now, self.taken);
        self.link.handle_timeout(now);
        self.ended |= self.link.is_ended();
        while self.link.poll_event().is_some() {}
        self.transmit(usize::MAX);
        assert!(!self.link.wants_transmit(now), "something is always to be written");
        assert!(self.link.poll_timeout().is_none_or(|at| at > now), "a timeout never passes");
        assert_eq!(taken, self.taken);
        while let Some(event) = self.link.poll_event() {
            assert!(!matches!(event, NodeEvent::Ended(_)));
        }
    }
}
