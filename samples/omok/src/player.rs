//! A player's session: the game as the node plays it with one client.

use std::time::Duration;

use throughline::prelude::*;

use crate::arena::{MatchId, arena};
use crate::clock::now_ms;
use crate::matches::{Guest, Match, Next, Seat};
use crate::messages::{Ask, Denial, How, Joining, Seen, Tell, View};
use crate::rules::Point;

/// The timers: the player's turn is over, the bot moves, the partner should have moved.
const TURN: &str = "turn";
const BOT: &str = "bot";
const PARTNER: &str = "partner";
/// The bot answers at once; so that a person sees it move, it waits.
const BOT_THINKS: Duration = Duration::from_millis(450);
/// A partner's own session ends its turn. If it has not, so long after, it is no more.
const PARTNER_GRACE: Duration = Duration::from_secs(5);
/// The longest name, in characters.
const NAME_MAX: usize = 24;
/// The worst link that a player may ask for: the ends of the page's sliders. Beyond it nobody can
/// play, and what is delayed must be kept.
const DELAY_MS_MAX: u64 = 1_000;
const LOSS_PERCENT_MAX: u8 = 50;
/// The number of a refused name, for clients: Throughline carries it in the refusal.
const BAD_NAME: u16 = 1;

/// One player. This is all that belongs to the session, and what travels when it goes to another
/// node; the match is the arena's, and stays.
#[derive(Debug, Serialize, Deserialize)]
pub struct Player {
    name: String,
    place: Place,
    link: Option<WorseLink>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Place {
    Lobby,
    Waiting { code: Option<String> },
    Match { id: MatchId, seat: Seat },
}

/// The link that a player has asked for, instead of a good one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct WorseLink {
    delay: Duration,
    /// 0 to 1.
    loss: f64,
}

/// What the session of one player tells the session of the other.
#[derive(Debug, Serialize, Deserialize)]
enum Note {
    /// A game begins, and this is your seat.
    Begins { id: MatchId, seat: Seat },
    /// Something happened in this match.
    Happened { id: MatchId, tell: Tell },
    /// I was moved before this match began for me: do not wait.
    Missed { id: MatchId },
}

impl Session for Player {
    const KIND: &'static str = "omok";
    const CODEC: Codec = Codec::Json;
    type In = Ask;
    type Out = Tell;

    async fn login(login: Login<'_>) -> Result<Self, Refusal> {
        let Joining { name } = login.decode(Codec::Json)?;
        let name = name.trim();
        if !(1..=NAME_MAX).contains(&name.chars().count()) || name.chars().any(char::is_control) {
            return Err(Refusal::new(BAD_NAME, "a name has 1 to 24 characters, all printable"));
        }
        Ok(Self { name: name.to_owned(), place: Place::Lobby, link: None })
    }

    async fn started(&mut self, ctx: &mut Context<Self>) -> Outcome {
        self.show(ctx);
        Ok(())
    }

    async fn message(&mut self, ask: Ask, ctx: &mut Context<Self>) -> Outcome {
        if let Err(denial) = self.answer(ask, ctx) {
            ctx.send(denial.into());
        }
        Ok(())
    }

    async fn malformed(&mut self, _: DecodeError, ctx: &mut Context<Self>) -> Outcome {
        ctx.send(Denial::Unreadable.into());
        Ok(())
    }

    async fn server_message(&mut self, message: ServerMessage, ctx: &mut Context<Self>) -> Outcome {
        match message.decode()? {
            Note::Begins { id, seat } if self.expects(id) => {
                // Who was moved, and came back, waits anew.
                arena(|arena| arena.stop_waiting(ctx.session_id())).ok();
                self.begin(id, seat, ctx);
            }
            Note::Begins { id, .. } => ctx.send_to_session(message.from(), &Note::Missed { id }),
            // A player who has left meanwhile is not interested any more.
            Note::Happened { id, .. } | Note::Missed { id } if !self.is_in(id) => {}
            Note::Happened { tell, .. } => {
                ctx.send(tell);
                self.wind_clock(ctx);
            }
            Note::Missed { .. } => self.partner_is_gone(How::Moved, ctx),
        }
        Ok(())
    }

    async fn undelivered(
        &mut self,
        to: Recipient,
        _: Undelivered,
        ctx: &mut Context<Self>,
    ) -> Outcome {
        // A partner who cannot be told of a move must not be waited for.
        if let Ok((id, seat)) = self.seat()
            && arena(|arena| arena.find(id)?.partner(seat).ok_or(Denial::PartnerLeft))
                .map(Recipient::from)
                == Ok(to)
        {
            self.partner_is_gone(How::Away, ctx);
        }
        Ok(())
    }

    async fn swap_out(&mut self, ctx: &mut Context<Self>) -> Outcome {
        // What is shared stays here. The place travels as it is: the next node does what it can.
        match self.place {
            Place::Lobby => {}
            Place::Waiting { .. } => self.stop_waiting(ctx),
            Place::Match { id, seat } => Self::leave_match(id, seat, How::Moved, ctx),
        }
        Ok(())
    }

    async fn restored(&mut self, ctx: &mut Context<Self>) -> Outcome {
        if let Some(WorseLink { delay, loss }) = self.link {
            // This node may not simulate links; then the link is good.
            ctx.simulate_link(delay, loss).ok();
        }
        match std::mem::replace(&mut self.place, Place::Lobby) {
            Place::Lobby => self.show(ctx),
            Place::Waiting { code: None } => self.find_partner(ctx),
            Place::Waiting { code: Some(code) } => {
                let guest = self.guest(ctx);
                let code = arena(|arena| arena.keep_code(code, guest));
                self.wait(Some(code), ctx);
            }
            Place::Match { .. } => {
                self.show(ctx);
                ctx.send(Tell::MatchEndedWithServer);
                // Its timers have come along.
                self.wind_clock(ctx);
            }
        }
        Ok(())
    }

    async fn announced(&mut self, text: &str, ctx: &mut Context<Self>) -> Outcome {
        ctx.send(Tell::Announced { text: text.to_owned() });
        Ok(())
    }

    async fn repaired(&mut self, ctx: &mut Context<Self>) -> Outcome {
        self.show(ctx);
        Ok(())
    }

    async fn timer(&mut self, name: &str, ctx: &mut Context<Self>) -> Outcome {
        // Each is refused if its time has passed meanwhile: then nothing happens.
        let _ = match name {
            TURN => self.play(ctx, |game, seat| game.time_up(seat)),
            BOT => self.play(ctx, |game, _| game.bot_moves(now_ms())),
            _ => {
                if self.next() == Next::Theirs(Duration::ZERO) {
                    self.partner_is_gone(How::Away, ctx);
                } else {
                    self.wind_clock(ctx);
                }
                Ok(())
            }
        };
        Ok(())
    }

    async fn destroyed(&mut self, reason: EndReason, ctx: &mut Context<Self>) -> Outcome {
        self.leave(if reason == EndReason::Left { How::Left } else { How::Away }, ctx);
        Ok(())
    }
}

impl Player {
    fn answer(&mut self, ask: Ask, ctx: &mut Context<Self>) -> Result<(), Denial> {
        let now = now_ms();
        match ask {
            Ask::Look => self.show(ctx),
            Ask::PlayBot => {
                self.check_lobby()?;
                let guest = self.guest(ctx);
                let id = arena(|arena| arena.play_bot(guest, now));
                self.begin(id, Seat::First, ctx);
            }
            Ask::FindPartner => {
                self.check_lobby()?;
                self.find_partner(ctx);
            }
            Ask::CreateCode => {
                self.check_lobby()?;
                let guest = self.guest(ctx);
                let code = arena(|arena| arena.create_code(guest));
                self.wait(Some(code), ctx);
            }
            Ask::JoinCode { code } => {
                self.check_lobby()?;
                let guest = self.guest(ctx);
                let paired = arena(|arena| arena.join_code(&code, guest, now))?;
                self.begin_with(paired.with, paired.id, Seat::Second, ctx);
            }
            Ask::StopWaiting => {
                let Place::Waiting { .. } = self.place else { return Err(Denial::NotWaiting) };
                arena(|arena| arena.stop_waiting(ctx.session_id()))?;
                self.place = Place::Lobby;
                self.show(ctx);
            }
            Ask::Place { x, y } => {
                let at = Point::new(x, y).ok_or(Denial::OffBoard)?;
                self.play(ctx, |game, seat| game.place(seat, at, now))?;
            }
            Ask::Resign => self.play(ctx, |game, seat| game.resign(seat))?,
            Ask::Rematch => self.rematch(ctx)?,
            Ask::Leave => {
                self.seat()?;
                self.leave(How::Left, ctx);
                self.show(ctx);
            }
            Ask::Link { delay_ms, loss_percent } => {
                let link = WorseLink::new(delay_ms, loss_percent)?;
                ctx.simulate_link(link.delay, link.loss).map_err(|_| Denial::LinkNotSimulated)?;
                self.link = Some(link);
            }
        }
        Ok(())
    }

    /// Does something in the match, and tells both players what came of it.
    fn play(
        &self,
        ctx: &mut Context<Self>,
        act: impl FnOnce(&mut Match, Seat) -> Result<Vec<Tell>, Denial>,
    ) -> Result<(), Denial> {
        let (id, seat) = self.seat()?;
        let (tells, partner) = arena(|arena| {
            let game = arena.find(id)?;
            Ok((act(game, seat)?, game.partner(seat)))
        })?;
        for tell in tells {
            if let Some(partner) = partner {
                ctx.send_to_local_session(partner, &Note::Happened { id, tell: tell.clone() });
            }
            ctx.send(tell);
        }
        self.wind_clock(ctx);
        Ok(())
    }

    fn rematch(&mut self, ctx: &mut Context<Self>) -> Result<(), Denial> {
        let (id, seat) = self.seat()?;
        let (begins, by, partner) = arena(|arena| {
            let game = arena.find(id)?;
            Ok((game.rematch(seat, now_ms())?, game.stone(seat), game.partner(seat)))
        })?;
        match partner {
            Some(partner) if begins => self.begin_with(partner, id, seat, ctx),
            _ if begins => self.begin(id, seat, ctx),
            _ => return self.play(ctx, |_, _| Ok(vec![Tell::RematchOffered { by }])),
        }
        Ok(())
    }

    fn begin_with(&mut self, other: SessionId, id: MatchId, seat: Seat, ctx: &mut Context<Self>) {
        ctx.send_to_local_session(other, &Note::Begins { id, seat: seat.other() });
        self.begin(id, seat, ctx);
    }

    fn begin(&mut self, id: MatchId, seat: Seat, ctx: &mut Context<Self>) {
        self.place = Place::Match { id, seat };
        self.show(ctx);
        self.wind_clock(ctx);
    }

    fn find_partner(&mut self, ctx: &mut Context<Self>) {
        let guest = self.guest(ctx);
        match arena(|arena| arena.find_partner(guest, now_ms())) {
            Some(paired) => self.begin_with(paired.with, paired.id, Seat::Second, ctx),
            None => self.wait(None, ctx),
        }
    }

    fn wait(&mut self, code: Option<String>, ctx: &mut Context<Self>) {
        self.place = Place::Waiting { code };
        self.show(ctx);
    }

    fn check_lobby(&self) -> Result<(), Denial> {
        match self.place {
            Place::Lobby => Ok(()),
            Place::Waiting { .. } => Err(Denial::Waiting),
            Place::Match { .. } => Err(Denial::InGame),
        }
    }

    /// Out of the lobby's list or the match, whatever comes of it there.
    fn leave(&mut self, how: How, ctx: &mut Context<Self>) {
        match self.place {
            Place::Lobby => {}
            Place::Waiting { .. } => self.stop_waiting(ctx),
            Place::Match { id, seat } => Self::leave_match(id, seat, how, ctx),
        }
        self.place = Place::Lobby;
        self.wind_clock(ctx);
    }

    fn stop_waiting(&self, ctx: &Context<Self>) {
        // If a partner has just been found, this is refused. The partner's note about it then goes
        // after this session to its next node, which answers that the match was missed; or it
        // is not delivered, since the session has ended. Either ends the match.
        arena(|arena| arena.stop_waiting(ctx.session_id())).ok();
    }

    fn leave_match(id: MatchId, seat: Seat, how: How, ctx: &mut Context<Self>) {
        if let Some((partner, tells)) = arena(|arena| arena.leave(id, seat, how)) {
            for tell in tells {
                ctx.send_to_local_session(partner, &Note::Happened { id, tell });
            }
        }
    }

    /// Whatever became of the partner, this player goes on.
    fn partner_is_gone(&self, how: How, ctx: &mut Context<Self>) {
        let Ok((id, seat)) = self.seat() else { return };
        let told = arena(|arena| arena.leave(id, seat.other(), how));
        for tell in told.into_iter().flat_map(|(_, tells)| tells) {
            ctx.send(tell);
        }
        self.wind_clock(ctx);
    }

    /// Sets the timers to what the match waits for. Each player's session keeps its own turn.
    fn wind_clock(&self, ctx: &mut Context<Self>) {
        for timer in [TURN, BOT, PARTNER] {
            ctx.cancel_timer(timer);
        }
        match self.next() {
            Next::Mine(left) => ctx.set_timer(TURN, left),
            Next::Bot => ctx.set_timer(BOT, BOT_THINKS),
            Next::Theirs(left) => ctx.set_timer(PARTNER, left + PARTNER_GRACE),
            Next::Nothing => {}
        }
    }

    fn next(&self) -> Next {
        self.seat()
            .and_then(|(id, seat)| arena(|arena| Ok(arena.find(id)?.next(seat, now_ms()))))
            .unwrap_or(Next::Nothing)
    }

    fn show(&self, ctx: &mut Context<Self>) {
        let place = match &self.place {
            Place::Lobby => Seen::Lobby,
            Place::Waiting { code } => Seen::Waiting { code: code.clone() },
            Place::Match { id, seat } => arena(|arena| match arena.find(*id) {
                Ok(game) => Seen::Game(game.view(*seat)),
                Err(_) => Seen::Lobby,
            }),
        };
        ctx.send(Tell::View(View { name: self.name.clone(), node: ctx.node(), place }));
    }

    /// Whether a match that is said to begin is here, and this player waits for it: in the lobby,
    /// or after a game for another one.
    fn expects(&self, id: MatchId) -> bool {
        let waits = matches!(self.place, Place::Waiting { .. }) || self.is_in(id);
        waits && arena(|arena| arena.find(id).is_ok())
    }

    fn is_in(&self, id: MatchId) -> bool {
        matches!(self.place, Place::Match { id: mine, .. } if mine == id)
    }

    fn seat(&self) -> Result<(MatchId, Seat), Denial> {
        match self.place {
            Place::Match { id, seat } => Ok((id, seat)),
            Place::Lobby | Place::Waiting { .. } => Err(Denial::NoGame),
        }
    }

    fn guest(&self, ctx: &Context<Self>) -> Guest {
        Guest { session: ctx.session_id(), name: self.name.clone() }
    }
}

impl WorseLink {
    /// The link that a player asks for, unless it is worse than one may be.
    fn new(delay_ms: u64, loss_percent: u8) -> Result<Self, Denial> {
        if delay_ms > DELAY_MS_MAX || loss_percent > LOSS_PERCENT_MAX {
            return Err(Denial::LinkTooBad);
        }
        let delay = Duration::from_millis(delay_ms);
        Ok(Self { delay, loss: f64::from(loss_percent) / 100.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_made_as_bad_as_the_sliders_go_and_no_worse() {
        let worst = WorseLink { delay: Duration::from_secs(1), loss: 0.5 };
        assert_eq!(WorseLink::new(1_000, 50), Ok(worst));
        assert_eq!(WorseLink::new(1_001, 0), Err(Denial::LinkTooBad));
        assert_eq!(WorseLink::new(u64::MAX, 0), Err(Denial::LinkTooBad));
        assert_eq!(WorseLink::new(0, 51), Err(Denial::LinkTooBad));
    }
}
