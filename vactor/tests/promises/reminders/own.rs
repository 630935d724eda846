//! Who notes when its reminders come.

use std::cell::Cell;

use throughline_vactor::{Accepts, prelude::*};

thread_local! {
    /// How often the reminder has come that makes a state too large.
    pub(super) static GROWN: Cell<u32> = const { Cell::new(0) };
}

macro_rules! message {
    ($name:ident { $($field:ident: $type:ty),* } -> $reply:ty) => {
        #[derive(Serialize, Deserialize)]
        pub(super) struct $name { $(pub(super) $field: $type),* }
        impl Message for $name { type Reply = $reply; }
    };
}

// The reply is when it is due.
message!(Ring { name: String, after_ms: u64 } -> u64);
message!(Tick { every_ms: u64 } -> ());
message!(Rung {} -> Vec<u64>);
message!(Begun {} -> u32);
message!(Leave {} -> ());

#[derive(Default, Serialize, Deserialize)]
pub(super) struct Tower {
    rung: Vec<u64>,
    begun: u32,
    ballast: String,
}

/// The name of the reminder whose turn makes the state too large.
pub(super) const GROW: &str = "grow";

/// More than a snapshot may have.
const TOO_LARGE: usize = 300_000;

/// The kinds: each notes when it was reminded.
macro_rules! bell {
    ($name:ident, $kind:literal, $durability:ident) => {
        pub(super) struct $name(Tower);

        messages! { $name {
            "ring" => Ring,
            "tick" => Tick,
            "rung" => Rung,
            "begun" => read Begun,
            "leave" => Leave,
        } }

        impl VActor for $name {
            const KIND: &'static str = $kind;
            const DURABILITY: Durability = Durability::$durability;
            const ACTIVE_MAX: usize = 4;
            type State = Tower;

            fn new(_: &str, tower: Tower) -> Self {
                Self(tower)
            }

            fn state(&self) -> &Tower {
                &self.0
            }

            async fn activated(&mut self, _: Activation, _: &mut Context<Self>) -> Outcome {
                self.0.begun += 1;
                Ok(())
            }

            async fn reminded(&mut self, name: &str, ctx: &mut Context<Self>) -> Outcome {
                if name == GROW {
                    GROWN.set(GROWN.get() + 1);
                    self.0.ballast = "x".repeat(TOO_LARGE);
                }
                self.0.rung.push(ctx.now_ms());
                Ok(())
            }
        }

        impl Handle<Ring> for $name {
            async fn handle(
                &mut self,
                ring: Ring,
                ctx: &mut Context<Self>,
            ) -> Result<u64, HandlerError> {
                let due = ctx.now_ms() + ring.after_ms;
                ctx.remind_at(&ring.name, due);
                Ok(due)
            }
        }

        impl Handle<Tick> for $name {
            async fn handle(&mut self, tick: Tick, ctx: &mut Context<Self>) -> Outcome {
                ctx.remind_every("tick", Duration::from_millis(tick.every_ms), CatchUp::All);
                Ok(())
            }
        }

        impl Handle<Rung> for $name {
            async fn handle(
                &mut self,
                _: Rung,
                _: &mut Context<Self>,
            ) -> Result<Vec<u64>, HandlerError> {
                Ok(self.0.rung.clone())
            }
        }

        impl Read<Begun> for $name {
            async fn read(&self, _: Begun, _: &ReadContext) -> Result<u32, HandlerError> {
                Ok(self.0.begun)
            }
        }

        impl Handle<Leave> for $name {
            async fn handle(&mut self, _: Leave, ctx: &mut Context<Self>) -> Outcome {
                ctx.deactivate();
                Ok(())
            }
        }
    };
}

bell!(Bell, "bell", OnSwapOut);
bell!(Chime, "chime", EveryTurn);

/// What both kinds take.
pub(super) trait Rings:
    Accepts<Ring> + Accepts<Rung> + Accepts<Begun> + Accepts<Leave>
{
}

impl<V: Accepts<Ring> + Accepts<Rung> + Accepts<Begun> + Accepts<Leave>> Rings for V {}
