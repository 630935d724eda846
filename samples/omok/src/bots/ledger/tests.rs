use super::*;

const NOW: u64 = 1_000_000;

/// Black has five in a row with the ninth stone.
const WON: &str = "a1 a2 b1 b2 c1 c2 d1 d2 e1";

fn points(names: &str) -> Vec<Point> {
    names.split(' ').map(|name| Point::parse(name).unwrap()).collect()
}

fn game(mine: Stone, moves: &str, over: Option<(Stone, How)>) -> Game {
    let moves = points(moves);
    let stone = if moves.len().is_multiple_of(2) { Stone::Black } else { Stone::White };
    Game {
        mine,
        black: "ann".into(),
        white: "ben".into(),
        turn: over.is_none().then(|| Turn::new(stone, NOW)),
        over: over.map(|(winner, how)| Ending { winner: Some(winner), how, row: Vec::new() }),
        moves,
        rematch: None,
        partner_left: false,
        match_node: 1,
    }
}

/// What is counted of a game that both players have seen so.
fn told(black: &Game, white: &Game) -> Score {
    let ledger = Ledger::default();
    for game in [black, white] {
        let mut sheet = Sheet::default();
        sheet.look(Some(&Game { over: None, moves: Vec::new(), ..game.clone() }), NOW, &ledger);
        let first = usize::from(game.mine == Stone::White);
        for (number, at) in (1..).zip(&game.moves).skip(first).step_by(2) {
            sheet.ask(number, || Some(*at));
        }
        sheet.look(Some(game), NOW, &ledger);
    }
    assert_eq!((ledger.playing(), ledger.half_told()), (0, 0));
    ledger.score()
}

#[test]
fn a_game_that_is_as_its_moves_say_is_right() {
    let over = Some((Stone::Black, How::Five));
    let score = told(&game(Stone::Black, WON, over), &game(Stone::White, WON, over));
    assert_eq!((score.games, score.moves, score.is_right()), (1, 9, true));
}

#[test]
fn a_winner_that_the_moves_do_not_make_is_wrong() {
    for over in [(Stone::White, How::Five), (Stone::Black, How::Time)] {
        let over = Some(over);
        let score = told(&game(Stone::Black, WON, over), &game(Stone::White, WON, over));
        assert!(score.wrong_games > 0, "{over:?}");
    }
    let over = Some((Stone::Black, How::Five));
    let twice = "a1 a2 a1";
    let score = told(&game(Stone::Black, twice, over), &game(Stone::White, twice, over));
    assert!(score.wrong_games > 0);
}

#[test]
fn a_game_that_its_players_saw_differently_is_wrong() {
    let over = Some((Stone::Black, How::Five));
    let other = "a1 a2 b1 b2 c1 c3 d1 d2 e1";
    let score = told(&game(Stone::Black, WON, over), &game(Stone::White, other, over));
    assert_eq!(score.wrong_games, 1);
}

#[test]
fn a_stone_that_nobody_placed_is_wrong() {
    let (ledger, mut sheet) = (Ledger::default(), Sheet::default());
    sheet.look(Some(&game(Stone::White, "h8", None)), NOW, &ledger);
    sheet.ask(2, || Some(Point::parse("a2").unwrap()));
    let over = Some((Stone::Black, How::Five));
    sheet.look(Some(&game(Stone::White, WON, over)), NOW, &ledger);
    assert_eq!(ledger.score().wrong_games, 1);
}

#[test]
fn a_clock_that_is_wound_again_is_wrong() {
    let (ledger, mut sheet) = (Ledger::default(), Sheet::default());
    let mut seen = game(Stone::White, "h8", None);
    sheet.look(Some(&seen), NOW, &ledger);
    sheet.look(Some(&seen), NOW + 9_000, &ledger);
    assert_eq!(ledger.score().wrong_clocks, 0);
    seen.turn = Some(Turn::new(Stone::White, NOW + 9_000));
    sheet.look(Some(&seen), NOW + 9_000, &ledger);
    assert_eq!(ledger.score().wrong_clocks, 1);
}

#[test]
fn the_end_of_a_turn_comes_at_its_time() {
    let turn_ms = TURN.as_millis() as u64;
    for (after, wrong) in [(turn_ms, 0), (turn_ms / 2, 1), (3 * turn_ms, 1)] {
        let (ledger, mut sheet) = (Ledger::default(), Sheet::default());
        sheet.look(Some(&game(Stone::White, "h8", None)), NOW, &ledger);
        sheet.sleeps = true;
        let over = Some((Stone::Black, How::Time));
        sheet.look(Some(&game(Stone::White, "h8", over)), NOW + after, &ledger);
        assert_eq!((ledger.score().wrong_clocks, ledger.score().wrong_games), (wrong, 0));
    }
}
