//! One bot: it finds a partner, and plays until it is told to stop.

use std::rc::Rc;

use tokio::sync::watch;

use super::{Phase, Plan, ledger::Ledger, ledger::Sheet};
use crate::bot::Bot;
use crate::messages::{Ask, Denial, Seen, Tell, View};
use crate::remote::{News, Remote, RemoteError};

/// A bot that lets its clock run out does so instead of this stone of its own.
const SLEEPS_AT: usize = 3;

/// When something was asked: it is not asked again until something has changed, since views also
/// come of themselves, after repairs.
type Moment = (std::mem::Discriminant<Seen>, usize, bool);

struct One {
    bot: Bot,
    plan: Rc<Plan>,
    ledger: Rc<Ledger>,
    sheet: Sheet,
    asked: Option<Moment>,
    /// This one is to let a clock run out, some time.
    is_to_sleep: bool,
    moves: u64,
}

pub(super) async fn play(
    number: u64,
    plan: Rc<Plan>,
    ledger: Rc<Ledger>,
    mut phases: watch::Receiver<Phase>,
) -> Result<(), RemoteError> {
    let mut nodes = plan.nodes.clone();
    let first = (number as usize) % nodes.len();
    nodes.rotate_left(first);
    let mut remote = Remote::connect(&nodes, &format!("bot {number}")).await?;
    let is_to_sleep = plan.sleep_every > 0 && number.is_multiple_of(plan.sleep_every);
    let mut one = One {
        bot: Bot::new(number),
        plan,
        ledger,
        sheet: Sheet::default(),
        asked: None,
        is_to_sleep,
        moves: 0,
    };
    loop {
        let news = tokio::select! {
            news = remote.next() => news?,
            _ = phases.wait_for(|&phase| phase == Phase::Leave) => break,
        };
        match news {
            News::Told(tell) => one.hear(&tell, &remote),
            News::Repaired(_) => one.ledger.count(|score| score.repairs += 1),
            News::RepairStarted => {}
            // Nobody is here to be asked.
            News::RepairFailed => return Err(RemoteError::Gone),
        }
        let phase = *phases.borrow();
        one.act(phase, &mut remote).await?;
    }
    remote.leave().await;
    Ok(())
}

impl One {
    fn hear(&mut self, tell: &Tell, remote: &Remote) {
        match tell {
            Tell::MatchMoved { .. } => self.ledger.count(|score| score.match_moves += 1),
            Tell::MatchClosed => self.ledger.count(|score| score.lost += 1),
            Tell::Refused { why: Denial::Unreachable, .. } => {
                self.asked = None;
                self.ledger.count(|score| score.again += 1);
            }
            // Its partner has left, or the match is no more, and that will be told.
            Tell::Refused { why: Denial::NoGame | Denial::PartnerLeft, .. } => {}
            // The clock was faster.
            Tell::Refused { why: Denial::GameOver, .. } => {}
            Tell::Refused { .. } => self.ledger.count(|score| score.wrong_refusals += 1),
            _ => {}
        }
        self.sheet.look(remote.view().game(), remote.now_ms(), &self.ledger);
    }

    /// Asks what is to be asked, once.
    async fn act(&mut self, phase: Phase, remote: &mut Remote) -> Result<(), RemoteError> {
        let view = remote.view();
        let game = view.game();
        let moment = (
            std::mem::discriminant(&view.place),
            game.map_or(0, |game| game.moves.len()),
            game.is_some_and(|game| game.over.is_some()),
        );
        let Some(ask) = self.next(view, phase).filter(|_| self.asked != Some(moment)) else {
            return Ok(());
        };
        self.asked = Some(moment);
        if let Ask::Place { .. } = ask {
            tokio::time::sleep(self.plan.pause).await;
            self.moves += 1;
            if self.plan.cut_every > 0 && self.moves.is_multiple_of(self.plan.cut_every) {
                remote.cut();
            }
        }
        remote.ask(&ask).await
    }

    fn next(&mut self, view: &View, phase: Phase) -> Option<Ask> {
        let plays = phase == Phase::Play;
        let game = match &view.place {
            Seen::Lobby => return plays.then_some(Ask::FindPartner),
            Seen::Waiting { .. } => return None,
            Seen::Game(game) => game,
        };
        if game.over.is_some() {
            let again = if game.partner_left { Ask::Leave } else { Ask::Rematch };
            return Some(again).filter(|_| plays && game.rematch != Some(game.mine));
        }
        let game = view.to_move()?;
        let number = game.moves.len() + 1;
        if self.is_to_sleep && number > 2 * SLEEPS_AT {
            // Only once.
            self.is_to_sleep = false;
            self.sheet.sleeps = true;
        }
        if self.sheet.sleeps {
            return None;
        }
        // Asked again, it is the same stone.
        let bot = &mut self.bot;
        let at = self.sheet.ask(number, || bot.choose(&game.board(), game.mine))?;
        Some(game.ask_for(at))
    }
}
