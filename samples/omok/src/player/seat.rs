//! A player in a match: what it does there is sent, and what happens there is told.

use throughline::prelude::*;
use throughline_vactor::{
    Accepts, Handle,
    prelude::{Ask as _, Message, VActor as _},
};

use super::{AGAIN, AGAIN_AFTER, LOOK_TIME, Place, Player, Seated, send};
use crate::matches::{Leave, Look, Match, Place as PlaceStone, Rematch, Resign};
use crate::messages::{Denial, How, Seen, Tell};
use crate::notes::News;
use crate::rules::Point;
use crate::table::Seat;
use crate::waiting::Pairing;

impl Player {
    pub(super) async fn place(
        &self,
        x: u8,
        y: u8,
        number: usize,
        ctx: &mut Context<Self>,
    ) -> Result<(), Denial> {
        let at = Point::new(x, y).ok_or(Denial::OffBoard)?;
        self.play(|seat| PlaceStone { seat, number, at }, ctx).await
    }

    pub(super) async fn resign(&self, ctx: &mut Context<Self>) -> Result<(), Denial> {
        self.play(|seat| Resign { seat }, ctx).await
    }

    pub(super) async fn rematch(&self, ctx: &mut Context<Self>) -> Result<(), Denial> {
        self.play(|seat| Rematch { seat }, ctx).await
    }

    /// Sends the match what the player wants.
    async fn play<M>(
        &self,
        message: impl FnOnce(Seat) -> M,
        ctx: &mut Context<Self>,
    ) -> Result<(), Denial>
    where
        M: Message,
        Match: Accepts<M> + Handle<M>,
    {
        let Place::Match(Seated { id, seat, .. }) = &self.place else { return Err(Denial::NoGame) };
        send(&Match::at(id.as_str()), &message(*seat), ctx).await
    }

    /// Back to the lobby.
    pub(super) async fn leave(&mut self, ctx: &mut Context<Self>) -> Result<(), Denial> {
        let (id, seat) = match &self.place {
            Place::Match(Seated { id, seat, .. })
            | Place::Sitting { pairing: Pairing { id, seat, .. } } => (id, *seat),
            Place::Lobby | Place::Waiting { .. } => return Err(Denial::NoGame),
        };
        send(&Match::at(id.as_str()), &Leave { seat, how: How::Left }, ctx).await?;
        self.back_to_lobby(None, ctx);
        Ok(())
    }

    /// Tells the client news, unless it has seen them by a look.
    pub(super) async fn hear(&mut self, news: News, ctx: &mut Context<Self>) {
        let Place::Match(seated) = &mut self.place else { return };
        if news.number < seated.heard {
            return;
        }
        if news.game.is_some() {
            return self.tell_all(news, ctx);
        }
        // The client knows nothing yet, or everything was away for longer than notes are kept.
        if seated.tells_all || news.number > seated.heard + 1 {
            return self.look(ctx).await;
        }
        if news.number == seated.heard + 1 {
            seated.heard = news.number;
            seated.moved(news.node, ctx);
            news.tells.into_iter().for_each(|tell| ctx.send(tell));
        }
    }

    /// Looks at the match, and sends all of it. It is the one thing that is asked: a look changes
    /// nothing, so a turn that is run again may look again.
    pub(super) async fn look(&mut self, ctx: &mut Context<Self>) {
        let Place::Match(Seated { id, seat, .. }) = &self.place else { return };
        let look = Look { seat: *seat };
        match ctx.ask_within(&Match::at(id.as_str()), look, LOOK_TIME).await {
            Ok(Some(news)) => self.tell_all(news, ctx),
            Ok(None) => self.back_to_lobby(Some(Tell::MatchClosed), ctx),
            Err(_) => ctx.set_timer(AGAIN, AGAIN_AFTER),
        }
    }

    fn tell_all(&mut self, news: News, ctx: &mut Context<Self>) {
        let (Place::Match(seated), Some(game)) = (&mut self.place, news.game) else { return };
        (seated.heard, seated.tells_all, seated.node) = (news.number, false, news.node);
        self.send_view(Seen::Game(*game), ctx);
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
