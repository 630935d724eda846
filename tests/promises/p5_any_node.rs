//! P5: a client may resume on any node of the cluster, and finds its session there.

use throughline_client::{Client, CloseCode, Event, TestClient};

use crate::{
    cluster::{Cluster, Plan},
    game::{Answer, Ask},
    journal, player,
    raw::{Seen, Wire},
    watch,
};

/// The number that was said; other messages are skipped.
async fn said(client: &mut TestClient) -> u64 {
    let said = client.expect(|answer| matches!(answer, Answer::Said(_))).await.unwrap();
    let Answer::Said(number) = said else { unreachable!("expected above") };
    number
}

#[tokio::test]
async fn a_client_finds_its_session_on_every_node() {
    finds_its_session_on_every_node(&Cluster::of(3).await).await;
}

/// Whatever store the three nodes share.
pub(crate) async fn finds_its_session_on_every_node(cluster: &Cluster) {
    let mut ann = cluster.join(1, "ann").await;
    let id = ann.client().session_id();
    player::ask(&mut ann, Ask::Key("ann".into())).await;
    player::ask(&mut ann, Ask::Say(1)).await;
    for (place, heard) in [(2, 1), (3, 2), (1, 3)] {
        ann.client().move_to(cluster.at(place)).unwrap();
        let counted = player::ask_past(&mut ann, Ask::Count).await;
        assert_eq!(counted, Answer::Counted(heard), "at node {place}");
        assert_eq!(ann.client().session_id(), id);
        assert_eq!(cluster.node(place).session_of_key("ann"), Some(id));
        let mut expected = vec![0; 3];
        expected[place as usize - 1] = 1;
        watch::until("one owner", || cluster.sessions() == expected).await;
        player::ask(&mut ann, Ask::Say(heard)).await;
    }
    let notes = journal::of(id);
    let came = notes.iter().filter(|note| *note == "restored").count();
    assert_eq!((came, journal::count(id, "swap out")), (3, 3), "{notes:?}");
}

#[tokio::test]
async fn messages_stay_in_order_and_come_once_over_fifty_hops() {
    const MESSAGES: u64 = 1_000;
    let cluster = Cluster::of(3).await;
    let mut ann = cluster.join(1, "ann").await;
    let (mut sent, mut got) = (0, 0);
    for hop in 0..50 {
        ann.client().move_to(cluster.at(hop % 3 + 1)).unwrap();
        for _ in 0..MESSAGES / 50 {
            ann.client().send(serde_json::to_vec(&Ask::Say(sent)).unwrap()).await.unwrap();
            sent += 1;
        }
        // Some are on their way, in both directions, when the client goes on.
        while got + 10 < sent {
            assert_eq!(said(&mut ann).await, got);
            got += 1;
        }
    }
    while got < sent {
        assert_eq!(said(&mut ann).await, got);
        got += 1;
    }
    assert_eq!(player::ask_past(&mut ann, Ask::Count).await, Answer::Counted(MESSAGES));
}

#[tokio::test]
async fn what_neither_side_had_acknowledged_travels() {
    let cluster = Cluster::of(2).await;
    let address = cluster.node(1).link_addresses()[0];
    let (mut wire, seat) = Wire::session(address, "parrot", "ann").await;
    wire.ask(1, 0, &Ask::Say(1)).await;
    assert_eq!(wire.answer::<Answer>().await, Answer::Started("ann".into()));
    assert_eq!(wire.answer::<Answer>().await, Answer::Said(1));
    // The second answer is lost on its way; so is the acknowledgement of the first question.
    drop(wire);
    let mut wire = Wire::tcp(cluster.node(2).link_addresses()[0]).await;
    wire.write(&seat.resume(1, 1, 0)).await;
    let welcome = wire.welcome().await;
    assert!(welcome.resumed);
    assert_eq!((welcome.id, welcome.received), (seat.id, 1));
    wire.ask(1, 1, &Ask::Say(1)).await;
    wire.ask(2, 1, &Ask::Say(2)).await;
    assert_eq!(wire.answer::<Answer>().await, Answer::Said(1));
    assert_eq!(wire.answer::<Answer>().await, Answer::Said(2));
    wire.ask(3, 3, &Ask::Count).await;
    assert_eq!(wire.answer::<Answer>().await, Answer::Counted(2));
}

#[tokio::test]
async fn a_timer_goes_on_with_what_was_left_of_it() {
    let cluster = Cluster::of(2).await;
    let mut ann = cluster.join(1, "ann").await;
    let id = ann.client().session_id();
    player::ask(&mut ann, Ask::Timer("bell".into(), 1_500)).await;
    player::ask(&mut ann, Ask::Timer("never".into(), 3_600_000)).await;
    player::ask(&mut ann, Ask::Cancel("never".into())).await;
    // If each hop began it anew, it would never come: the hops are closer than its time.
    let mut place = 1;
    watch::soon("the bell", async {
        while journal::count(id, "timer bell") == 0 {
            place = 3 - place;
            ann.client().move_to(cluster.at(place)).unwrap();
            ann.send(&Ask::Echo(String::new())).await.unwrap();
            ann.expect(|answer| matches!(answer, Answer::Echoed(_))).await.unwrap();
        }
    })
    .await;
    ann.client().move_to(cluster.at(3 - place)).unwrap();
    assert_eq!(player::ask_past(&mut ann, Ask::Count).await, Answer::Counted(0));
    assert_eq!(journal::count(id, "timer bell"), 1);
}

#[tokio::test]
async fn sessions_outlive_a_restart_of_every_node() {
    let mut cluster = Plan::new(3).on_disk().start().await;
    let mut ann = cluster.join(1, "ann").await;
    let id = ann.client().session_id();
    player::ask(&mut ann, Ask::Key("ann".into())).await;
    player::ask(&mut ann, Ask::Say(1)).await;
    let state = ann.client().export();
    drop(ann);
    for number in 1..=3 {
        let report = cluster.stop(number).await;
        assert!(report.is_clean(), "{report:?}");
    }
    cluster.lender().kill().await;
    cluster.lender().restart().await;
    for number in 1..=3 {
        cluster.start_node(number).await;
    }
    let resumed = Client::resume(cluster.options(3, "ann"), &state);
    let mut ann = watch::soon("a resume", resumed).await.unwrap();
    assert_eq!(ann.session_id(), id);
    assert_eq!(cluster.node(3).session_of_key("ann"), Some(id));
    ann.send(serde_json::to_vec(&Ask::Count).unwrap()).await.unwrap();
    let counted = watch::soon("an answer", async {
        loop {
            if let Event::Message(bytes) = ann.next().await
                && let Answer::Counted(heard) = serde_json::from_slice(&bytes).unwrap()
            {
                return heard;
            }
        }
    });
    assert_eq!(counted.await, 1);
}

#[tokio::test]
async fn who_comes_late_to_another_node_hears_the_last_messages_and_the_reason() {
    let cluster = Cluster::of(2).await;
    let address = cluster.node(1).link_addresses()[0];
    let (mut wire, seat) = Wire::session(address, "parrot", "ann").await;
    wire.ask(1, 0, &Ask::End(9)).await;
    wire.find(|seen| matches!(seen, Seen::Data { seq: 2, .. }).then_some(())).await;
    // It had the last message, and says that it had not.
    drop(wire);
    let mut heard = 0;
    for attempt in 1..1_000 {
        let mut wire = Wire::tcp(cluster.node(2).link_addresses()[0]).await;
        wire.write(&seat.resume(attempt, 1, 0)).await;
        match wire.next().await {
            Seen::Welcome(again) => assert_eq!(again.id, seat.id),
            // Its end is being written at node 1: it comes again, as a client does.
            Seen::Refused { code, .. } if heard == 0 && code == CloseCode::NotYet.number() => {
                continue;
            }
            other => panic!("a Welcome was expected, not {other:?}"),
        }
        assert_eq!(wire.answer::<Answer>().await, Answer::Said(9));
        assert_eq!(wire.code().await, CloseCode::Ended.number());
        heard += 1;
        if heard == 2 {
            break;
        }
    }
    assert_eq!(heard, 2);
}

#[tokio::test]
async fn a_node_that_drains_sends_clients_elsewhere() {
    let cluster = Plan::new(2).advertised().start().await;
    let mut ann = cluster.join(1, "ann").await;
    let (mut stays, seat) =
        Wire::session(cluster.node(1).link_addresses()[0], "parrot", "bob").await;
    stays.ask(1, 0, &Ask::Gate(1)).await;
    journal::noted(seat.id, "at the gate").await;
    let drained = cluster.drain(1);
    watch::soon("ann at node 2", async {
        while cluster.node(2).counts().1 == 0 {
            player::is_served(&mut ann).await;
        }
    })
    .await;
    // A login goes to the other node; so does a resume of a session that is there.
    let mut cyd = watch::soon("a login", cluster.join(1, "cyd")).await;
    player::is_served(&mut cyd).await;
    assert_eq!(cluster.node(2).counts().1, 2);
    ann.client().move_to(cluster.at(1)).unwrap();
    player::is_served(&mut ann).await;
    assert_eq!(cluster.node(2).counts().1, 2);
    journal::gate(seat.id).add_permits(1);
    let report = watch::soon("the drain", drained).await.unwrap();
    assert!(report.is_clean(), "{report:?}");
}

#[tokio::test]
async fn a_bad_proof_at_another_node_disturbs_nothing() {
    let cluster = Cluster::of(2).await;
    let address = cluster.node(1).link_addresses()[0];
    let (mut wire, seat) = Wire::session(address, "parrot", "ann").await;
    assert_eq!(wire.answer::<Answer>().await, Answer::Started("ann".into()));
    let mut resume = seat.resume(1, 1, 0);
    *resume.last_mut().unwrap() ^= 1;
    let mut thief = Wire::tcp(cluster.node(2).link_addresses()[0]).await;
    thief.write(&resume).await;
    assert_eq!(thief.code().await, CloseCode::BadProof.number());
    wire.ask(1, 1, &Ask::Say(1)).await;
    assert_eq!(wire.answer::<Answer>().await, Answer::Said(1));
    assert_eq!(journal::of(seat.id).iter().filter(|note| *note == "swap out").count(), 0);
}

#[tokio::test]
async fn an_attempt_that_was_used_is_refused_on_every_node() {
    let cluster = Cluster::of(3).await;
    let address = cluster.node(1).link_addresses()[0];
    let (wire, seat) = Wire::session(address, "parrot", "ann").await;
    drop(wire);
    let mut wire = Wire::tcp(cluster.node(2).link_addresses()[0]).await;
    wire.write(&seat.resume(5, 1, 0)).await;
    wire.welcome().await;
    for place in 1..=3 {
        let mut old = Wire::tcp(cluster.node(place).link_addresses()[0]).await;
        old.write(&seat.resume(5, 1, 0)).await;
        assert_eq!(old.code().await, CloseCode::OldAttempt.number(), "node {place}");
    }
    wire.ask(1, 1, &Ask::Say(1)).await;
    assert_eq!(wire.answer::<Answer>().await, Answer::Said(1));
}

#[tokio::test]
async fn a_second_tab_at_another_node_takes_over_and_the_first_is_told() {
    let cluster = Cluster::of(2).await;
    let mut first = Client::connect(cluster.options(1, "ann")).await.unwrap();
    let state = first.export();
    let resumed = Client::resume(cluster.options(2, "ann"), &state);
    let mut second = watch::soon("a resume", resumed).await.unwrap();
    let ended = watch::soon("the end of the first", async {
        loop {
            if let Event::Ended(code, _) = first.next().await {
                return code;
            }
        }
    });
    assert_eq!(ended.await, CloseCode::TakenOver);
    second.send(serde_json::to_vec(&Ask::Say(3)).unwrap()).await.unwrap();
    let said = watch::soon("an answer", async {
        loop {
            if let Event::Message(bytes) = second.next().await
                && let Answer::Said(number) = serde_json::from_slice(&bytes).unwrap()
            {
                return number;
            }
        }
    });
    assert_eq!(said.await, 3);
}
