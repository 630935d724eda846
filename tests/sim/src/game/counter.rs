//! Counters, whose state a crash loses: they are told so, and nobody else is told that they began.

use std::collections::BTreeMap;

use serde::de::{Deserializer, Error as _};
use throughline_vactor::prelude::*;

use crate::fault::FaultKind;
use crate::truth;

pub(crate) struct Counter {
    kept: Kept,
}

/// The state. There are times in which it cannot be read.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Kept(Counted);

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if truth::counters(|counters| counters.are_unreadable) {
            truth::fire(FaultKind::DamagedBytes);
            return Err(D::Error::custom("what it is read with is away"));
        }
        Counted::deserialize(deserializer).map(Self)
    }
}

/// What it has counted, and the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counted {
    /// Another one after each beginning from nothing.
    life: u64,
    count: u64,
}

/// One more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Count {}

impl Message for Count {
    type Reply = Counted;
}

messages! { Counter { "count" => Count } }

impl VActor for Counter {
    const KIND: &'static str = "counter";
    const DURABILITY: Durability = Durability::OnSwapOut;
    const PLACEMENT: Placement = Placement::LeastLoaded;
    const IDLE: Duration = Duration::from_secs(5);
    type State = Kept;

    fn new(_key: &str, kept: Kept) -> Self {
        Self { kept }
    }

    fn state(&self) -> &Kept {
        &self.kept
    }

    async fn activated(&mut self, why: Activation, ctx: &mut Context<Self>) -> Outcome {
        let (key, counted) = (ctx.key().to_owned(), self.kept.0);
        let wrong = truth::counters(|counters| counters.begins(&key, why, counted));
        if let Some(wrong) = wrong {
            truth::fail(format_args!("counter {key} is {why:?} with {counted:?}: {wrong}"));
        }
        if why != Activation::Restored {
            self.kept.0.life = truth::counters(Counters::next_life);
        }
        Ok(())
    }
}

impl Handle<Count> for Counter {
    async fn handle(&mut self, _: Count, ctx: &mut Context<Self>) -> Result<Counted, HandlerError> {
        truth::acts(ctx.node(), format_args!("counter {}", ctx.key()));
        self.kept.0.count += 1;
        Ok(self.kept.0)
    }
}

/// What is known of all of them.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// While something that their states are read with is away.
    pub(crate) are_unreadable: bool,
    lives: u64,
    /// The highest count that was answered, of each life.
    answered: BTreeMap<(String, u64), u64>,
}

impl Counters {
    fn next_life(&mut self) -> u64 {
        self.lives += 1;
        self.lives
    }

    pub(crate) fn answered(&mut self, key: &str, counted: Counted) {
        let most = self.answered.entry((key.to_owned(), counted.life)).or_default();
        *most = counted.count.max(*most);
    }

    /// What is wrong with how one begins.
    fn begins(&self, key: &str, why: Activation, counted: Counted) -> Option<&'static str> {
        let of = self.answered.iter().filter(|((of, _), _)| of == key);
        let known: Vec<_> = of.map(|((_, life), count)| (*life, *count)).collect();
        match why {
            Activation::Restored => {
                let is_later = known.iter().any(|(life, _)| *life > counted.life);
                let is_more =
                    |(life, count): &(u64, u64)| *life == counted.life && *count > counted.count;
                let is_wrong = is_later || known.iter().any(is_more);
                is_wrong.then_some("more was answered, and no loss was told")
            }
            Activation::Created if !known.is_empty() => Some("it was there before"),
            _ => None,
        }
    }
}
