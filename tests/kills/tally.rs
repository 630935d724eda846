//! A crash-proof VActor that counts how often it was asked to, and what becomes of an ask.

use serde::{Deserialize, Serialize};
use throughline_cluster::RecordId;
use throughline_vactor::prelude::*;

/// What is asked of the tally.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Wish {
    /// One more.
    Count,
    /// That it goes out of memory.
    Rest,
    /// That it is no more.
    Forget,
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

#[derive(Debug)]
pub(crate) struct Tally(u64);

/// There is one.
const KEY: &str = "all";

messages! { Tally { "wish" => Wish } }

impl VActor for Tally {
    const KIND: &'static str = "tally";
    const DURABILITY: Durability = Durability::EveryTurn;
    type State = u64;

    fn new(_key: &str, count: u64) -> Self {
        Self(count)
    }

    fn state(&self) -> &u64 {
        &self.0
    }
}

impl Handle<Wish> for Tally {
    async fn handle(&mut self, wish: Wish, ctx: &mut Context<Self>) -> Result<u64, HandlerError> {
        match wish {
            Wish::Count => self.0 += 1,
            Wish::Rest => ctx.deactivate(),
            Wish::Forget => ctx.forget(),
        }
        Ok(self.0)
    }
}

/// Asks the one that there is.
pub(crate) async fn ask(who: &impl Ask, wish: Wish) -> Answer {
    match who.ask(&address(), wish).await {
        Ok(count) => Answer::Is(count),
        Err(AskError::Unknown) => Answer::Unknown,
        Err(_) => Answer::No,
    }
}

/// Its record.
pub(crate) fn record() -> RecordId {
    RecordId::vactor(Tally::KIND, KEY.as_bytes()).unwrap()
}

fn address() -> Address<Tally> {
    Tally::at(KEY)
}
