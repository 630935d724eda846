//! Parked sessions whose clients never come back.

use std::time::Duration;

use throughline::EndReason;
use throughline::prelude::*;
use throughline_client::{CloseCode, TestClient};

use crate::{
    cluster::Plan,
    game::{self, Answer, Ask},
    journal, player,
    raw::Wire,
    watch,
};

/// Wants no last hook once it has expired in the store.
#[derive(Debug, Serialize, Deserialize)]
struct Leaf;

impl Session for Leaf {
    const KIND: &'static str = "leaf";
    const CODEC: Codec = Codec::Json;
    const DESTROY_EXPIRED: bool = false;
    type In = u64;
    type Out = u64;

    async fn login(_: Login<'_>) -> Result<Self, Refusal> {
        Ok(Self)
    }

    async fn message(&mut self, number: u64, ctx: &mut Context<Self>) -> Outcome {
        ctx.send(number);
        Ok(())
    }

    async fn destroyed(&mut self, reason: EndReason, ctx: &mut Context<Self>) -> Outcome {
        journal::note(ctx.session_id(), format!("destroyed {reason:?}"));
        Ok(())
    }
}

fn plan() -> Plan {
    let plan = Plan::new(2)
        .walled()
        .kinds(|_, config| game::builder(|own| *own = config).sessions::<Leaf>());
    plan.with(|config| config.session.timeout = Duration::from_secs(1))
}

#[tokio::test]
async fn a_parked_session_that_expires_runs_its_last_hook_once() {
    let mut cluster = plan().start().await;
    let mut heir = cluster.join(2, "heir").await;
    let address = cluster.node(1).link_addresses()[0];
    let (mut wire, seat) = Wire::session(address, "parrot", "ann").await;
    wire.ask(1, 0, &Ask::Heir(heir.client().session_id())).await;
    assert_eq!(wire.answer::<Answer>().await, Answer::Started("ann".into()));
    assert_eq!(wire.answer::<Answer>().await, Answer::Said(0));
    drop(wire);
    journal::noted(seat.id, "connection lost").await;
    assert!(cluster.stop(1).await.is_clean());
    // What it does in it is done.
    let told: Answer = heir.receive(watch::PATIENCE).await.unwrap();
    assert_eq!(told, Answer::Told(seat.id, 13));
    assert_eq!(journal::count(seat.id, "destroyed Expired"), 1);
    let ended = || cluster.wall(2).header(seat.id).is_some_and(|h| h.state.is_ended());
    watch::until("its end in the store", ended).await;
    let mut late = Wire::tcp(cluster.node(2).link_addresses()[0]).await;
    late.write(&seat.resume(1, 2, 1)).await;
    assert_eq!(late.code().await, CloseCode::Expired.number());
    player::is_served(&mut heir).await;
}

#[tokio::test]
async fn a_parked_session_without_a_last_hook_is_dropped() {
    let mut cluster = plan().start().await;
    let options = cluster.options(1, "ann").kind("leaf");
    let mut ann = watch::soon("a login", TestClient::connect(options)).await.unwrap();
    let id = ann.client().session_id();
    assert!(cluster.stop(1).await.is_clean());
    watch::until("the end of its record", || cluster.wall(2).header(id).is_none()).await;
    assert_eq!(journal::of(id), Vec::<String>::new());
    ann.client().move_to(cluster.at(2)).unwrap();
    assert_eq!(player::end_of(&mut ann).await, CloseCode::Unknown);
}
