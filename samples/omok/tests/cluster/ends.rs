//! Matches that end otherwise than by five in a row.

use std::time::Duration;

use omok::matches::ABANDONED_AFTER;
use omok::messages::{Ask, Denial, How, Seen, Tell};
use omok::rules::Stone;

use crate::player::{Omok, both_see_black_win, cluster, moves, one_move, pair};

#[test]
fn a_rematch_begins_on_other_nodes_with_colours_swapped() {
    let cluster = cluster(3);
    let mut players = pair(&cluster);
    for number in 1..=moves().len() {
        one_move(&mut players, number);
    }
    both_see_black_win(&mut players);
    let [mut ann, mut ben] = players;
    ann.ask(Ask::Rematch);
    ben.game(|game| game.rematch == Some(Stone::Black));
    for n in 0..3 {
        assert!(cluster.drain(n).is_clean());
        cluster.start(n);
    }
    ben.ask(Ask::Rematch);
    assert_eq!(ben.game(|game| game.over.is_none()).mine, Stone::Black);
    assert_eq!(ann.game(|game| game.over.is_none()).mine, Stone::White);
    let mut players = [ben, ann];
    for number in 1..=moves().len() {
        one_move(&mut players, number);
    }
    both_see_black_win(&mut players);
}

#[test]
fn who_does_not_move_loses_by_time() {
    let cluster = cluster(2);
    let mut players = pair(&cluster);
    let turn = players[0].game(|_| true).turn.unwrap();
    for player in &mut players {
        let over = player.game(|game| game.over.is_some()).over.unwrap();
        assert_eq!((over.winner, over.how), (Some(Stone::White), How::Time));
    }
    let now = cluster.wall_ms();
    assert!((turn.deadline_ms..turn.deadline_ms + 500).contains(&now), "{turn:?} at {now}");
}

#[test]
fn who_resigns_or_leaves_loses() {
    let cluster = cluster(2);
    let [mut ann, mut ben] = pair(&cluster);
    ann.ask(Ask::Resign);
    for player in [&mut ann, &mut ben] {
        let over = player.game(|game| game.over.is_some()).over.unwrap();
        assert_eq!((over.winner, over.how), (Some(Stone::White), How::Resigned));
    }
    ben.ask(Ask::Leave);
    ben.until(|view| view.place == Seen::Lobby);
    ann.game(|game| game.partner_left);
    ann.ask(Ask::Rematch);
    assert_eq!(ann.refused(), Denial::PartnerLeft);
    ann.ask(Ask::Leave);
    ann.until(|view| view.place == Seen::Lobby);
}

#[test]
fn a_player_who_does_not_come_back_expires_and_the_other_wins() {
    let cluster = cluster(2);
    let mut players = pair(&cluster);
    one_move(&mut players, 1);
    let [mut ann, mut ben] = players;
    ann.player.go_away();
    // Long enough for games to go on, so that it is not the clock that ends them.
    for number in 2.. {
        let name = format!("{}{}", char::from(b'a' + number), 1);
        let at = omok::rules::Point::parse(&name).unwrap();
        if number % 2 == 0 {
            ben.ask(Ask::Place { x: at.x(), y: at.y(), number: usize::from(number) });
        }
        cluster.advance(Duration::from_secs(29));
        if ben.game(|_| true).over.is_some() || number > 3 {
            break;
        }
    }
    let over = ben.game(|game| game.over.is_some()).over.unwrap();
    assert_eq!(over.winner, Some(Stone::White));
    ben.game(|game| game.partner_left);
}

#[test]
fn the_bot_plays_on_another_node_when_its_own_is_drained() {
    let cluster = cluster(2);
    let mut ann = Omok::new(&cluster, "ann");
    ann.ask(Ask::PlayBot);
    ann.game(|_| true);
    for number in [1, 3, 5] {
        let taken = ann.game(|game| game.moves.len() == number - 1).moves;
        let at = moves().into_iter().find(|at| !taken.contains(at)).unwrap();
        ann.ask(Ask::Place { x: at.x(), y: at.y(), number });
        ann.game(|game| game.moves.len() == number);
        let n = number / 2 % 2;
        assert!(cluster.drain(n).is_clean());
        cluster.start(n);
        ann.game(|game| game.moves.len() == number + 1);
    }
}

#[test]
fn a_match_in_which_nobody_does_anything_is_closed() {
    let cluster = cluster(2);
    let [mut ann, mut ben] = pair(&cluster);
    ann.ask(Ask::Resign);
    ben.game(|game| game.over.is_some());
    cluster.advance(ABANDONED_AFTER);
    for player in [&mut ann, &mut ben] {
        player.until_told(|tell| *tell == Tell::MatchClosed);
        player.until(|view| view.place == Seen::Lobby);
    }
    ann.ask(Ask::Rematch);
    assert_eq!(ann.refused(), Denial::NoGame);
}
