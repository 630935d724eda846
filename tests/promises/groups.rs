//! Groups: a message to a name reaches its members, on whichever nodes they are; and where a player
//! is.

use throughline::{Location, SendReliableError, SessionId};
use throughline_client::CloseCode;
use throughline_cluster::RecordId;
use throughline_store::Batch;

use crate::{
    cluster::{Cluster, Plan},
    journal,
    operators::http::get,
    pigeon::{self, Do, Fact, answer, done, got, heard},
    player, watch,
};

#[tokio::test]
async fn a_group_reaches_its_members_on_all_nodes_and_after_handovers() {
    let cluster = Cluster::of(3).await;
    let mut all = Vec::new();
    for node in 1..=3 {
        let mut member = pigeon::join(&cluster, node, "member").await;
        done(&mut member, Do::Join("chat".into())).await;
        done(&mut member, Do::Join("chat".into())).await;
        all.push(member);
    }
    let mut stranger = pigeon::join(&cluster, 1, "stranger").await;
    done(&mut stranger, Do::Say("chat".into(), 1)).await;
    for member in &mut all {
        assert_eq!(heard(member).await, 1);
    }
    // All move on by one.
    for (member, node) in all.iter_mut().zip([2, 3, 1]) {
        member.client().move_to(cluster.at(node)).unwrap();
        assert_eq!(answer(member, Do::Groups).await, Fact::Text("chat".into()));
    }
    watch::until("everybody has moved", || cluster.sessions() == [2, 1, 1]).await;
    all[0].send(&Do::Say("chat".into(), 2)).await.unwrap();
    for member in &mut all {
        assert_eq!(heard(member).await, 2);
    }
    for member in &mut all {
        let id = member.client().session_id();
        assert_eq!((journal::count(id, "heard 1"), journal::count(id, "heard 2")), (1, 1));
    }
    let id = stranger.client().session_id();
    assert_eq!((journal::count(id, "heard 1"), journal::count(id, "heard 2")), (0, 0));
}

#[tokio::test]
async fn who_has_left_a_group_or_never_got_in_hears_nothing_more_of_it() {
    let cluster = Plan::new(2).walled().start().await;
    let mut ann = pigeon::join(&cluster, 1, "ann").await;
    let mut bob = pigeon::join(&cluster, 1, "bob").await;
    let mut cyd = pigeon::join(&cluster, 2, "cyd").await;
    for member in [&mut ann, &mut bob, &mut cyd] {
        done(member, Do::Join("chat".into())).await;
    }
    done(&mut ann, Do::Leave("chat".into())).await;
    assert_eq!(answer(&mut ann, Do::Groups).await, Fact::Text(String::new()));
    let mut dan = pigeon::join(&cluster, 1, "dan").await;
    dan.send(&Do::JoinAndFail("chat".into())).await.unwrap();
    assert_eq!(player::end_of(&mut dan).await, CloseCode::HandlerFailed);
    let bobs = bob.client().session_id();
    bob.leave().await;
    journal::noted(bobs, "destroyed Left").await;
    watch::until("one row is left", || cluster.wall(1).rows(b"xg") == 1).await;
    cyd.send(&Do::Say("chat".into(), 3)).await.unwrap();
    assert_eq!(heard(&mut cyd).await, 3);
    assert_eq!(answer(&mut cyd, Do::Tell("chat".into(), 4)).await, Fact::Number(1));
    assert_eq!(got(&mut cyd).await.1, 4);
    done(&mut ann, Do::Ping).await;
    let anns = ann.client().session_id();
    for id in [anns, bobs] {
        assert_eq!((journal::count(id, "heard 3"), pigeon::queued(id, 4)), (0, 0));
    }
}

#[tokio::test]
async fn a_reliable_message_to_a_group_reaches_its_parked_members_too() {
    let mut cluster = Cluster::of(2).await;
    let mut ann = pigeon::join(&cluster, 1, "ann").await;
    let mut bob = pigeon::join(&cluster, 2, "bob").await;
    let mut cyd = pigeon::join(&cluster, 2, "cyd").await;
    for member in [&mut ann, &mut bob] {
        done(member, Do::Join("guild".into())).await;
    }
    assert!(cluster.stop(1).await.is_clean());
    assert_eq!(answer(&mut cyd, Do::Tell("guild".into(), 5)).await, Fact::Number(2));
    assert_eq!(got(&mut bob).await.1, 5);
    let from_outside = cluster
        .node(2)
        .send_reliable_to_group("guild", &(6, ""), std::time::Duration::from_secs(600))
        .await;
    assert_eq!(from_outside.unwrap(), 2);
    assert_eq!(got(&mut bob).await.1, 6);
    ann.client().move_to(cluster.at(2)).unwrap();
    // Their order is one for each producer, and these had two.
    let mut both = [got(&mut ann).await.1, got(&mut ann).await.1];
    both.sort_unstable();
    assert_eq!(both, [5, 6]);
}

#[tokio::test]
async fn a_member_that_was_lost_is_removed_from_its_groups() {
    let mut cluster = Plan::new(2).walled().quick().start().await;
    let mut ann = pigeon::join(&cluster, 1, "ann").await;
    let mut bob = pigeon::join(&cluster, 2, "bob").await;
    for member in [&mut ann, &mut bob] {
        done(member, Do::Join("guild".into())).await;
    }
    assert_eq!(cluster.wall(2).rows(b"xg"), 2);
    let id = ann.client().session_id();
    cluster.kill(1).await;
    let ended = || cluster.wall(2).header(id).is_none_or(|header| header.state.is_ended());
    watch::until("ann is lost", ended).await;
    // Also of a group that nobody writes to.
    watch::until("her row is gone", || cluster.wall(2).rows(b"xg") == 1).await;
}

#[tokio::test]
async fn a_player_is_located_online_parked_or_not_at_all() {
    let mut cluster = Cluster::of(2).await;
    let mut ann = pigeon::join_keyed(&cluster, 1, "ann").await;
    let mut bob = pigeon::join_keyed(&cluster, 2, "bob").await;
    let session = ann.client().session_id();
    let online = Fact::Text("online at node 1".to_owned());
    assert_eq!(answer(&mut bob, Do::Locate("ann".into())).await, online);
    assert_eq!(answer(&mut ann, Do::Locate("ann".into())).await, online);
    for node in 1..=2 {
        let located = cluster.node(node).locate("ann").await.unwrap();
        assert_eq!(located, Location::Online { node: 1, session });
        assert_eq!(cluster.node(node).locate("nobody").await.unwrap(), Location::Unknown);
    }
    assert!(cluster.stop(1).await.is_clean());
    assert_eq!(cluster.node(2).locate("ann").await.unwrap(), Location::Parked { session });
    ann.client().move_to(cluster.at(2)).unwrap();
    done(&mut ann, Do::Ping).await;
    let located = cluster.node(2).locate("ann").await.unwrap();
    assert_eq!(located, Location::Online { node: 2, session });
    ann.leave().await;
    journal::noted(session, "destroyed Left").await;
    watch::until("its key is free", || cluster.node(2).session_of_key("ann").is_none()).await;
    assert_eq!(cluster.node(2).locate("ann").await.unwrap(), Location::Unknown);
}

#[tokio::test]
async fn p9_a_session_is_in_no_more_groups_than_its_limit() {
    let cluster = Plan::new(1).with(|config| config.session.groups = 2).start().await;
    let mut ann = pigeon::join(&cluster, 1, "ann").await;
    done(&mut ann, Do::Join("a".into())).await;
    done(&mut ann, Do::Join("b".into())).await;
    done(&mut ann, Do::Join("a".into())).await;
    done(&mut ann, Do::Leave("a".into())).await;
    done(&mut ann, Do::Join("c".into())).await;
    // One less and one more, in one turn.
    done(&mut ann, Do::Change("c".into(), "d".into())).await;
    ann.send(&Do::Join("e".into())).await.unwrap();
    assert_eq!(player::end_of(&mut ann).await, CloseCode::HandlerFailed);
}

#[tokio::test]
async fn a_message_to_a_group_is_one_word_to_each_other_node_however_many_members_are_there() {
    let any = ([127, 0, 0, 1], 0).into();
    let plan = Plan::new(2).with(move |config| config.admin.listen = vec![any]);
    let cluster = plan.start().await;
    let admin = cluster.node(1).admin_addresses()[0];
    let tells = async || get(admin, "/status").await.json()["peers"]["tells"].as_u64().unwrap();
    let mut members = Vec::new();
    for node in [1, 2, 2, 2, 2] {
        let mut member = pigeon::join(&cluster, node, "member").await;
        done(&mut member, Do::Join("chat".into())).await;
        members.push(member);
    }
    let before = tells().await;
    for number in 1..=3 {
        done(&mut members[0], Do::Say("chat".into(), number)).await;
        for member in &mut members[1..] {
            assert_eq!(heard(member).await, number);
        }
    }
    assert_eq!(tells().await - before, 3);
}

#[tokio::test]
async fn a_reliable_message_to_a_group_of_more_than_1_024_is_refused_and_reaches_nobody() {
    let cluster = Plan::new(1).walled().start().await;
    let mut ann = pigeon::join(&cluster, 1, "ann").await;
    done(&mut ann, Do::Join("guild".into())).await;
    // As docs/messages.md has their rows. Sweeps find that nobody is there, 256 a second.
    let rows = (0..3_000_u32).fold(Batch::new(), |batch, number| {
        let mut id = [0xff; 16];
        id[..4].copy_from_slice(&number.to_be_bytes());
        let id = RecordId::session(SessionId(id));
        batch.put([b"xg\x05guild", id.as_bytes()].concat(), [1].to_vec())
    });
    cluster.wall(1).store().commit(rows).await.unwrap();
    let ttl = std::time::Duration::from_secs(600);
    let refused = cluster.node(1).send_reliable_to_group("guild", &(7, ""), ttl).await;
    let Err(SendReliableError::TooMuch { messages, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(messages, 1_024);
    // In a turn it fails, and nobody is sent anything.
    ann.send(&Do::Tell("guild".into(), 8)).await.unwrap();
    assert_eq!(player::end_of(&mut ann).await, CloseCode::HandlerFailed);
    assert_eq!(cluster.wall(1).rows(b"xm"), 0);
}
