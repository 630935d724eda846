//! The lobby: the list of those who wait as a virtual actor, one for all nodes.

use throughline_vactor::prelude::*;

use crate::matches::{Leave, Match, Sit};
use crate::messages::How;
use crate::notes::{KEPT_FOR, LOBBY, Note, note};
use crate::table::Guest;
use crate::waiting::{Found, Pairing, WaitingList, Want};

/// The key of the only one.
pub const MAIN: &str = "main";

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
        let Seek { guest, ticket, want } = seek;
        let (session, looking) = (guest.session, self.list.looking());
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
