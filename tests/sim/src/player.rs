//! A player: the real client, who numbers all it says and checks all it hears.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use throughline_client::{Client, CloseCode, Event, Options, SessionId};
use tokio::time::{Instant, sleep, sleep_until};

use crate::away::Away;
use crate::fault::FaultKind;
use crate::game::{PILOT, ROAMER, Report, SAVER, Say, TALLIES, Told, What};
use crate::network::Host;
use crate::omok::Matches;
use crate::post::Post;
use crate::random::Random;
use crate::shop::Shop;
use crate::tabs::Tabs;
use crate::truth;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Play,
    /// The faults have ended: nothing new is asked for, and everything is to come to its end.
    Settle,
    Over,
}

/// After the faults a player says nothing for so long, so that queues empty.
const QUIET: Duration = Duration::from_secs(8);
/// A report that others do not agree with yet is asked for again so often.
const REPORT_EVERY: Duration = Duration::from_secs(3);
/// What a session has to say when its client comes back is there by then.
const TOLD: Duration = Duration::from_secs(2);

/// What all players of a run share.
pub(crate) struct Table {
    pub(crate) phase: Cell<Phase>,
    pub(crate) names: Vec<String>,
    pub(crate) addresses: Vec<String>,
    /// Where players come in, if not at a node's own address.
    pub(crate) entrance: Option<String>,
    pub(crate) orders: Vec<FaultKind>,
    pub(crate) seats: RefCell<BTreeMap<String, Seat>>,
    pub(crate) matches: Matches,
    pub(crate) post: Post,
    pub(crate) shop: Shop,
    pub(crate) tabs: Tabs,
    /// Between two actions of a player, on average.
    pub(crate) think_ms: u64,
}

impl Table {
    /// Where a player comes in.
    pub(crate) fn entrances(&self) -> Vec<String> {
        self.entrance.as_ref().map_or_else(|| self.addresses.clone(), |one| vec![one.clone()])
    }
}

/// What is known of a player at the end.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    pub(crate) id: SessionId,
    /// How many sessions it has had.
    pub(crate) sessions: u64,
    pub(crate) report: Report,
}

pub(crate) struct Player {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) host: Host,
    pub(crate) table: Rc<Table>,
    pub(crate) random: Random,
    pub(crate) sessions: u64,
}

/// One session, as its client counts it.
#[derive(Default)]
struct Talk {
    said: u64,
    heard: u64,
    sum: u64,
    told: u64,
    panics: u64,
    /// When its timer was heard last.
    ticked: Option<Instant>,
    /// What it does next, while its session is at what it has said last.
    is_about_to_hop: bool,
    /// It asked for what ends a session.
    is_asking_for_trouble: bool,
    away: Away,
    asked_report: Option<Instant>,
}

impl Player {
    pub(crate) async fn play(mut self) {
        while self.table.phase.get() != Phase::Over {
            let options = Options::new(self.addresses())
                .kind(self.kind)
                .login(&self.name)
                .seed(self.random.next())
                .connector(self.host.clone());
            let connected = Client::connect(options).await;
            match connected {
                Ok(client) => {
                    self.sessions += 1;
                    self.talk(client).await;
                }
                Err(error) => truth::note(format_args!("{} is not let in: {error}", self.name)),
            }
            sleep(self.random.millis(100, 900)).await;
        }
    }

    fn addresses(&mut self) -> Vec<String> {
        let mut addresses = self.table.entrances();
        let first = self.random.index(addresses.len());
        addresses.rotate_left(first);
        addresses
    }

    /// Until the session ends, or the run.
    async fn talk(&mut self, mut client: Client) {
        let id = client.session_id();
        truth::note(format_args!("{} has session {id} ({})", self.name, self.kind));
        let mut talk = Talk::default();
        let mut next = Instant::now();
        let mut settled: Option<Instant> = None;
        loop {
            let event = tokio::select! {
                biased;
                event = client.next() => Some(event),
                () = sleep_until(next) => None,
            };
            if let Some(event) = event {
                if self.hear(event, &mut talk, &mut client) {
                    return;
                }
                continue;
            }
            let now = Instant::now();
            next = now + self.random.millis(1, self.table.think_ms * 2);
            match self.table.phase.get() {
                Phase::Play => self.act(&mut client, &mut talk),
                Phase::Settle => {
                    let quiet = *settled.get_or_insert(now) + QUIET;
                    self.settle(&mut client, &mut talk, quiet);
                    next = now + Duration::from_millis(500);
                }
                Phase::Over => return,
            }
        }
    }

    /// What has to be heard at the end: the answer to everything.
    fn settle(&self, client: &mut Client, talk: &mut Talk, quiet: Instant) {
        let now = Instant::now();
        if talk.heard < talk.said || now < quiet {
            // A word of each session: it must answer.
            if talk.said == talk.heard {
                say(client, talk, &Say::Up(talk.said + 1));
            }
            return;
        }
        // Wherever a session was, its timer goes on.
        if talk.ticked.is_none_or(|at| at + QUIET < quiet) {
            return;
        }
        if talk.asked_report.is_none_or(|asked| now >= asked + REPORT_EVERY)
            && say(client, talk, &Say::Report)
        {
            talk.asked_report = Some(now);
        }
    }

    fn act(&mut self, client: &mut Client, talk: &mut Talk) {
        if std::mem::take(&mut talk.is_about_to_hop) {
            return self.hop(client);
        }
        let tally = TALLIES[self.random.index(TALLIES.len())].to_owned();
        match self.random.below(100) {
            0..72 => {
                let burst = if self.random.percent(5) { 20 } else { 1 + self.random.below(3) };
                for _ in 0..burst {
                    say(client, talk, &Say::Up(talk.said + 1));
                }
            }
            72..75 if self.kind == ROAMER => drop(say(client, talk, &Say::Ask(tally))),
            75..78 if self.kind == ROAMER => drop(say(client, talk, &Say::Count(tally))),
            72..80 => drop(say(client, talk, &Say::Tell(tally))),
            80..88 => {
                let to = self.table.names[self.random.index(self.table.names.len())].clone();
                talk.is_about_to_hop = self.random.percent(30);
                let order = if talk.is_about_to_hop { Say::PassLate(to) } else { Say::Pass(to) };
                say(client, talk, &order);
            }
            88..92 => self.hop(client),
            92..94 => client.cut(),
            94..95 => self.trouble(client, talk),
            _ => {}
        }
    }

    fn hop(&mut self, client: &mut Client) {
        let nodes = &self.table.addresses;
        let to = nodes[self.random.index(nodes.len())].clone();
        truth::note(format_args!("{} goes to {to}, {:?}", self.name, client.stats()));
        if let Err(error) = client.move_to(&to) {
            truth::fail(format_args!("{to} is no address: {error}"));
        }
    }

    /// One of the faults that a handler can have.
    fn trouble(&mut self, client: &mut Client, talk: &mut Talk) {
        let order = match self.random.pick(&self.table.orders) {
            Some(FaultKind::HandlerPanic) if self.random.percent(50) => {
                let tally = TALLIES[self.random.index(TALLIES.len())].to_owned();
                say(client, talk, &Say::Poison(tally));
                return;
            }
            Some(FaultKind::HandlerPanic) => {
                talk.panics += 1;
                Say::Panic(talk.panics)
            }
            Some(FaultKind::StateTooLarge) if self.kind != ROAMER => Say::Grow,
            Some(FaultKind::QueueOverflow) => Say::Overflow,
            _ => return,
        };
        if say(client, talk, &order) {
            talk.is_asking_for_trouble = true;
        }
    }

    /// Whether the session is over.
    fn hear(&self, event: Event, talk: &mut Talk, client: &mut Client) -> bool {
        if !matches!(event, Event::Message(_)) {
            truth::note(format_args!("{}: {event:?}", self.name));
        }
        match event {
            Event::Message(bytes) => match serde_json::from_slice(&bytes) {
                Ok(told) => self.told(told, talk, client),
                Err(error) => truth::fail(format_args!("{} cannot read: {error}", self.name)),
            },
            Event::RepairStarted => talk.away.leaves(),
            Event::Repaired { .. } => talk.away.comes_back(),
            // The player clicks.
            Event::RepairFailed => client.retry(),
            Event::Ended(code, text) => {
                self.ended(code, &text, talk, client.session_id());
                return true;
            }
            _ => {}
        }
        false
    }

    fn told(&self, told: Told, talk: &mut Talk, client: &Client) {
        truth::handled(format_args!("{} hears", self.name), talk.told, told.number);
        talk.told = told.number;
        match told.what {
            What::Heard { up, sum } => {
                truth::handled(format_args!("{} is answered", self.name), talk.heard, up);
                talk.heard = up;
                talk.sum += up;
                if sum != talk.sum {
                    let name = &self.name;
                    truth::fail(format_args!("{name}: the sum is {sum}, not {}", talk.sum));
                }
            }
            What::Tick => talk.ticked = Some(Instant::now()),
            What::Report(report) => {
                if report.up != talk.said {
                    let (name, said) = (&self.name, talk.said);
                    truth::fail(format_args!("{name} said {said}, and {} came", report.up));
                }
                for wrong in &report.wrong {
                    truth::fail(format_args!("{wrong}"));
                }
                let (id, sessions) = (client.session_id(), self.sessions);
                let seat = Seat { id, sessions, report };
                self.table.seats.borrow_mut().insert(self.name.clone(), seat);
            }
            _ => {}
        }
    }

    fn ended(&self, code: CloseCode, text: &str, talk: &Talk, id: SessionId) {
        let (name, kind) = (&self.name, self.kind);
        truth::note(format_args!("{name}: session {id} ended: {code:?} {text}"));
        self.table.seats.borrow_mut().remove(name);
        let is_new = talk.told == 0;
        let is_right = match code {
            CloseCode::Lost => truth::is_bereft(id) && (kind == ROAMER || is_new),
            // So does a turn whose durable messages could not be written.
            CloseCode::HandlerFailed => {
                kind == ROAMER && (talk.is_asking_for_trouble || truth::has_store_refused())
            }
            CloseCode::Expired => talk.away.may_have_expired(TOLD),
            // A login whose answer was lost has left a session of the same name.
            CloseCode::KeyTaken => true,
            _ => false,
        };
        if !is_right {
            truth::fail(format_args!("{name} ({kind}): session {id} ended with {code:?}: {text}"));
        }
    }
}

/// Whether it was taken.
fn say(client: &mut Client, talk: &mut Talk, say: &Say) -> bool {
    let bytes = match serde_json::to_vec(say) {
        Ok(bytes) => bytes,
        Err(error) => {
            truth::fail(format_args!("it cannot be said: {error}"));
            return false;
        }
    };
    let taken = client.try_send(bytes).is_ok();
    if let (true, Say::Up(number)) = (taken, say) {
        talk.said = *number;
    }
    taken
}

/// The kind that the player of this number has.
pub(crate) const fn kind_of(number: usize) -> &'static str {
    match number % 5 {
        0 | 3 => ROAMER,
        1 | 4 => SAVER,
        _ => PILOT,
    }
}
