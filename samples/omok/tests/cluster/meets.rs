//! Players find each other, wherever they are.

use std::time::Duration;

use omok::messages::{Ask, Denial, Seen, Tell};
use omok::rules::Stone;

use crate::player::{Omok, both_see_black_win, cluster, moves, one_move, pair};

#[test]
fn a_code_is_good_at_every_node() {
    let cluster = cluster(3);
    let mut players = pair(&cluster);
    assert_ne!(players[0].player.node(), players[1].player.node());
    let names = players.each_mut().map(|player| {
        let game = player.game(|_| true);
        (game.black, game.white)
    });
    assert_eq!(names[0], ("ann".to_owned(), "ben".to_owned()));
    assert_eq!(names[0], names[1]);
}

#[test]
fn two_who_look_for_a_partner_at_different_nodes_find_each_other() {
    let cluster = cluster(3);
    let [mut ann, mut ben, mut cem] = ["ann", "ben", "cem"].map(|name| Omok::new(&cluster, name));
    ann.ask(Ask::FindPartner);
    ann.until(|view| view.place == Seen::Waiting { code: None });
    ben.ask(Ask::FindPartner);
    assert_eq!(ben.game(|_| true).mine, Stone::White);
    assert_eq!(ann.game(|_| true).white, "ben");
    cem.ask(Ask::FindPartner);
    cem.until(|view| view.place == Seen::Waiting { code: None });
    cem.ask(Ask::StopWaiting);
    cem.until(|view| view.place == Seen::Lobby);
    cem.ask(Ask::JoinCode { code: "NONE".to_owned() });
    assert_eq!(cem.refused(), Denial::NoSuchCode);
}

#[test]
fn who_is_in_the_lobby_hears_how_many_look_for_a_partner_whatever_node_they_are_on() {
    let cluster = cluster(3);
    let [mut ann, mut ben, mut dan] = ["ann", "ben", "dan"].map(|name| Omok::new(&cluster, name));
    let crowd = |looking| move |tell: &Tell| *tell == Tell::Crowd { looking };
    ann.ask(Ask::FindPartner);
    dan.until_told(crowd(1));
    ben.ask(Ask::FindPartner);
    dan.until_told(crowd(0));
}

#[test]
fn who_waits_goes_on_waiting_with_the_same_code_while_every_node_is_drained() {
    let cluster = cluster(3);
    let mut ann = Omok::new(&cluster, "ann");
    ann.ask(Ask::CreateCode);
    let code = ann.code();
    for n in 0..3 {
        assert!(cluster.drain(n).is_clean());
        cluster.start(n);
        ann.ask(Ask::Look);
        assert_eq!(ann.code(), code);
    }
    let mut ben = Omok::new(&cluster, "ben");
    ben.ask(Ask::JoinCode { code });
    let mut players = [ann, ben];
    for player in &mut players {
        player.game(|game| game.moves.is_empty());
    }
    for number in 1..=moves().len() {
        one_move(&mut players, number);
    }
    both_see_black_win(&mut players);
}

#[test]
fn a_code_is_good_when_the_lobbys_node_is_killed() {
    let cluster = cluster(3);
    // The lobby is at one of them, the player at another.
    for n in 0..3 {
        let mut ann = Omok::new(&cluster, "ann");
        ann.player.move_to((n + 1) % 3);
        ann.ask(Ask::CreateCode);
        let code = ann.code();
        cluster.kill(n);
        let mut ben = Omok::new(&cluster, "ben");
        ben.ask(Ask::JoinCode { code });
        assert_eq!(ben.game(|_| true).black, "ann");
        cluster.start(n);
        ben.player.leave();
        ann.player.leave();
    }
}

#[test]
fn who_has_gone_is_not_found() {
    let cluster = cluster(2);
    let [mut ann, mut ben] = ["ann", "ben"].map(|name| Omok::new(&cluster, name));
    ann.ask(Ask::CreateCode);
    let code = ann.code();
    ann.player.leave();
    cluster.advance(Duration::from_secs(1));
    ben.ask(Ask::JoinCode { code });
    assert_eq!(ben.refused(), Denial::NoSuchCode);
}

/// The connection was away when the node left, so the session lies in the store: on the list, and
/// nobody's partner.
#[test]
fn who_waits_and_is_away_is_nobodys_partner_until_back() {
    let cluster = cluster(2);
    let [mut ann, mut ben] = ["ann", "ben"].map(|name| Omok::new(&cluster, name));
    ann.ask(Ask::FindPartner);
    ann.until(|view| view.place == Seen::Waiting { code: None });
    let node = ann.player.node().unwrap();
    ann.player.go_away();
    assert!(cluster.drain(node).is_clean());
    cluster.start(node);
    ben.ask(Ask::FindPartner);
    ben.until(|view| view.place == Seen::Waiting { code: None });
    ann.player.come_back();
    assert_eq!(ann.game(|_| true).mine, Stone::White);
    assert_eq!(ben.game(|_| true).white, "ann");
}
