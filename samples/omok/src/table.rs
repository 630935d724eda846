//! A table: two seats, a board, and game after game until somebody leaves.
//!
//! It knows of no network. All that it has can be written down, so that it can be moved and parked
//! in the middle of a game: the board is not kept, since the moves make it.

use serde::{Deserialize, Serialize};
use throughline::prelude::SessionId;

use crate::bot::Bot;
use crate::clock::Turn;
use crate::messages::{Denial, Ending, Game, How, Tell};
use crate::rules::{Board, Point, Stone};

/// A seat keeps its player for the whole match, while the colours change with each game.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seat {
    /// Begins the first game.
    First,
    Second,
}

impl Seat {
    pub const BOTH: [Self; 2] = [Self::First, Self::Second];

    pub fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// A player as a match and the lobby know it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Guest {
    pub session: SessionId,
    pub name: String,
}

/// Who sits in a seat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Sitter {
    Player(Guest),
    Bot(Bot),
    /// Whoever sat here has gone.
    Nobody {
        name: String,
    },
}

/// What a table waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// A player's move, until the end of the turn.
    Player(Turn),
    /// The bot's move.
    Bot,
    /// Another game: this one is over.
    Nothing,
}

/// A table. Every method that can be refused changes nothing when it is, and otherwise returns
/// what both players are to be told, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    sitters: [Sitter; 2],
    black: Seat,
    moves: Vec<Point>,
    turn: Option<Turn>,
    over: Option<Ending>,
    rematch: Option<Seat>,
}

impl Table {
    pub fn new(sitters: [Sitter; 2], now_ms: u64) -> Self {
        Self {
            sitters,
            black: Seat::First,
            moves: Vec::new(),
            turn: Some(Turn::new(Stone::Black, now_ms)),
            over: None,
            rematch: None,
        }
    }

    /// Places the `number`th stone of this game, counted from 1. Nothing is told if this very stone
    /// was placed already: then it was asked for twice.
    pub fn place(
        &mut self,
        seat: Seat,
        number: usize,
        at: Point,
        now_ms: u64,
    ) -> Result<Vec<Tell>, Denial> {
        let stone = self.stone(seat);
        if let Some(index) = number.checked_sub(1).filter(|&index| index < self.moves.len()) {
            let is_done = self.moves[index] == at && colour(index) == stone;
            return if is_done { Ok(Vec::new()) } else { Err(Denial::OtherStone) };
        }
        self.check_turn(stone)?;
        // Too high a number is of a game that is not this one.
        if number != self.moves.len() + 1 {
            return Err(Denial::OtherStone);
        }
        let mut board = self.board();
        if !board.place(at, stone) {
            return Err(Denial::Taken);
        }
        self.moves.push(at);
        let over = if let Some(row) = board.winning_row(at) {
            Some(Ending { winner: Some(stone), how: How::Five, row })
        } else if board.is_full() {
            Some(Ending { winner: None, how: How::BoardFull, row: Vec::new() })
        } else {
            None
        };
        self.turn = over.is_none().then(|| Turn::new(stone.other(), now_ms));
        let mut tells = vec![Tell::Placed { number, at, stone, turn: self.turn }];
        tells.extend(over.map(|ending| self.end(ending)));
        Ok(tells)
    }

    /// Lets the bot move, if it is its turn.
    pub fn bot_moves(&mut self, now_ms: u64) -> Result<Vec<Tell>, Denial> {
        let turn = self.turn.ok_or(Denial::GameOver)?;
        let (seat, board) = (self.seat(turn.stone), self.board());
        let Sitter::Bot(bot) = &mut self.sitters[seat as usize] else {
            return Err(Denial::NotYourTurn);
        };
        let at = bot.choose(&board, turn.stone).ok_or(Denial::GameOver)?;
        self.place(seat, self.moves.len() + 1, at, now_ms)
    }

    pub fn resign(&mut self, seat: Seat) -> Result<Vec<Tell>, Denial> {
        self.lose(seat, How::Resigned)
    }

    /// Whoever is to move loses, if the turn is over.
    pub fn time_up(&mut self, now_ms: u64) -> Result<Vec<Tell>, Denial> {
        let turn = self.turn.ok_or(Denial::GameOver)?;
        if !turn.left(now_ms).is_zero() {
            return Err(Denial::GameGoesOn);
        }
        self.lose(self.seat(turn.stone), How::Time)
    }

    /// Asks for another game; with the second seat's asking it begins, and `true` comes back.
    pub fn rematch(&mut self, seat: Seat, now_ms: u64) -> Result<bool, Denial> {
        if self.over.is_none() {
            return Err(Denial::GameGoesOn);
        }
        if self.rematch == Some(seat) {
            return Err(Denial::RematchAsked);
        }
        match self.sitter(seat.other()) {
            Sitter::Nobody { .. } => return Err(Denial::PartnerLeft),
            Sitter::Player(_) if self.rematch.is_none() => {
                self.rematch = Some(seat);
                return Ok(false);
            }
            Sitter::Player(_) | Sitter::Bot(_) => {}
        }
        self.black = self.black.other();
        self.moves.clear();
        self.turn = Some(Turn::new(Stone::Black, now_ms));
        self.over = None;
        self.rematch = None;
        Ok(true)
    }

    /// The player of this seat goes; in the middle of a game it loses it. What comes back is for
    /// the one who stays.
    pub fn leave(&mut self, seat: Seat, how: How) -> Vec<Tell> {
        let mut tells = self.lose(seat, how).unwrap_or_default();
        let sitter = &mut self.sitters[seat as usize];
        if let Sitter::Player(guest) = sitter {
            *sitter = Sitter::Nobody { name: std::mem::take(&mut guest.name) };
            self.rematch = None;
            tells.push(Tell::PartnerLeft);
        }
        tells
    }

    /// True when no player is left to see it.
    pub fn is_deserted(&self) -> bool {
        !self.sitters.iter().any(|sitter| matches!(sitter, Sitter::Player(_)))
    }

    /// The session of the player in this seat, if one sits there.
    pub fn player(&self, seat: Seat) -> Option<SessionId> {
        match self.sitter(seat) {
            Sitter::Player(guest) => Some(guest.session),
            Sitter::Bot(_) | Sitter::Nobody { .. } => None,
        }
    }

    pub fn next(&self) -> Next {
        match self.turn {
            None => Next::Nothing,
            Some(turn) => match self.sitter(self.seat(turn.stone)) {
                Sitter::Bot(_) => Next::Bot,
                Sitter::Player(_) | Sitter::Nobody { .. } => Next::Player(turn),
            },
        }
    }

    /// The game as this seat sees it; the node is that of the match.
    pub fn view(&self, seat: Seat, match_node: u32) -> Game {
        let name = |stone| match self.sitter(self.seat(stone)) {
            Sitter::Player(guest) => guest.name.clone(),
            Sitter::Bot(_) => "The bot".to_owned(),
            Sitter::Nobody { name } => name.clone(),
        };
        Game {
            mine: self.stone(seat),
            black: name(Stone::Black),
            white: name(Stone::White),
            moves: self.moves.clone(),
            turn: self.turn,
            over: self.over.clone(),
            rematch: self.rematch.map(|seat| self.stone(seat)),
            partner_left: matches!(self.sitter(seat.other()), Sitter::Nobody { .. }),
            match_node,
        }
    }

    /// The colour this seat plays in the present game.
    pub fn stone(&self, seat: Seat) -> Stone {
        if seat == self.black { Stone::Black } else { Stone::White }
    }

    fn seat(&self, stone: Stone) -> Seat {
        if stone == Stone::Black { self.black } else { self.black.other() }
    }

    fn sitter(&self, seat: Seat) -> &Sitter {
        &self.sitters[seat as usize]
    }

    fn board(&self) -> Board {
        Board::of(&self.moves)
    }

    fn check_turn(&self, stone: Stone) -> Result<(), Denial> {
        match self.turn {
            None => Err(Denial::GameOver),
            Some(turn) if turn.stone != stone => Err(Denial::NotYourTurn),
            Some(_) => Ok(()),
        }
    }

    fn lose(&mut self, seat: Seat, how: How) -> Result<Vec<Tell>, Denial> {
        if self.over.is_some() {
            return Err(Denial::GameOver);
        }
        let winner = Some(self.stone(seat.other()));
        Ok(vec![self.end(Ending { winner, how, row: Vec::new() })])
    }

    fn end(&mut self, ending: Ending) -> Tell {
        self.turn = None;
        self.over = Some(ending.clone());
        Tell::Over(ending)
    }
}

/// Whose stone it is, by its place in the list of moves.
fn colour(index: usize) -> Stone {
    if index.is_multiple_of(2) { Stone::Black } else { Stone::White }
}

#[cfg(test)]
mod tests;
