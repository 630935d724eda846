//! An owner that has the record and not the session yet: its commit hangs, or its game is at it.

use throughline::prelude::*;
use throughline_client::CloseCode;
use throughline_cluster::State;
use tokio::sync::Semaphore;

use crate::{
    cluster::{Gate, Plan, is_in},
    game::{self, Ask},
    journal,
    player::{self, join_with},
    raw::Wire,
    watch,
};

/// What lets loads end.
static LOADS: Semaphore = Semaphore::const_new(0);

/// Takes long to load.
#[derive(Debug, Serialize, Deserialize)]
struct Sleeper;

impl Session for Sleeper {
    const KIND: &'static str = "sleeper";
    const CODEC: Codec = Codec::Json;
    type In = u64;
    type Out = u64;

    async fn login(_: Login<'_>) -> Result<Self, Refusal> {
        Ok(Self)
    }

    async fn message(&mut self, number: u64, ctx: &mut Context<Self>) -> Outcome {
        ctx.send(number);
        Ok(())
    }

    async fn restored(&mut self, ctx: &mut Context<Self>) -> Outcome {
        journal::note(ctx.session_id(), "loads".to_owned());
        LOADS.acquire().await?.forget();
        Ok(())
    }
}

#[tokio::test]
async fn an_owner_whose_first_commit_hangs_is_passed_over() {
    let cluster = Plan::new(2).walled().start().await;
    let mut ann = join_with(cluster.options(1, "ann")).await;
    cluster.wall(2).set(Gate::before(|batch| is_in(batch, |state| state == State::Running)));
    ann.client().move_to(cluster.at(2)).unwrap();
    tokio::select! {
        () = player::is_served(&mut ann) => panic!("the commit was not held up"),
        () = cluster.wall(2).holds_something() => {}
    }
    ann.client().move_to(cluster.at(1)).unwrap();
    player::ask_past(&mut ann, Ask::Count).await;
    cluster.wall(2).open();
    watch::until("nothing there", || cluster.sessions() == [1, 0]).await;
    player::is_served(&mut ann).await;
}

#[tokio::test]
async fn a_session_that_its_game_is_loading_is_taken_by_nobody_else() {
    let plan = Plan::new(2);
    let kinds = |_, config| game::builder(|own| *own = config).sessions::<Sleeper>();
    let cluster = plan.kinds(kinds).start().await;
    let address = |number| cluster.node(number).link_addresses()[0];
    let (wire, seat) = Wire::session(address(1), "sleeper", "ann").await;
    drop(wire);
    let mut there = Wire::tcp(address(2)).await;
    there.write(&seat.resume(1, 0, 0)).await;
    journal::noted(seat.id, "loads").await;
    let mut back = Wire::tcp(address(1)).await;
    back.write(&seat.resume(2, 0, 0)).await;
    assert_eq!(back.code().await, CloseCode::NotYet.number());
    LOADS.add_permits(1);
    assert!(there.welcome().await.resumed);
    there.data(1, 0, b"7").await;
    assert_eq!(there.answer::<u64>().await, 7);
    assert_eq!(journal::count(seat.id, "loads"), 1);
}
