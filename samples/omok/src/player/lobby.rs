//! A player on the way from the lobby to a seat.

use throughline::prelude::*;
use throughline_vactor::prelude::{Ask as _, Tell as _, VActor as _};

use super::{AGAIN, AGAIN_AFTER, ASK_TIME, Place, Player, Seated, WATCH, WATCH_EVERY};
use crate::bot::Bot;
use crate::lobby::{Lobby, MAIN, Seek, Stop};
use crate::matches::{Leave, Match, Sit};
use crate::messages::{Denial, How};
use crate::notes::LOBBY;
use crate::table::{Seat, Sitter};
use crate::waiting::{Found, Pairing, Want, match_id};

impl Player {
    pub(super) async fn begin_to_seek(
        &mut self,
        want: Want,
        ctx: &mut Context<Self>,
    ) -> Result<(), Denial> {
        self.check_lobby()?;
        self.ticket += 1;
        ctx.repeat_timer(WATCH, WATCH_EVERY);
        self.place = Place::Waiting { want: want.clone(), is_listed: false };
        self.seek(want, false, ctx).await;
        Ok(())
    }

    /// Asks the lobby, the first time or again: with one ticket it is one and the same wait.
    pub(super) async fn seek(&mut self, want: Want, is_listed: bool, ctx: &mut Context<Self>) {
        let seek = Seek { guest: self.guest(ctx), ticket: self.ticket, want: want.clone() };
        match ctx.ask_within(&Lobby::at(MAIN), seek, ASK_TIME).await {
            Ok(Ok(Found::Paired(pairing))) => self.sit(pairing, ctx).await,
            Ok(Ok(Found::Waits { code })) => {
                // If the lobby is lost, the player's code is still the player's.
                let now = if code.is_some() { Want::Code(code) } else { want.clone() };
                let is_news = !is_listed || now != want;
                self.place = Place::Waiting { want: now, is_listed: true };
                if is_news {
                    self.show(ctx).await;
                }
            }
            Ok(Err(denial)) => {
                self.back_to_lobby(None, ctx);
                ctx.send(denial.into());
            }
            // It is asked again until it is known.
            Err(_) => self.try_again(ctx).await,
        }
    }

    pub(super) async fn stop_waiting(&mut self, ctx: &mut Context<Self>) -> Result<(), Denial> {
        match self.place {
            Place::Waiting { .. } => {}
            Place::Sitting { .. } => return Err(Denial::JustPaired),
            Place::Lobby | Place::Match(_) => return Err(Denial::NotWaiting),
        }
        let (session, ticket) = (ctx.session_id(), self.ticket);
        let stop = |is_gone| Stop { session, ticket, is_gone };
        match ctx.ask_within(&Lobby::at(MAIN), stop(false), ASK_TIME).await {
            Ok(Some(pairing)) => {
                self.sit(pairing, ctx).await;
                return Err(Denial::JustPaired);
            }
            Ok(None) => {}
            // It will be forgotten there. If it has been paired, the partner is to know.
            Err(_) => ctx.tell(&Lobby::at(MAIN), stop(true)),
        }
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
        ctx.repeat_timer(WATCH, WATCH_EVERY);
        self.sit(Pairing { ticket, id, seat: Seat::First, sitters }, ctx).await;
        Ok(())
    }

    /// The lobby has found a partner while this player waited.
    pub(super) async fn begins(&mut self, pairing: Pairing, ctx: &mut Context<Self>) {
        match &self.place {
            Place::Waiting { .. } if pairing.ticket == self.ticket => self.sit(pairing, ctx).await,
            Place::Sitting { pairing: Pairing { id, .. } } | Place::Match(Seated { id, .. })
                if *id == pairing.id => {}
            // The player wants something else by now, and the partner is to know.
            _ => {
                let leave = Leave { seat: pairing.seat, how: How::Left };
                ctx.tell(&Match::at(pairing.id), leave);
            }
        }
    }

    /// Sits down in a match; with the second time it is there already.
    pub(super) async fn sit(&mut self, pairing: Pairing, ctx: &mut Context<Self>) {
        let Pairing { id, seat, sitters, .. } = pairing.clone();
        let sit = Sit { seat, sitters };
        let reply = ctx.ask_within(&Match::at(id.as_str()), sit, ASK_TIME).await;
        self.place = Place::Sitting { pairing };
        match reply {
            Ok(Ok(news)) => {
                ctx.leave(LOBBY);
                self.place = Place::Match(Seated { id, seat, heard: 0, node: news.node });
                self.hear(news, ctx).await;
            }
            Ok(Err(denial)) => self.match_is_gone(denial, ctx),
            Err(_) => self.try_again(ctx).await,
        }
    }

    async fn try_again(&mut self, ctx: &mut Context<Self>) {
        ctx.set_timer(AGAIN, AGAIN_AFTER);
        self.show(ctx).await;
    }

    fn check_lobby(&self) -> Result<(), Denial> {
        match self.place {
            Place::Lobby => Ok(()),
            Place::Waiting { .. } | Place::Sitting { .. } => Err(Denial::Waiting),
            Place::Match(_) => Err(Denial::InGame),
        }
    }
}
