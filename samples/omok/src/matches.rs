//! A match: a table as a virtual actor. It is at one node at a time, whichever that is. Both
//! players send it durable messages from wherever they are, and are told what came of them in the
//! same way.

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

// What changes something has no reply: both players are told what came of it by a [`Note`].
impl Message for Sit {
    type Reply = ();
}
impl Message for Place {
    type Reply = ();
}
impl Message for Resign {
    type Reply = ();
}
impl Message for Rematch {
    type Reply = ();
}
impl Message for Leave {
    type Reply = ();
}
/// How things are, for who sits there.
impl Message for Look {
    type Reply = Option<News>;
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
        if why == Activation::Restored {
            let moved = Note::Moved { id: ctx.key().to_owned(), node: ctx.node() };
            // Only to be shown, so it may be lost.
            self.players().for_each(|player| ctx.send_to_session(player, &moved));
            return Ok(());
        }
        // A message to a match that is no more must not leave one behind for ever.
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
            Ok(told) => self.happened(&told.into(), ctx).await,
            Err(_) => self.wind_clock(ctx),
        }
        Ok(())
    }
}

impl Handle<Sit> for Match {
    async fn handle(&mut self, sit: Sit, ctx: &mut Context<Self>) -> Outcome {
        if let Course::NotBegun = self.course {
            let table = Table::new(sit.sitters, ctx.now_ms());
            self.course = Course::Begun { table, news: 1 };
            self.wind_clock(ctx);
        }
        self.tell(sit.seat, &Change::Nothing, ctx).await;
        Ok(())
    }
}

impl Read<Look> for Match {
    async fn read(&self, look: Look, ctx: &ReadContext) -> Result<Option<News>, HandlerError> {
        Ok(self.look(look.seat, ctx.node()))
    }
}

impl Handle<Place> for Match {
    async fn handle(&mut self, place: Place, ctx: &mut Context<Self>) -> Outcome {
        let Place { seat, number, at } = place;
        let now = ctx.now_ms();
        self.play(seat, ctx, |table| table.place(seat, number, at, now).map(Change::from)).await;
        Ok(())
    }
}

impl Handle<Resign> for Match {
    async fn handle(&mut self, Resign { seat }: Resign, ctx: &mut Context<Self>) -> Outcome {
        self.play(seat, ctx, |table| table.resign(seat).map(Change::from)).await;
        Ok(())
    }
}

impl Handle<Rematch> for Match {
    async fn handle(&mut self, Rematch { seat }: Rematch, ctx: &mut Context<Self>) -> Outcome {
        let now = ctx.now_ms();
        let rematch = |table: &mut Table| {
            let by = table.stone(seat);
            let begins = table.rematch(seat, now)?;
            let offer = || Change::Told(vec![Told::RematchOffered { by }]);
            Ok(if begins { Change::Begins } else { offer() })
        };
        self.play(seat, ctx, rematch).await;
        Ok(())
    }
}

impl Handle<Leave> for Match {
    async fn handle(&mut self, leave: Leave, ctx: &mut Context<Self>) -> Outcome {
        // Who has left already leaves nothing.
        let Some((table, _)) = self.table(leave.seat) else { return Ok(()) };
        let told = table.leave(leave.seat, leave.how);
        if table.is_deserted() {
            self.end(ctx);
        } else {
            self.happened(&told.into(), ctx).await;
        }
        Ok(())
    }
}

impl Match {
    /// The table, and the session of the player who sits there.
    fn table(&mut self, seat: Seat) -> Option<(&mut Table, SessionId)> {
        let Course::Begun { table, .. } = &mut self.course else { return None };
        let player = table.player(seat)?;
        Some((table, player))
    }

    /// How things are, for who sits there.
    fn look(&self, seat: Seat, node: u32) -> Option<News> {
        let Course::Begun { table, news } = &self.course else { return None };
        table.player(seat)?;
        let game = Some(Box::new(table.view(seat, node)));
        Some(News { number: *news, game, tells: Vec::new(), node })
    }

    /// Does something at the table, and tells both players what came of it, or the one who wanted
    /// it that it is not possible.
    async fn play(
        &mut self,
        seat: Seat,
        ctx: &mut Context<Self>,
        act: impl FnOnce(&mut Table) -> Result<Change, Denial>,
    ) {
        // Who does not sit here has been told why.
        let Some((table, player)) = self.table(seat) else { return };
        match act(table) {
            Ok(Change::Nothing) => self.tell(seat, &Change::Nothing, ctx).await,
            Ok(change) => self.happened(&change, ctx).await,
            Err(why) => {
                let id = ctx.key().to_owned();
                note(ctx, player, &Note::Refused { id, why }).await;
            }
        }
    }

    /// Numbers what happened, tells the players, and winds the clock.
    async fn happened(&mut self, change: &Change, ctx: &mut Context<Self>) {
        let Course::Begun { news, .. } = &mut self.course else { return };
        *news += 1;
        for seat in Seat::BOTH {
            self.tell(seat, change, ctx).await;
        }
        self.wind_clock(ctx);
    }

    /// Tells the player of this seat the last news, if one sits there: what has changed, or how
    /// things are.
    async fn tell(&self, seat: Seat, change: &Change, ctx: &mut Context<Self>) {
        let Course::Begun { table, .. } = &self.course else { return };
        let (Some(player), Some(news)) = (table.player(seat), self.look(seat, ctx.node())) else {
            return;
        };
        let news = match change {
            Change::Nothing | Change::Begins => news,
            Change::Told(tells) => News { game: None, tells: tells.clone(), ..news },
        };
        note(ctx, player, &Note::Happened { id: ctx.key().to_owned(), news }).await;
    }

    /// The sessions of those who sit here.
    fn players(&self) -> impl Iterator<Item = SessionId> {
        let table = match &self.course {
            Course::Begun { table, .. } => Some(table),
            Course::NotBegun => None,
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
