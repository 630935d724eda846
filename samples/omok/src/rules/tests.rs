use super::*;

/// A board from a drawing in its top left corner: `x` is black, `o` is white.
pub fn board(drawing: &[&str]) -> Board {
    let mut board = Board::new();
    for (y, line) in drawing.iter().enumerate() {
        for (x, cell) in line.chars().enumerate() {
            let stone = match cell {
                'x' => Stone::Black,
                'o' => Stone::White,
                _ => continue,
            };
            assert!(board.place(point(x, y), stone));
        }
    }
    board
}

fn point(x: usize, y: usize) -> Point {
    Point::new(x as u8, y as u8).unwrap()
}

#[test]
fn five_in_a_row_wins_in_every_direction() {
    for (dx, dy) in DIRECTIONS {
        let mut board = Board::new();
        let start = Point::new(5, 7).unwrap();
        for steps in 0..5 {
            let at = start.step((dx, dy), steps).unwrap();
            assert!(board.winning_row(start).is_none());
            assert!(board.place(at, Stone::White));
        }
        for steps in 0..5 {
            let row = board.winning_row(start.step((dx, dy), steps).unwrap()).unwrap();
            assert_eq!(row.len(), 5);
            assert_eq!(row[0], start);
        }
    }
}

#[test]
fn more_than_five_wins_as_well() {
    let board = board(&["xxxxxx"]);
    assert_eq!(board.winning_row(point(3, 0)).unwrap().len(), 6);
}

#[test]
fn four_or_a_broken_row_does_not_win() {
    assert!(board(&["xxxx"]).winning_row(point(0, 0)).is_none());
    assert!(board(&["xxx.xx"]).winning_row(point(0, 0)).is_none());
    assert!(board(&["xxxoxx"]).winning_row(point(4, 0)).is_none());
}

#[test]
fn a_row_does_not_run_round_the_edge() {
    let mut board = Board::new();
    for x in [12, 13, 14] {
        board.place(point(x, 3), Stone::Black);
    }
    for x in [0, 1] {
        board.place(point(x, 4), Stone::Black);
    }
    assert!(board.winning_row(point(14, 3)).is_none());
}

#[test]
fn a_taken_point_stays_as_it_is() {
    let mut board = board(&["x"]);
    assert!(!board.place(point(0, 0), Stone::White));
    assert_eq!(board.at(point(0, 0)), Some(Stone::Black));
}

#[test]
fn a_board_is_full_after_its_last_point() {
    let mut board = Board::new();
    for at in Point::all() {
        assert!(!board.is_full());
        assert!(board.place(at, Stone::Black));
    }
    assert!(board.is_full());
}

#[test]
fn names_of_points_are_read_and_written() {
    for at in Point::all() {
        assert_eq!(Point::parse(&at.to_string()), Some(at));
    }
    assert_eq!(Point::parse(" H8 "), Point::new(7, 7));
    assert_eq!(Point::parse("a15"), Point::new(0, 0));
    for wrong in ["", "h", "8", "p1", "a0", "a16", "a-1", "8h", "\u{e4}1", "a1b", "a999"] {
        assert_eq!(Point::parse(wrong), None, "{wrong}");
    }
}
