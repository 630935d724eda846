//! Nodes are killed in the middle of games, and nobody notices but by a pause.

use std::time::Duration;

use omok::messages::{Ask, Seen, Tell};
use throughline_testing::TestCluster;

use crate::player::{Omok, both_see_black_win, cluster, moves, one_move, pair, seeded};

/// Orders of things in which the hardest ones are tried.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=6;

/// Whoever's turn it is places the next stone, and `strike` happens while that is under way; both
/// see the stone. The end of the turn before is the one that both knew.
fn move_under(players: &mut [Omok; 2], number: usize, strike: impl FnOnce()) {
    let at = moves()[number - 1];
    let ends = players.each_mut().map(|player| player.game(|_| true).turn);
    assert_eq!(ends[0], ends[1], "both have one clock");
    players[(number + 1) % 2].ask(Ask::Place { x: at.x(), y: at.y(), number });
    strike();
    for player in players.iter_mut() {
        player.game(|game| game.moves.len() >= number);
    }
}

/// The node that a number is of, as the cluster counts them.
fn index(node: u32) -> usize {
    usize::try_from(node).unwrap() - 1
}

/// Kills a node while a move is under way, some time after it was asked for.
fn kill_in_the_middle(
    cluster: &TestCluster,
    players: &mut [Omok; 2],
    number: usize,
    (node, after): (usize, Duration),
) {
    move_under(players, number, || {
        cluster.advance(after);
        cluster.kill(node);
    });
    cluster.start(node);
    cluster.advance(Duration::from_secs(1));
}

#[test]
fn p7_a_match_goes_on_when_its_own_node_or_a_players_is_killed_in_the_middle_of_a_move() {
    for seed in SEEDS {
        let cluster = seeded(3, seed);
        let mut players = pair(&cluster);
        let ids = players.each_ref().map(|player| player.player.session_id());
        for number in 1..=moves().len() {
            let node = match number % 3 {
                0 => index(players[0].game(|_| true).match_node),
                one => players[one - 1].player.node().unwrap(),
            };
            // From before the message has arrived to after all is done.
            let after = Duration::from_millis(number as u64 * 3 % 20);
            kill_in_the_middle(&cluster, &mut players, number, (node, after));
        }
        both_see_black_win(&mut players);
        assert_eq!(players.each_ref().map(|player| player.player.session_id()), ids);
    }
}

#[test]
fn p7_a_match_begins_although_each_node_is_killed_while_its_players_are_paired() {
    for seed in SEEDS {
        for node in 0..3 {
            // The lobby is at one of them, and so are the players and the match.
            let cluster = seeded(3, seed);
            let [mut ann, mut ben] = ["ann", "ben"].map(|name| Omok::new(&cluster, name));
            ann.ask(Ask::CreateCode);
            let code = ann.code();
            ben.ask(Ask::JoinCode { code });
            cluster.advance(Duration::from_millis(seed * 4));
            cluster.kill(node);
            let mut players = [ann, ben];
            for player in &mut players {
                player.game(|game| game.moves.is_empty());
            }
            cluster.start(node);
            (1..=moves().len()).for_each(|number| one_move(&mut players, number));
            both_see_black_win(&mut players);
        }
    }
}

#[test]
fn p7_a_kill_does_not_change_the_end_of_a_turn() {
    let cluster = cluster(3);
    let mut players = pair(&cluster);
    one_move(&mut players, 1);
    let turn = players[1].game(|_| true).turn;
    assert!(turn.is_some());
    for node in 0..3 {
        cluster.kill(node);
        for player in &mut players {
            player.ask(Ask::Look);
            player.until_told(|tell| matches!(tell, Tell::View(_)));
            assert_eq!(player.game(|_| true).turn, turn);
        }
        cluster.start(node);
        cluster.advance(Duration::from_secs(1));
    }
}

#[test]
fn p7_a_match_outlives_all_nodes_killed_at_once() {
    let cluster = cluster(3);
    let mut players = pair(&cluster);
    one_move(&mut players, 1);
    move_under(&mut players, 2, || {
        (0..3).for_each(|node| cluster.kill(node));
        cluster.advance(Duration::from_secs(2));
        (0..3).for_each(|node| cluster.start(node));
    });
    (3..=moves().len()).for_each(|number| one_move(&mut players, number));
    both_see_black_win(&mut players);
}

#[test]
fn p7_who_stops_waiting_while_a_node_is_killed_is_in_the_lobby_once() {
    let cluster = cluster(3);
    let mut ann = Omok::new(&cluster, "ann");
    for node in [0, 1, 2, 0, 1, 2] {
        ann.ask(Ask::FindPartner);
        ann.until(|view| view.place == Seen::Waiting { code: None });
        ann.ask(Ask::StopWaiting);
        cluster.kill(node);
        ann.until(|view| view.place == Seen::Lobby);
        cluster.start(node);
        cluster.advance(Duration::from_secs(1));
    }
}
