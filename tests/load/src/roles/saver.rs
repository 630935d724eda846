//! The session kind of `turns`: crash-proof, so each of its messages is a commit.

use throughline::prelude::*;

use crate::numbers::Checker;
use crate::roles::traveller::Notes;

/// Letters of its state, beside its numbers.
pub(crate) const STATE: usize = 1_024;

/// Counts what it handles, and answers with the very message.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Saver {
    checker: Checker,
    /// The sum of the numbers that it has handled.
    sum: u64,
    notes: Notes,
}

impl Session for Saver {
    const KIND: &'static str = "saver";
    const DURABILITY: Durability = Durability::EveryTurn;
    type In = Raw;
    type Out = Raw;

    async fn login(_: Login<'_>) -> Result<Self, Refusal> {
        Ok(Self { checker: Checker::default(), sum: 0, notes: Notes::new(STATE) })
    }

    async fn message(&mut self, Raw(message): Raw, ctx: &mut Context<Self>) -> Outcome {
        let number = message.first_chunk().map_or(0, |number| u64::from_be_bytes(*number));
        let counts = self.checker.handle(number);
        self.sum = self.sum.wrapping_add(number);
        self.notes.turn_over();
        // The numbers from 1 on, each once: what their sum must be then.
        let is_right = counts.duplicated + counts.reordered == 0
            && self.sum == number.wrapping_mul(number + 1) / 2;
        // Less than was sent counts as corrupted.
        ctx.send(Raw(if is_right { message } else { Vec::new().into() }));
        Ok(())
    }
}
