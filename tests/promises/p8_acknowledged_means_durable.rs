//! P8: what leaves a node was committed before.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use throughline::prelude::*;
use throughline_client::CloseCode;
use throughline_cluster::State;
use throughline_link::{Data, Frame};

use crate::{
    cluster::{Cluster, Gate, Plan, holds_key, is_in},
    game::{self, Answer, Ask},
    journal,
    player::{self, join_with},
    raw::{Seen, Wire, hello},
};

/// Answers each message with how many there were; every turn is committed.
#[derive(Debug, Serialize, Deserialize)]
struct Counter {
    heard: u64,
}

impl Session for Counter {
    const KIND: &'static str = "counter";
    const CODEC: Codec = Codec::Json;
    const DURABILITY: Durability = Durability::EveryTurn;
    type In = u64;
    type Out = u64;

    async fn login(_: Login<'_>) -> Result<Self, Refusal> {
        Ok(Self { heard: 0 })
    }

    async fn message(&mut self, _: u64, ctx: &mut Context<Self>) -> Outcome {
        self.heard += 1;
        ctx.send(self.heard);
        Ok(())
    }
}

/// What would leave too early leaves within this, mostly.
const EARLY: Duration = Duration::from_millis(100);

/// That nothing comes over this connection; an alternative to a connection that speaks first.
async fn is_silent(wire: &mut Wire) {
    let early = tokio::time::timeout(EARLY, wire.next()).await;
    assert!(early.is_err(), "{early:?}");
}

async fn walled(nodes: u32) -> Cluster {
    Plan::new(nodes).walled().start().await
}

#[tokio::test]
async fn no_welcome_leaves_before_the_record_is_committed() {
    let cluster = walled(1).await;
    for which in
        [(|batch: &_| is_in(batch, |state| state == State::New)) as fn(&_) -> bool, |batch: &_| {
            is_in(batch, |state| state == State::Running)
        }]
    {
        cluster.wall(1).set(Gate::before(which));
        let mut wire = Wire::tcp(cluster.node(1).link_addresses()[0]).await;
        wire.write(&hello("parrot", b"ann")).await;
        cluster.wall(1).holds_something().await;
        is_silent(&mut wire).await;
        cluster.wall(1).open();
        wire.welcome().await;
        assert_eq!(wire.answer::<Answer>().await, Answer::Started("ann".into()));
    }
}

#[tokio::test]
async fn no_close_leaves_before_the_end_is_committed() {
    let cluster = walled(1).await;
    let address = cluster.node(1).link_addresses()[0];
    let (mut wire, seat) = Wire::session(address, "parrot", "ann").await;
    assert_eq!(wire.answer::<Answer>().await, Answer::Started("ann".into()));
    cluster.wall(1).set(Gate::before(|batch| is_in(batch, State::is_ended)));
    wire.ask(1, 1, &Ask::End(9)).await;
    cluster.wall(1).holds_something().await;
    journal::noted(seat.id, "destroyed Ended").await;
    let early = tokio::time::timeout(EARLY, async {
        wire.find(|seen| matches!(seen, Seen::Close { .. }).then_some(())).await;
    });
    assert!(early.await.is_err(), "a Close left too early");
    cluster.wall(1).open();
    assert_eq!(wire.code().await, CloseCode::Ended.number());
}

#[tokio::test]
async fn nothing_of_a_turn_that_takes_a_key_leaves_before_the_key_is_committed() {
    let cluster = walled(1).await;
    let address = cluster.node(1).link_addresses()[0];
    let (mut wire, _) = Wire::session(address, "parrot", "ann").await;
    assert_eq!(wire.answer::<Answer>().await, Answer::Started("ann".into()));
    cluster.wall(1).set(Gate::before(holds_key));
    wire.ask(1, 1, &Ask::Key("ann".into())).await;
    cluster.wall(1).holds_something().await;
    is_silent(&mut wire).await;
    assert_eq!(cluster.node(1).session_of_key("ann"), None);
    cluster.wall(1).open();
    assert_eq!(wire.answer::<Answer>().await, Answer::Said(0));
}

#[tokio::test]
async fn a_session_comes_nowhere_before_its_old_owner_has_committed_that_it_went() {
    let cluster = walled(2).await;
    let address = cluster.node(1).link_addresses()[0];
    let (mut wire, seat) = Wire::session(address, "parrot", "ann").await;
    assert_eq!(wire.answer::<Answer>().await, Answer::Started("ann".into()));
    drop(wire);
    cluster.wall(1).set(Gate::before(|batch| is_in(batch, |state| state == State::Handed)));
    let mut wire = Wire::tcp(cluster.node(2).link_addresses()[0]).await;
    wire.write(&seat.resume(1, 1, 0)).await;
    cluster.wall(1).holds_something().await;
    is_silent(&mut wire).await;
    assert_eq!(journal::count(seat.id, "restored"), 0);
    cluster.wall(1).open();
    assert!(wire.welcome().await.resumed);
}

#[tokio::test]
async fn no_welcome_leaves_before_the_new_owner_has_committed_that_it_acts() {
    let cluster = walled(2).await;
    let mut ann = join_with(cluster.options(1, "ann")).await;
    let id = ann.client().session_id();
    cluster.wall(2).set(Gate::before(|batch| is_in(batch, |state| state == State::Running)));
    ann.client().move_to(cluster.at(2)).unwrap();
    let asks = async {
        player::ask(&mut ann, Ask::Say(1)).await;
    };
    let holds = async {
        cluster.wall(2).holds_something().await;
        // Its game knows that it came; what it does is not seen outside.
        journal::noted(id, "restored").await;
        tokio::time::sleep(EARLY).await;
    };
    tokio::select! {
        () = asks => panic!("the client was answered too early"),
        () = holds => {}
    }
    cluster.wall(2).open();
    player::ask_past(&mut ann, Ask::Count).await;
}

/// Commits of turns that have passed the gate.
static PASSED: AtomicU32 = AtomicU32::new(0);

#[tokio::test]
async fn what_is_committed_leaves_while_a_backlog_is_still_being_handled() {
    const TURNS: u64 = 30;
    let plan = Plan::new(1).walled();
    let kinds = |_, config| game::builder(|own| *own = config).sessions::<Counter>();
    let cluster = plan.kinds(kinds).start().await;
    let address = cluster.node(1).link_addresses()[0];
    let (mut wire, _) = Wire::session(address, "counter", "").await;
    cluster.wall(1).set(Gate::before(|batch| {
        is_in(batch, |state| state == State::Committed)
            && PASSED.fetch_add(1, Ordering::Relaxed) >= 20
    }));
    let mut backlog = Vec::new();
    for seq in 1..=TURNS {
        Frame::Data(Data { seq, ack: 0, payload: b"0" }).write(&mut backlog);
    }
    wire.write(&backlog).await;
    cluster.wall(1).holds_something().await;
    for number in 1..=12 {
        assert_eq!(wire.answer::<u64>().await, number);
    }
    cluster.wall(1).open();
    for number in 13..=TURNS {
        assert_eq!(wire.answer::<u64>().await, number);
    }
}
