//! The rules: tiles slide, equal ones merge, and the day decides where new ones come.

use serde::{Deserialize, Serialize};

/// Cells of a side.
const SIDE: usize = 4;

/// Row by row: 0 for a free cell, n for a tile of 2^n.
pub type Cells = [u8; SIDE * SIDE];

/// A move. Starting over is one like any other, so it has a number, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Motion {
    Left,
    Right,
    Up,
    Down,
    StartOver,
}

/// One try at the puzzle of a day: for everybody, the same tiles come after the same moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Game {
    pub cells: Cells,
    pub score: u32,
    /// Moves since the start.
    pub steps: u32,
}

impl Game {
    /// The first board of a day, with two tiles.
    pub fn start(day: u32) -> Self {
        let mut game = Self { cells: [0; SIDE * SIDE], score: 0, steps: 0 };
        game.grow(day, 0);
        game.grow(day, 1);
        game
    }

    /// The game after a move, unless nothing moves.
    pub fn play(&self, day: u32, motion: Motion) -> Option<Self> {
        if motion == Motion::StartOver {
            return Some(Self::start(day));
        }
        let (cells, gain) = slide(&self.cells, motion);
        let mut game = Self { cells, score: self.score + gain, steps: self.steps + 1 };
        game.grow(day, game.steps + 1);
        (cells != self.cells).then_some(game)
    }

    /// Whether no move but starting over is left.
    pub fn is_over(&self) -> bool {
        let sides = [Motion::Left, Motion::Right, Motion::Up, Motion::Down];
        sides.iter().all(|&side| slide(&self.cells, side).0 == self.cells)
    }

    /// Adds the day's tile of this number: a 2, or, one time in ten, a 4.
    fn grow(&mut self, day: u32, number: u32) {
        let drawn = mix(u64::from(day) << 32 | u64::from(number));
        let free: Vec<usize> = (0..self.cells.len()).filter(|&at| self.cells[at] == 0).collect();
        if let Some(&at) = free.get((drawn >> 32) as usize % free.len().max(1)) {
            self.cells[at] = if drawn.is_multiple_of(10) { 2 } else { 1 };
        }
    }
}

/// The board after a slide, and what its merges score.
fn slide(cells: &Cells, motion: Motion) -> (Cells, u32) {
    let (mut after, mut gain) = ([0; SIDE * SIDE], 0);
    for line in 0..SIDE {
        // The cells of the line, from the edge that its tiles slide to.
        let at = |step: usize| match motion {
            Motion::Left | Motion::StartOver => line * SIDE + step,
            Motion::Right => line * SIDE + SIDE - 1 - step,
            Motion::Up => step * SIDE + line,
            Motion::Down => (SIDE - 1 - step) * SIDE + line,
        };
        // A tile that came from a merge does not merge again.
        let (mut to, mut merges) = (0, false);
        for tile in (0..SIDE).map(|step| cells[at(step)]).filter(|&tile| tile > 0) {
            merges = merges && after[at(to - 1)] == tile;
            if merges {
                after[at(to - 1)] += 1;
                gain += 1 << (tile + 1);
            } else {
                after[at(to)] = tile;
                to += 1;
            }
            merges = !merges;
        }
    }
    (after, gain)
}

/// SplitMix64: one number in, and one that looks drawn out.
const fn mix(seed: u64) -> u64 {
    let seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let seed = (seed ^ seed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let seed = (seed ^ seed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    seed ^ seed >> 31
}

#[cfg(test)]
mod tests;
