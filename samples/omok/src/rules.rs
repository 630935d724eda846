//! The rules: a board of 15 x 15, black begins, five in a row wins.
//!
//! This is free-style omok: a row of more than five wins as well, and no move is forbidden to
//! black. A full board without a row is a draw.

use serde::{Deserialize, Serialize};

/// Lines of the board, each way.
pub const SIZE: u8 = 15;
/// Stones in a row that win, at least.
pub const ROW: usize = 5;
/// The four ways a row can run; the other four are these, backwards.
pub const DIRECTIONS: [(i8, i8); 4] = [(1, 0), (0, 1), (1, 1), (1, -1)];

/// A colour, and who plays it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stone {
    Black,
    White,
}

impl Stone {
    pub fn other(self) -> Self {
        match self {
            Self::Black => Self::White,
            Self::White => Self::Black,
        }
    }
}

/// A crossing of the board. It travels as `[x, y]`; x counts from the left, y from the top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "(u8, u8)", into = "(u8, u8)")]
pub struct Point {
    x: u8,
    y: u8,
}

impl Point {
    /// `None` outside the board, so that every `Point` is on it.
    pub fn new(x: u8, y: u8) -> Option<Self> {
        (x < SIZE && y < SIZE).then_some(Self { x, y })
    }

    /// Reads `h8`: the column a to o from the left, the row 1 to 15 from the bottom.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let column = text.bytes().next()?.checked_sub(b'a')?;
        let row: u8 = text.get(1..)?.parse().ok()?;
        Self::new(column, SIZE.checked_sub(row)?)
    }

    /// The point `steps` along a direction, if that is still on the board.
    pub fn step(self, (dx, dy): (i8, i8), steps: i8) -> Option<Self> {
        let x = self.x.checked_add_signed(dx * steps)?;
        let y = self.y.checked_add_signed(dy * steps)?;
        Self::new(x, y)
    }

    pub fn all() -> impl Iterator<Item = Self> {
        (0..SIZE).flat_map(|y| (0..SIZE).map(move |x| Self { x, y }))
    }

    pub fn x(self) -> u8 {
        self.x
    }

    pub fn y(self) -> u8 {
        self.y
    }
}

impl std::fmt::Display for Point {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}{}", char::from(b'a' + self.x), SIZE - self.y)
    }
}

impl From<Point> for (u8, u8) {
    fn from(at: Point) -> Self {
        (at.x, at.y)
    }
}

impl TryFrom<(u8, u8)> for Point {
    type Error = &'static str;

    fn try_from((x, y): (u8, u8)) -> Result<Self, Self::Error> {
        Self::new(x, y).ok_or("the point is outside the board")
    }
}

/// The stones on the board.
#[derive(Debug, Clone)]
pub struct Board {
    cells: [Option<Stone>; SIZE as usize * SIZE as usize],
}

impl Default for Board {
    fn default() -> Self {
        Self::new()
    }
}

impl Board {
    pub fn new() -> Self {
        Self { cells: [None; SIZE as usize * SIZE as usize] }
    }

    /// The board after these moves, black first.
    pub fn of(moves: &[Point]) -> Self {
        let mut board = Self::new();
        let colours = [Stone::Black, Stone::White].into_iter().cycle();
        for (&at, stone) in moves.iter().zip(colours) {
            board.place(at, stone);
        }
        board
    }

    pub fn at(&self, at: Point) -> Option<Stone> {
        self.cells[index(at)]
    }

    /// Puts a stone where none is; `false`, and no change, where one is.
    pub fn place(&mut self, at: Point, stone: Stone) -> bool {
        let free = self.at(at).is_none();
        if free {
            self.cells[index(at)] = Some(stone);
        }
        free
    }

    pub fn is_empty(&self) -> bool {
        self.cells.iter().all(Option::is_none)
    }

    pub fn is_full(&self) -> bool {
        self.cells.iter().all(Option::is_some)
    }

    /// The winning row through the stone at `at`, from one end to the other.
    pub fn winning_row(&self, at: Point) -> Option<Vec<Point>> {
        let stone = self.at(at)?;
        DIRECTIONS.into_iter().find_map(|direction| {
            let run = |sign: i8| {
                (1..SIZE.cast_signed())
                    .map_while(move |steps| at.step(direction, sign * steps))
                    .take_while(move |&at| self.at(at) == Some(stone))
            };
            let mut row: Vec<Point> = run(-1).collect();
            row.reverse();
            row.push(at);
            row.extend(run(1));
            (row.len() >= ROW).then_some(row)
        })
    }
}

/// What the moves of a game came to, by the rules alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// Nobody has won yet.
    Open,
    /// This colour has a row, since the last move.
    Won(Stone),
    Full,
}

/// Plays the moves again, black first.
///
/// # Errors
/// The number, from 1, of the first move that the rules do not allow: on a stone, or after the end.
pub fn replay(moves: &[Point]) -> Result<Replayed, usize> {
    let mut board = Board::new();
    let mut so_far = Replayed::Open;
    let colours = [Stone::Black, Stone::White].into_iter().cycle();
    for (number, (&at, stone)) in (1..).zip(moves.iter().zip(colours)) {
        if so_far != Replayed::Open || !board.place(at, stone) {
            return Err(number);
        }
        if board.winning_row(at).is_some() {
            so_far = Replayed::Won(stone);
        } else if board.is_full() {
            so_far = Replayed::Full;
        }
    }
    Ok(so_far)
}

fn index(at: Point) -> usize {
    usize::from(at.y) * usize::from(SIZE) + usize::from(at.x)
}

#[cfg(test)]
pub mod tests;
