//! Snapshots that cannot be written, or not be read.

use std::time::Duration;

use throughline_client::{CloseCode, Options};
use throughline_cluster::{State, defaults};

use crate::{
    cluster::Plan,
    game::{Answer, Ask, Mood},
    journal, logs,
    operators::http::get,
    player,
    raw::Wire,
    watch,
};

#[tokio::test]
async fn a_session_that_cannot_be_loaded_stays_parked_as_it_was() {
    let cluster = Plan::new(2).walled().start().await;
    let address = cluster.node(1).link_addresses()[0];
    let (mut wire, seat) = Wire::session(address, "parrot", "ann").await;
    wire.ask(1, 0, &Ask::Say(1)).await;
    wire.ask(2, 0, &Ask::Be(Mood::Brittle)).await;
    for expected in [Answer::Started("ann".into()), Answer::Said(1), Answer::Said(0)] {
        assert_eq!(wire.answer::<Answer>().await, expected);
    }
    for attempt in 1..4 {
        let mut wire = Wire::tcp(cluster.node(2).link_addresses()[0]).await;
        wire.write(&seat.resume(attempt, 3, 2)).await;
        assert_eq!(wire.code().await, CloseCode::LoadFailed.number(), "attempt {attempt}");
        let state = cluster.wall(1).header(seat.id).unwrap().state;
        assert_eq!(state, State::Parked);
        assert_eq!(cluster.sessions(), [0, 0]);
    }
    journal::note(seat.id, "mended");
    let mut wire = Wire::tcp(cluster.node(2).link_addresses()[0]).await;
    wire.write(&seat.resume(4, 3, 2)).await;
    assert_eq!(wire.welcome().await.received, 2);
    wire.ask(3, 3, &Ask::Count).await;
    assert_eq!(wire.answer::<Answer>().await, Answer::Counted(1));
}

/// The store is not asked for what fails again and again, and nothing of it is lost: a node that
/// has not tried it loads it as it was.
#[tokio::test]
async fn a_session_whose_loads_fail_time_and_again_rests_on_that_node_and_stays_as_it_was() {
    let cluster = Plan::new(3).walled().start().await;
    let (mut wire, seat) =
        Wire::session(cluster.node(1).link_addresses()[0], "parrot", "ann").await;
    wire.ask(1, 0, &Ask::Say(1)).await;
    wire.ask(2, 0, &Ask::Be(Mood::Brittle)).await;
    for expected in [Answer::Started("ann".into()), Answer::Said(1), Answer::Said(0)] {
        assert_eq!(wire.answer::<Answer>().await, expected);
    }
    let tries = u64::from(defaults::LOAD_TRIES);
    for attempt in 1..=tries {
        let mut wire = Wire::tcp(cluster.node(2).link_addresses()[0]).await;
        wire.write(&seat.resume(attempt, 3, 2)).await;
        assert_eq!(wire.code().await, CloseCode::LoadFailed.number(), "attempt {attempt}");
    }
    journal::note(seat.id, "mended");
    let before = cluster.wall(1).header(seat.id).unwrap();
    let mut wire = Wire::tcp(cluster.node(2).link_addresses()[0]).await;
    wire.write(&seat.resume(tries + 1, 3, 2)).await;
    assert_eq!(wire.code().await, CloseCode::LoadFailed.number());
    assert_eq!(cluster.wall(1).header(seat.id).unwrap(), before, "nothing is written for it");
    let mut wire = Wire::tcp(cluster.node(3).link_addresses()[0]).await;
    wire.write(&seat.resume(tries + 2, 3, 2)).await;
    assert_eq!(wire.welcome().await.received, 2);
    wire.ask(3, 3, &Ask::Count).await;
    assert_eq!(wire.answer::<Answer>().await, Answer::Counted(1));
}

#[tokio::test]
async fn a_client_waits_out_a_load_that_fails() {
    let mut cluster = Plan::new(2).start().await;
    let options = Options::new([cluster.at(1), cluster.at(2)]).kind("parrot").login("ann");
    let quick = Duration::from_millis(10);
    let mut ann = player::join_with(options.backoff(quick, quick)).await;
    let id = ann.client().session_id();
    player::ask(&mut ann, Ask::Say(1)).await;
    player::ask(&mut ann, Ask::Be(Mood::Brittle)).await;
    assert!(cluster.stop(1).await.is_clean());
    let mend = async {
        journal::noted(id, "restored").await;
        journal::note(id, "mended");
        std::future::pending::<()>().await;
    };
    tokio::select! {
        counted = player::ask_past(&mut ann, Ask::Count) => assert_eq!(counted, Answer::Counted(1)),
        () = mend => {}
    }
}

#[tokio::test]
async fn a_snapshot_beyond_its_limit_does_not_leave_and_half_of_it_is_warned_of() {
    logs::keep();
    let any = ([127, 0, 0, 1], 0).into();
    let plan = Plan::new(2).with(move |config| {
        (config.session.snapshot_max, config.admin.listen) = (9_999, vec![any]);
    });
    let cluster = plan.start().await;
    let admin = |node| cluster.node(node).admin_addresses()[0];
    let large = async |node| get(admin(node), "/status").await.json()["large_snapshots"].clone();
    let address = cluster.node(1).link_addresses()[0];
    let (mut wire, seat) = Wire::session(address, "parrot", "ann").await;
    assert_eq!(wire.answer::<Answer>().await, Answer::Started("ann".into()));
    wire.ask(1, 1, &Ask::Carry(6_000)).await;
    assert_eq!(wire.answer::<Answer>().await, Answer::Said(0));
    let mut wire = Wire::tcp(cluster.node(2).link_addresses()[0]).await;
    wire.write(&seat.resume(1, 2, 1)).await;
    wire.welcome().await;
    let warned = || logs::with("at most 9999 (session.snapshot-max)");
    watch::until("a warning", || warned().iter().any(|line| line.starts_with("WARN"))).await;
    // Each by the node that wrote it.
    assert_eq!((large(1).await, large(2).await), (1.into(), 0.into()));

    wire.ask(2, 2, &Ask::Carry(12_000)).await;
    assert_eq!(wire.answer::<Answer>().await, Answer::Said(0));
    let mut other = Wire::tcp(cluster.node(1).link_addresses()[0]).await;
    other.write(&seat.resume(2, 3, 2)).await;
    assert_eq!(other.code().await, CloseCode::NotYet.number());
    // It goes on where it is, over the same connection.
    wire.ask(3, 3, &Ask::Carry(1)).await;
    assert_eq!(wire.answer::<Answer>().await, Answer::Said(0));
    journal::noted(seat.id, "swap out").await;
    assert_eq!((large(1).await, large(2).await), (1.into(), 1.into()));
    let mut other = Wire::tcp(cluster.node(1).link_addresses()[0]).await;
    other.write(&seat.resume(3, 4, 3)).await;
    assert!(other.welcome().await.resumed);
}
