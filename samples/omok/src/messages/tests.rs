use serde::de::DeserializeOwned;

use super::*;

/// The value reads from the text and writes exactly it: other clients rely on these.
fn golden<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: T, text: &str) {
    assert_eq!(serde_json::to_string(&value).unwrap(), text);
    assert_eq!(serde_json::from_str::<T>(text).unwrap(), value);
}

fn at(name: &str) -> Point {
    Point::parse(name).unwrap()
}

#[test]
fn what_is_asked_has_these_words() {
    golden(Ask::Look, r#"{"ask":"look"}"#);
    golden(Ask::PlayBot, r#"{"ask":"play-bot"}"#);
    golden(Ask::FindPartner, r#"{"ask":"find-partner"}"#);
    golden(Ask::CreateCode, r#"{"ask":"create-code"}"#);
    golden(Ask::JoinCode { code: "ABCDE".into() }, r#"{"ask":"join-code","code":"ABCDE"}"#);
    golden(Ask::StopWaiting, r#"{"ask":"stop-waiting"}"#);
    golden(Ask::Place { x: 7, y: 14, number: 3 }, r#"{"ask":"place","x":7,"y":14,"number":3}"#);
    golden(Ask::Resign, r#"{"ask":"resign"}"#);
    golden(Ask::Rematch, r#"{"ask":"rematch"}"#);
    golden(Ask::Leave, r#"{"ask":"leave"}"#);
    golden(
        Ask::Link { delay_ms: 250, loss_percent: 5 },
        r#"{"ask":"link","delay_ms":250,"loss_percent":5}"#,
    );
}

#[test]
fn what_happens_is_told_in_these_words() {
    golden(
        Tell::Placed {
            number: 1,
            at: at("h8"),
            stone: Stone::Black,
            turn: Some(Turn { stone: Stone::White, deadline_ms: 1_700_000_030_000 }),
        },
        concat!(
            r#"{"tell":"placed","number":1,"at":[7,7],"stone":"black","#,
            r#""turn":{"stone":"white","deadline_ms":1700000030000}}"#
        ),
    );
    golden(
        Tell::Over(Ending { winner: None, how: How::BoardFull, row: vec![] }),
        r#"{"tell":"over","winner":null,"how":"board-full","row":[]}"#,
    );
    golden(Tell::RematchOffered { by: Stone::White }, r#"{"tell":"rematch-offered","by":"white"}"#);
    golden(Tell::PartnerLeft, r#"{"tell":"partner-left"}"#);
    golden(Tell::MatchMoved { node: 3 }, r#"{"tell":"match-moved","node":3}"#);
    golden(Tell::Crowd { looking: 2 }, r#"{"tell":"crowd","looking":2}"#);
    golden(Tell::MatchClosed, r#"{"tell":"match-closed"}"#);
    golden(
        Tell::Announced { text: "back at nine".into() },
        r#"{"tell":"announced","text":"back at nine"}"#,
    );
    golden(
        Tell::from(Denial::NotYourTurn),
        r#"{"tell":"refused","why":"not-your-turn","text":"it is not your turn"}"#,
    );
}

#[test]
fn a_view_holds_all_that_a_reloaded_page_needs() {
    let view = |place| Tell::View(View { name: "ann".into(), node: 2, place });
    golden(view(Seen::Lobby), r#"{"tell":"view","name":"ann","node":2,"place":"lobby"}"#);
    golden(
        view(Seen::Waiting { code: Some("ABCDE".into()) }),
        r#"{"tell":"view","name":"ann","node":2,"place":"waiting","code":"ABCDE"}"#,
    );
    golden(
        view(Seen::Game(Game {
            mine: Stone::White,
            black: "ben".into(),
            white: "ann".into(),
            moves: vec![at("h8"), at("a15")],
            turn: None,
            over: Some(Ending { winner: Some(Stone::Black), how: How::Time, row: vec![] }),
            rematch: Some(Stone::Black),
            partner_left: false,
            match_node: 3,
        })),
        concat!(
            r#"{"tell":"view","name":"ann","node":2,"place":"game","mine":"white","black":"ben","#,
            r#""white":"ann","moves":[[7,7],[0,0]],"turn":null,"over":{"winner":"black","#,
            r#""how":"time","row":[]},"rematch":"black","partner_left":false,"match_node":3}"#
        ),
    );
}

#[test]
fn what_is_no_message_is_not_read_as_one() {
    let wrong = [
        "",
        "null",
        "{}",
        r#"{"ask":"fly"}"#,
        r#"{"ask":"place","x":7,"number":1}"#,
        r#"{"ask":"place","x":7,"y":7}"#,
        r#"{"ask":"place","x":7,"y":7,"number":-1}"#,
        r#"{"ask":"place","x":-1,"y":0,"number":1}"#,
        r#"{"ask":"place","x":256,"y":0,"number":1}"#,
        r#"{"ask":"place","x":1.5,"y":0,"number":1}"#,
        r#"{"ask":"join-code","code":7}"#,
    ];
    for text in wrong {
        assert!(serde_json::from_str::<Ask>(text).is_err(), "{text}");
    }
    assert!(serde_json::from_str::<Point>("[15,0]").is_err());
}
