//! The bot: it looks at every point near a stone, for both colours, and takes the best.
//!
//! What a stone would make is read off the four lines through its point. The order of the
//! values is the order of urgency: win, stop a five, make an open four, stop one, and so on.
//! It does not look ahead; that the shapes imply the next two or three moves is enough to be
//! beaten only on purpose. The same board and seed give the same move.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::rules::{Board, DIRECTIONS, Point, ROW, Stone};

/// How far from a point its lines are read, each way: further stones cannot share a row.
const REACH: i8 = 4;
/// Only points this close to a stone are looked at.
const NEAR: i8 = 2;

/// A player who needs no client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bot {
    seed: u64,
}

impl Bot {
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The move for `stone`; `None` on a full board.
    pub fn choose(&mut self, board: &Board, stone: Stone) -> Option<Point> {
        if board.is_empty() {
            return Point::new(7, 7);
        }
        let mut free = Point::all().filter(|&at| board.at(at).is_none()).peekable();
        let (mut best, mut best_value, mut equals) = (free.peek().copied(), 0, 1);
        for at in free.filter(|&at| is_near_a_stone(board, at)) {
            // What I would make counts more than what I would deny: at equal shapes, attack.
            let value = 2 * value(board, at, stone) + value(board, at, stone.other());
            match value.cmp(&best_value) {
                Ordering::Greater => (best, best_value, equals) = (Some(at), value, 1),
                // One of several equal moves, each as likely as the others.
                Ordering::Equal => {
                    equals += 1;
                    if self.random().is_multiple_of(equals) {
                        best = Some(at);
                    }
                }
                Ordering::Less => {}
            }
        }
        best
    }

    /// SplitMix64: small, and good enough to choose between equal moves.
    fn random(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// What a stone makes in one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// A row: the game is won.
    Five,
    /// Two points that would each complete a row: it cannot be stopped.
    OpenFour,
    /// One point that would complete a row: it must be answered.
    Four,
    /// One move from an open four.
    OpenThree,
    /// Stones that share a row that is still possible, and how many rows that are.
    Loose { stones: usize, rows: usize },
}

/// What a stone at `at` is worth to its colour.
fn value(board: &Board, at: Point, stone: Stone) -> i64 {
    let (mut fours, mut threes, mut value) = (0, 0, 0);
    for direction in DIRECTIONS {
        match shape(Line::new(board, at, direction, stone)) {
            Shape::Five => return 1_000_000,
            Shape::OpenFour => fours += 2,
            Shape::Four => fours += 1,
            Shape::OpenThree => threes += 1,
            Shape::Loose { stones: 3, rows } => value += 12 * rows as i64,
            Shape::Loose { stones: 2, rows } => value += 6 * rows as i64,
            Shape::Loose { rows, .. } => value += rows as i64,
        }
    }
    value
        + match (fours, threes) {
            (2.., _) => 100_000,
            (1, 1..) => 20_000,
            (0, 2..) => 4_000,
            (1, 0) => 90,
            (0, 1) => 200,
            _ => 0,
        }
}

fn shape(line: Line) -> Shape {
    if line.has_row() {
        return Shape::Five;
    }
    match line.completions() {
        2.. => return Shape::OpenFour,
        1 => return Shape::Four,
        0 => {}
    }
    if line.free().any(|i| line.with(i).completions() >= 2) {
        return Shape::OpenThree;
    }
    line.loose()
}

/// The cells of one line round a point, seen by one colour, whose stone is in the middle.
#[derive(Clone, Copy)]
struct Line {
    cells: [Cell; Self::LEN],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cell {
    Mine,
    Free,
    /// The other colour, or the edge.
    Blocked,
}

impl Line {
    const LEN: usize = 2 * REACH as usize + 1;

    fn new(board: &Board, at: Point, direction: (i8, i8), stone: Stone) -> Self {
        let mut cells = [Cell::Blocked; Self::LEN];
        for (cell, steps) in cells.iter_mut().zip(-REACH..=REACH) {
            let Some(at) = at.step(direction, steps) else { continue };
            *cell = match board.at(at) {
                _ if steps == 0 => Cell::Mine,
                None => Cell::Free,
                Some(other) if other == stone => Cell::Mine,
                Some(_) => Cell::Blocked,
            };
        }
        Self { cells }
    }

    fn has_row(&self) -> bool {
        self.cells.windows(ROW).any(|row| row.iter().all(|&cell| cell == Cell::Mine))
    }

    fn free(self) -> impl Iterator<Item = usize> {
        (0..Self::LEN).filter(move |&i| self.cells[i] == Cell::Free)
    }

    /// The line with one more stone of mine.
    fn with(mut self, i: usize) -> Self {
        self.cells[i] = Cell::Mine;
        self
    }

    /// How many points would complete a row.
    fn completions(self) -> usize {
        self.free().filter(|&i| self.with(i).has_row()).count()
    }

    fn loose(&self) -> Shape {
        let mut best = (0, 0);
        for row in self.cells.windows(ROW).filter(|row| !row.contains(&Cell::Blocked)) {
            let stones = row.iter().filter(|&&cell| cell == Cell::Mine).count();
            match stones.cmp(&best.0) {
                Ordering::Greater => best = (stones, 1),
                Ordering::Equal => best.1 += 1,
                Ordering::Less => {}
            }
        }
        Shape::Loose { stones: best.0, rows: best.1 }
    }
}

fn is_near_a_stone(board: &Board, at: Point) -> bool {
    DIRECTIONS.into_iter().any(|direction| {
        (-NEAR..=NEAR).any(|n| at.step(direction, n).is_some_and(|at| board.at(at).is_some()))
    })
}

#[cfg(test)]
mod tests;
