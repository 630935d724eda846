//! The lobby: the list of those who wait as a virtual actor, one for all nodes.

use throughline::Location;
use throughline_vactor::prelude::*;

use crate::matches::{Leave, Match, Sit};
use crate::messages::How;
use crate::notes::{KEPT_FOR, LOBBY, Note, note};
use crate::table::Guest;
use crate::waiting::{Found, Pairing, WaitingList, Want};

/// The key of the only one.
pub const MAIN: &str = "main";

/// Those who are found to be away for one who looks for a partner, at most: beyond them it gets
/// whoever is next, who may be away, too. Each is two reads of the store.
const AWAY_MAX: usize = 16;

/// The session key of a player. A game with accounts would take the account: then a second login of
/// it ends the first one.
pub fn key(session: SessionId) -> String {
    format!("omok/{session}")
}

/// A player looks for somebody, or still does.
#[derive(Debug, Serialize, Deserialize)]
pub struct Seek {
    pub guest: Guest,
    /// The number of this wait among those of the player.
    pub ticket: u64,
    pub want: Want,
}

/// A player waits no more.
#[derive(Debug, Serialize, Deserialize)]
pub struct Stop {
    pub session: SessionId,
    pub ticket: u64,
    /// The player has gone: if it has been paired, it will not hear of it.
    pub is_gone: bool,
}

// What comes of them is told by a [`Note`].
impl Message for Seek {
    type Reply = ();
}
impl Message for Stop {
    type Reply = ();
}

messages! { Lobby { "seek" => Seek, "stop" => Stop } }

#[derive(Debug)]
pub struct Lobby {
    list: WaitingList,
}

impl VActor for Lobby {
    const KIND: &'static str = "omok-lobby";
    const DURABILITY: Durability = crate::DURABILITY;
    // Every node knows where it is without looking.
    const PLACEMENT: Placement = Placement::Hash;
    type State = WaitingList;

    fn new(_key: &str, list: WaitingList) -> Self {
        Self { list }
    }

    fn state(&self) -> &WaitingList {
        &self.list
    }
}

impl Lobby {
    /// Those who would be this player's partner and are away just now are forgotten: their sessions
    /// lie in the store, or are over. Who is back says again that it waits.
    async fn forget_the_away(&mut self, seek: &Seek, ctx: &Context<Self>) {
        for _ in 0..AWAY_MAX {
            let Seek { guest, ticket, want } = seek;
            let first = self.list.first_for(guest.session, *ticket, want, ctx.now_ms());
            let Some(session) = first else { return };
            // While the store does not answer nobody is known to be away.
            let Ok(Location::Parked { .. } | Location::Unknown) = ctx.locate(&key(session)).await
            else {
                return;
            };
            self.list.forget(session);
        }
    }

    /// All who are in the lobby are told when another number looks for a partner. Best effort: who
    /// misses it hears the next one.
    fn tell_crowd(&self, before: usize, ctx: &mut Context<Self>) {
        let looking = self.list.looking();
        if looking != before {
            ctx.send_to_group(LOBBY, &Note::Crowd { looking });
        }
    }
}

impl Handle<Seek> for Lobby {
    async fn handle(&mut self, seek: Seek, ctx: &mut Context<Self>) -> Outcome {
        let looking = self.list.looking();
        self.forget_the_away(&seek, ctx).await;
        let Seek { guest, ticket, want } = seek;
        let session = guest.session;
        let found = self.list.seek(guest, ticket, want, ctx.now_ms());
        self.tell_crowd(looking, ctx);
        let (own, other) = match found {
            Ok((Found::Waits { code }, other)) => (Note::Waits { ticket, code }, other),
            Ok((Found::Paired(pairing), other)) => (Note::Begins(pairing), other),
            Err(why) => (Note::NotListed { ticket, why }, None),
        };
        note(ctx, session, &own).await;
        if let Some((session, pairing)) = other {
            note(ctx, session, &Note::Begins(pairing)).await;
        }
        Ok(())
    }
}

impl Handle<Stop> for Lobby {
    async fn handle(&mut self, stop: Stop, ctx: &mut Context<Self>) -> Outcome {
        let looking = self.list.looking();
        let paired = self.list.stop(stop.session, stop.ticket);
        self.tell_crowd(looking, ctx);
        if let Some(Pairing { id, seat, sitters, .. }) = paired.filter(|_| stop.is_gone) {
            // In its place, so that the partner reads who has left.
            let game = Match::at(id);
            ctx.tell_reliable(&game, &Sit { seat, sitters }, KEPT_FOR).await?;
            ctx.tell_reliable(&game, &Leave { seat, how: How::Away }, KEPT_FOR).await?;
        }
        Ok(())
    }
}
