//! The connection is lost at every byte of a conversation, in every way a network can lose it.

use throughline_link::{ClientEvent, CloseCode};

use crate::{
    fixture::{converse, strangers},
    net::Side,
    pair::{Pair, SECOND},
};

/// One way of losing a connection: how it looks to both ends.
#[derive(Debug, Clone, Copy, Default)]
struct Way {
    chunk: Option<usize>,
    notice: [u64; 2],
    ends_first: bool,
    timeouts_first: bool,
    lag: u64,
}

fn ways() -> [Way; 7] {
    let way = Way::default();
    [
        way,
        Way { chunk: Some(3), ..way },
        // The client is back before the node knows that it was away, and the other way round.
        Way { notice: [0, SECOND], ..way },
        Way { notice: [SECOND, 0], ..way },
        Way { ends_first: true, lag: 2_000, ..way },
        Way { timeouts_first: true, lag: 25_000, ..way },
        Way { notice: [60_000, 0], ends_first: true, timeouts_first: true, lag: 7_000, ..way },
    ]
}

fn prepared(way: Way) -> Pair {
    let mut pair = strangers();
    pair.net.chunk = way.chunk.unwrap_or(usize::MAX);
    pair.net.notice = way.notice;
    pair.net.ends_first = way.ends_first;
    pair.timeouts_first = way.timeouts_first;
    pair.lag = way.lag;
    pair
}

/// Runs `play` once for every byte that reaches either side in it, cut there.
fn cut_everywhere(play: fn(&mut Pair), check: fn(&mut Pair)) {
    for way in ways() {
        let mut whole = prepared(way);
        play(&mut whole);
        let carried = whole.net.carried;
        assert!(carried.iter().all(|bytes| *bytes > 50), "{carried:?}");
        for side in Side::BOTH {
            for at in 0..=carried[side as usize] {
                let mut pair = prepared(way);
                pair.net.cut = Some((side, at));
                play(&mut pair);
                pair.settle();
                check(&mut pair);
            }
        }
    }
}

#[test]
fn p1_a_connection_lost_at_any_byte_loses_repeats_and_reorders_nothing() {
    cut_everywhere(converse, |pair| {
        assert!(pair.is_all_through());
        assert_eq!(pair.client.end(), None);
        assert_eq!(pair.client.sent, 6);
        assert!(pair.client.saw(&ClientEvent::Repaired) <= 1, "{:?}", pair.client.events);
    });
}

#[test]
fn p2_an_end_reaches_the_client_behind_every_message_wherever_the_connection_breaks() {
    let play = |pair: &mut Pair| {
        pair.host.echoes = true;
        pair.connect();
        let _ = pair.client.send();
        pair.run(SECOND / 4);
        if pair.host.last.is_some() {
            pair.host.send();
            pair.host.send();
            pair.host.session().link.end(CloseCode::Kicked);
        }
        pair.run(SECOND / 4);
    };
    cut_everywhere(play, |pair| {
        // Cut before the node knew of the session, there was nothing to end.
        if pair.host.session().end.is_some() {
            assert_eq!(pair.client.end(), Some(CloseCode::Kicked));
            assert_eq!(pair.host.session().end, Some(CloseCode::Kicked));
            assert_eq!(pair.client.handled, pair.host.session().sent);
        } else {
            assert!(pair.is_all_through());
        }
    });
}

#[test]
fn p2_a_client_that_leaves_is_gone_on_both_sides_wherever_the_connection_breaks() {
    let play = |pair: &mut Pair| {
        pair.connect();
        let _ = pair.client.send();
        pair.run(SECOND / 4);
        let _ = pair.client.send();
        pair.client.link.leave();
        pair.run(SECOND / 4);
    };
    cut_everywhere(play, |pair| {
        assert_eq!(pair.client.end(), Some(CloseCode::Left));
        if pair.host.last.is_some() {
            let end = pair.host.session().end;
            assert!(matches!(end, Some(CloseCode::Left | CloseCode::Expired)), "{end:?}");
        }
    });
}

#[test]
fn p1_many_cuts_in_a_row_lose_nothing() {
    for step in 1..60 {
        let mut pair = strangers();
        pair.host.echoes = true;
        pair.connect();
        for round in 0..40 {
            let _ = pair.client.send();
            pair.host.send();
            let to = Side::BOTH[round % 2];
            pair.net.cut = Some((to, pair.net.carried[to as usize] + step * 3));
            pair.run(step as u64 * 1_000);
        }
        pair.settle();
        assert!(pair.is_all_through());
        assert_eq!(pair.client.end(), None);
    }
}
