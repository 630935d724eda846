//! Parked sessions whose clients never come back.

use std::time::Duration;

use throughline::EndReason;
use throughline::prelude::*;
use throughline_client::{CloseCode, TestClient};

use crate::{
    cluster::Plan,
    game::{self, Answer, Ask},
    journal,
    operators::until,
    player,
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

fn plan(nodes: u32) -> Plan {
    let plan = Plan::new(nodes)
        .walled()
        .kinds(|_, config| game::builder(|own| *own = config).sessions::<Leaf>());
    plan.with(|config| config.session.timeout = Duration::from_secs(1))
}

#[tokio::test]
async fn a_parked_session_that_expires_runs_its_last_hook_once() {
    let mut cluster = plan(2).start().await;
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
    let mut cluster = plan(2).start().await;
    let options = cluster.options(1, "ann").kind("leaf");
    let mut ann = watch::soon("a login", TestClient::connect(options)).await.unwrap();
    let id = ann.client().session_id();
    assert!(cluster.stop(1).await.is_clean());
    watch::until("the end of its record", || cluster.wall(2).header(id).is_none()).await;
    assert_eq!(journal::of(id), Vec::<String>::new());
    ann.client().move_to(cluster.at(2)).unwrap();
    assert_eq!(player::end_of(&mut ann).await, CloseCode::Unknown);
}

#[tokio::test]
async fn what_is_over_is_cleared_away_and_counted() {
    let any = ([127, 0, 0, 1], 0).into();
    let plan = plan(3).quick().with(move |config| {
        config.admin.listen = vec![any];
        // Node 3 is gone by then: what it cleared away, it would count.
        config.session.timeout = Duration::from_secs(5);
    });
    let mut cluster = plan.start().await;
    let ann = cluster.join(1, "ann").await;
    let bob = cluster.options(1, "bob").kind("leaf");
    let bob = watch::soon("a login", TestClient::connect(bob)).await.unwrap();
    // Hers is parked, and so is his; the one of node 3 is lost with it.
    drop((ann, bob));
    assert!(cluster.stop(1).await.is_clean());
    let lost = cluster.join(3, "cid").await;
    cluster.kill(3).await;
    let admin = cluster.node(2).admin_addresses()[0];
    // The node that was stopped has an entry, too.
    let wanted = [("expired", 1), ("ended", 1), ("of_the_dead", 1), ("nodes", 2)];
    let is_there = |swept: &serde_json::Value| {
        wanted.iter().all(|(name, n)| swept[name].as_u64().is_some_and(|found| found >= *n))
    };
    let said = until(admin, "/status", |said| is_there(&said.json()["swept"])).await.json();
    assert!(wanted.iter().all(|(name, n)| said["swept"][name] == *n), "{said}");
    drop(lost);
    // Nothing is left of the nodes but the one that runs; what expires counts when it is claimed,
    // and its end is written then.
    let rows = |prefix| cluster.wall(2).rows(prefix);
    watch::until("no row", || (rows(b"b"), rows(b"o"), rows(b"r")) == (1, 0, 0)).await;
}
