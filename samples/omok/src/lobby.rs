//! The lobby: the list of those who wait as a virtual actor, one for all nodes.

use throughline_vactor::prelude::*;

use crate::matches::{Leave, Match};
use crate::messages::{Denial, How};
use crate::notes::{LOBBY, Note, note};
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
    /// The player has gone: if it has been paired, it will not come.
    pub is_gone: bool,
}

impl Message for Seek {
    type Reply = Result<Found, Denial>;
}
impl Message for Stop {
    /// The match, if the player has been paired meanwhile.
    type Reply = Option<Pairing>;
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

    // `activated(Lost)` has nothing to do: who waits says so again within seconds.
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
    async fn handle(
        &mut self,
        seek: Seek,
        ctx: &mut Context<Self>,
    ) -> Result<Result<Found, Denial>, HandlerError> {
        let Seek { guest, ticket, want } = seek;
        let looking = self.list.looking();
        let found = self.list.seek(guest, ticket, want, ctx.now_ms());
        self.tell_crowd(looking, ctx);
        let (found, other) = match found {
            Ok(found) => found,
            Err(denial) => return Ok(Err(denial)),
        };
        if let Some((session, pairing)) = other {
            note(ctx, session, &Note::Begins(pairing)).await;
        }
        Ok(Ok(found))
    }
}

impl Handle<Stop> for Lobby {
    async fn handle(
        &mut self,
        stop: Stop,
        ctx: &mut Context<Self>,
    ) -> Result<Option<Pairing>, HandlerError> {
        let looking = self.list.looking();
        let paired = self.list.stop(stop.session, stop.ticket);
        self.tell_crowd(looking, ctx);
        if let Some(Pairing { id, seat, .. }) = paired.as_ref().filter(|_| stop.is_gone) {
            ctx.tell(&Match::at(id.as_str()), Leave { seat: *seat, how: How::Away });
        }
        Ok(paired)
    }
}
