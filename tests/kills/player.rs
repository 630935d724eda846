//! A client that talks all the time, checks what it hears, and goes where it is sent.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use throughline_client::{BoxStream, Client, Connecting, Connector, Event, Options, Target};
use throughline_cluster::RecordId;
use throughline_link::{CloseCode, SessionId};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::cluster::{Addresses, NODES, host};
use crate::game::{Counter, Down, Report, Up};
use crate::tally::{Answer, Wish};
use crate::world::soon;
use throughline::Session as _;

/// A player says something so often.
const EVERY: Duration = Duration::from_millis(20);

/// A client gives up after so many tries: never, in these tests.
const TRIES: u32 = 100_000;

/// Messages that a player must have been answered to count as playing.
const TALK: u64 = 3;

/// The nodes that a client's network reaches, and where they are.
#[derive(Debug, Clone)]
struct Network {
    reaches: Arc<Mutex<Vec<usize>>>,
    addresses: Addresses,
}

impl Connector for Network {
    fn connect(&self, target: Target) -> Connecting {
        let name = format!("{}:{}", target.host, target.port);
        let node = (0..NODES).find(|&node| host(node) == name);
        let node = node.filter(|node| self.reaches.lock().unwrap().contains(node));
        let address = node.and_then(|node| self.addresses.lock().unwrap()[node]);
        Box::pin(async move {
            let address = address.ok_or(io::ErrorKind::ConnectionRefused)?;
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as BoxStream)
        })
    }
}

/// What is asked of a player.
#[derive(Debug)]
enum Ask {
    Say(Up),
    Cut,
    Leave,
}

/// What a player has seen.
#[derive(Debug, Default)]
struct Seen {
    id: Option<SessionId>,
    /// Its own side of the numbers, in the words of the session's.
    said: u64,
    said_digest: Report,
    heard: Report,
    /// What it had said when it asked for a report.
    asked_at: Option<Report>,
    /// The session's report, and what the player had heard then.
    report: Option<(Report, Report)>,
    /// What the VActor said last.
    answer: Option<Answer>,
    /// Durable messages that its session has received.
    received: u64,
    ended: Option<CloseCode>,
}

/// A client, driven by a task.
#[derive(Debug)]
pub(crate) struct Player {
    name: String,
    network: Network,
    asks: mpsc::UnboundedSender<Ask>,
    seen: watch::Receiver<()>,
    state: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Player {
    /// A player that logs in at one of these nodes: it tries them in their order.
    pub(crate) fn new(
        name: &str,
        is_crash_proof: bool,
        addresses: &Addresses,
        reaches: &[usize],
    ) -> Self {
        let reaches = Arc::new(Mutex::new(reaches.to_vec()));
        let network = Network { reaches, addresses: Arc::clone(addresses) };
        let options = Options::new((0..NODES).map(host))
            .kind(if is_crash_proof { Counter::<true>::KIND } else { Counter::<false>::KIND })
            .login(name)
            .tries(TRIES)
            .backoff(Duration::from_millis(20), Duration::from_millis(200))
            .connector(network.clone());
        let (asks, asked) = mpsc::unbounded_channel();
        let (changed, seen) = watch::channel(());
        let state = Arc::new(Mutex::new(Seen::default()));
        let driver = Driver {
            asked,
            waiting: VecDeque::new(),
            talks: true,
            leaves: false,
            state: Arc::clone(&state),
            changed,
        };
        let task = tokio::spawn(driver.run(options));
        Self { name: name.to_owned(), network, asks, seen, state, task }
    }

    fn state(&self) -> MutexGuard<'_, Seen> {
        self.state.lock().unwrap()
    }

    fn ask(&self, ask: Ask) {
        // A player that is over does nothing more.
        let _ = self.asks.send(ask);
    }

    async fn wait(&self, what: &str, holds: impl Fn(&Seen) -> bool) {
        let mut seen = self.seen.clone();
        let waiting = async {
            while !holds(&self.state()) {
                if seen.changed().await.is_err() {
                    assert!(holds(&self.state()), "{}: over, and not {what}", self.name);
                }
            }
        };
        let happens = format!("{}: {what}; {:?}", self.name, self.state());
        soon(&happens, waiting).await;
    }

    /// Waits until it is logged in and talks with its session.
    pub(crate) async fn plays(&self) {
        let heard = self.state().heard.heard;
        self.wait("plays", |seen| {
            let id = seen.id.is_some();
            assert!(seen.ended.is_none(), "{}: ended with {:?}", self.name, seen.ended);
            id && seen.heard.heard >= heard + TALK
        })
        .await;
    }

    pub(crate) fn session_id(&self) -> SessionId {
        self.state().id.expect("it has not logged in")
    }

    pub(crate) fn id(&self) -> RecordId {
        RecordId::session(self.session_id())
    }

    /// From now on its network reaches these nodes; connections stay.
    pub(crate) fn reaches(&self, nodes: &[usize]) {
        *self.network.reaches.lock().unwrap() = nodes.to_vec();
    }

    /// It goes to one of these nodes.
    pub(crate) fn goes_to(&self, nodes: &[usize]) {
        self.reaches(nodes);
        self.ask(Ask::Cut);
    }

    /// It is away until it goes somewhere.
    pub(crate) fn goes_away(&self) {
        self.goes_to(&[]);
    }

    pub(crate) fn says(&self, up: Up) {
        self.ask(Ask::Say(up));
    }

    /// It has its session ask the VActor.
    pub(crate) async fn asks(&self, wish: Wish) -> Answer {
        self.state().answer = None;
        self.says(Up::Ask(wish));
        self.wait("hears an answer", |seen| seen.answer.is_some()).await;
        self.state().answer.unwrap()
    }

    /// Its session has received so many durable messages, and no more.
    pub(crate) async fn has_received(&self, count: u64) {
        self.wait("receives what was sent", |seen| seen.received >= count).await;
        assert_eq!(self.state().received, count, "{}: durable messages", self.name);
    }

    /// Its session goes on with its whole state: neither side has missed anything.
    pub(crate) async fn is_whole(&self) {
        self.plays().await;
        self.state().report = None;
        self.says(Up::Report);
        self.wait("hears its session's report", |seen| {
            assert!(seen.ended.is_none(), "{}: ended with {:?}", self.name, seen.ended);
            seen.report.is_some()
        })
        .await;
        let seen = self.state();
        let (report, heard) = seen.report.clone().unwrap();
        let asked = seen.asked_at.clone().unwrap();
        let name = self.name.clone();
        let expected = Report { name, said: heard.heard, wrong: 0, ..asked };
        assert_eq!(report, expected, "what the session heard and said");
        assert_eq!(heard.wrong, 0, "what the player heard out of turn");
    }

    /// Its session ends with one of these codes; it has heard everything up to there in order.
    pub(crate) async fn ends(&self, codes: &[CloseCode]) -> CloseCode {
        self.wait("ends", |seen| seen.ended.is_some()).await;
        let seen = self.state();
        let code = seen.ended.unwrap();
        assert!(codes.contains(&code), "{}: ended with {code:?}, not {codes:?}", self.name);
        assert_eq!(seen.heard.wrong, 0, "{}: what it heard out of turn", self.name);
        code
    }

    pub(crate) async fn leaves(self) {
        self.ask(Ask::Leave);
        soon("a player that leaves", self.task).await.unwrap();
    }
}

struct Driver {
    asked: mpsc::UnboundedReceiver<Ask>,
    /// What found the window full.
    waiting: VecDeque<Up>,
    talks: bool,
    leaves: bool,
    state: Arc<Mutex<Seen>>,
    changed: watch::Sender<()>,
}

impl Driver {
    async fn run(mut self, options: Options) {
        let mut client = Client::connect(options).await.unwrap();
        self.state.lock().unwrap().id = Some(client.session_id());
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = client.next() => match event {
                    Event::Message(message) => self.hear(&message),
                    Event::RepairFailed => client.retry(),
                    Event::Ended(code, _) => {
                        self.state.lock().unwrap().ended = Some(code);
                        break;
                    }
                    _ => {}
                },
                _ = ticks.tick() => self.talk(&mut client),
                ask = self.asked.recv() => match ask {
                    None => return,
                    Some(Ask::Say(up)) => self.waiting.push_back(up),
                    Some(Ask::Cut) => client.cut(),
                    Some(Ask::Leave) => self.leaves = true,
                },
            }
            // Without a connection nobody would hear of it before the session expires.
            if self.leaves && client.is_live() {
                client.leave().await;
                return;
            }
            self.changed.send_replace(());
        }
        self.changed.send_replace(());
    }

    fn hear(&self, message: &[u8]) {
        let mut seen = self.state.lock().unwrap();
        match serde_json::from_slice(message).unwrap() {
            Down::Say(number) => seen.heard.hear(number),
            Down::Report(report) => seen.report = Some((report, seen.heard.clone())),
            Down::Answer(answer) => seen.answer = Some(answer),
            Down::Received => seen.received += 1,
        }
    }

    /// Says what waits, or else the next number.
    fn talk(&mut self, client: &mut Client) {
        let mut seen = self.state.lock().unwrap();
        let next = self.waiting.front().cloned();
        let up = next.clone().unwrap_or(Up::Say(seen.said + 1));
        let message = serde_json::to_vec(&up).unwrap();
        // What finds the window full is said later.
        if !self.talks || client.try_send(message).is_err() {
            return;
        }
        match up {
            Up::Say(number) => {
                seen.said = number;
                seen.said_digest.hear(number);
            }
            Up::Report => seen.asked_at = Some(seen.said_digest.clone()),
            // Nothing is heard behind it.
            Up::End => self.talks = false,
            Up::Key(_) | Up::Ask(_) | Up::Tell(_) | Up::Send(_) => {}
        }
        if next.is_some() {
            self.waiting.pop_front();
        }
    }
}
