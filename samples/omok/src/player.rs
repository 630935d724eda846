//! A player's session: who the player is, and in which match. All else is elsewhere.
//!
//! # Layout
//! - here: the session and its hooks
//! - `lobby`: from the lobby to a seat
//! - `seat`: in a match

mod lobby;
mod seat;

use std::time::Duration;

use throughline::{QueuedMessage, prelude::*};
use throughline_vactor::{
    Accepts, Address, Handle,
    prelude::{Message, TellReliable as _, VActor as _},
};

use crate::lobby::{Lobby, MAIN, Stop, key};
use crate::matches::{Leave, Match};
use crate::messages::{Ask, Denial, How, Joining, Seen, Tell, View};
use crate::notes::{KEPT_FOR, LOBBY, Note};
use crate::table::{Guest, Seat};
use crate::waiting::{Pairing, Want};

/// A look at the match waits so long. A turn has 10 s in all.
const LOOK_TIME: Duration = Duration::from_secs(3);

/// How often a player who waits says so.
const WATCH: &str = "watch";
const WATCH_EVERY: Duration = Duration::from_secs(5);

/// A look that was not answered is repeated after so long: the match may be on its way from a node
/// that was killed.
const AGAIN: &str = "again";
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// The longest name, in characters.
const NAME_MAX: usize = 24;
/// The worst link that a player may ask for: the ends of the page's sliders. Beyond it nobody can
/// play, and what is delayed must be kept.
const DELAY_MS_MAX: u64 = 1_000;
const LOSS_PERCENT_MAX: u8 = 50;
/// The number of a refused name, for clients: Throughline carries it in the refusal.
const BAD_NAME: u16 = 1;

/// One player. This is all that travels when the session goes to another node.
#[derive(Debug, Serialize, Deserialize)]
pub struct Player {
    name: String,
    place: Place,
    /// Counts the times that this player looked for a match.
    ticket: u64,
    link: Option<WorseLink>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Place {
    Lobby,
    /// Looks for a partner; in the lobby's list once the lobby has said so.
    Waiting {
        want: Want,
        is_listed: bool,
    },
    /// A match was found, and the player is sitting down in it.
    Sitting {
        pairing: Pairing,
    },
    Match(Seated),
}

/// A seat in a match.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Seated {
    id: String,
    seat: Seat,
    /// The number of the last news that the client was told; 0: it knows nothing.
    heard: u64,
    /// The client may know nothing, and is to be told everything. What it was told is newer than
    /// older news all the same.
    #[serde(default)]
    tells_all: bool,
    /// The node of the match that the client was told.
    node: u32,
}

/// The link that a player has asked for, instead of a good one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct WorseLink {
    delay: Duration,
    /// 0 to 1.
    loss: f64,
}

impl Session for Player {
    const KIND: &'static str = "omok";
    const CODEC: Codec = Codec::Json;
    const DURABILITY: Durability = crate::DURABILITY;
    type In = Ask;
    type Out = Tell;

    async fn login(login: Login<'_>) -> Result<Self, Refusal> {
        let Joining { name } = login.decode(Codec::Json)?;
        let name = name.trim();
        if !(1..=NAME_MAX).contains(&name.chars().count()) || name.chars().any(char::is_control) {
            return Err(Refusal::new(BAD_NAME, "a name has 1 to 24 characters, all printable"));
        }
        Ok(Self { name: name.to_owned(), place: Place::Lobby, ticket: 0, link: None })
    }

    async fn started(&mut self, ctx: &mut Context<Self>) -> Outcome {
        // So the lobby, wherever it is, can look whether this player is there.
        let session = ctx.session_id();
        ctx.register_key(&key(session));
        ctx.join(LOBBY);
        self.show(ctx).await;
        Ok(())
    }

    async fn message(&mut self, ask: Ask, ctx: &mut Context<Self>) -> Outcome {
        if let Err(denial) = self.answer(ask, ctx).await {
            ctx.send(denial.into());
        }
        Ok(())
    }

    async fn malformed(&mut self, _: DecodeError, ctx: &mut Context<Self>) -> Outcome {
        ctx.send(Denial::Unreadable.into());
        Ok(())
    }

    async fn queued(&mut self, message: QueuedMessage, ctx: &mut Context<Self>) -> Outcome {
        self.noted(message.decode()?, ctx).await
    }

    async fn server_message(&mut self, message: ServerMessage, ctx: &mut Context<Self>) -> Outcome {
        self.noted(message.decode()?, ctx).await
    }

    async fn restored(&mut self, ctx: &mut Context<Self>) -> Outcome {
        if let Some(WorseLink { delay, loss }) = self.link {
            // This node may not simulate links; then the link is good.
            ctx.simulate_link(delay, loss).ok();
        }
        // The client sees which node it is at now. Timers have come along.
        self.show(ctx).await;
        Ok(())
    }

    async fn announced(&mut self, text: &str, ctx: &mut Context<Self>) -> Outcome {
        ctx.send(Tell::Announced { text: text.to_owned() });
        Ok(())
    }

    async fn repaired(&mut self, ctx: &mut Context<Self>) -> Outcome {
        self.show(ctx).await;
        Ok(())
    }

    async fn timer(&mut self, _: &str, ctx: &mut Context<Self>) -> Outcome {
        match self.place.clone() {
            // If the lobby cannot take it now, it will be told with the next tick.
            Place::Waiting { want, .. } => self.seek(want, ctx).await.or(Ok(())),
            Place::Match(_) => {
                self.look(ctx).await;
                Ok(())
            }
            Place::Lobby | Place::Sitting { .. } => Ok(()),
        }
    }

    async fn destroyed(&mut self, reason: EndReason, ctx: &mut Context<Self>) -> Outcome {
        let how = if reason == EndReason::Left { How::Left } else { How::Away };
        let gone = match &self.place {
            Place::Lobby => Ok(()),
            Place::Waiting { .. } => {
                let (session, ticket) = (ctx.session_id(), self.ticket);
                send(&Lobby::at(MAIN), &Stop { session, ticket, is_gone: true }, ctx).await
            }
            Place::Sitting { pairing: Pairing { id, seat, .. } }
            | Place::Match(Seated { id, seat, .. }) => {
                send(&Match::at(id.as_str()), &Leave { seat: *seat, how }, ctx).await
            }
        };
        // Who cannot be told finds out by the clock, or by the end of the lease.
        gone.or(Ok(()))
    }
}

/// What changes something is not asked but sent: it is written in the commit of this turn and
/// handled once, and what comes of it is told by a [`Note`].
async fn send<V, M>(to: &Address<V>, message: &M, ctx: &mut Context<Player>) -> Result<(), Denial>
where
    V: Accepts<M> + Handle<M>,
    M: Message,
{
    ctx.tell_reliable(to, message, KEPT_FOR).await.map_err(|_| Denial::Unreachable)
}

impl Player {
    async fn answer(&mut self, ask: Ask, ctx: &mut Context<Self>) -> Result<(), Denial> {
        match ask {
            Ask::Look => self.show(ctx).await,
            Ask::PlayBot => self.play_bot(ctx).await?,
            Ask::FindPartner => self.begin_to_seek(Want::Partner, ctx).await?,
            Ask::CreateCode => self.begin_to_seek(Want::Code(None), ctx).await?,
            Ask::JoinCode { code } => self.begin_to_seek(Want::Join(code), ctx).await?,
            Ask::StopWaiting => self.stop_waiting(ctx).await?,
            Ask::Place { x, y, number } => self.place(x, y, number, ctx).await?,
            Ask::Resign => self.resign(ctx).await?,
            Ask::Rematch => self.rematch(ctx).await?,
            Ask::Leave => self.leave(ctx).await?,
            Ask::Link { delay_ms, loss_percent } => {
                let link = WorseLink::new(delay_ms, loss_percent)?;
                ctx.simulate_link(link.delay, link.loss).map_err(|_| Denial::LinkNotSimulated)?;
                self.link = Some(link);
            }
        }
        Ok(())
    }

    /// A match, or the lobby, has told something.
    async fn noted(&mut self, note: Note, ctx: &mut Context<Self>) -> Outcome {
        match (note, &mut self.place) {
            // If the match cannot be told, the turn is run again.
            (Note::Begins(pairing), _) => self.begins(pairing, ctx).await?,
            (Note::Waits { ticket, code }, Place::Waiting { .. }) if ticket == self.ticket => {
                self.waits(code, ctx).await;
            }
            (Note::NotListed { ticket, why }, Place::Waiting { .. }) if ticket == self.ticket => {
                self.back_to_lobby(None, ctx);
                ctx.send(why.into());
            }
            (Note::Happened { id, news }, Place::Sitting { pairing }) if pairing.id == id => {
                self.sits(news, ctx).await;
            }
            (Note::Happened { id, news }, Place::Match(seated)) if seated.id == id => {
                self.hear(news, ctx).await;
            }
            (Note::Refused { id, why }, Place::Match(seated)) if seated.id == id => {
                ctx.send(why.into());
            }
            (Note::Moved { id, node }, Place::Match(seated)) if seated.id == id => {
                seated.moved(node, ctx);
            }
            (Note::Crowd { looking }, Place::Lobby) => ctx.send(Tell::Crowd { looking }),
            (Note::Closed { id }, Place::Match(seated)) if seated.id == id => {
                self.back_to_lobby(Some(Tell::MatchClosed), ctx);
            }
            // A player who is elsewhere by now is not interested any more.
            (
                Note::Waits { .. }
                | Note::NotListed { .. }
                | Note::Happened { .. }
                | Note::Refused { .. }
                | Note::Moved { .. }
                | Note::Crowd { .. }
                | Note::Closed { .. },
                _,
            ) => {}
        }
        Ok(())
    }

    /// Sends the whole view.
    async fn show(&mut self, ctx: &mut Context<Self>) {
        let place = match &mut self.place {
            Place::Lobby => Seen::Lobby,
            Place::Waiting { want: Want::Code(code), .. } => Seen::Waiting { code: code.clone() },
            // Who is about to sit down has nothing to see yet.
            Place::Waiting { .. } | Place::Sitting { .. } => Seen::Waiting { code: None },
            Place::Match(seated) => {
                seated.tells_all = true;
                return self.look(ctx).await;
            }
        };
        self.send_view(place, ctx);
    }

    fn send_view(&self, place: Seen, ctx: &mut Context<Self>) {
        ctx.send(Tell::View(View { name: self.name.clone(), node: ctx.node(), place }));
    }

    fn back_to_lobby(&mut self, why: Option<Tell>, ctx: &mut Context<Self>) {
        self.place = Place::Lobby;
        ctx.join(LOBBY);
        ctx.cancel_timer(WATCH);
        ctx.cancel_timer(AGAIN);
        self.send_view(Seen::Lobby, ctx);
        if let Some(why) = why {
            ctx.send(why);
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
