//! A VActor that counts how often it was asked to, crash-proof or not, and what becomes of an ask.

use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use throughline_cluster::RecordId;
use throughline_link::SessionId;
use throughline_vactor::prelude::*;

use crate::game::KEPT;

/// What is asked of the tally.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Wish {
    /// One more.
    Count,
    /// That it goes out of memory.
    Rest,
    /// That it is no more.
    Forget,
    /// That its turn fails.
    Fail,
    /// That it sends to this session, durably.
    Send(SessionId),
}

/// What came of a wish, as far as its asker knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// It was fulfilled; the count is this.
    Is(u64),
    /// It surely had no effect.
    No,
    Unknown,
}

impl Message for Wish {
    type Reply = u64;
}

/// Whether this node has the one that is written when it leaves memory.
pub(crate) static IS_LOOSE: AtomicBool = AtomicBool::new(false);

const KIND: &str = "tally";

/// There is one.
const KEY: &str = "all";

/// A kind that counts; in all nodes of a cluster it is one or the other.
macro_rules! tally {
    ($tally:ident, $durability:expr) => {
        #[derive(Debug)]
        pub(crate) struct $tally(u64);

        messages! { $tally { "wish" => Wish } }

        impl VActor for $tally {
            const KIND: &'static str = KIND;
            const DURABILITY: Durability = $durability;
            // Without one, a turn that fails takes what is in memory with it.
            const KEEP_COPY: bool = false;
            type State = u64;

            fn new(_key: &str, count: u64) -> Self {
                Self(count)
            }

            fn state(&self) -> &u64 {
                &self.0
            }
        }

        impl Handle<Wish> for $tally {
            async fn handle(
                &mut self,
                wish: Wish,
                ctx: &mut Context<Self>,
            ) -> Result<u64, HandlerError> {
                match wish {
                    Wish::Count => self.0 += 1,
                    Wish::Rest => ctx.deactivate(),
                    Wish::Forget => ctx.forget(),
                    Wish::Fail => return Err(HandlerError::new("it was told to fail")),
                    Wish::Send(to) => ctx.send_reliable(to, &(), KEPT).await?,
                }
                Ok(self.0)
            }
        }
    };
}

tally!(Tally, Durability::EveryTurn);
tally!(LooseTally, Durability::OnSwapOut);

/// Asks the one that there is.
pub(crate) async fn ask(who: &impl Ask, wish: Wish) -> Answer {
    let asked = match IS_LOOSE.load(Ordering::SeqCst) {
        true => who.ask(&LooseTally::at(KEY), wish).await,
        false => who.ask(&Tally::at(KEY), wish).await,
    };
    match asked {
        Ok(count) => Answer::Is(count),
        Err(AskError::Unknown) => Answer::Unknown,
        Err(_) => Answer::No,
    }
}

/// Sends it a durable message.
pub(crate) async fn tell(who: &mut impl TellReliable, wish: Wish) -> Result<(), SendReliableError> {
    match IS_LOOSE.load(Ordering::SeqCst) {
        true => who.tell_reliable(&LooseTally::at(KEY), &wish, KEPT).await,
        false => who.tell_reliable(&Tally::at(KEY), &wish, KEPT).await,
    }
}

/// Its record.
pub(crate) fn record() -> RecordId {
    RecordId::vactor(KIND, KEY.as_bytes()).unwrap()
}
