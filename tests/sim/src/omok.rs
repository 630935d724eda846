//! Two players of omok, the sample game, with its own client: they play one game after the other
//! through all faults, and every game is played again by the rules.

mod matches;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use omok::bot::Bot;
use omok::messages::{Ask, Denial, Ending, Game, How, Seen, Tell};
use omok::remote::{News, Remote, RemoteError};
use omok::rules::{Point, Replayed, Stone, replay};
use throughline_client::{CloseCode, Options};
use tokio::time::{Instant, sleep};

use crate::away::Away;
use crate::network::Host;
use crate::player::{Phase, Table};
use crate::random::Random;
use crate::truth;

pub(crate) use matches::Matches;
use matches::Turns;

pub(crate) const NAMES: [&str; 2] = ["Kim", "Lee"];
/// A player who has heard nothing for so long asks for the view, as a person presses a key.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a session has to say when its player comes back is heard by then: who plays thinks between
/// two news.
const TOLD: Duration = Duration::from_secs(5);

/// One of the two.
pub(crate) struct Opponent {
    pub(crate) name: &'static str,
    pub(crate) host: Host,
    pub(crate) table: Rc<Table>,
    pub(crate) random: Random,
}

/// A wish for a rematch has come to something by then, or to nothing, as a dead letter: longer than
/// any fault.
const REMATCH_WITHIN: Duration = Duration::from_secs(30);

/// A session of it.
#[derive(Default)]
struct Sitting {
    /// Own stones of this game, by their numbers.
    asked: BTreeMap<usize, Point>,
    /// Asked for already: not again until something has changed.
    moment: Option<(u8, usize, bool)>,
    moves: usize,
    is_over: bool,
    /// A second one could be taken for the wish to play once more after the next game, so it is
    /// asked for again only when the first must have come to nothing.
    rematch_asked: Option<Instant>,
    is_new: bool,
    /// A stone was asked for in a game before, of which nothing was heard: it may come to this one.
    has_strayed: bool,
    away: Away,
    /// Of this game.
    turns: Turns,
}

impl Sitting {
    /// Whether a stone was asked for of which nothing was heard, in this game or before.
    fn may_stray(&self) -> bool {
        self.has_strayed || self.asked.keys().any(|number| *number > self.moves)
    }

    /// Whether the wish for a rematch may still be on its way.
    fn is_rematch_under_way(&self) -> bool {
        self.rematch_asked.is_some_and(|at| at.elapsed() < REMATCH_WITHIN)
    }
}

impl Opponent {
    pub(crate) async fn play(mut self) {
        let mut bot = Bot::new(self.random.next());
        while self.table.phase.get() != Phase::Over {
            let options = Options::new(self.table.entrances())
                .seed(self.random.next())
                .connector(self.host.clone());
            match Remote::connect_with(options, self.name).await {
                Ok(remote) => self.sit(remote, &mut bot).await,
                Err(error) => truth::note(format_args!("{} is not let in: {error}", self.name)),
            }
            sleep(self.random.millis(100, 900)).await;
        }
    }

    async fn sit(&mut self, mut remote: Remote, bot: &mut Bot) {
        let mut sitting = Sitting { is_new: true, ..Sitting::default() };
        while self.table.phase.get() != Phase::Over {
            let news = match tokio::time::timeout(PATIENCE, remote.next()).await {
                Ok(Ok(news)) => news,
                Ok(Err(error)) => return self.ended(&error, &sitting, &remote),
                Err(_) => {
                    sitting.moment = None;
                    if remote.ask(&Ask::Look).await.is_err() {
                        truth::note(format_args!("{} cannot ask", self.name));
                    }
                    continue;
                }
            };
            match news {
                News::Told(tell) => self.hear(&tell, &remote, &mut sitting),
                News::RepairStarted => sitting.away.leaves(),
                News::Repaired(_) => sitting.away.comes_back(),
                News::RepairFailed => remote.retry(),
            }
            let Some(ask) = self.next(&remote, bot, &mut sitting) else { continue };
            sleep(self.random.millis(50, 600)).await;
            if self.random.percent(4) {
                remote.cut();
            }
            // Full while the connection is away: asked again when something has changed.
            truth::note(format_args!("{} asks {ask:?}", self.name));
            match remote.ask(&ask).await {
                Ok(_) if ask == Ask::Rematch => sitting.rematch_asked = Some(Instant::now()),
                Ok(_) => {}
                Err(_) => sitting.moment = None,
            }
        }
    }

    fn hear(&self, tell: &Tell, remote: &Remote, sitting: &mut Sitting) {
        sitting.is_new = false;
        truth::note(format_args!("{} hears {tell:?}", self.name));
        truth::count(|counts| counts.messages += 1);
        match tell {
            Tell::Refused { why: Denial::Unreachable | Denial::LobbyFull, .. } => {
                (sitting.moment, sitting.rematch_asked) = (None, None);
            }
            // The clock was faster, the partner has gone, or it was asked twice, for want of
            // patience.
            Tell::Refused {
                why:
                    Denial::GameOver
                    | Denial::NoGame
                    | Denial::PartnerLeft
                    | Denial::JustPaired
                    | Denial::GameGoesOn
                    | Denial::RematchAsked
                    | Denial::InGame
                    | Denial::Waiting,
                ..
            } => {}
            // A stone that was meant for the game before, which the clock has ended.
            Tell::Refused { why: Denial::NotYourTurn, .. } if sitting.asked.is_empty() => {}
            Tell::Refused { why: Denial::NotYourTurn | Denial::OtherStone, .. }
                if std::mem::take(&mut sitting.has_strayed) => {}
            Tell::Refused { why, .. } => {
                truth::fail(format_args!("omok: {} is refused: {why:?}", self.name));
            }
            _ => {}
        }
        let Some(game) = remote.view().game() else {
            // What was asked for there says nothing of the next one.
            sitting.has_strayed = sitting.may_stray();
            (sitting.moves, sitting.is_over) = (0, false);
            sitting.asked.clear();
            sitting.turns.clear();
            return;
        };
        if game.moves.len() < sitting.moves || sitting.is_over && game.over.is_none() {
            let has_strayed = sitting.may_stray();
            *sitting = Sitting { away: sitting.away, has_strayed, ..Sitting::default() };
        }
        if let Some(turn) = &game.turn {
            sitting.turns.insert((game.moves.len(), turn.deadline_ms));
        }
        if game.moves.len() > sitting.moves {
            sitting.moves = game.moves.len();
            self.table.matches.sees_a_stone(self.name);
        }
        if let (Some(ending), false) = (&game.over, sitting.is_over) {
            sitting.is_over = true;
            if !is_right(game, ending, &sitting.asked) {
                truth::fail(format_args!(
                    "omok: {} saw {ending:?} of {:?}, having asked {:?}",
                    self.name, game.moves, sitting.asked
                ));
            }
            self.table.matches.tell(self.name, &sitting.turns, game, ending);
        }
    }

    /// What is to be asked, once.
    fn next(&self, remote: &Remote, bot: &mut Bot, sitting: &mut Sitting) -> Option<Ask> {
        let (place, game) = match &remote.view().place {
            Seen::Lobby => (0, None),
            Seen::Waiting { .. } => return None,
            Seen::Game(game) => (1, Some(game)),
        };
        let is_over = game.is_some_and(|game| game.over.is_some());
        let moment = (place, game.map_or(0, |game| game.moves.len()), is_over);
        let may_ask_again = sitting.rematch_asked.is_some() && !sitting.is_rematch_under_way();
        let is_left = game.is_some_and(|game| game.partner_left);
        if sitting.moment == Some(moment) && !is_left && !(is_over && may_ask_again) {
            return None;
        }
        let ask = match game {
            None => Ask::FindPartner,
            Some(game) if is_over && game.partner_left => Ask::Leave,
            Some(game) if is_over && game.rematch == Some(game.mine) => return None,
            Some(_) if is_over && sitting.is_rematch_under_way() => return None,
            Some(_) if is_over => Ask::Rematch,
            Some(_) => {
                let game = remote.view().to_move()?;
                let number = game.moves.len() + 1;
                let at = match sitting.asked.get(&number) {
                    Some(at) => *at,
                    None => bot.choose(&game.board(), game.mine)?,
                };
                sitting.asked.insert(number, at);
                game.ask_for(at)
            }
        };
        sitting.moment = Some(moment);
        Some(ask)
    }

    fn ended(&self, error: &RemoteError, sitting: &Sitting, remote: &Remote) {
        let name = self.name;
        truth::note(format_args!("{name}: {error}"));
        let is_right = match error {
            RemoteError::Ended(CloseCode::KeyTaken, _) => true,
            RemoteError::Ended(CloseCode::Lost, _) => {
                sitting.is_new && truth::is_bereft(remote.session_id())
            }
            RemoteError::Ended(CloseCode::Expired, _) => sitting.away.may_have_expired(TOLD),
            _ => false,
        };
        if !is_right {
            truth::fail(format_args!("omok: {name}: {error}"));
        }
    }
}

/// Whether the moves say who won, and this player's stones are where it placed them.
fn is_right(game: &Game, ending: &Ending, asked: &BTreeMap<usize, Point>) -> bool {
    let to_move = if game.moves.len().is_multiple_of(2) { Stone::Black } else { Stone::White };
    let by_rules = match (replay(&game.moves), ending.how) {
        (Ok(Replayed::Won(stone)), How::Five) => ending.winner == Some(stone),
        (Ok(Replayed::Full), How::BoardFull) => ending.winner.is_none(),
        (Ok(Replayed::Open), How::Time) => ending.winner == Some(to_move.other()),
        (Ok(Replayed::Open), How::Left | How::Away) => ending.winner.is_some(),
        _ => false,
    };
    let first = usize::from(game.mine == Stone::White);
    let mut own = (1..).zip(&game.moves).skip(first).step_by(2);
    // A stone that was asked for may have come too late, and one of the session before is not
    // known.
    by_rules && own.all(|(number, at)| asked.get(&number).is_none_or(|asked| asked == at))
}
