//! Nodes are drained and sessions handed over in the middle of games.

use std::time::Duration;

use omok::clock::Turn;
use omok::messages::{Ask, How, Tell};
use omok::rules::Stone;

use crate::player::{both_see_black_win, cluster, moves, one_move, pair, seeded};

/// Orders of things in which the hardest ones are tried.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=6;

#[test]
fn two_players_on_different_nodes_play_a_whole_game() {
    let cluster = cluster(3);
    let mut players = pair(&cluster);
    assert_ne!(players[0].player.node(), players[1].player.node());
    for number in 1..=moves().len() {
        one_move(&mut players, number);
    }
    both_see_black_win(&mut players);
}

#[test]
fn every_node_is_drained_in_turn_in_the_middle_of_a_game_and_it_goes_on() {
    let cluster = cluster(3);
    let mut players = pair(&cluster);
    let ids = players.each_ref().map(|player| player.player.session_id());
    let mut seen = Vec::new();
    for number in 1..=moves().len() {
        one_move(&mut players, number);
        seen.push(players[0].game(|_| true).match_node);
        if number % 3 == 0 {
            let report = cluster.drain(number / 3 % 3);
            assert!(report.is_clean(), "{report:?}");
            cluster.start(number / 3 % 3);
        }
    }
    both_see_black_win(&mut players);
    assert_eq!(players.each_ref().map(|player| player.player.session_id()), ids);
    seen.dedup();
    assert!(seen.len() > 1, "players see the match move: {seen:?}");
}

#[test]
fn a_node_drains_while_moves_are_on_their_way() {
    for seed in SEEDS {
        let cluster = seeded(3, seed);
        let mut players = pair(&cluster);
        for number in 1..=moves().len() {
            let drained = number % 3;
            cluster.begin_drain(drained);
            one_move(&mut players, number);
            cluster.wait_until_gone(drained);
            cluster.start(drained);
        }
        both_see_black_win(&mut players);
    }
}

#[test]
fn a_session_is_handed_over_between_a_move_and_its_answer() {
    for seed in SEEDS {
        let cluster = seeded(3, seed);
        let mut players = pair(&cluster);
        for number in 1..=moves().len() {
            let at = moves()[number - 1];
            players[number % 2].player.move_to((number + 1) % 3);
            let mover = &mut players[(number + 1) % 2];
            mover.ask(Ask::Place { x: at.x(), y: at.y(), number });
            mover.player.move_to(number % 3);
            for player in &mut players {
                player.game(|game| game.moves.len() >= number);
            }
        }
        both_see_black_win(&mut players);
    }
}

#[test]
fn a_player_in_a_tunnel_finds_the_move_that_was_made_meanwhile() {
    let cluster = cluster(3);
    let mut players = pair(&cluster);
    one_move(&mut players, 1);
    let [ann, ben] = &mut players;
    ann.player.go_away();
    let at = moves()[1];
    ben.ask(Ask::Place { x: at.x(), y: at.y(), number: 2 });
    ben.game(|game| game.moves.len() == 2);
    cluster.advance(Duration::from_secs(10));
    ann.player.come_back();
    ann.game(|game| game.moves.len() == 2);
    for number in 3..=moves().len() {
        one_move(&mut players, number);
    }
    both_see_black_win(&mut players);
}

#[test]
fn a_move_that_is_asked_for_twice_is_made_once() {
    let cluster = cluster(2);
    let mut players = pair(&cluster);
    one_move(&mut players, 1);
    let at = moves()[0];
    players[0].ask(Ask::Place { x: at.x(), y: at.y(), number: 1 });
    // It is answered with how things are, not refused.
    let told = players[0].until_told(|_| true);
    assert!(matches!(told, Tell::View(_)), "{told:?}");
    for number in 2..=moves().len() {
        one_move(&mut players, number);
    }
    both_see_black_win(&mut players);
}

#[test]
fn no_drain_changes_the_end_of_a_turn() {
    let cluster = cluster(3);
    let mut players = pair(&cluster);
    one_move(&mut players, 1);
    let turn = players[1].game(|_| true).turn;
    assert!(turn.is_some());
    for n in 0..3 {
        assert!(cluster.drain(n).is_clean());
        cluster.start(n);
        for player in &mut players {
            player.ask(Ask::Look);
            player.until_told(|tell| matches!(tell, Tell::View(_)));
            assert_eq!(player.game(|_| true).turn, turn);
        }
    }
}

#[test]
fn a_clock_runs_out_while_everything_is_parked() {
    let cluster = cluster(2);
    let mut players = pair(&cluster);
    one_move(&mut players, 1);
    let Some(Turn { stone, deadline_ms }) = players[0].game(|_| true).turn else {
        panic!("it is white's turn")
    };
    assert_eq!(stone, Stone::White);
    // Nobody is there for a while: the match is in the store, and so are both sessions.
    for n in 0..2 {
        assert!(cluster.drain(n).is_clean());
    }
    let left = Duration::from_millis(deadline_ms - cluster.wall_ms());
    assert!(left > Duration::from_secs(5), "{left:?}");
    cluster.advance(left - Duration::from_secs(5));
    (0..2).for_each(|n| cluster.start(n));
    for player in &mut players {
        // Its client has given up meanwhile, and its player clicks.
        player.player.retry();
    }
    for player in &mut players {
        let game = player.game(|game| game.over.is_some());
        assert_eq!(game.moves.len(), 1);
        let over = game.over.unwrap();
        assert_eq!((over.winner, over.how), (Some(Stone::Black), How::Time));
    }
    let late = cluster.wall_ms().checked_sub(deadline_ms);
    assert!(late.is_some_and(|late| late < 1_000), "{late:?} ms late");
}
