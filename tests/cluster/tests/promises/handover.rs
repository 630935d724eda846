//! Sessions go to other nodes, and nobody notices.

use std::time::Duration;

use throughline_testing::TestCluster;

use crate::game::{Counter, Counting, cluster, owners};

#[test]
fn a_drain_hands_the_player_over() {
    let cluster = cluster(3);
    let mut ann = Counting::new(&cluster, "ann");
    ann.talk();
    assert_eq!(ann.player.node(), Some(0));
    let id = ann.player.session_id();

    let report = cluster.drain(0);
    assert_eq!((report.moved, report.left), (1, 0), "{report:?}");
    assert!(report.is_clean() && !cluster.is_up(0));
    ann.talk();
    assert_eq!(ann.player.session_id(), id);
    assert!(matches!(ann.player.node(), Some(1 | 2)));
    assert_eq!(ann.player.repairs(), 1);
}

#[test]
fn a_player_may_come_to_any_node_and_back() {
    let cluster = cluster(3);
    let mut ann = Counting::new(&cluster, "ann");
    for n in [1, 2, 0, 2] {
        ann.say();
        ann.player.move_to(n);
        assert_eq!(owners(&cluster, 3, &ann.player), 1);
        ann.hear();
    }
    assert_eq!(ann.player.node(), Some(2));
    ann.player.cut();
    ann.talk();
    assert_eq!(ann.player.node(), Some(2), "a cut alone moves nobody");
}

#[test]
fn every_node_is_restarted_under_play_and_nothing_is_lost_or_comes_twice() {
    let cluster = cluster(3);
    let mut players: Vec<_> =
        (0..6).map(|n| Counting::new(&cluster, &format!("player-{n}"))).collect();
    for n in 0..3 {
        cluster.begin_drain(n);
        while cluster.is_up(n) {
            for player in &mut players {
                player.say();
                player.say();
            }
            cluster.advance(Duration::from_millis(7));
            for player in &mut players {
                player.hear();
            }
        }
        cluster.start(n);
        for player in &mut players {
            player.talk();
        }
    }
    assert!(players.iter().all(|player| player.player.repairs() > 0), "all were handed over");
}

#[test]
fn p4_a_node_whose_drain_ran_out_of_time_is_drained_once_more_when_it_stops() {
    let builder =
        TestCluster::builder(1).settings(|config| config.drain.deadline = Duration::from_secs(2));
    let cluster = builder.start(|node| node.sessions::<Counter>());
    let mut ann = Counting::new(&cluster, "ann");
    ann.talk();
    cluster.cut_store(0);
    cluster.node(0).drain();
    cluster.advance(Duration::from_secs(3));
    cluster.heal_store(0);
    ann.talk();
    let report = cluster.drain(0);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.parked, 1, "{report:?}");
    ann.say();
    cluster.start(0);
    ann.hear();
}

#[test]
fn a_whole_cluster_is_drained_and_its_players_come_back_to_it() {
    let cluster = cluster(2);
    let mut ann = Counting::new(&cluster, "ann");
    ann.talk();
    let first = cluster.drain(0);
    let second = cluster.drain(1);
    assert_eq!((first.left, second.left), (0, 0));
    assert_eq!(second.parked, 1, "{second:?}");
    ann.say();
    cluster.start(0);
    ann.hear();
}
