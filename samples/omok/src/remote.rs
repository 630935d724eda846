//! A client of the game: asks the node, and keeps the view of what it tells.

use std::time::Duration;

use throughline::prelude::Session;
use throughline_client::{Client, CloseCode, ConnectError, Event, Options, SendError, SessionId};

use crate::clock::Turn;
use crate::messages::{Ask, Game, Joining, Seen, Tell, View};
use crate::player::Player;
use crate::rules::{Board, Point};

/// Tries after which a client asks its player: twice the default, since a node may be away for the
/// time of its restart.
const TRIES: u32 = 16;

/// A player's client.
#[derive(Debug)]
pub struct Remote {
    client: Client,
    view: View,
}

/// What a client hears.
#[derive(Debug)]
pub enum News {
    Told(Tell),
    RepairStarted,
    Repaired(Duration),
    RepairFailed,
}

/// Why a client cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("the node does not take a message: {0}")]
    Send(#[from] SendError),
    #[error("the message cannot be read or written: {0}")]
    Json(#[from] serde_json::Error),
    #[error("move {found} came where {expected} was due")]
    Hole { expected: usize, found: usize },
    #[error("the connection stays broken")]
    Gone,
    #[error("the session has ended: {0} {1}")]
    Ended(CloseCode, String),
}

impl Remote {
    /// Logs in at one of these nodes, the first one if it answers. It tells the first view soon
    /// after.
    pub async fn connect(nodes: &[String], name: &str) -> Result<Self, RemoteError> {
        Self::connect_with(Options::new(nodes).tries(TRIES), name).await
    }

    /// The same with options of one's own; the login is added to them.
    pub async fn connect_with(options: Options, name: &str) -> Result<Self, RemoteError> {
        let login = serde_json::to_vec(&Joining { name: name.to_owned() })?;
        let client = Client::connect(options.kind(Player::KIND).login(login)).await?;
        Ok(Self { client, view: View { name: name.to_owned(), node: 0, place: Seen::Lobby } })
    }

    pub async fn ask(&mut self, ask: &Ask) -> Result<(), RemoteError> {
        Ok(self.client.send(serde_json::to_vec(ask)?).await?)
    }

    /// What happens next, already in the view. Cancel-safe.
    pub async fn next(&mut self) -> Result<News, RemoteError> {
        loop {
            return Ok(match self.client.next().await {
                Event::Message(bytes) => {
                    let tell: Tell = serde_json::from_slice(&bytes)?;
                    self.view.apply(&tell)?;
                    News::Told(tell)
                }
                Event::RepairStarted => News::RepairStarted,
                Event::Repaired { after } => News::Repaired(after),
                Event::RepairFailed => News::RepairFailed,
                Event::Ended(code, text) => return Err(RemoteError::Ended(code, text)),
                // The client moves by itself when its node restarts.
                _ => continue,
            });
        }
    }

    /// After `RepairFailed`, when the player wants it.
    pub fn retry(&mut self) {
        self.client.retry();
    }

    /// Drops the connection, to show that it does not matter.
    pub fn cut(&mut self) {
        self.client.cut();
    }

    pub async fn leave(mut self) {
        self.client.leave().await;
    }

    pub fn session_id(&self) -> SessionId {
        self.client.session_id()
    }

    pub fn view(&self) -> &View {
        &self.view
    }

    /// What is left of a turn, by the node's clock.
    pub fn left(&self, turn: Turn) -> Duration {
        turn.left(self.now_ms())
    }

    /// The node's clock, in milliseconds since 1970 UTC.
    pub fn now_ms(&self) -> u64 {
        self.client.server_time()
    }
}

impl View {
    fn apply(&mut self, tell: &Tell) -> Result<(), RemoteError> {
        if let Tell::View(view) = tell {
            *self = view.clone();
        }
        let Seen::Game(game) = &mut self.place else { return Ok(()) };
        match tell {
            // A view may be ahead of the moves that are still on their way.
            Tell::Placed { number, .. } if *number <= game.moves.len() => {}
            Tell::Placed { number, at, turn, .. } => {
                let expected = game.moves.len() + 1;
                if *number != expected {
                    return Err(RemoteError::Hole { expected, found: *number });
                }
                game.moves.push(*at);
                game.turn = *turn;
            }
            Tell::Over(ending) => {
                game.turn = None;
                game.over = Some(ending.clone());
            }
            Tell::RematchOffered { by } => game.rematch = Some(*by),
            Tell::PartnerLeft => {
                game.rematch = None;
                game.partner_left = true;
            }
            Tell::MatchMoved { node } => game.match_node = *node,
            // The match has gone with the view that came before.
            Tell::View(_)
            | Tell::MatchClosed
            | Tell::Crowd { .. }
            | Tell::Announced { .. }
            | Tell::Refused { .. } => {}
        }
        Ok(())
    }

    pub fn game(&self) -> Option<&Game> {
        match &self.place {
            Seen::Game(game) => Some(game),
            Seen::Lobby | Seen::Waiting { .. } => None,
        }
    }

    /// The game, if this player is to move.
    pub fn to_move(&self) -> Option<&Game> {
        self.game().filter(|game| game.turn.is_some_and(|turn| turn.stone == game.mine))
    }
}

impl Game {
    pub fn board(&self) -> Board {
        Board::of(&self.moves)
    }

    /// What is asked to place this player's next stone.
    pub fn ask_for(&self, at: Point) -> Ask {
        Ask::Place { x: at.x(), y: at.y(), number: self.moves.len() + 1 }
    }
}
