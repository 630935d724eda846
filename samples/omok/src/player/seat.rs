//! A player in a match: what it does there is asked, and what happens there is told.

use throughline::prelude::*;
use throughline_vactor::{
    Accepts,
    prelude::{Ask as _, AskError, Message, Tell as _, VActor as _},
};

use super::{AGAIN, AGAIN_AFTER, ASK_TIME, LOOK_TIME, Place, Player, Seated};
use crate::matches::{Leave, Look, Match, Place as PlaceStone, Rematch, Reply, Resign};
use crate::messages::{Denial, How, Seen, Tell};
use crate::notes::News;
use crate::rules::Point;
use crate::table::Seat;
use crate::waiting::Pairing;

impl Player {
    pub(super) async fn place(
        &mut self,
        x: u8,
        y: u8,
        number: usize,
        ctx: &mut Context<Self>,
    ) -> Result<(), Denial> {
        let at = Point::new(x, y).ok_or(Denial::OffBoard)?;
        self.play(|seat| PlaceStone { seat, number, at }, ctx).await
    }

    pub(super) async fn resign(&mut self, ctx: &mut Context<Self>) -> Result<(), Denial> {
        self.play(|seat| Resign { seat }, ctx).await
    }

    pub(super) async fn rematch(&mut self, ctx: &mut Context<Self>) -> Result<(), Denial> {
        self.play(|seat| Rematch { seat }, ctx).await
    }

    /// Asks the match to do something, and tells the client what came of it.
    async fn play<M>(
        &mut self,
        message: impl Fn(Seat) -> M,
        ctx: &mut Context<Self>,
    ) -> Result<(), Denial>
    where
        M: Message<Reply = Reply>,
        Match: Accepts<M>,
    {
        let Place::Match(Seated { id, seat, .. }) = &self.place else { return Err(Denial::NoGame) };
        let (game, seat) = (Match::at(id.as_str()), *seat);
        let mut reply = ctx.ask_within(&game, message(seat), ASK_TIME).await;
        if let Err(AskError::Rejected(_)) = reply {
            // Surely nothing was done, so it may be asked again.
            reply = ctx.ask_within(&game, message(seat), ASK_TIME).await;
        }
        match reply {
            Ok(Ok(news)) => self.hear(news, ctx).await,
            Ok(Err(gone @ (Denial::MatchLost | Denial::NoGame))) => self.match_is_gone(gone, ctx),
            Ok(Err(denial)) => return Err(denial),
            // It may have been done: the client sees how things are, and asks again if it has to.
            // The number of a move keeps it from being made twice.
            Err(AskError::Unknown) => {
                self.show(ctx).await;
                return Err(Denial::Unanswered);
            }
            Err(_) => return Err(Denial::Unreachable),
        }
        Ok(())
    }

    /// Back to the lobby; the match is told, sooner or later.
    pub(super) async fn leave(&mut self, ctx: &mut Context<Self>) -> Result<(), Denial> {
        let (id, seat) = match &self.place {
            Place::Match(Seated { id, seat, .. })
            | Place::Sitting { pairing: Pairing { id, seat, .. } } => (id, *seat),
            Place::Lobby | Place::Waiting { .. } => return Err(Denial::NoGame),
        };
        let game = Match::at(id.as_str());
        let leave = || Leave { seat, how: How::Left };
        // Who leaves twice leaves once.
        if ctx.ask_within(&game, leave(), ASK_TIME).await.is_err() {
            ctx.tell(&game, leave());
        }
        self.back_to_lobby(None, ctx);
        Ok(())
    }

    /// Tells the client news, if it is the next one. What comes twice or late is not told, and what
    /// was missed is looked up.
    pub(super) async fn hear(&mut self, news: News, ctx: &mut Context<Self>) {
        let Place::Match(seated) = &mut self.place else { return };
        if news.number < seated.heard {
            return;
        }
        if news.game.is_some() {
            return self.tell_all(news, ctx);
        }
        if news.number > seated.heard + 1 {
            return self.look(ctx).await;
        }
        if news.number == seated.heard + 1 {
            seated.heard = news.number;
            seated.moved(news.node, ctx);
            news.tells.into_iter().for_each(|tell| ctx.send(tell));
        }
    }

    /// Looks at the match, and sends all of it.
    pub(super) async fn look(&mut self, ctx: &mut Context<Self>) {
        match self.looked(ctx).await {
            Some(Ok(news)) => self.tell_all(news, ctx),
            Some(Err(denial)) => self.match_is_gone(denial, ctx),
            None => {}
        }
    }

    /// Looks whether the client has missed anything.
    pub(super) async fn watch(&mut self, ctx: &mut Context<Self>) {
        let reply = self.looked(ctx).await;
        let Place::Match(seated) = &mut self.place else { return };
        match reply {
            Some(Ok(news)) if news.number == seated.heard => seated.moved(news.node, ctx),
            Some(Ok(news)) => self.tell_all(news, ctx),
            Some(Err(denial)) => self.match_is_gone(denial, ctx),
            None => {}
        }
    }

    /// `None`: no answer, and it is asked again if the client waits for one.
    async fn looked(&self, ctx: &mut Context<Self>) -> Option<Reply> {
        let Place::Match(Seated { id, seat, heard, .. }) = &self.place else { return None };
        let look = Look { seat: *seat };
        let reply = ctx.ask_within(&Match::at(id.as_str()), look, LOOK_TIME).await.ok();
        if reply.is_none() && *heard == 0 {
            ctx.set_timer(AGAIN, AGAIN_AFTER);
        }
        reply
    }

    fn tell_all(&mut self, news: News, ctx: &mut Context<Self>) {
        let (Place::Match(seated), Some(game)) = (&mut self.place, news.game) else { return };
        (seated.heard, seated.node) = (news.number, news.node);
        self.send_view(Seen::Game(*game), ctx);
    }

    pub(super) fn match_is_gone(&mut self, denial: Denial, ctx: &mut Context<Self>) {
        let lost = denial == Denial::MatchLost;
        let why = if lost { Tell::MatchEndedWithServer } else { Tell::MatchClosed };
        self.back_to_lobby(Some(why), ctx);
    }
}

impl Seated {
    /// Tells the client where its match is, if that is news.
    pub(super) fn moved(&mut self, node: u32, ctx: &mut Context<Player>) {
        if std::mem::replace(&mut self.node, node) != node {
            ctx.send(Tell::MatchMoved { node });
        }
    }
}
