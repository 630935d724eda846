//! Two connections of one session.

use throughline_client::{Client, CloseCode, Event};

use crate::{
    game::{self, Answer, Ask},
    journal, player,
    raw::{Seen, Wire},
    watch,
};

#[tokio::test]
async fn the_later_of_two_resumes_wins_and_the_older_connection_is_told() {
    let node = game::node(|_| {});
    for (name, mut older) in Wire::each(&node).await {
        let seat = older.log_in("parrot", "ann").await;
        older.ask(1, 0, &Ask::Say(1)).await;
        assert_eq!(older.answer::<Answer>().await, Answer::Started("ann".into()));
        assert_eq!(older.answer::<Answer>().await, Answer::Said(1));
        let before = node.counters().closed(CloseCode::TakenOver);
        for (attempt, (_, mut newer)) in (1..).zip(Wire::each(&node).await) {
            newer.write(&seat.resume(attempt, 2, 1)).await;
            newer.welcome().await;
            assert_eq!(older.code().await, CloseCode::TakenOver.number(), "{name}");
            assert!(matches!(older.next().await, Seen::End(None | Some(4_202))), "{name}");
            older = newer;
        }
        older.ask(2, 2, &Ask::Say(2)).await;
        assert_eq!(older.answer::<Answer>().await, Answer::Said(2), "{name}");
        assert_eq!(node.counters().closed(CloseCode::TakenOver) - before, 2);
        let notes = journal::of(seat.id);
        assert_eq!(notes.last().unwrap(), "repaired from 127.0.0.1", "{notes:?}");
    }
}

#[tokio::test]
async fn two_copies_of_a_client_do_not_fight() {
    let node = game::node(|_| {});
    let options = || player::options(node.link_addresses()[0], "ann");
    let mut first = Client::connect(options()).await.unwrap();
    let state = first.export();
    let mut second = Client::resume(options(), &state).await.unwrap();
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
    assert_eq!(node.counts().1, 1);
}
