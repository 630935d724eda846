use super::*;
use crate::rules::tests::board;

fn choice(drawing: &[&str], stone: Stone) -> String {
    Bot::new(1).choose(&board(drawing), stone).unwrap().to_string()
}

/// Plays one game; `None` is a draw.
fn game(mut black: impl Player, mut white: impl Player) -> Option<Stone> {
    let (mut board, mut stone) = (Board::new(), Stone::Black);
    while !board.is_full() {
        let at = match stone {
            Stone::Black => black.play(&board, stone),
            Stone::White => white.play(&board, stone),
        };
        let at = at.unwrap();
        assert!(board.place(at, stone), "{at} is taken");
        if board.winning_row(at).is_some() {
            return Some(stone);
        }
        stone = stone.other();
    }
    None
}

trait Player {
    fn play(&mut self, board: &Board, stone: Stone) -> Option<Point>;
}

impl Player for Bot {
    fn play(&mut self, board: &Board, stone: Stone) -> Option<Point> {
        self.choose(board, stone)
    }
}

/// Any free point.
struct Random(Bot);

impl Player for Random {
    fn play(&mut self, board: &Board, _: Stone) -> Option<Point> {
        let free: Vec<_> = Point::all().filter(|&at| board.at(at).is_none()).collect();
        Some(free[self.0.random() as usize % free.len()])
    }
}

#[test]
fn the_first_stone_goes_to_the_middle() {
    assert_eq!(choice(&[], Stone::Black), "h8");
}

#[test]
fn a_five_is_completed_rather_than_anything_else() {
    // White could complete as well; black is to move.
    let drawing = ["", ".xxxx.", "", ".oooo."];
    assert!(["a14", "f14"].contains(&&*choice(&drawing, Stone::Black)));
    assert_eq!(choice(&["xx.xx", "oooo."], Stone::Black), "c15");
}

#[test]
fn a_four_is_blocked() {
    assert_eq!(choice(&["oxxxx.", "", "..o.o"], Stone::White), "f15");
    assert_eq!(choice(&["xx.xx", "", ".o.o"], Stone::White), "c15");
    // Down, and both diagonals.
    assert_eq!(choice(&["x", "x", "x", "x", "", "...oo"], Stone::White), "a11");
    assert_eq!(choice(&["x", ".x", "..x", "...x", "", "o.oo"], Stone::White), "e11");
    let down = [".....o", "....x", "...x", "..x", ".x", "", ".ooo"];
    assert_eq!(choice(&down, Stone::White), "a10");
}

#[test]
fn an_open_four_is_made_from_an_open_three() {
    let at = choice(&["", "", "....xxx....", "", "....oo"], Stone::Black);
    assert!(["d13", "h13"].contains(&&*at), "{at}");
}

#[test]
fn an_open_three_is_stopped() {
    let at = choice(&["", "", "....xxx....", "", "....oo"], Stone::White);
    assert!(["d13", "h13"].contains(&&*at), "{at}");
}

#[test]
fn a_broken_open_three_is_stopped() {
    let at = choice(&["", "", "....xx.x....", "", "....o.o"], Stone::White);
    assert!(["d13", "g13", "i13"].contains(&&*at), "{at}");
}

#[test]
fn a_fork_of_two_open_threes_is_made() {
    let drawing = ["", "", "", ".....x", ".....x", "", "..xx.", "", "", "o", "..o", ".......o"];
    assert_eq!(choice(&drawing, Stone::Black), "f9");
}

#[test]
fn the_same_seed_gives_the_same_game() {
    let moves = |seed| {
        let (mut bot, mut board, mut stone) = (Bot::new(seed), Board::new(), Stone::Black);
        let mut moves = Vec::new();
        for _ in 0..30 {
            let at = bot.choose(&board, stone).unwrap();
            board.place(at, stone);
            moves.push(at);
            stone = stone.other();
        }
        moves
    };
    assert_eq!(moves(7), moves(7));
    assert!((0..8).any(|seed| moves(seed) != moves(7)));
}

#[test]
fn a_random_player_never_wins() {
    for seed in 0..20 {
        assert_eq!(game(Bot::new(seed), Random(Bot::new(seed))), Some(Stone::Black), "{seed}");
        assert_eq!(game(Random(Bot::new(seed)), Bot::new(seed)), Some(Stone::White), "{seed}");
    }
}

#[test]
fn a_full_board_has_no_move() {
    let mut board = Board::new();
    for at in Point::all() {
        board.place(at, Stone::Black);
    }
    assert_eq!(Bot::new(1).choose(&board, Stone::White), None);
}
