//! First things first.

use std::time::Duration;

use throughline_client::{Client, Event, Options};

use crate::game::{self, Answer, Ask};

#[tokio::test]
async fn a_player_is_welcomed_and_answered() {
    let node = game::node(game::config());
    let address = node.link_addresses()[0].to_string();
    let mut client =
        Client::connect(Options::new([address]).kind("parrot").login("ann")).await.unwrap();
    let next = async |client: &mut Client| match client.next().await {
        Event::Message(bytes) => serde_json::from_slice::<Answer>(&bytes).unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(next(&mut client).await, Answer::Started("ann".into()));
    client.send(serde_json::to_vec(&Ask::Say(5)).unwrap()).await.unwrap();
    assert_eq!(next(&mut client).await, Answer::Said(5));
    client.leave().await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    let report = node.stop();
    assert_eq!(report.left, 0);
}
