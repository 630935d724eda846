//! A player on the way from the lobby to a seat.

use throughline::prelude::*;
use throughline_vactor::prelude::VActor as _;

use super::{Place, Player, Seated, WATCH, WATCH_EVERY, send};
use crate::bot::Bot;
use crate::lobby::{Lobby, MAIN, Seek, Stop};
use crate::matches::{Leave, Match, Sit};
use crate::messages::{Denial, How};
use crate::notes::{LOBBY, News};
use crate::table::{Seat, Sitter};
use crate::waiting::{Pairing, Want, match_id};

impl Player {
    pub(super) async fn begin_to_seek(
        &mut self,
        want: Want,
        ctx: &mut Context<Self>,
    ) -> Result<(), Denial> {
        self.check_lobby()?;
        self.ticket += 1;
        self.seek(want.clone(), ctx).await?;
        self.place = Place::Waiting { want, is_listed: false };
        ctx.repeat_timer(WATCH, WATCH_EVERY);
        Ok(())
    }

    /// Tells the lobby, the first time or again: with one ticket it is one and the same wait.
    pub(super) async fn seek(&self, want: Want, ctx: &mut Context<Self>) -> Result<(), Denial> {
        let seek = Seek { guest: self.guest(ctx), ticket: self.ticket, want };
        send(&Lobby::at(MAIN), &seek, ctx).await
    }

    /// The lobby has this player on its list.
    pub(super) async fn waits(&mut self, code: Option<String>, ctx: &mut Context<Self>) {
        let Place::Waiting { want, is_listed } = &mut self.place else { return };
        let was = (want.clone(), std::mem::replace(is_listed, true));
        if code.is_some() {
            // If the list forgets the player, the code is still the player's.
            *want = Want::Code(code);
        }
        if was != (want.clone(), true) {
            self.show(ctx).await;
        }
    }

    pub(super) async fn stop_waiting(&mut self, ctx: &mut Context<Self>) -> Result<(), Denial> {
        match self.place {
            Place::Waiting { .. } => {}
            Place::Sitting { .. } => return Err(Denial::JustPaired),
            Place::Lobby | Place::Match(_) => return Err(Denial::NotWaiting),
        }
        // Who has been paired meanwhile hears so, and leaves.
        let (session, ticket) = (ctx.session_id(), self.ticket);
        send(&Lobby::at(MAIN), &Stop { session, ticket, is_gone: false }, ctx).await?;
        self.back_to_lobby(None, ctx);
        Ok(())
    }

    pub(super) async fn play_bot(&mut self, ctx: &mut Context<Self>) -> Result<(), Denial> {
        self.check_lobby()?;
        self.ticket += 1;
        let (session, ticket) = (ctx.session_id(), self.ticket);
        let [seed, _] = session.0.as_chunks().0 else { return Err(Denial::Unreachable) };
        let bot = Bot::new(u64::from_be_bytes(*seed) ^ ticket);
        let sitters = [Sitter::Player(self.guest(ctx)), Sitter::Bot(bot)];
        let id = match_id(session, ticket);
        self.sit(Pairing { ticket, id, seat: Seat::First, sitters }, ctx).await
    }

    /// The lobby has found a partner.
    pub(super) async fn begins(
        &mut self,
        pairing: Pairing,
        ctx: &mut Context<Self>,
    ) -> Result<(), Denial> {
        match &self.place {
            Place::Waiting { .. } if pairing.ticket == self.ticket => self.sit(pairing, ctx).await,
            Place::Sitting { pairing: Pairing { id, .. } } | Place::Match(Seated { id, .. })
                if *id == pairing.id =>
            {
                Ok(())
            }
            // The player wants something else by now. So that the partner reads it, the player sits
            // down and leaves.
            _ => {
                let Pairing { id, seat, sitters, .. } = pairing;
                let game = Match::at(id);
                send(&game, &Sit { seat, sitters }, ctx).await?;
                send(&game, &Leave { seat, how: How::Left }, ctx).await
            }
        }
    }

    /// Sits down in a match, which says so: [`sits`](Self::sits).
    async fn sit(&mut self, pairing: Pairing, ctx: &mut Context<Self>) -> Result<(), Denial> {
        let sit = Sit { seat: pairing.seat, sitters: pairing.sitters.clone() };
        send(&Match::at(pairing.id.as_str()), &sit, ctx).await?;
        ctx.cancel_timer(WATCH);
        ctx.leave(LOBBY);
        self.place = Place::Sitting { pairing };
        Ok(())
    }

    /// The match has told this player, who was sitting down, something for the first time.
    pub(super) async fn sits(&mut self, news: News, ctx: &mut Context<Self>) {
        // What the partner does meanwhile comes with the whole game, too.
        let (Place::Sitting { pairing }, Some(_)) = (&self.place, &news.game) else { return };
        let Pairing { id, seat, .. } = pairing.clone();
        let (heard, tells_all, node) = (0, false, news.node);
        self.place = Place::Match(Seated { id, seat, heard, tells_all, node });
        self.hear(news, ctx).await;
    }

    fn check_lobby(&self) -> Result<(), Denial> {
        match self.place {
            Place::Lobby => Ok(()),
            Place::Waiting { .. } | Place::Sitting { .. } => Err(Denial::Waiting),
            Place::Match(_) => Err(Denial::InGame),
        }
    }
}
