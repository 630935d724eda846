//! P8: what leaves a node was committed before.

use std::time::Duration;

use throughline_client::CloseCode;
use throughline_cluster::State;

use crate::{
    cluster::{Cluster, Gate, Plan, holds_key, is_in},
    game::{Answer, Ask},
    journal,
    player::{self, join_with},
    raw::{Seen, Wire, hello},
};

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
