//! Session keys: the player's own id, held by one session.

use throughline_client::CloseCode;

use crate::{
    game::{self, Ask},
    journal,
    player::{self, join},
    watch,
};

#[tokio::test]
async fn the_second_session_of_a_player_ends_the_first() {
    let node = game::node(|_| {});
    let (mut old, mut new) = (join(&node, "ann").await, join(&node, "ann").await);
    let ids = [old.client().session_id(), new.client().session_id()];
    player::ask(&mut old, Ask::Key("ann".into())).await;
    assert_eq!(node.session_of_key("ann"), Some(ids[0]));
    player::ask(&mut new, Ask::Key("ann".into())).await;
    assert_eq!(node.session_of_key("ann"), Some(ids[1]));
    assert_eq!(player::end_of(&mut old).await, CloseCode::KeyTaken);
    journal::noted(ids[0], "destroyed KeyTaken").await;
    // Its end takes nothing from the new holder.
    assert_eq!(node.session_of_key("ann"), Some(ids[1]));
    player::is_served(&mut new).await;
}

#[tokio::test]
async fn a_key_is_free_again_with_a_new_key_or_the_end() {
    let node = game::node(|_| {});
    let mut ann = join(&node, "ann").await;
    player::ask(&mut ann, Ask::Key("one".into())).await;
    player::ask(&mut ann, Ask::Key("two".into())).await;
    assert_eq!(node.session_of_key("one"), None);
    assert_eq!(node.session_of_key("two"), Some(ann.client().session_id()));
    ann.leave().await;
    watch::until("the key to be free", || node.session_of_key("two").is_none()).await;
}

#[tokio::test]
async fn a_key_without_length_or_beyond_the_limit_fails_the_turn() {
    let node = game::node(|_| {});
    for key in [String::new(), "k".repeat(257)] {
        let mut ann = join(&node, "ann").await;
        ann.send(&Ask::Key(key)).await.unwrap();
        assert_eq!(player::end_of(&mut ann).await, CloseCode::HandlerFailed);
    }
}
