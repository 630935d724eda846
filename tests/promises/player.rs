//! The client library's side of the tests.

use std::net::SocketAddr;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use std::time::Duration;

use throughline::RunningNode;
use throughline_client::{ConnectError, Event, Options, TestClient};
use throughline_link::CloseCode;
use tokio::task::JoinHandle;

use crate::{
    game::{Answer, Ask},
    watch,
};

/// A client of the parrot at this address, which tries again fast.
pub(crate) fn options(address: impl ToString, name: &str) -> Options {
    Options::new([address.to_string()])
        .kind("parrot")
        .login(name)
        .tries(10_000)
        .backoff(Duration::from_millis(1), Duration::from_millis(20))
}

/// The node's WebSocket address.
pub(crate) fn web(address: SocketAddr) -> String {
    format!("ws://{address}/link")
}

/// A player who was greeted.
pub(crate) async fn join(node: &RunningNode, name: &str) -> TestClient {
    join_with(options(node.link_addresses()[0], name)).await
}

/// A player who was greeted.
pub(crate) async fn join_with(options: Options) -> TestClient {
    let connected = watch::soon("a connection", TestClient::connect(options)).await;
    let mut client = connected.unwrap();
    client.expect(|answer| matches!(answer, Answer::Started(_))).await.unwrap();
    client
}

/// Asks, and gets the next answer.
pub(crate) async fn ask(client: &mut TestClient, ask: Ask) -> Answer {
    client.send(&ask).await.unwrap();
    client.receive(watch::PATIENCE).await.unwrap()
}

/// That this player is served as if nothing had happened to others.
pub(crate) async fn is_served(client: &mut TestClient) {
    assert_eq!(ask(client, Ask::Say(42)).await, Answer::Said(42));
}

/// A player who asks and is answered all the time, beside what a test does.
#[derive(Debug)]
pub(crate) struct Neighbour {
    answered: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Neighbour {
    pub(crate) async fn join(node: &RunningNode) -> Self {
        let mut client = join(node, "neighbour").await;
        let answered = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&answered);
        let task = tokio::spawn(async move {
            for number in 0.. {
                assert_eq!(ask(&mut client, Ask::Say(number)).await, Answer::Said(number));
                assert_eq!(client.stats().repairs, 0, "its connection broke");
                counted.store(number + 1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        Self { answered, task }
    }

    /// That this player is still answered, over the same connection.
    pub(crate) async fn is_served(&self) {
        let before = self.answered.load(Ordering::Relaxed);
        watch::until("the neighbour is answered", || {
            self.task.is_finished() || self.answered.load(Ordering::Relaxed) > before + 1
        })
        .await;
        assert!(!self.task.is_finished(), "the neighbour was disturbed");
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The code that ends this client's session; messages before it are skipped.
pub(crate) async fn end_of(client: &mut TestClient) -> CloseCode {
    watch::soon("the end of a session", async {
        loop {
            match client.next_event(watch::PATIENCE).await {
                Some(Event::Ended(code, _)) => return code,
                Some(_) => {}
                None => panic!("no event came"),
            }
        }
    })
    .await
}

/// Why a login was refused: code, text and the game's own code.
pub(crate) async fn refusal(options: Options) -> (CloseCode, String, Option<u16>) {
    match watch::soon("a refusal", TestClient::connect(options)).await {
        Err(ConnectError::Refused { code, text, game_code }) => (code, text, game_code),
        Err(other) => panic!("a refusal was expected, not {other}"),
        Ok(_) => panic!("a refusal was expected, not a session"),
    }
}

/// Asks, and gets the answer of that kind; others before it are skipped.
pub(crate) async fn ask_past(client: &mut TestClient, ask: Ask) -> Answer {
    client.send(&ask).await.unwrap();
    client.expect(|answer: &Answer| !matches!(answer, Answer::Said(_))).await.unwrap()
}
