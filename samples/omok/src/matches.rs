//! One match: two seats, a board, and game after game until somebody leaves.

use std::time::Duration;

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
    pub fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// A player as a match and the lobby know it.
#[derive(Debug, Clone, PartialEq)]
pub struct Guest {
    pub session: SessionId,
    pub name: String,
}

/// Who sits in a seat.
#[derive(Debug)]
pub enum Sitter {
    Player(Guest),
    Bot(Bot),
    /// Whoever sat here has gone.
    Nobody {
        name: String,
    },
}

/// What a player's session waits for.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// The player's own move, for so long.
    Mine(Duration),
    /// The bot's move.
    Bot,
    /// The partner's move, for so long.
    Theirs(Duration),
    /// The game is over.
    Nothing,
}

/// A match. Every method that can be refused changes nothing when it is, and otherwise returns
/// what both players are to be told, in order.
#[derive(Debug)]
pub struct Match {
    sitters: [Sitter; 2],
    black: Seat,
    board: Board,
    moves: Vec<Point>,
    turn: Option<Turn>,
    over: Option<Ending>,
    rematch: Option<Seat>,
}

impl Match {
    pub fn new(first: Sitter, second: Sitter, now_ms: u64) -> Self {
        Self {
            sitters: [first, second],
            black: Seat::First,
            board: Board::new(),
            moves: Vec::new(),
            turn: Some(Turn::new(Stone::Black, now_ms)),
            over: None,
            rematch: None,
        }
    }

    pub fn place(&mut self, seat: Seat, at: Point, now_ms: u64) -> Result<Vec<Tell>, Denial> {
        let stone = self.stone(seat);
        self.check_turn(stone)?;
        if !self.board.place(at, stone) {
            return Err(Denial::Taken);
        }
        self.moves.push(at);
        let over = if let Some(row) = self.board.winning_row(at) {
            Some(Ending { winner: Some(stone), how: How::Five, row })
        } else if self.board.is_full() {
            Some(Ending { winner: None, how: How::BoardFull, row: Vec::new() })
        } else {
            None
        };
        self.turn = over.is_none().then(|| Turn::new(stone.other(), now_ms));
        let mut tells = vec![Tell::Placed { number: self.moves.len(), at, stone, turn: self.turn }];
        tells.extend(over.map(|ending| self.end(ending)));
        Ok(tells)
    }

    /// Lets the bot move, if it is its turn.
    pub fn bot_moves(&mut self, now_ms: u64) -> Result<Vec<Tell>, Denial> {
        let turn = self.turn.ok_or(Denial::GameOver)?;
        let seat = self.seat(turn.stone);
        let Sitter::Bot(bot) = &mut self.sitters[seat as usize] else {
            return Err(Denial::NotYourTurn);
        };
        let at = bot.choose(&self.board, turn.stone).ok_or(Denial::GameOver)?;
        self.place(seat, at, now_ms)
    }

    pub fn resign(&mut self, seat: Seat) -> Result<Vec<Tell>, Denial> {
        self.lose(seat, How::Resigned)
    }

    /// The turn clock of this seat has run out.
    pub fn time_up(&mut self, seat: Seat) -> Result<Vec<Tell>, Denial> {
        self.check_turn(self.stone(seat))?;
        self.lose(seat, How::Time)
    }

    /// Asks for another game; with the second seat's asking it begins, and `true` comes back.
    pub fn rematch(&mut self, seat: Seat, now_ms: u64) -> Result<bool, Denial> {
        if self.over.is_none() {
            return Err(Denial::GameGoesOn);
        }
        if self.rematch == Some(seat) {
            return Err(Denial::RematchAsked);
        }
        match &self.sitters[seat.other() as usize] {
            Sitter::Nobody { .. } => return Err(Denial::PartnerLeft),
            Sitter::Player(_) if self.rematch.is_none() => {
                self.rematch = Some(seat);
                return Ok(false);
            }
            Sitter::Player(_) | Sitter::Bot(_) => {}
        }
        self.black = self.black.other();
        self.board = Board::new();
        self.moves.clear();
        self.turn = Some(Turn::new(Stone::Black, now_ms));
        self.over = None;
        self.rematch = None;
        Ok(true)
    }

    /// The player of this seat goes; in the middle of a game it loses it, unless its session was
    /// moved. What comes back is for the one who stays.
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

    /// The other player's session, if there is one.
    pub fn partner(&self, seat: Seat) -> Option<SessionId> {
        match &self.sitters[seat.other() as usize] {
            Sitter::Player(guest) => Some(guest.session),
            Sitter::Bot(_) | Sitter::Nobody { .. } => None,
        }
    }

    pub fn next(&self, seat: Seat, now_ms: u64) -> Next {
        match self.turn {
            Some(turn) if turn.stone == self.stone(seat) => Next::Mine(turn.left(now_ms)),
            Some(turn) => match self.sitters[self.seat(turn.stone) as usize] {
                Sitter::Bot(_) => Next::Bot,
                Sitter::Player(_) | Sitter::Nobody { .. } => Next::Theirs(turn.left(now_ms)),
            },
            None => Next::Nothing,
        }
    }

    pub fn view(&self, seat: Seat) -> Game {
        let name = |stone| match &self.sitters[self.seat(stone) as usize] {
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
            partner_left: matches!(self.sitters[seat.other() as usize], Sitter::Nobody { .. }),
        }
    }

    /// The colour this seat plays in the present game.
    pub fn stone(&self, seat: Seat) -> Stone {
        if seat == self.black { Stone::Black } else { Stone::White }
    }

    fn seat(&self, stone: Stone) -> Seat {
        if stone == Stone::Black { self.black } else { self.black.other() }
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
        let winner = (how != How::Moved).then(|| self.stone(seat.other()));
        Ok(vec![self.end(Ending { winner, how, row: Vec::new() })])
    }

    fn end(&mut self, ending: Ending) -> Tell {
        self.turn = None;
        self.over = Some(ending.clone());
        Tell::Over(ending)
    }
}
