use super::*;
use crate::clock::Turn;

#[test]
fn what_is_typed_is_understood() {
    let view = View { name: "ann".into(), node: 1, place: Seen::Lobby };
    assert_eq!(read("h8", &view), Some(Ask::Place { x: 7, y: 7, number: 1 }));
    assert_eq!(read("resign", &view), Some(Ask::Resign));
    assert_eq!(read("join kxmrt", &view), Some(Ask::JoinCode { code: "kxmrt".into() }));
    for wrong in ["h16", "resign now", "fly", "bot 3"] {
        assert_eq!(read(wrong, &view), None, "{wrong}");
    }
}

#[test]
fn the_board_is_drawn_with_its_last_stone_marked() {
    let moves = ["a15", "h8", "o1"].map(|at| Point::parse(at).unwrap()).to_vec();
    let game = Game {
        mine: Stone::White,
        black: "ann".into(),
        white: "ben".into(),
        moves,
        turn: Some(Turn::new(Stone::White, 0)),
        over: None,
        rematch: None,
        partner_left: false,
        match_node: 1,
    };
    let drawn = board(&game);
    let lines: Vec<_> = drawn.lines().collect();
    assert_eq!(lines[1], "  15  X . . . . . . . . . . . . . .");
    assert_eq!(lines[8], "   8  . . . . . . . O . . . . . . .");
    assert_eq!(lines[15], "   1  . . . . . . . . . . . . . .(X)");
    assert_eq!(lines[16], "      a b c d e f g h i j k l m n o");
}
