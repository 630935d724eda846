//! A player's session: everything that it is asked is a question to the database.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use throughline::prelude::*;

use crate::database::Database;
use crate::messages::{Ask, Denial, Joining, Move, Tell, View};

/// The database of this node; `main` opens it before there are players.
pub static DATABASE: OnceLock<Database> = OnceLock::new();

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// The longest name, in characters.
const NAME_MAX: usize = 24;

/// One player. This is all that travels when the session goes to another node: the rest is in the
/// database, which every node reads.
#[derive(Debug, Serialize, Deserialize)]
pub struct Player {
    name: String,
}

impl Session for Player {
    const KIND: &'static str = "puzzle";
    const CODEC: Codec = Codec::Json;
    // A turn that fails is run again, though it may have written its move: that does no harm.
    const KEEP_COPY: bool = true;
    type In = Ask;
    type Out = Tell;

    async fn login(login: Login<'_>) -> Result<Self, Refusal> {
        let Joining { name } = login.decode(Codec::Json)?;
        let name = name.trim();
        if !(1..=NAME_MAX).contains(&name.chars().count()) || name.chars().any(char::is_control) {
            return Err(Refusal::new(1, "a name has 1 to 24 characters, all printable"));
        }
        Ok(Self { name: name.to_owned() })
    }

    async fn started(&mut self, ctx: &mut Context<Self>) -> Outcome {
        // Who logs in a second time plays on there: the first session ends.
        ctx.register_key(&self.name);
        self.timer("", ctx).await
    }

    async fn message(&mut self, ask: Ask, ctx: &mut Context<Self>) -> Outcome {
        match ask {
            Ask::Look => self.answer(None, ctx).await,
            Ask::Move(asked) => self.answer(Some(asked), ctx).await,
        }
    }

    async fn repaired(&mut self, ctx: &mut Context<Self>) -> Outcome {
        // For the eye only: the view names the node, which may be another one now.
        self.answer(None, ctx).await
    }

    /// A new day: shows it, and waits for the next one.
    async fn timer(&mut self, _: &str, ctx: &mut Context<Self>) -> Outcome {
        ctx.set_timer("midnight", Duration::from_millis(DAY_MS - now_ms() % DAY_MS));
        self.answer(None, ctx).await
    }

    async fn announced(&mut self, text: &str, ctx: &mut Context<Self>) -> Outcome {
        ctx.send(Tell::Announced { text: text.to_owned() });
        Ok(())
    }
}

impl Player {
    /// Makes the move, if one is asked for, and sends the view.
    async fn answer(&self, asked: Option<Move>, ctx: &mut Context<Self>) -> Outcome {
        let (name, day, node) = (self.name.clone(), today(), ctx.node());
        let answer = move || -> rusqlite::Result<(Option<Denial>, View)> {
            let database = DATABASE.get().expect("main opens it");
            let denial = match asked {
                Some(asked) if asked.day != day => Some(Denial::OtherDay),
                Some(asked) => database.play(&name, asked)?,
                None => None,
            };
            let (progress, standing) = database.look(&name, day)?;
            let (next_ms, over) = (u64::from(day + 1) * DAY_MS, progress.game.is_over());
            Ok((denial, View { name, node, day, next_ms, over, progress, standing }))
        };
        let (denial, view) = match ctx.blocking(answer).await? {
            Ok((denial, view)) => (denial, Some(view)),
            Err(error) => {
                log::error!("session {}: the database: {error}", ctx.session_id());
                (Some(Denial::Database), None)
            }
        };
        denial.into_iter().for_each(|why| ctx.send(Tell::Refused { why }));
        view.into_iter().for_each(|view| ctx.send(Tell::View(Box::new(view))));
        Ok(())
    }
}

/// The day since 1970, UTC: the same for players anywhere.
pub fn today() -> u32 {
    (now_ms() / DAY_MS) as u32
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_millis() as u64
}
