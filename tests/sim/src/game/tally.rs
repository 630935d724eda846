//! The crash-proof virtual actors: they note every number that every caller asked with, and are
//! reminded once for each time that they wished it.

use std::collections::{BTreeMap, BTreeSet};

use throughline_vactor::prelude::*;

use super::Poison;
use crate::truth;

/// It is swapped out before.
const REMINDED_AFTER: Duration = Duration::from_secs(8);
const REMINDER: &str = "once";

pub(crate) struct Tally {
    noted: Noted,
}

/// The numbers of each caller.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Noted {
    pub(crate) numbers: BTreeMap<String, BTreeSet<u64>>,
    /// What a turn found wrong: a turn that is not committed was none.
    pub(crate) wrong: Vec<String>,
    /// How often it wished to be reminded.
    wishes: u64,
    /// The wish that is open.
    wish: Option<u64>,
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
    /// The wish that is open.
    type Reply = u64;
}

impl Message for Total {
    type Reply = Noted;
}

messages! { Tally { "add" => Add, "total" => read Total, "poison" => Poison } }

impl VActor for Tally {
    const KIND: &'static str = "safe-tally";
    const DURABILITY: Durability = Durability::EveryTurn;
    const PLACEMENT: Placement = Placement::Hash;
    const IDLE: Duration = Duration::from_secs(5);
    type State = Noted;

    fn new(_key: &str, noted: Noted) -> Self {
        Self { noted }
    }

    fn state(&self) -> &Noted {
        &self.noted
    }

    async fn reminded(&mut self, _: &str, ctx: &mut Context<Self>) -> Outcome {
        truth::acts(ctx.node(), format_args!("{}/{}", Self::KIND, ctx.key()));
        match self.noted.wish.take() {
            Some(wish) => truth::wishes(|wishes| wishes.come(ctx.key(), wish)),
            None => {
                let wrong = format!("{}/{}: a reminder came twice", Self::KIND, ctx.key());
                self.noted.wrong.push(wrong);
            }
        }
        Ok(())
    }
}

impl Handle<Add> for Tally {
    async fn handle(&mut self, add: Add, ctx: &mut Context<Self>) -> Result<u64, HandlerError> {
        truth::acts(ctx.node(), format_args!("{}/{}", Self::KIND, ctx.key()));
        let Add { from, number } = add;
        let numbers = self.noted.numbers.entry(from.clone()).or_default();
        if !numbers.insert(number) {
            let wrong = format!("{}/{}: {from} {number} came twice", Self::KIND, ctx.key());
            self.noted.wrong.push(wrong);
        }
        if let Some(wish) = self.noted.wish {
            return Ok(wish);
        }
        self.noted.wishes += 1;
        self.noted.wish = Some(self.noted.wishes);
        ctx.remind(REMINDER, REMINDED_AFTER);
        Ok(self.noted.wishes)
    }
}

impl Handle<Poison> for Tally {
    async fn handle(
        &mut self,
        poison: Poison,
        ctx: &mut Context<Self>,
    ) -> Result<(), HandlerError> {
        let who = format!("{}/{}", Self::KIND, ctx.key());
        truth::acts(ctx.node(), format_args!("{who}"));
        if let Some(wrong) = truth::poisons(|poisons| poisons.tried_message(&who, &poison)) {
            truth::fail(format_args!("{wrong}"));
        }
        // What a failed turn did is undone.
        self.noted.wrong.push(format!("{who}: the turn of {poison:?} failed, and is there"));
        Err(HandlerError::new("it is poison"))
    }
}

impl Read<Total> for Tally {
    async fn read(&self, _: Total, _: &ReadContext) -> Result<Noted, HandlerError> {
        Ok(self.noted.clone())
    }
}

/// What was wished, as those know who were answered: by when it must come.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    open: BTreeMap<(String, u64), Duration>,
    come: BTreeSet<(String, u64)>,
    /// Whose wish does not come.
    aside: BTreeSet<String>,
    /// How often each VActor was taken from a dead node, since one of its reminders was set aside.
    deaths: BTreeMap<String, u32>,
}

/// A reminder is set aside when it was written down by so many owners that died, at least, that its
/// turn was about to begin.
const DEATHS_MIN: u32 = 2;

impl Wishes {
    /// A wish is open `now`.
    pub(crate) fn open(&mut self, key: &str, wish: u64, now: Duration) {
        let wish = (key.to_owned(), wish);
        if !self.come.contains(&wish) {
            self.open.entry(wish).or_insert(now + REMINDED_AFTER);
        }
    }

    fn come(&mut self, key: &str, wish: u64) {
        let wish = (key.to_owned(), wish);
        self.open.remove(&wish);
        self.come.insert(wish);
    }

    /// A VActor was taken from a node that had died.
    pub(crate) fn died(&mut self, who: &str) {
        *self.deaths.entry(who.to_owned()).or_default() += 1;
    }

    /// Its reminder was set aside, which is right if nodes died of it.
    pub(crate) fn set_aside(&mut self, who: &str) {
        let deaths = self.deaths.remove(who).unwrap_or(0);
        let Some(key) = who.strip_prefix(Tally::KIND).and_then(|rest| rest.strip_prefix('/'))
        else {
            return;
        };
        if deaths >= DEATHS_MIN {
            // It wishes nothing new while one wish is open.
            self.aside.insert(key.to_owned());
        }
    }

    /// One that was due by then.
    pub(crate) fn overdue(&self, by: Duration) -> Option<String> {
        let is_late =
            |((key, _), due): &(&(String, u64), &Duration)| **due < by && !self.aside.contains(key);
        let (wish, due) = self.open.iter().find(is_late)?;
        Some(format!("reminder {wish:?} was due at {due:?}"))
    }
}
