//! Who notes why it leaves, and may refuse to.

use std::cell::RefCell;

use throughline_vactor::{Accepts, prelude::*};

pub(super) const IDLE: Duration = Duration::from_secs(20);

thread_local! {
    /// Why the last turns of this test's VActors have begun, also of those that fail.
    pub(super) static TRIED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

macro_rules! message {
    ($name:ident { $($field:ident: $type:ty),* } -> $reply:ty) => {
        #[derive(Serialize, Deserialize)]
        pub(super) struct $name { $(pub(super) $field: $type),* }
        impl Message for $name { type Reply = $reply; }
    };
}

message!(Seen {} -> Vec<String>);
message!(Leave {} -> ());
message!(Refuse { refuses: bool } -> ());
message!(Inherit {} -> ());

#[derive(Default, Serialize, Deserialize)]
pub(super) struct Lodging {
    seen: Vec<String>,
    refuses: bool,
}

/// The key of those that forget themselves when they leave.
pub(super) const LEAVES_NOTHING: &str = "leaves nothing";

/// The kinds: each notes why it leaves, and fails if it was told to. The key `parent` leaves
/// something behind, and [`LEAVES_NOTHING`] forgets itself.
macro_rules! lodger {
    ($name:ident, $kind:literal, $durability:ident) => {
        pub(super) struct $name(Lodging);

        messages! { $name {
            "seen" => read Seen,
            "leave" => Leave,
            "refuse" => Refuse,
            "inherit" => Inherit,
        } }

        impl VActor for $name {
            const KIND: &'static str = $kind;
            const DURABILITY: Durability = Durability::$durability;
            const IDLE: Duration = IDLE;
            const ACTIVE_MAX: usize = 4;
            type State = Lodging;

            fn new(_: &str, lodging: Lodging) -> Self {
                Self(lodging)
            }

            fn state(&self) -> &Lodging {
                &self.0
            }

            async fn deactivating(
                &mut self,
                why: Deactivation,
                ctx: &mut Context<Self>,
            ) -> Outcome {
                let why = format!("{why:?}");
                TRIED.with_borrow_mut(|tried| tried.push(why.clone()));
                self.0.seen.push(why);
                if ctx.key() == "parent" && self.0.seen.len() == 1 {
                    ctx.remind("back", Duration::from_secs(3));
                    ctx.tell(&Self::at("heir"), Inherit {});
                }
                if ctx.key() == LEAVES_NOTHING {
                    ctx.forget();
                }
                if self.0.refuses { Err(HandlerError::new("it stays")) } else { Ok(()) }
            }

            async fn reminded(&mut self, name: &str, _: &mut Context<Self>) -> Outcome {
                self.0.seen.push(name.to_owned());
                Ok(())
            }
        }

        impl Read<Seen> for $name {
            async fn read(&self, _: Seen, _: &ReadContext) -> Result<Vec<String>, HandlerError> {
                Ok(self.0.seen.clone())
            }
        }

        impl Handle<Leave> for $name {
            async fn handle(&mut self, _: Leave, ctx: &mut Context<Self>) -> Outcome {
                ctx.deactivate();
                Ok(())
            }
        }

        impl Handle<Refuse> for $name {
            async fn handle(&mut self, message: Refuse, _: &mut Context<Self>) -> Outcome {
                self.0.refuses = message.refuses;
                Ok(())
            }
        }

        impl Handle<Inherit> for $name {
            async fn handle(&mut self, _: Inherit, _: &mut Context<Self>) -> Outcome {
                self.0.seen.push("inherited".to_owned());
                Ok(())
            }
        }
    };
}

lodger!(Guest, "guest", OnSwapOut);
lodger!(Owner, "owner", EveryTurn);

/// What both kinds take.
pub(super) trait Lodger: Accepts<Seen> + Accepts<Leave> + Accepts<Refuse> {}

impl<V: Accepts<Seen> + Accepts<Leave> + Accepts<Refuse>> Lodger for V {}
