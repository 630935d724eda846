use super::*;
use crate::clock::TURN;

const NOW: u64 = 1_000_000;
const TURN_MS: u64 = TURN.as_millis() as u64;

fn guest(n: u8) -> Sitter {
    Sitter::Player(Guest { session: SessionId([n; 16]), name: format!("player {n}") })
}

fn point(name: &str) -> Point {
    Point::parse(name).unwrap()
}

/// Two players at a table.
fn table() -> Table {
    Table::new([guest(1), guest(2)], NOW)
}

fn with_bot() -> Table {
    Table::new([guest(1), Sitter::Bot(Bot::new(7))], NOW)
}

/// Places stones in turn, black first, and returns what the last one told.
fn play(table: &mut Table, moves: &str) -> Vec<Tell> {
    let mut tells = Vec::new();
    for at in moves.split(' ') {
        let seat = table.seat(table.turn.unwrap().stone);
        tells = table.place(seat, table.moves.len() + 1, point(at), NOW).unwrap();
    }
    tells
}

fn ending(tells: &[Tell]) -> (Option<Stone>, How) {
    tells
        .iter()
        .find_map(|tell| match tell {
            Tell::Over(ending) => Some((ending.winner, ending.how)),
            _ => None,
        })
        .unwrap()
}

#[test]
fn the_first_seat_begins_and_each_sees_the_other() {
    let table = table();
    assert_eq!(table.next(), Next::Player(Turn::new(Stone::Black, NOW)));
    assert_eq!(table.player(Seat::First), Some(SessionId([1; 16])));
    let view = table.view(Seat::Second, 3);
    assert_eq!((view.mine, &*view.black, &*view.white), (Stone::White, "player 1", "player 2"));
    assert_eq!(view.match_node, 3);
}

#[test]
fn five_in_a_row_ends_the_game() {
    let mut table = table();
    let tells = play(&mut table, "a1 a2 b1 b2 c1 c2 d1 d2 e1");
    let row = ["a1", "b1", "c1", "d1", "e1"].map(point).to_vec();
    let over = Ending { winner: Some(Stone::Black), how: How::Five, row };
    let placed = Tell::Placed { number: 9, at: point("e1"), stone: Stone::Black, turn: None };
    assert_eq!(tells, [placed, Tell::Over(over.clone())]);
    assert_eq!(table.view(Seat::First, 1).over, Some(over));
    assert_eq!(table.next(), Next::Nothing);
    assert_eq!(table.place(Seat::Second, 10, point("h8"), NOW), Err(Denial::GameOver));
    assert_eq!(table.resign(Seat::Second), Err(Denial::GameOver));
    assert_eq!(table.time_up(NOW + TURN_MS), Err(Denial::GameOver));
}

#[test]
fn a_full_board_is_a_draw() {
    let mut table = table();
    // Pairs of columns, shifted on every other row: no row of five in any direction.
    let colour = |at: Point| (at.x() / 2 + at.y()).is_multiple_of(2);
    let mut black: Vec<_> = Point::all().filter(|&at| colour(at)).collect();
    let mut white: Vec<_> = Point::all().filter(|&at| !colour(at)).collect();
    if black.len() < white.len() {
        std::mem::swap(&mut black, &mut white);
    }
    assert_eq!((black.len(), white.len()), (113, 112));
    let mut tells = Vec::new();
    for number in 0..225 {
        let (seat, from) = match number % 2 {
            0 => (Seat::First, &black),
            _ => (Seat::Second, &white),
        };
        tells = table.place(seat, number + 1, from[number / 2], NOW).unwrap();
    }
    assert_eq!(ending(&tells), (None, How::BoardFull));
}

#[test]
fn a_refused_move_changes_nothing() {
    let mut table = table();
    play(&mut table, "h8");
    let before = table.clone();
    assert_eq!(table.place(Seat::First, 2, point("a1"), NOW + 1), Err(Denial::NotYourTurn));
    assert_eq!(table.place(Seat::Second, 2, point("h8"), NOW + 1), Err(Denial::Taken));
    assert_eq!(table.bot_moves(NOW + 1), Err(Denial::NotYourTurn));
    assert_eq!(table.time_up(NOW + TURN_MS - 1), Err(Denial::GameGoesOn));
    assert_eq!(table.rematch(Seat::First, NOW + 1), Err(Denial::GameGoesOn));
    assert_eq!(table, before);
}

#[test]
fn a_move_that_is_repeated_is_answered_as_done_and_made_once() {
    let mut table = table();
    play(&mut table, "h8 a1 h9");
    let before = table.clone();
    for (seat, number, at) in
        [(Seat::First, 1, "h8"), (Seat::Second, 2, "a1"), (Seat::First, 3, "h9")]
    {
        assert_eq!(table.place(seat, number, point(at), NOW + 1), Ok(Vec::new()));
    }
    // Neither another point with a number that was used, nor another's stone, nor one too early.
    for (seat, number, at) in [
        (Seat::First, 1, "b2"),
        (Seat::Second, 1, "h8"),
        (Seat::Second, 5, "b2"),
        (Seat::Second, 0, "b2"),
    ] {
        assert_eq!(table.place(seat, number, point(at), NOW + 1), Err(Denial::OtherStone));
    }
    assert_eq!(table, before);
}

#[test]
fn a_table_goes_on_from_what_was_written_down() {
    let mut table = table();
    play(&mut table, "a1 a2 b1 b2 c1 c2 d1 d2");
    let written = serde_json::to_vec(&table).unwrap();
    let mut read: Table = serde_json::from_slice(&written).unwrap();
    assert_eq!(read, table);
    assert_eq!(ending(&play(&mut read, "e1")), (Some(Stone::Black), How::Five));
}

#[test]
fn each_move_winds_the_clock_of_the_other() {
    let mut table = table();
    table.place(Seat::First, 1, point("h8"), NOW + 5_000).unwrap();
    assert_eq!(table.next(), Next::Player(Turn::new(Stone::White, NOW + 5_000)));
}

#[test]
fn a_clock_run_out_and_a_resignation_lose() {
    let mut one = table();
    play(&mut one, "h8");
    let tells = one.time_up(NOW + TURN_MS).unwrap();
    assert_eq!(ending(&tells), (Some(Stone::Black), How::Time));

    let mut other = table();
    play(&mut other, "h8");
    assert_eq!(ending(&other.resign(Seat::First).unwrap()), (Some(Stone::White), How::Resigned));
}

#[test]
fn a_rematch_begins_when_both_ask_with_colours_swapped() {
    let mut table = table();
    play(&mut table, "h8");
    table.resign(Seat::Second).unwrap();
    assert_eq!(table.rematch(Seat::First, NOW), Ok(false));
    assert_eq!(table.view(Seat::Second, 1).rematch, Some(Stone::Black));
    assert_eq!(table.rematch(Seat::First, NOW), Err(Denial::RematchAsked));
    assert_eq!(table.rematch(Seat::Second, NOW), Ok(true));
    let view = table.view(Seat::First, 1);
    assert_eq!((view.mine, &*view.black), (Stone::White, "player 2"));
    assert!(view.moves.is_empty() && view.over.is_none() && view.rematch.is_none());
    assert_eq!(table.next(), Next::Player(Turn::new(Stone::Black, NOW)));
}

#[test]
fn who_goes_in_the_middle_of_a_game_loses_it() {
    for (how, seat, winner) in
        [(How::Left, Seat::First, Stone::White), (How::Away, Seat::Second, Stone::Black)]
    {
        let mut table = table();
        let tells = table.leave(seat, how);
        assert_eq!(ending(&tells), (Some(winner), how));
        assert_eq!(tells.last(), Some(&Tell::PartnerLeft));
        assert!(table.view(seat.other(), 1).partner_left);
        assert_eq!(table.rematch(seat.other(), NOW), Err(Denial::PartnerLeft));
        assert_eq!((table.player(seat), table.is_deserted()), (None, false));
    }
}

#[test]
fn a_table_is_deserted_when_both_have_left() {
    let mut table = table();
    table.leave(Seat::First, How::Left);
    table.leave(Seat::Second, How::Away);
    assert!(table.is_deserted());
    // A leave that comes twice finds nobody, and harms nothing.
    assert_eq!(table.leave(Seat::Second, How::Away), []);

    let mut table = with_bot();
    table.leave(Seat::First, How::Left);
    assert!(table.is_deserted());
}

#[test]
fn the_bot_answers_a_move_and_takes_every_rematch() {
    let mut table = with_bot();
    assert_eq!(table.bot_moves(NOW), Err(Denial::NotYourTurn));
    play(&mut table, "h8");
    assert_eq!(table.next(), Next::Bot);
    let tells = table.bot_moves(NOW).unwrap();
    assert!(matches!(tells[..], [Tell::Placed { number: 2, stone: Stone::White, .. }]));
    assert_eq!(table.next(), Next::Player(Turn::new(Stone::Black, NOW)));
    table.resign(Seat::First).unwrap();
    assert_eq!(table.rematch(Seat::First, NOW), Ok(true));
    assert_eq!(table.next(), Next::Bot);
}
