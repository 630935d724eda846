//! Nodes of different builds in one cluster.

use std::time::Duration;

use throughline::prelude::*;
use throughline::{Config, NodeBuilder};
use throughline_client::{CloseCode, TestClient};

use crate::{
    cluster::{Cluster, Plan},
    operators::{
        http::{Answer as Said, post},
        until,
    },
    raw::{Seen, Wire},
    watch,
};

/// Its state has a path since version 2: who read what. Version 2 reads version 1, and can write
/// it; version 3 knows itself only.
#[derive(Debug, Serialize, Deserialize)]
struct Nomad<const VERSION: u32> {
    heard: u64,
    #[serde(default)]
    path: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct First {
    heard: u64,
}

impl<const VERSION: u32> Session for Nomad<VERSION> {
    const KIND: &'static str = "nomad";
    const CODEC: Codec = Codec::Json;
    const STATE_VERSION: u32 = VERSION;
    const OLDEST_VERSION: u32 = if VERSION == 2 { 1 } else { VERSION };
    type In = ();
    type Out = (u64, Vec<String>);

    async fn login(_: Login<'_>) -> Result<Self, Refusal> {
        Ok(Self { heard: 0, path: Vec::new() })
    }

    fn migrate(from: u32, state: &[u8]) -> Result<Self, HandlerError> {
        let First { heard } = ciborium::from_reader(state)?;
        Ok(Self { heard, path: vec![format!("{VERSION} read {from} at {heard}")] })
    }

    fn downgrade(&self, to: u32) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        ciborium::into_writer(&First { heard: self.heard }, &mut bytes).unwrap();
        ((VERSION, to) == (2, 1)).then_some(bytes)
    }

    async fn message(&mut self, (): (), ctx: &mut Context<Self>) -> Outcome {
        self.heard += 1;
        ctx.send((self.heard, self.path.clone()));
        Ok(())
    }
}

fn of<const VERSION: u32>(_: u32, config: Config) -> NodeBuilder {
    Node::builder(config).sessions::<Nomad<VERSION>>()
}

/// Node 1 is older than the others.
fn mixed<const OLD: u32, const NEW: u32>(number: u32, config: Config) -> NodeBuilder {
    if number == 1 { of::<OLD>(number, config) } else { of::<NEW>(number, config) }
}

async fn join(cluster: &Cluster, number: u32) -> TestClient {
    let options = cluster.options(number, "ann").kind("nomad");
    watch::soon("a login", TestClient::connect(options)).await.unwrap()
}

/// What it heard, and its path.
async fn ask(client: &mut TestClient) -> (u64, Vec<String>) {
    client.send(&()).await.unwrap();
    client.receive(watch::PATIENCE).await.unwrap()
}

#[tokio::test]
async fn a_session_goes_to_newer_nodes_and_back_while_older_ones_live() {
    let cluster = Plan::new(3).kinds(mixed::<1, 2>).start().await;
    // Also one that began at a newer node.
    for (begin, places) in [(1, [2, 3, 1, 3]), (2, [3, 1, 2, 1])] {
        let mut ann = join(&cluster, begin).await;
        let mut heard = 1;
        assert_eq!(ask(&mut ann).await, (heard, vec![]));
        for place in places {
            ann.client().move_to(cluster.at(place)).unwrap();
            let path = if place == 1 { vec![] } else { vec![format!("2 read 1 at {heard}")] };
            heard += 1;
            assert_eq!(ask(&mut ann).await, (heard, path), "at node {place}");
        }
    }
}

#[tokio::test]
async fn the_new_version_is_written_once_no_older_node_lives_and_it_is_said_to_be_final() {
    let any = ([127, 0, 0, 1], 0).into();
    let plan = Plan::new(3).kinds(mixed::<1, 2>);
    let mut cluster = plan.with(move |config| config.admin.listen = vec![any]).start().await;
    let admin = cluster.node(2).admin_addresses()[0];
    let is_noted = |version: u64, all: u64| {
        let is_so = move |said: &Said| {
            let kind = &said.json()["kinds"][0];
            kind["version"] == version && kind["read_by_all"] == all
        };
        until(admin, "/versions", is_so)
    };
    is_noted(1, 1).await;
    let mut ann = join(&cluster, 2).await;
    ask(&mut ann).await;
    // A node of the old build lives: there is nothing to be made final.
    let said = post(admin, "/versions/final", "").await.json();
    assert_eq!(said["kinds"][0]["version"], 1);
    assert!(cluster.stop(1).await.is_clean());
    is_noted(1, 2).await;
    // A rollback finds what it can read.
    for hop in 1..=4 {
        ann.client().move_to(cluster.at(2 + hop % 2)).unwrap();
        let (heard, path) = ask(&mut ann).await;
        assert_eq!(path, [format!("2 read 1 at {}", heard - 1)], "the old version was written");
    }
    cluster.start_with(1, of::<1>).await;
    ann.client().move_to(cluster.at(1)).unwrap();
    assert_eq!(ask(&mut ann).await.1, Vec::<String>::new(), "the old build has it again");
    ann.client().move_to(cluster.at(2)).unwrap();
    ask(&mut ann).await;
    assert!(cluster.stop(1).await.is_clean());
    is_noted(1, 2).await;
    let said = post(admin, "/versions/final", "").await.json();
    assert_eq!(said["kinds"][0]["version"], 2);
    // What is read in its own version has no new path.
    watch::soon("the new version", async {
        for hop in 1_u32.. {
            let (_, before) = ask(&mut ann).await;
            ann.client().move_to(cluster.at(2 + hop % 2)).unwrap();
            if ask(&mut ann).await.1 == before {
                return;
            }
        }
    })
    .await;
}

/// The others hear at once that it has left, and have read what is final long before, or never.
#[tokio::test]
async fn the_old_version_is_written_when_the_last_older_node_has_left_between_two_beats() {
    let any = ([127, 0, 0, 1], 0).into();
    let plan = Plan::new(3).kinds(mixed::<1, 2>).with(move |config| {
        config.admin.listen = vec![any];
        config.cluster.term = Duration::from_secs(60);
        // It joins before a version is noted, and does not beat again.
        if config.cluster.node == 3 {
            config.cluster.beat = Duration::from_secs(10);
        }
    });
    let mut cluster = plan.start().await;
    let admins = [2, 3].map(|node| cluster.node(node).admin_addresses()[0]);
    let mut ann = join(&cluster, 2).await;
    ask(&mut ann).await;
    let reads = |all: u64| move |said: &Said| said.json()["kinds"][0]["read_by_all"] == all;
    until(admins[0], "/versions", reads(1)).await;
    assert!(cluster.stop(1).await.is_clean());
    for admin in admins {
        until(admin, "/versions", reads(2)).await;
    }
    for hop in 1..=4 {
        ann.client().move_to(cluster.at(2 + hop % 2)).unwrap();
        let (heard, path) = ask(&mut ann).await;
        assert_eq!(path, [format!("2 read 1 at {}", heard - 1)], "the old version was written");
    }
}

#[tokio::test]
async fn a_node_never_gets_a_version_that_it_cannot_read() {
    let cluster = Plan::new(3).kinds(mixed::<1, 3>).advertised().start().await;
    let address = cluster.node(2).link_addresses()[0];
    let (mut wire, seat) = Wire::session(address, "nomad", "ann").await;
    wire.ask(1, 0, &()).await;
    assert_eq!(wire.answer::<(u64, Vec<String>)>().await, (1, vec![]));
    let mut attempts = 1..;
    for _ in 0..3 {
        let sent = async {
            loop {
                let mut other = Wire::tcp(cluster.node(1).link_addresses()[0]).await;
                other.write(&seat.resume(attempts.next().unwrap(), 1, 0)).await;
                match other.code().await {
                    // Its owner did not answer in time: it is not known to be elsewhere.
                    code if code == CloseCode::NotYet.number() => {}
                    code => return code,
                }
            }
        };
        assert_eq!(watch::soon("a refusal", sent).await, CloseCode::GoElsewhere.number());
    }
    // It stayed where it was, and goes where it is understood.
    wire.ask(2, 1, &()).await;
    let answer = wire.find(|seen| match seen {
        Seen::Data { payload, .. } => Some(payload.clone()),
        _ => None,
    });
    assert_eq!(serde_json::from_slice::<(u64, Vec<String>)>(&answer.await).unwrap(), (2, vec![]));
    let mut other = Wire::tcp(cluster.node(3).link_addresses()[0]).await;
    other.write(&seat.resume(attempts.next().unwrap(), 2, 2)).await;
    assert!(other.welcome().await.resumed);
}

#[tokio::test]
async fn a_client_is_sent_to_none_but_those_that_read_its_session() {
    let kinds = |number, config| match number {
        3 => of::<3>(number, config),
        _ => of::<1>(number, config),
    };
    let mut cluster = Plan::new(4).kinds(kinds).advertised().start().await;
    let (mut wire, seat) = Wire::session(cluster.node(3).link_addresses()[0], "nomad", "ann").await;
    wire.ask(1, 0, &()).await;
    assert_eq!(wire.answer::<(u64, Vec<String>)>().await, (1, vec![]));
    let readers = vec![cluster.at(3)];
    let mut attempts = 1..;
    for is_parked in [false, true] {
        if is_parked {
            assert!(cluster.stop(3).await.is_clean());
            cluster.start_with(3, kinds).await;
        }
        // Node 1 may not have seen yet that node 3 is there again; it never names another.
        let named = async {
            loop {
                let mut other = Wire::tcp(cluster.node(1).link_addresses()[0]).await;
                other.write(&seat.resume(attempts.next().unwrap(), 1, 0)).await;
                let sent = other.find(|seen| match seen {
                    Seen::Refused { code, addresses, .. } => Some((*code, addresses.clone())),
                    _ => None,
                });
                let (code, addresses) = sent.await;
                if !addresses.is_empty() {
                    assert_eq!(code, CloseCode::GoElsewhere.number());
                    return addresses;
                }
                assert_eq!(code, CloseCode::NotYet.number());
            }
        };
        assert_eq!(watch::soon("an address", named).await, readers);
    }
    // Nobody reads it any more: its client is told to wait, not sent around.
    assert!(cluster.stop(3).await.is_clean());
    watch::soon("no other node", async {
        loop {
            let mut other = Wire::tcp(cluster.node(1).link_addresses()[0]).await;
            other.write(&seat.resume(attempts.next().unwrap(), 1, 0)).await;
            if other.code().await == CloseCode::NotYet.number() {
                return;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_that_is_sent_elsewhere_finds_the_node_that_reads_its_session() {
    let mut cluster = Plan::new(2).kinds(mixed::<1, 3>).advertised().start().await;
    let mut ann = join(&cluster, 2).await;
    assert_eq!(ask(&mut ann).await, (1, vec![]));
    ann.client().move_to(cluster.at(1)).unwrap();
    assert_eq!(ask(&mut ann).await, (2, vec![]));
    // Who came to node 1 in vain leaves its place a moment later.
    watch::until("it is where it was", || cluster.sessions() == [0, 1]).await;
    // Parked, with nobody left who reads it, it waits.
    assert!(cluster.stop(2).await.is_clean());
    let state = ann.client().export();
    drop(ann);
    cluster.start_with(2, of::<3>).await;
    let options = cluster.options(1, "ann").kind("nomad");
    let resumed = throughline_client::Client::resume(options, &state);
    let ann = watch::soon("a resume", resumed).await.unwrap();
    assert!(ann.is_live());
    assert_eq!(cluster.sessions(), [0, 1]);
}
