//! A match: a table as a virtual actor. It is at one node at a time, whichever that is, and both
//! players ask it from wherever they are.

use std::time::Duration;

use throughline_vactor::prelude::*;

use crate::clock::Turn;
use crate::messages::{Denial, How, Tell as Told};
use crate::notes::{News, Note, note};
use crate::rules::Point;
use crate::table::{Next, Seat, Sitter, Table};

/// The reminders: the turn is over, the bot moves, nobody has done anything for long.
const TURN: &str = "turn";
const BOT: &str = "bot";
const ABANDONED: &str = "abandoned";

/// The bot answers at once; so that a person sees it move, it waits.
const BOT_THINKS: Duration = Duration::from_millis(450);

/// A match in which no game is on, and nobody does anything, ends after so long.
pub const ABANDONED_AFTER: Duration = Duration::from_secs(600);

/// A player sits down. The first one to do so begins the match; it knows who the other one is.
#[derive(Debug, Serialize, Deserialize)]
pub struct Sit {
    pub seat: Seat,
    pub sitters: [Sitter; 2],
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Place {
    pub seat: Seat,
    /// Which stone of the game this is to be, from 1: so that asking twice places one.
    pub number: usize,
    pub at: Point,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Resign {
    pub seat: Seat,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Rematch {
    pub seat: Seat,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Leave {
    pub seat: Seat,
    pub how: How,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Look {
    pub seat: Seat,
}

/// What came of it, for the player who asked. The other one is told by a [`Note`].
pub type Reply = Result<News, Denial>;

impl Message for Sit {
    type Reply = Reply;
}
impl Message for Place {
    type Reply = Reply;
}
impl Message for Resign {
    type Reply = Reply;
}
impl Message for Rematch {
    type Reply = Reply;
}
impl Message for Leave {
    type Reply = ();
}
impl Message for Look {
    type Reply = Reply;
}

messages! { Match {
    "sit" => Sit,
    "place" => Place,
    "resign" => Resign,
    "rematch" => Rematch,
    "leave" => Leave,
    "look" => read Look,
} }

/// A match as it lasts.
#[derive(Debug, Default, Serialize, Deserialize)]
pub enum Course {
    /// Nobody has sat down.
    #[default]
    NotBegun,
    /// It was lost with its node. Who asks is told so, and who was in it cannot be known.
    Lost,
    Begun {
        table: Table,
        /// The number of the last news.
        news: u64,
    },
}

#[derive(Debug)]
pub struct Match {
    course: Course,
}

/// What a message or a reminder has changed.
enum Change {
    /// It was done before.
    Nothing,
    /// A game begins.
    Begins,
    Told(Vec<Told>),
}

impl From<Vec<Told>> for Change {
    fn from(told: Vec<Told>) -> Self {
        if told.is_empty() { Self::Nothing } else { Self::Told(told) }
    }
}

impl VActor for Match {
    const KIND: &'static str = "omok-match";
    const DURABILITY: Durability = crate::DURABILITY;
    type State = Course;

    fn new(_key: &str, course: Course) -> Self {
        Self { course }
    }

    fn state(&self) -> &Course {
        &self.course
    }

    async fn activated(&mut self, why: Activation, ctx: &mut Context<Self>) -> Outcome {
        match why {
            Activation::Lost => self.course = Course::Lost,
            Activation::Restored => {
                let moved = Note::Moved { id: ctx.key().to_owned(), node: ctx.node() };
                // Only to be shown, so it may be lost.
                self.players().for_each(|player| ctx.send_to_session(player, &moved));
                return Ok(());
            }
            _ => {}
        }
        // A question about a match that is no more must not leave one behind for ever.
        ctx.remind(ABANDONED, ABANDONED_AFTER);
        Ok(())
    }

    async fn reminded(&mut self, name: &str, ctx: &mut Context<Self>) -> Outcome {
        if name == ABANDONED {
            let closed = Note::Closed { id: ctx.key().to_owned() };
            for player in self.players() {
                note(ctx, player, &closed).await;
            }
            self.end(ctx);
            return Ok(());
        }
        let now = ctx.now_ms();
        let Course::Begun { table, .. } = &mut self.course else { return Ok(()) };
        let told = if name == BOT { table.bot_moves(now) } else { table.time_up(now) };
        // Refused if its time has passed meanwhile: then only the clock is wound.
        match told {
            Ok(told) => self.happened(None, &told.into(), ctx).await,
            Err(_) => self.wind_clock(ctx),
        }
        Ok(())
    }
}

impl Handle<Sit> for Match {
    async fn handle(&mut self, sit: Sit, ctx: &mut Context<Self>) -> Result<Reply, HandlerError> {
        if let Course::NotBegun = self.course {
            let table = Table::new(sit.sitters, ctx.now_ms());
            self.course = Course::Begun { table, news: 1 };
            self.wind_clock(ctx);
        }
        Ok(self.look(sit.seat, ctx.node()))
    }
}

impl Read<Look> for Match {
    async fn read(&self, look: Look, ctx: &ReadContext) -> Result<Reply, HandlerError> {
        Ok(self.look(look.seat, ctx.node()))
    }
}

impl Handle<Place> for Match {
    async fn handle(
        &mut self,
        place: Place,
        ctx: &mut Context<Self>,
    ) -> Result<Reply, HandlerError> {
        let Place { seat, number, at } = place;
        let now = ctx.now_ms();
        Ok(self.play(seat, ctx, |table| table.place(seat, number, at, now).map(Change::from)).await)
    }
}

impl Handle<Resign> for Match {
    async fn handle(
        &mut self,
        resign: Resign,
        ctx: &mut Context<Self>,
    ) -> Result<Reply, HandlerError> {
        Ok(self.play(resign.seat, ctx, |table| table.resign(resign.seat).map(Change::from)).await)
    }
}

impl Handle<Rematch> for Match {
    async fn handle(
        &mut self,
        rematch: Rematch,
        ctx: &mut Context<Self>,
    ) -> Result<Reply, HandlerError> {
        let (seat, now) = (rematch.seat, ctx.now_ms());
        Ok(self
            .play(seat, ctx, |table| {
                let by = table.stone(seat);
                let begins = table.rematch(seat, now)?;
                let offer = || Change::Told(vec![Told::RematchOffered { by }]);
                Ok(if begins { Change::Begins } else { offer() })
            })
            .await)
    }
}

impl Handle<Leave> for Match {
    async fn handle(&mut self, leave: Leave, ctx: &mut Context<Self>) -> Result<(), HandlerError> {
        // Who has left already leaves nothing.
        let Ok(table) = self.table(leave.seat) else { return Ok(()) };
        let told = table.leave(leave.seat, leave.how);
        if table.is_deserted() {
            self.end(ctx);
        } else {
            self.happened(Some(leave.seat), &told.into(), ctx).await;
        }
        Ok(())
    }
}

impl Match {
    /// The table, for who sits at it.
    fn table(&mut self, seat: Seat) -> Result<&mut Table, Denial> {
        match &mut self.course {
            Course::Begun { table, .. } if table.player(seat).is_some() => Ok(table),
            Course::Lost => Err(Denial::MatchLost),
            Course::Begun { .. } | Course::NotBegun => Err(Denial::NoGame),
        }
    }

    /// How things are.
    fn look(&self, seat: Seat, node: u32) -> Reply {
        match &self.course {
            Course::Begun { table, news } if table.player(seat).is_some() => {
                let game = Some(Box::new(table.view(seat, node)));
                Ok(News { number: *news, game, tells: Vec::new(), node })
            }
            Course::Lost => Err(Denial::MatchLost),
            Course::Begun { .. } | Course::NotBegun => Err(Denial::NoGame),
        }
    }

    /// Does something at the table, tells the other player what came of it, and replies the same.
    async fn play(
        &mut self,
        seat: Seat,
        ctx: &mut Context<Self>,
        act: impl FnOnce(&mut Table) -> Result<Change, Denial>,
    ) -> Reply {
        let change = act(self.table(seat)?)?;
        if !matches!(change, Change::Nothing) {
            self.happened(Some(seat), &change, ctx).await;
        }
        self.since(seat, &change, ctx.node())
    }

    /// Numbers what happened, tells the players but for the one who is told by a reply, and winds
    /// the clock.
    async fn happened(&mut self, but: Option<Seat>, change: &Change, ctx: &mut Context<Self>) {
        let Course::Begun { table, news } = &mut self.course else { return };
        *news += 1;
        let players = Seat::BOTH.map(|seat| table.player(seat).filter(|_| Some(seat) != but));
        for (seat, player) in Seat::BOTH.into_iter().zip(players) {
            if let (Some(player), Ok(news)) = (player, self.since(seat, change, ctx.node())) {
                let id = ctx.key().to_owned();
                note(ctx, player, &Note::Happened { id, news }).await;
            }
        }
        self.wind_clock(ctx);
    }

    /// The last news, for this seat.
    fn since(&self, seat: Seat, change: &Change, node: u32) -> Reply {
        let news = self.look(seat, node)?;
        Ok(match change {
            Change::Nothing | Change::Begins => news,
            Change::Told(tells) => News { game: None, tells: tells.clone(), ..news },
        })
    }

    /// The sessions of those who sit here.
    fn players(&self) -> impl Iterator<Item = SessionId> {
        let table = match &self.course {
            Course::Begun { table, .. } => Some(table),
            Course::NotBegun | Course::Lost => None,
        };
        table
            .into_iter()
            .flat_map(|table| Seat::BOTH.into_iter().filter_map(|seat| table.player(seat)))
    }

    /// Sets the reminders to what the table waits for.
    fn wind_clock(&self, ctx: &mut Context<Self>) {
        let Course::Begun { table, .. } = &self.course else { return };
        for reminder in [TURN, BOT, ABANDONED] {
            ctx.forget_reminder(reminder);
        }
        match table.next() {
            Next::Player(Turn { deadline_ms, .. }) => ctx.remind_at(TURN, deadline_ms),
            Next::Bot => ctx.remind(BOT, BOT_THINKS),
            Next::Nothing => ctx.remind(ABANDONED, ABANDONED_AFTER),
        }
    }

    fn end(&mut self, ctx: &mut Context<Self>) {
        self.course = Course::NotBegun;
        ctx.forget();
    }
}
