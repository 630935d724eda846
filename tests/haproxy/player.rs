//! Players who come in through HAProxy.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use std::time::Duration;

use serde_json::{Value, json};
use throughline_client::{
    BoxStream, CloseCode, ConnectError, Connecting, Connector, Options, SessionId, Target,
    TestClient,
};
use throughline_tests::watch;
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;

use crate::balancer::Balancer;

/// Players are on this machine, too, but not where HAProxy is: from this address on.
const HOMES: Ipv4Addr = Ipv4Addr::new(127, 0, 7, 1);

/// What a session of the sample game refuses by itself, each in its own way, so that answers tell
/// which of the messages was answered: what the lobby refuses comes when the lobby has heard of it.
const ASKS: [(&str, &str); 4] = [
    (r#"{"ask":"resign"}"#, "no-game"),
    (r#"{"ask":"stop-waiting"}"#, "not-waiting"),
    (r#"{"ask":"place","x":99,"y":0,"number":1}"#, "off-board"),
    (r#"{"ask":"link","delay_ms":9999,"loss_percent":0}"#, "link-too-bad"),
];

/// Messages of a player that are on their way at once.
const AT_ONCE: usize = 8;

/// A player asks again after so long: few enough for the limits of a session.
const PACE: Duration = Duration::from_millis(20);

/// Where players come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// WebSocket.
    Http,
    /// TCP.
    Link,
}

impl Door {
    pub(crate) const BOTH: [Self; 2] = [Self::Http, Self::Link];
}

/// Connects from an address of its own, and remembers from which port the last time.
#[derive(Debug, Clone)]
struct FromHome {
    home: Ipv4Addr,
    last: Arc<Mutex<Option<SocketAddr>>>,
}

impl FromHome {
    fn of(player: u32) -> Self {
        Self { home: Ipv4Addr::from_bits(HOMES.to_bits() + player), last: Arc::default() }
    }

    async fn open(self, target: Target) -> io::Result<BoxStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(self.home.into(), 0))?;
        let to = SocketAddr::new(target.host.parse().unwrap(), target.port);
        let stream = socket.connect(to).await?;
        stream.set_nodelay(true)?;
        *self.last.lock().unwrap() = Some(stream.local_addr()?);
        Ok(Box::new(stream))
    }
}

impl Connector for FromHome {
    fn connect(&self, target: Target) -> Connecting {
        Box::pin(self.clone().open(target))
    }
}

fn options(at: SocketAddr, door: Door, name: &str, from: FromHome) -> Options {
    let address = match door {
        Door::Http => format!("ws://{at}/link"),
        Door::Link => at.to_string(),
    };
    Options::new([address])
        .kind("omok")
        .login(json!({ "name": name }).to_string())
        .tries(10_000)
        .backoff(Duration::from_millis(1), Duration::from_millis(50))
        .connector(from)
}

/// Where a player was who came with a name that the game refuses.
pub(crate) async fn refused(balancer: &Balancer, door: Door) -> SocketAddr {
    let from = FromHome::of(0);
    let connecting = TestClient::connect(options(balancer.door(door), door, "", from.clone()));
    match watch::soon("a refusal", connecting).await {
        Err(ConnectError::Refused { code: CloseCode::LoginRefused, .. }) => {}
        other => panic!("a refusal was expected, not {other:?}"),
    }
    let address = *from.last.lock().unwrap();
    address.unwrap()
}

/// A player in the lobby.
pub(crate) struct Player {
    client: TestClient,
}

impl Player {
    pub(crate) async fn join(balancer: &Balancer, door: Door, name: &str) -> Self {
        Self::join_from(balancer.door(door), door, name, 0).await
    }

    /// A player with an address of its own, which this number gives.
    pub(crate) async fn join_from(at: SocketAddr, door: Door, name: &str, home: u32) -> Self {
        let options = options(at, door, name, FromHome::of(home));
        let connected = watch::soon("a connection", TestClient::connect(options)).await;
        Self { client: connected.unwrap() }
    }

    /// The number of the node that serves this player.
    pub(crate) async fn node(&mut self) -> u32 {
        self.client.send_bytes(r#"{"ask":"look"}"#).await.unwrap();
        self.refusals(1).await.expect("what was asked before comes before")
    }

    /// Asks so often, and checks that each is answered, once and in its turn. The node of the last
    /// view that came among the answers.
    async fn refusals(&mut self, count: usize) -> Option<u32> {
        let asks: Vec<_> = (0..count).map(|_| ASKS[fastrand::usize(..ASKS.len())]).collect();
        for (ask, _) in &asks {
            self.client.send_bytes(ask).await.unwrap();
        }
        let (mut node, mut expected) = (None, asks.iter().map(|(_, why)| *why));
        let mut due = expected.next();
        while let Some(why) = due {
            let told: Value = self.client.receive(watch::PATIENCE).await.unwrap();
            match told["tell"].as_str().unwrap() {
                // It is told by itself at the start and after each repair, too.
                "view" => node = told["node"].as_u64().and_then(|node| node.try_into().ok()),
                "refused" => {
                    assert_eq!(told["why"], why);
                    due = expected.next();
                }
                other => panic!("nobody has asked for {other}"),
            }
        }
        node
    }

    /// Which session this is, as its node said when it last came there.
    pub(crate) fn session_id(&mut self) -> SessionId {
        self.client.client().session_id()
    }

    /// Connections that broke, or were left.
    pub(crate) fn repairs(&self) -> u64 {
        self.client.stats().repairs
    }

    /// Asks on and on, until it is stopped.
    pub(crate) async fn play(mut self) -> Play {
        let (node, session_id) = (self.node().await, self.session_id());
        let (answered, stopped) = <(Arc<AtomicU64>, Arc<AtomicBool>)>::default();
        let (counted, is_stopped) = (Arc::clone(&answered), Arc::clone(&stopped));
        let task = tokio::spawn(async move {
            while !is_stopped.load(Ordering::Relaxed) {
                self.refusals(AT_ONCE).await;
                counted.fetch_add(AT_ONCE as u64, Ordering::Relaxed);
                tokio::time::sleep(PACE).await;
            }
            self
        });
        Play { node, session_id, answered, stopped, task }
    }
}

/// A player who asks on and on.
pub(crate) struct Play {
    /// Which node served the player when the play began.
    pub(crate) node: u32,
    pub(crate) session_id: SessionId,
    answered: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
    task: JoinHandle<Player>,
}

impl Play {
    /// The player, with everything answered.
    pub(crate) async fn stop(self) -> Player {
        self.stopped.store(true, Ordering::Relaxed);
        watch::soon("the last answer", self.task).await.unwrap()
    }
}

/// Waits until each of these has so many more answers.
pub(crate) async fn all_go_on(plays: &[Play], answers: u64) {
    let count = |play: &Play| play.answered.load(Ordering::Relaxed);
    let before: Vec<_> = plays.iter().map(count).collect();
    watch::until("everybody is answered", || {
        let goes_on = |(play, before)| play_is_over(play) || count(play) >= before + answers;
        plays.iter().zip(&before).all(goes_on)
    })
    .await;
    assert!(!plays.iter().any(play_is_over), "a player has failed: see above");
}

fn play_is_over(play: &Play) -> bool {
    play.task.is_finished()
}
