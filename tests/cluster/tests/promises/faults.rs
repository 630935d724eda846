//! Nodes die, freeze, and lose each other or the store.

use std::time::Duration;

use throughline::{CloseCode, EndReason};

use crate::game::{Counting, cluster, destroyed, heard, owners};

#[test]
fn a_killed_node_loses_its_sessions_and_tells_their_players_who_log_in_again() {
    let cluster = cluster(3);
    let mut ann = Counting::new(&cluster, "ann");
    let mut bob = Counting::new(&cluster, "bob");
    ann.talk();
    bob.talk();
    cluster.kill(0);
    assert_eq!(ann.player.expect_end(), CloseCode::Lost);
    assert_eq!(destroyed(), [], "nothing runs at a node that is gone");
    bob.talk();

    let mut ann = Counting::new(&cluster, "ann");
    ann.talk();
    cluster.start(0);
    ann.player.move_to(0);
    ann.talk();
}

#[test]
fn no_turn_begins_at_a_node_that_is_killed() {
    let cluster = cluster(2);
    let mut ann = Counting::new(&cluster, "ann");
    ann.talk();
    cluster.freeze(0);
    ann.say();
    // It has come to the node, which does not look.
    cluster.advance(Duration::from_millis(20));
    cluster.kill(0);
    assert_eq!((heard(), destroyed()), (1, vec![]));
    assert_eq!(ann.player.expect_end(), CloseCode::Lost);
}

#[test]
fn a_player_that_is_gone_leaves_its_session_behind() {
    let cluster = cluster(1);
    let mut ann = Counting::new(&cluster, "ann");
    ann.talk();
    drop(ann);
    cluster.advance(Duration::from_secs(20));
    assert_eq!(cluster.node(0).counts(), (0, 1));
    // It says so much that it does not live until it expires.
    cluster.advance(Duration::from_secs(40));
    assert_eq!(destroyed(), [("ann".to_owned(), EndReason::RetainedOverflow)]);
}

#[test]
fn nodes_that_cannot_reach_each_other_hand_over_through_the_store() {
    let cluster = cluster(2);
    let mut ann = Counting::new(&cluster, "ann");
    ann.talk();
    assert_eq!(ann.player.node(), Some(0));
    cluster.partition(0, 1);
    ann.say();
    ann.player.move_to(1);
    assert_eq!(owners(&cluster, 2, &ann.player), 1);
    ann.hear();

    cluster.heal(0, 1);
    ann.player.move_to(0);
    assert_eq!(owners(&cluster, 2, &ann.player), 1);
    ann.talk();
}

#[test]
fn a_node_that_was_frozen_beyond_its_lease_drops_what_it_held() {
    let cluster = cluster(2);
    let mut ann = Counting::new(&cluster, "ann");
    ann.talk();
    cluster.freeze(0);
    assert_eq!(ann.player.expect_end(), CloseCode::Lost);
    assert_eq!(owners(&cluster, 2, &ann.player), 1, "it does not know yet");

    cluster.thaw(0);
    cluster.advance(Duration::from_secs(1));
    assert_eq!(owners(&cluster, 2, &ann.player), 0);
    assert_eq!(destroyed(), [("ann".to_owned(), EndReason::Lost)]);
    // It has joined again.
    let mut bob = Counting::new(&cluster, "bob");
    bob.player.move_to(0);
    bob.talk();
}

#[test]
fn a_node_that_freezes_for_a_moment_goes_on() {
    let cluster = cluster(2);
    let mut ann = Counting::new(&cluster, "ann");
    ann.say();
    cluster.freeze(0);
    cluster.advance(Duration::from_secs(1));
    cluster.thaw(0);
    ann.hear();
    assert_eq!(ann.player.node(), Some(0));
}

#[test]
fn a_node_without_its_store_stops_acting_and_others_take_over() {
    let cluster = cluster(2);
    let mut ann = Counting::new(&cluster, "ann");
    ann.talk();
    cluster.cut_store(0);
    cluster.advance(Duration::from_secs(4));
    // Declared dead: what ran there is lost, wherever its player asks.
    ann.player.cut();
    assert_eq!(ann.player.expect_end(), CloseCode::Lost);
    cluster.heal_store(0);
    let mut bob = Counting::new(&cluster, "bob");
    bob.player.move_to(0);
    bob.talk();
}

#[test]
fn a_player_in_a_tunnel_misses_nothing() {
    let cluster = cluster(2);
    let mut ann = Counting::new(&cluster, "ann");
    ann.talk();
    ann.player.go_away();
    cluster.advance(Duration::from_secs(9));
    assert!(!ann.player.is_live());
    ann.say();
    ann.player.come_back();
    ann.hear();
    assert!(ann.player.repairs() > 0);
}
