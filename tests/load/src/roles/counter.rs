//! The VActor kinds of `vactor`: a counter, which is little work, so that the way to it counts.

use throughline_vactor::prelude::*;

/// What survives a crash of its node: with `EVERY_TURN` every turn, else what was swapped out.
pub(crate) struct Counter<const EVERY_TURN: bool> {
    counted: Counted,
}

/// What lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counted {
    /// How often it was added to.
    pub(crate) count: u64,
    /// All numbers that were added.
    pub(crate) sum: u64,
}

/// Adds a number.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Add {
    pub(crate) number: u64,
}

/// The number, and how many there are now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Added {
    pub(crate) number: u64,
    pub(crate) count: u64,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Total {}

impl Message for Add {
    type Reply = Added;
}

impl Message for Total {
    type Reply = Counted;
}

impl Counted {
    /// Handles one number: the same for both sides of the ratio.
    pub(crate) fn add(&mut self, Add { number }: Add) -> Added {
        self.count += 1;
        self.sum = self.sum.wrapping_add(number);
        Added { number, count: self.count }
    }
}

messages! { Counter<false> { "add" => Add, "total" => read Total } }
messages! { Counter<true> { "add" => Add, "total" => read Total } }

/// Active ones, at most: a run ends before there are so many.
const ACTIVE_MAX: usize = 4_000_000;

/// Longer than a run: none is swapped out meanwhile.
const IDLE: Duration = Duration::from_secs(86_400);

impl<const EVERY_TURN: bool> VActor for Counter<EVERY_TURN>
where
    Self: throughline_vactor::Messages,
{
    const KIND: &'static str = if EVERY_TURN { "durable-counter" } else { "counter" };
    const DURABILITY: Durability =
        if EVERY_TURN { Durability::EveryTurn } else { Durability::OnSwapOut };
    const ACTIVE_MAX: usize = ACTIVE_MAX;
    const IDLE: Duration = IDLE;
    type State = Counted;

    fn new(_key: &str, counted: Counted) -> Self {
        Self { counted }
    }

    fn state(&self) -> &Counted {
        &self.counted
    }
}

impl<const EVERY_TURN: bool> Handle<Add> for Counter<EVERY_TURN>
where
    Self: throughline_vactor::Messages,
{
    async fn handle(&mut self, add: Add, _: &mut Context<Self>) -> Result<Added, HandlerError> {
        Ok(self.counted.add(add))
    }
}

impl<const EVERY_TURN: bool> Read<Total> for Counter<EVERY_TURN>
where
    Self: throughline_vactor::Messages,
{
    async fn read(&self, _: Total, _: &ReadContext) -> Result<Counted, HandlerError> {
        Ok(self.counted)
    }
}
