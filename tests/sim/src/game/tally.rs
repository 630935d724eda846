//! The virtual actors: they note every number that every caller asked with.

use std::collections::{BTreeMap, BTreeSet};

use throughline_vactor::prelude::*;

/// `SAFE`: every turn is committed.
pub(crate) struct Tally<const SAFE: bool> {
    noted: Noted,
}

/// The numbers of each caller.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Noted {
    pub(crate) numbers: BTreeMap<String, BTreeSet<u64>>,
    /// What a turn found wrong: a turn that is not committed was none.
    pub(crate) wrong: Vec<String>,
}

/// A number of a caller, which never asks with it again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Add {
    pub(crate) from: String,
    pub(crate) number: u64,
}

/// All that was noted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Total {}

impl Message for Add {
    type Reply = u64;
}

impl Message for Total {
    type Reply = Noted;
}

messages! { Tally<false> { "add" => Add, "total" => read Total } }
messages! { Tally<true> { "add" => Add, "total" => read Total } }

impl<const SAFE: bool> VActor for Tally<SAFE>
where
    Self: throughline_vactor::Messages,
{
    const KIND: &'static str = if SAFE { "safe-tally" } else { "tally" };
    const DURABILITY: Durability = if SAFE { Durability::EveryTurn } else { Durability::OnSwapOut };
    const PLACEMENT: Placement = if SAFE { Placement::Hash } else { Placement::Local };
    const IDLE: Duration = Duration::from_secs(5);
    type State = Noted;

    fn new(_key: &str, noted: Noted) -> Self {
        Self { noted }
    }

    fn state(&self) -> &Noted {
        &self.noted
    }
}

impl<const SAFE: bool> Handle<Add> for Tally<SAFE>
where
    Self: throughline_vactor::Messages,
{
    async fn handle(&mut self, add: Add, ctx: &mut Context<Self>) -> Result<u64, HandlerError> {
        let Add { from, number } = add;
        let numbers = self.noted.numbers.entry(from.clone()).or_default();
        if !numbers.insert(number) {
            let wrong = format!("{}/{}: {from} {number} came twice", Self::KIND, ctx.key());
            self.noted.wrong.push(wrong);
        }
        Ok(number)
    }
}

impl<const SAFE: bool> Read<Total> for Tally<SAFE>
where
    Self: throughline_vactor::Messages,
{
    async fn read(&self, _: Total, _: &ReadContext) -> Result<Noted, HandlerError> {
        Ok(self.noted.clone())
    }
}
