//! Clients without manners, who speak the link's frames by hand.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use throughline_link::{
    Data, Extensions, Frame, Hello, Secret, SessionId, Split, proof, split, wire,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, sleep, timeout};

use crate::fault::FaultKind;
use crate::game::{NOBODY, ROAMER, SAVER, Say, Told, What};
use crate::network::{Host, Wire};
use crate::player::{Phase, Table};
use crate::random::Random;
use crate::truth;

/// A node answers within this, or the network is broken.
const PATIENCE: Duration = Duration::from_secs(6);
/// The last attempt of a session that comes back again and again.
const ATTEMPTS: u64 = 6;
/// A turn has begun by then.
const LATER: Duration = Duration::from_millis(80);
/// So many messages more than the window has room for.
const BEYOND: u64 = 50;
/// A client that never acknowledges is ended within this.
const LONG: Duration = Duration::from_secs(50);

/// What came from the node.
enum Seen {
    Welcome(Seat),
    Refused,
    /// What the session said, if it is of this game.
    Data(Option<Told>),
    Ack,
    Close,
    Other,
}

/// What a Welcome told: all that is needed to come back.
struct Seat {
    id: SessionId,
    secret: Secret,
    /// Messages that either side may have unacknowledged.
    window: u64,
}

impl Seat {
    /// A Resume of this session, as bytes; with a proof that is made with `secret`.
    fn resume(&self, attempt: u64, received: u64, secret: &Secret) -> Vec<u8> {
        let mut body = Vec::from(wire::MAGIC);
        body.extend([wire::VERSION, wire::VERSION]);
        body.extend(self.id.0);
        for number in [attempt, received, received] {
            body.extend(number.to_be_bytes());
        }
        body.extend([0, 0]);
        let proof = proof(secret, &body);
        body.extend(proof);
        let length = u32::try_from(body.len() + 1).unwrap_or(u32::MAX);
        [&length.to_be_bytes()[..], &[wire::RESUME], &body].concat()
    }
}

/// A connection. All it does ends with `None` once that is broken.
struct Raw {
    wire: Wire,
    bytes: Vec<u8>,
}

impl Raw {
    async fn open(host: &Host, to: SocketAddr) -> Option<Self> {
        let wire = timeout(PATIENCE, host.clone().open(to)).await.ok()?.ok()?;
        Some(Self { wire, bytes: Vec::new() })
    }

    async fn log_in(host: &Host, to: SocketAddr, login: &str) -> Option<(Self, Seat)> {
        Self::log_in_as(ROAMER, host, to, login).await
    }

    async fn log_in_as(
        kind: &str,
        host: &Host,
        to: SocketAddr,
        login: &str,
    ) -> Option<(Self, Seat)> {
        let mut raw = Self::open(host, to).await?;
        let mut bytes = Vec::new();
        let (version_min, version_max) = (wire::VERSION, wire::VERSION);
        let extensions = Extensions::default();
        let login = login.as_bytes();
        Frame::Hello(Hello { version_min, version_max, kind, login, extensions }).write(&mut bytes);
        raw.write(&bytes).await?;
        match raw.next().await? {
            Seen::Welcome(seat) => Some((raw, seat)),
            _ => None,
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Option<()> {
        timeout(PATIENCE, self.wire.write_all(bytes)).await.ok()?.ok()
    }

    async fn say(&mut self, seq: u64, say: &Say) -> Option<()> {
        let payload = serde_json::to_vec(say).ok()?;
        let mut bytes = Vec::new();
        Frame::Data(Data { seq, ack: 0, payload: &payload }).write(&mut bytes);
        self.write(&bytes).await
    }

    async fn next(&mut self) -> Option<Seen> {
        timeout(PATIENCE, self.read()).await.ok()?
    }

    async fn read(&mut self) -> Option<Seen> {
        loop {
            if let Split::Whole { kind, body, bytes } = split(&self.bytes, u32::MAX).ok()? {
                let seen = match Frame::read(kind, body).ok()? {
                    Frame::Welcome(welcome) => {
                        let secret = welcome.secret.clone().unwrap_or(Secret([0; 32]));
                        let (id, window) = (welcome.session_id, welcome.window_messages.into());
                        Seen::Welcome(Seat { id, secret, window })
                    }
                    Frame::Refused(_) => Seen::Refused,
                    Frame::Data(data) => Seen::Data(serde_json::from_slice(data.payload).ok()),
                    Frame::Ack(_) => Seen::Ack,
                    Frame::Close(_) => Seen::Close,
                    _ => Seen::Other,
                };
                self.bytes.drain(..bytes);
                return Some(seen);
            }
            if self.wire.read_buf(&mut self.bytes).await.ok()? == 0 {
                return None;
            }
        }
    }

    /// Reads until this has come; `None`: the connection ended before, or took too long.
    async fn find(&mut self, wanted: impl Fn(&Seen) -> bool) -> Option<Seen> {
        loop {
            let seen = self.next().await?;
            if wanted(&seen) {
                return Some(seen);
            }
        }
    }

    /// The answer to a resume.
    async fn verdict(&mut self) -> Option<bool> {
        match self
            .find(|seen| matches!(seen, Seen::Welcome(_) | Seen::Refused | Seen::Close))
            .await?
        {
            Seen::Welcome(_) => Some(true),
            _ => Some(false),
        }
    }
}

/// Does one thing after the other until the run is over.
pub(crate) async fn harass(host: Host, table: Rc<Table>, nodes: Vec<SocketAddr>, seed: u64) {
    let mut random = Random::new(seed);
    let mut number = 0;
    while table.phase.get() == Phase::Play {
        sleep(random.millis(500, 4_000)).await;
        number += 1;
        let login = format!("hostile {seed:x} {number}");
        let one = nodes[random.index(nodes.len())];
        let other = nodes[random.index(nodes.len())];
        match table.orders[random.index(table.orders.len())] {
            FaultKind::NeverAcks if random.percent(50) => overwhelm(&host, one, &login).await,
            FaultKind::NeverAcks => never_ack(&host, one, &login).await,
            FaultKind::RepeatedFrames => repeat(&host, one, &login).await,
            FaultKind::StolenResume => steal(&host, one, other, &login).await,
            FaultKind::RacingResumes => race(&host, one, other, &login).await,
            _ => Some(()),
        };
    }
}

/// Makes its session talk, reads nothing and acknowledges nothing.
async fn never_ack(host: &Host, node: SocketAddr, login: &str) -> Option<()> {
    let (mut raw, _) = Raw::log_in(host, node, login).await?;
    raw.say(1, &Say::Babble).await?;
    sleep(LONG).await;
    Some(())
}

/// Says more than there is room for answers, and acknowledges none: no more is handled than the
/// window that was agreed on has room for.
async fn overwhelm(host: &Host, node: SocketAddr, login: &str) -> Option<()> {
    let (mut raw, Seat { window, .. }) = Raw::log_in(host, node, login).await?;
    for number in 1..=window + BEYOND {
        raw.say(number, &Say::Up(number)).await?;
    }
    let since = Instant::now();
    while since.elapsed() < PATIENCE {
        let Seen::Data(Some(Told { what: What::Heard { up, .. }, .. })) = raw.next().await? else {
            continue;
        };
        if up > window {
            truth::fail(format_args!(
                "window: message {up} was handled, and none of the answers was acknowledged"
            ));
            return None;
        }
    }
    Some(())
}

/// Sends a frame twice, and one too early.
async fn repeat(host: &Host, node: SocketAddr, login: &str) -> Option<()> {
    let (mut raw, _) = Raw::log_in(host, node, login).await?;
    raw.say(1, &Say::Up(1)).await?;
    raw.say(1, &Say::Up(1)).await?;
    raw.say(2, &Say::Up(2)).await?;
    raw.find(|seen| matches!(seen, Seen::Data(_))).await?;
    raw.say(1, &Say::Up(1)).await?;
    raw.find(|seen| matches!(seen, Seen::Ack | Seen::Data(_))).await?;
    raw.say(9, &Say::Up(9)).await?;
    raw.find(|seen| matches!(seen, Seen::Close)).await?;
    truth::fire(FaultKind::RepeatedFrames);
    Some(())
}

/// Comes back with a wrong secret, then with its own, then with an attempt that is used up. While
/// the store has a snapshot, it knows an attempt before that is let in.
async fn steal(host: &Host, one: SocketAddr, other: SocketAddr, login: &str) -> Option<()> {
    let (mut raw, seat) = Raw::log_in_as(SAVER, host, one, login).await?;
    raw.say(1, &Say::Up(1)).await?;
    let mut thief = Raw::open(host, other).await?;
    thief.write(&seat.resume(5, 0, &Secret([7; 32]))).await?;
    match thief.verdict().await? {
        true => truth::fail(format_args!("a resume without its proof was let in")),
        false => truth::fire(FaultKind::StolenResume),
    }
    // It does not disturb the owner.
    raw.say(2, &Say::Up(2)).await?;
    let is_answer = |seen: &Seen| {
        matches!(seen, Seen::Data(Some(Told { what: What::Heard { up: 2, .. }, .. })))
    };
    raw.find(is_answer).await?;
    for attempt in 2..=ATTEMPTS {
        let mut again = Raw::open(host, one).await?;
        again.write(&seat.resume(attempt, 0, &seat.secret)).await?;
        if !again.verdict().await? {
            return None;
        }
        // Whoever takes the session over refuses what was used.
        if let Some(known) = truth::attempt_of(seat.id).filter(|known| *known < attempt) {
            let id = seat.id;
            truth::fail(format_args!(
                "session {id}: attempt {attempt} was let in, and the store knows {known}"
            ));
        }
        // The next one comes while a turn is under way.
        again.say(attempt + 1, &Say::PassLate(NOBODY.to_owned())).await?;
        sleep(LATER).await;
    }
    let mut replay = Raw::open(host, one).await?;
    replay.write(&seat.resume(ATTEMPTS, 0, &seat.secret)).await?;
    match replay.verdict().await? {
        true => truth::fail(format_args!("a replayed resume was let in")),
        false => truth::fire(FaultKind::StolenResume),
    }
    Some(())
}

/// Comes back at two nodes at once, with one attempt counter.
async fn race(host: &Host, one: SocketAddr, other: SocketAddr, login: &str) -> Option<()> {
    let (mut raw, seat) = Raw::log_in(host, one, login).await?;
    raw.say(1, &Say::Up(1)).await?;
    raw.find(|seen| matches!(seen, Seen::Data(_))).await?;
    drop(raw);
    let (mut first, mut second) = (Raw::open(host, one).await?, Raw::open(host, other).await?);
    let resume = seat.resume(1, 0, &seat.secret);
    first.write(&resume).await?;
    second.write(&resume).await?;
    let (first, second) = tokio::join!(biased; first.verdict(), second.verdict());
    if (first, second) == (Some(true), Some(true)) {
        truth::count(|counts| counts.double_owner += 1);
        truth::fail(format_args!("two resumes with one attempt were both let in"));
    }
    if first.is_some() && second.is_some() {
        truth::fire(FaultKind::RacingResumes);
    }
    Some(())
}
