//! P1: every message is handled exactly once and in order, both ways, through any number of broken
//! connections.

use std::ops::Range;
use std::time::Duration;

use throughline_client::{Client, Event, Options, SendError};
use throughline_tests::proxy::{Faults, Kind, Proxy};

use crate::{
    game::{self, Answer, Ask},
    player, watch,
};

/// A conversation in which each answer must be the next one.
struct Talk {
    client: Client,
    asked: u64,
    answered: u64,
    repairs: u64,
}

impl Talk {
    async fn begin(options: Options) -> Self {
        let client = watch::soon("a connection", Client::connect(options)).await.unwrap();
        Self { client, asked: 0, answered: 0, repairs: 0 }
    }

    /// Asks as much as the window takes, then takes what comes.
    async fn step(&mut self, asks: bool) {
        let mut has_room = asks;
        while has_room {
            match self.client.try_send(serde_json::to_vec(&Ask::Say(self.asked)).unwrap()) {
                Ok(()) => self.asked += 1,
                Err(SendError::WouldBlock) => has_room = false,
                Err(other) => panic!("{other}"),
            }
        }
        match watch::soon("an event", self.client.next()).await {
            Event::Message(bytes) => match serde_json::from_slice(&bytes).unwrap() {
                Answer::Said(number) => {
                    assert_eq!(number, self.answered, "each answer once and in order");
                    self.answered += 1;
                }
                Answer::Started(_) => assert_eq!(self.answered, 0),
                other => panic!("{other:?}"),
            },
            Event::Repaired { .. } => self.repairs += 1,
            Event::RepairStarted => {}
            other => panic!("{other:?}"),
        }
    }

    /// Takes the rest; then the node must have heard each message once.
    async fn finish(mut self) -> (u64, u64) {
        while self.answered < self.asked {
            self.step(false).await;
        }
        self.client.send(serde_json::to_vec(&Ask::Count).unwrap()).await.unwrap();
        loop {
            match watch::soon("the count", self.client.next()).await {
                Event::Message(bytes) => {
                    let counted: Answer = serde_json::from_slice(&bytes).unwrap();
                    assert_eq!(counted, Answer::Counted(self.asked));
                    return (self.asked, self.repairs);
                }
                Event::Ended(code, text) => panic!("{code} {text}"),
                _ => {}
            }
        }
    }
}

fn faults(seed: u64, kinds: &[(Kind, u32)], every: Range<u64>) -> Faults {
    let every = Duration::from_millis(every.start)..Duration::from_millis(every.end);
    let lasting = Duration::from_millis(1)..Duration::from_millis(20);
    Faults { seed, kinds: kinds.to_vec(), every, lasting, ..Faults::none() }
}

/// Talks through a proxy with these faults until `breaks` connections were broken and `messages`
/// messages answered; nothing may be lost, doubled or out of order.
async fn talk_through(faults: Faults, is_web: bool, breaks: u64, messages: u64) {
    // A black hole is found within two heartbeats.
    let node = game::node(|config| config.link.heartbeat = Duration::from_millis(100));
    let target = if is_web { node.http_addresses()[0] } else { node.link_addresses()[0] };
    let proxy = Proxy::start(target, faults).await.unwrap();
    let address = if is_web { player::web(proxy.address()) } else { proxy.address().to_string() };
    let options = player::options(address, "ann")
        .try_timeout(Duration::from_millis(500))
        .backoff(Duration::from_millis(1), Duration::from_millis(4));
    let mut talk = Talk::begin(options).await;
    while proxy.counters().breaks() < breaks || talk.answered < messages {
        talk.step(true).await;
    }
    proxy.set(Faults::none());
    // What has begun goes on: a connection in a black hole must go.
    proxy.cut_all();
    let (asked, repairs) = talk.finish().await;
    let counters = proxy.counters();
    assert!(asked >= messages && repairs > 0, "{asked} messages, {repairs} repairs");
    assert!(counters.breaks() >= breaks, "{counters:?}");
    assert_eq!(node.counters().foreign_polls(), 0);
}

const CUTS: &[(Kind, u32)] = &[(Kind::Cut, 1), (Kind::Reset, 2)];

#[tokio::test]
async fn p1_exactly_once_in_order_through_hundreds_of_cuts_over_tcp() {
    talk_through(faults(1, CUTS, 1..15), false, 200, 5_000).await;
}

#[tokio::test]
async fn p1_exactly_once_in_order_through_hundreds_of_cuts_over_websocket() {
    talk_through(faults(2, CUTS, 2..20), true, 150, 3_000).await;
}

#[tokio::test]
async fn p1_exactly_once_in_order_when_every_byte_comes_alone() {
    let kinds = [(Kind::Split, 6), (Kind::Reset, 1), (Kind::Delay, 1), (Kind::Throttle, 1)];
    talk_through(faults(3, &kinds, 1..10), false, 20, 2_000).await;
}

#[tokio::test]
async fn p1_exactly_once_in_order_through_black_holes() {
    let kinds = [(Kind::BlackHole, 1), (Kind::BlackHoleUp, 1), (Kind::BlackHoleDown, 1)];
    for is_web in [false, true] {
        talk_through(faults(4, &kinds, 1..30), is_web, 6, 500).await;
    }
}

#[tokio::test]
async fn p1_exactly_once_in_order_for_several_players_cut_at_once() {
    let node = game::node(|_| {});
    let proxy = Proxy::start(node.link_addresses()[0], faults(5, CUTS, 5..40)).await.unwrap();
    let mut players = Vec::new();
    for number in 0..8 {
        let options = player::options(proxy.address(), &format!("player {number}"));
        players.push(Talk::begin(options).await);
    }
    let talks = players.into_iter().map(|mut talk| {
        let proxy = &proxy;
        async move {
            while talk.answered < 500 || proxy.counters().breaks() < 100 {
                talk.step(true).await;
            }
            talk.finish().await
        }
    });
    let ended = futures_util::future::join_all(talks).await;
    assert!(ended.iter().all(|(asked, _)| *asked >= 500));
    // Connections come in on any worker and go to the one of their session.
    assert!(node.counters().moved() >= 100, "{:?}", node.counters());
    assert_eq!(node.counters().foreign_polls(), 0);
}
