//! P3: at most one node acts for a session.

use std::time::Duration;

use throughline_client::CloseCode;
use throughline_cluster::State;

use crate::{
    cluster::{Cluster, Gate, Plan, is_in},
    game::{Answer, Ask},
    journal,
    operators::{http::get, until},
    player,
    raw::{Seen, Wire, hello},
    watch,
};

/// Tries from this attempt on until the session comes; the connection and the next attempt.
async fn come(
    cluster: &Cluster,
    place: u32,
    seat: &crate::raw::Seat,
    mut attempt: u64,
) -> (Wire, u64) {
    let until_it_comes = async {
        loop {
            let mut wire = Wire::tcp(cluster.node(place).link_addresses()[0]).await;
            wire.write(&seat.resume(attempt, 1, 0)).await;
            attempt += 1;
            match wire.next().await {
                Seen::Welcome(welcome) => {
                    assert_eq!(welcome.id, seat.id);
                    return (wire, attempt);
                }
                Seen::Refused { code, .. } => {
                    let not_yet = [CloseCode::NotYet, CloseCode::GoElsewhere];
                    assert!(not_yet.map(CloseCode::number).contains(&code), "refused: {code}");
                }
                other => panic!("not an answer: {other:?}"),
            }
        }
    };
    watch::soon("the session", until_it_comes).await
}

#[tokio::test]
async fn of_two_resumes_at_two_nodes_the_higher_attempt_wins() {
    let cluster = Cluster::of(3).await;
    let address = cluster.node(1).link_addresses()[0];
    let (mut wire, seat) = Wire::session(address, "parrot", "ann").await;
    let mut attempt = 1;
    for round in 0..20 {
        // The lower attempt is tried once; the higher one is the client's last word.
        let (low, high) = (round % 3 + 1, (round + 1) % 3 + 1);
        let mut loser = Wire::tcp(cluster.node(low).link_addresses()[0]).await;
        loser.write(&seat.resume(attempt, 1, 0)).await;
        let (winner, next) = come(&cluster, high, &seat, attempt + 1).await;
        attempt = next;
        // Whatever became of the lower one, it does not stay.
        let rest = loser.rest().await;
        let code = rest.iter().find_map(|seen| match seen {
            Seen::Close { code, .. } | Seen::Refused { code, .. } => Some(*code),
            _ => None,
        });
        let fine = [CloseCode::TakenOver, CloseCode::OldAttempt, CloseCode::NotYet];
        let is_fine = |code| fine.map(CloseCode::number).contains(&code);
        assert!(code.is_none_or(is_fine), "round {round}: {rest:?}");
        wire = winner;
    }
    watch::until("one owner", || cluster.sessions().iter().sum::<usize>() == 1).await;
    wire.ask(1, 1, &Ask::Say(1)).await;
    assert_eq!(wire.answer::<Answer>().await, Answer::Said(1));
}

#[tokio::test]
async fn a_node_without_its_store_stops_acting_and_its_sessions_are_lost_on_both_sides() {
    stops_alone(Plan::new(3).walled().quick()).await;
}

/// It would play on if nobody else reached the store either.
#[tokio::test]
async fn a_node_that_alone_does_not_reach_the_store_stops_in_time() {
    stops_alone(Plan::new(3).walled().wide().quick()).await;
}

async fn stops_alone(plan: Plan) {
    let cluster = plan.start().await;
    let address = cluster.node(1).link_addresses()[0];
    let (mut wire, seat) = Wire::session(address, "parrot", "ann").await;
    assert_eq!(wire.answer::<Answer>().await, Answer::Started("ann".into()));
    let mut bob = cluster.join(1, "bob").await;
    let mut heir = cluster.join(2, "heir").await;
    let heir_id = heir.client().session_id();
    wire.ask(1, 1, &Ask::Heir(heir_id)).await;
    assert_eq!(wire.answer::<Answer>().await, Answer::Said(0));
    player::ask(&mut bob, Ask::Say(1)).await;

    cluster.wall(1).set(Gate::shut());
    bob.client().move_to(cluster.at(2)).unwrap();
    assert_eq!(player::end_of(&mut bob).await, CloseCode::Lost);
    cluster.wall(2).sees_dead(1).await;
    // The old owner is alive, and asked: it must not answer.
    wire.ask(2, 2, &Ask::Say(2)).await;
    let mut late = Wire::tcp(cluster.node(3).link_addresses()[0]).await;
    let code = watch::soon("the reason", async {
        for attempt in 1.. {
            late = Wire::tcp(cluster.node(3).link_addresses()[0]).await;
            late.write(&seat.resume(attempt, 2, 1)).await;
            let code = late.code().await;
            if code != CloseCode::NotYet.number() {
                return code;
            }
        }
        unreachable!("attempts do not end")
    });
    assert_eq!(code.await, CloseCode::Lost.number());
    assert_eq!(journal::count(seat.id, "destroyed Lost"), 0);
    let refused = cluster.wall(1).refused();
    cluster.wall(1).open();
    // Its game hears of it; its client does not, and nothing else leaves.
    let rest = wire.rest().await;
    let spoke = |seen: &Seen| matches!(seen, Seen::Data { .. } | Seen::Close { .. });
    assert!(!rest.iter().any(spoke), "{rest:?}");
    journal::noted(seat.id, "destroyed Lost").await;
    cluster.wall(2).sees_alive(1).await;
    assert!(cluster.wall(1).refused() > refused, "no stale commit was refused");
    // It serves again, as another incarnation.
    let mut cyd = cluster.join(1, "cyd").await;
    player::ask(&mut cyd, Ask::Say(3)).await;
    cyd.send(&Ask::Send(heir_id, 14)).await.unwrap();
    let told: Answer = heir.receive(watch::PATIENCE).await.unwrap();
    assert_eq!(told, Answer::Told(cyd.client().session_id(), 14));
    assert_eq!(cluster.node(1).counts().1, 1);
}

#[tokio::test]
async fn a_session_whose_commit_was_answered_after_its_node_had_died_does_not_act() {
    let cluster = Plan::new(2).walled().quick().start().await;
    let runs = |batch: &_| is_in(batch, |state| state == State::Running);
    cluster.wall(1).set(Gate::after(runs));
    let mut wire = Wire::tcp(cluster.node(1).link_addresses()[0]).await;
    wire.write(&hello("parrot", b"ann")).await;
    cluster.wall(1).holds_something().await;
    cluster.wall(1).set(Gate { is_shut: true, ..Gate::after(runs) });
    cluster.wall(2).sees_dead(1).await;
    cluster.wall(1).set(Gate::after(runs));
    // The node is another incarnation now; then it hears that its session may run.
    cluster.wall(2).sees_alive(1).await;
    cluster.wall(1).open();
    let rest = wire.rest().await;
    let welcomed = |seen: &Seen| matches!(seen, Seen::Welcome(_) | Seen::Data { .. });
    assert!(!rest.iter().any(welcomed), "{rest:?}");
    watch::until("nothing here", || cluster.sessions() == [0, 0]).await;
}

#[tokio::test]
async fn a_second_login_at_another_node_ends_the_first_with_key_taken() {
    let cluster = Cluster::of(2).await;
    let (mut old, mut new) = (cluster.join(1, "ann").await, cluster.join(2, "ann").await);
    let ids = [old.client().session_id(), new.client().session_id()];
    player::ask(&mut old, Ask::Key("ann".into())).await;
    player::ask(&mut new, Ask::Key("ann".into())).await;
    assert_eq!(player::end_of(&mut old).await, CloseCode::KeyTaken);
    journal::noted(ids[0], "destroyed KeyTaken").await;
    assert_eq!(journal::count(ids[0], "swap out"), 0);
    assert_eq!(cluster.node(1).session_of_key("ann"), None);
    assert_eq!(cluster.node(2).session_of_key("ann"), Some(ids[1]));
    // The one that was ended learns the same at any node.
    player::is_served(&mut new).await;
}

#[tokio::test]
async fn many_logins_of_one_player_leave_one_session() {
    let cluster = Cluster::of(3).await;
    let mut logins = tokio::task::JoinSet::new();
    for number in 0..12 {
        let options = cluster.options(number % 3 + 1, "ann");
        logins.spawn(async move {
            let mut ann = player::join_with(options).await;
            ann.send(&Ask::Key("ann".into())).await.unwrap();
            // Whoever is not last is ended, before or after its answer.
            let kept = loop {
                match ann.receive::<Answer>(watch::PATIENCE).await {
                    Ok(_) => {}
                    Err(error) => break error,
                }
                if ann.send(&Ask::Say(1)).await.is_err() {
                    return None;
                }
                tokio::task::yield_now().await;
            };
            let text = kept.to_string();
            assert!(text.contains("KeyTaken"), "{text}");
            None::<()>
        });
    }
    let mut ended = 0;
    while ended < 11 {
        watch::soon("a session that lost its key", logins.join_next()).await.unwrap().unwrap();
        ended += 1;
    }
    watch::until("one session", || cluster.sessions().iter().sum::<usize>() == 1).await;
    logins.shutdown().await;
}

#[tokio::test]
async fn a_parked_session_does_not_keep_its_key_from_a_new_login() {
    let mut cluster = Cluster::of(2).await;
    let mut old = cluster.join(1, "ann").await;
    player::ask(&mut old, Ask::Key("ann".into())).await;
    assert!(cluster.stop(1).await.is_clean());
    let mut new = cluster.join(2, "ann").await;
    player::ask(&mut new, Ask::Key("ann".into())).await;
    old.client().move_to(cluster.at(2)).unwrap();
    assert_eq!(player::end_of(&mut old).await, CloseCode::KeyTaken);
    player::is_served(&mut new).await;
}

#[tokio::test]
async fn a_session_whose_node_died_does_not_keep_its_key_from_a_new_login() {
    let mut cluster = Plan::new(2).quick().start().await;
    let mut old = cluster.join(1, "ann").await;
    player::ask(&mut old, Ask::Key("ann".into())).await;
    cluster.kill(1).await;
    let mut new = cluster.join(2, "ann").await;
    player::ask(&mut new, Ask::Key("ann".into())).await;
    old.client().move_to(cluster.at(2)).unwrap();
    let code = player::end_of(&mut old).await;
    assert!([CloseCode::KeyTaken, CloseCode::Lost].contains(&code), "{code}");
    player::is_served(&mut new).await;
}

#[tokio::test]
async fn a_hung_node_does_not_keep_its_players_from_logging_in() {
    let cluster = Plan::new(2).walled().quick().start().await;
    let mut old = cluster.join(1, "ann").await;
    let id = old.client().session_id();
    player::ask(&mut old, Ask::Key("ann".into())).await;
    cluster.wall(1).set(Gate::shut());
    let mut new = cluster.join(2, "ann").await;
    player::ask(&mut new, Ask::Key("ann".into())).await;
    assert_eq!(cluster.node(2).session_of_key("ann"), Some(new.client().session_id()));
    cluster.wall(1).open();
    cluster.wall(2).sees_alive(1).await;
    watch::until("nobody at node 1", || cluster.sessions() == [0, 1]).await;
    assert_eq!(cluster.node(1).session_of_key("ann"), None);
    assert!(journal::of(id).iter().any(|note| note.starts_with("destroyed ")));
    player::is_served(&mut new).await;
}

#[tokio::test]
async fn a_node_whose_worker_is_stuck_is_given_up_and_serves_again_as_another_incarnation() {
    let any = ([127, 0, 0, 1], 0).into();
    let plan = Plan::new(2).walled().quick().with(move |config| {
        (config.node.workers, config.admin.listen) = (1, vec![any]);
        if config.cluster.node == 1 {
            config.session.turn_deadline = Duration::from_millis(500);
        }
    });
    let cluster = plan.start().await;
    let admin = cluster.node(1).admin_addresses()[0];
    let mut ann = cluster.join(1, "ann").await;
    let (mut wire, bob) = Wire::session(cluster.node(1).link_addresses()[0], "parrot", "bob").await;
    assert_eq!(wire.answer::<Answer>().await, Answer::Started("bob".into()));
    let id = ann.client().session_id();
    let before = get(admin, "/status").await.json();
    assert_eq!((&before["state"], &before["fenced"]), (&"serving".into(), &0.into()));

    ann.send(&Ask::Stall).await.unwrap();
    cluster.wall(2).sees_dead(1).await;
    // Who did not stall is lost with it, and hears so where he comes.
    let code = watch::soon("the reason", async {
        for attempt in 1.. {
            let mut late = Wire::tcp(cluster.node(2).link_addresses()[0]).await;
            late.write(&bob.resume(attempt, 1, 0)).await;
            let code = late.code().await;
            if code != CloseCode::NotYet.number() {
                return code;
            }
        }
        unreachable!("attempts do not end")
    });
    assert_eq!(code.await, CloseCode::Lost.number());
    journal::gate(id).add_permits(1);
    cluster.wall(2).sees_alive(1).await;
    assert_eq!(player::end_of(&mut ann).await, CloseCode::Lost);
    journal::noted(bob.id, "destroyed Lost").await;
    watch::until("nobody at node 1", || cluster.sessions() == [0, 0]).await;
    let after = until(admin, "/status", |answer| answer.json()["state"] == "serving").await.json();
    assert_eq!(after["fenced"], 1, "{after}");
    assert_ne!(after["incarnation"], before["incarnation"]);
    let mut cyd = cluster.join(1, "cyd").await;
    player::is_served(&mut cyd).await;
}
