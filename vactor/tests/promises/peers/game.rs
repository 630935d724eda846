//! Who writes to tills and to players, and notes what it hears of them.

use std::cell::RefCell;
use std::collections::HashMap;

use throughline::{Address as Peer, Context as SessionContext, Login, QueuedMessage, Refusal};
use throughline::{PeerLost, Session};
use throughline_vactor::prelude::*;

const DAY: Duration = Duration::from_secs(86_400);

/// What an actor hears of its peers: who, and which life.
pub(crate) type Losses = Vec<(String, u64)>;

/// To whom a player sends, and whom it watches.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum To {
    Till(String),
    Session(SessionId),
    Key(String),
}

impl From<To> for Peer {
    fn from(to: To) -> Self {
        match to {
            To::Till(key) => (&Till::at(key)).into(),
            To::Session(id) => id.into(),
            To::Key(key) => key.into(),
        }
    }
}

pub(crate) fn till() -> To {
    To::Till("t".to_owned())
}

macro_rules! message {
    ($name:ident { $($field:ident: $type:ty),* } -> $reply:ty) => {
        #[derive(Debug, Serialize, Deserialize)]
        pub(crate) struct $name { $(pub(crate) $field: $type),* }
        impl Message for $name { type Reply = $reply; }
    };
}

message!(Pay { by: i64 } -> i64);
message!(Leave {} -> ());
message!(Write { to: To } -> ());
message!(Watch { to: Vec<To> } -> ());
message!(Unwatch { to: To } -> ());
message!(Heard {} -> Losses);
message!(Fail { times: u64 } -> ());

/// Loses what it has when its node is killed.
pub(crate) struct Till {
    total: i64,
}

messages! { Till { "pay" => Pay, "leave" => Leave } }

impl VActor for Till {
    const KIND: &'static str = "till";
    const DURABILITY: Durability = Durability::OnSwapOut;
    type State = i64;

    fn new(_: &str, total: i64) -> Self {
        Self { total }
    }

    fn state(&self) -> &i64 {
        &self.total
    }
}

impl Handle<Pay> for Till {
    async fn handle(&mut self, pay: Pay, _: &mut Context<Self>) -> Result<i64, HandlerError> {
        self.total += pay.by;
        Ok(self.total)
    }
}

impl Handle<Leave> for Till {
    async fn handle(&mut self, _: Leave, ctx: &mut Context<Self>) -> Result<(), HandlerError> {
        ctx.deactivate();
        Ok(())
    }
}

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Losing {
    heard: Losses,
    /// So often the hook fails.
    fails: u64,
}

/// A kind that writes to tills and players, and notes what it hears of them.
macro_rules! writer {
    ($kind:ident, $name:literal, $durability:expr) => {
        pub(crate) struct $kind(Losing);

        messages! { $kind {
            "write" => Write,
            "watch" => Watch,
            "unwatch" => Unwatch,
            "heard" => read Heard,
            "leave" => Leave,
            "fail" => Fail,
        } }

        impl VActor for $kind {
            const KIND: &'static str = $name;
            const DURABILITY: Durability = $durability;
            type State = Losing;

            fn new(_: &str, losing: Losing) -> Self {
                Self(losing)
            }

            fn state(&self) -> &Losing {
                &self.0
            }

            async fn peer_lost(&mut self, lost: PeerLost, ctx: &mut Context<Self>) -> Outcome {
                if begins(ctx.key()) <= self.0.fails {
                    return Err(HandlerError::new("it was to fail"));
                }
                self.0.heard.push((lost.peer.to_string(), lost.life));
                Ok(())
            }
        }

        impl Handle<Write> for $kind {
            async fn handle(
                &mut self,
                write: Write,
                ctx: &mut Context<Self>,
            ) -> Result<(), HandlerError> {
                ctx.send_reliable(Peer::from(write.to), &("pay", Pay { by: 1 }), DAY).await?;
                Ok(())
            }
        }

        impl Handle<Watch> for $kind {
            async fn handle(
                &mut self,
                watch: Watch,
                ctx: &mut Context<Self>,
            ) -> Result<(), HandlerError> {
                watch.to.into_iter().for_each(|to| ctx.watch(Peer::from(to)));
                Ok(())
            }
        }

        impl Handle<Unwatch> for $kind {
            async fn handle(
                &mut self,
                unwatch: Unwatch,
                ctx: &mut Context<Self>,
            ) -> Result<(), HandlerError> {
                ctx.unwatch(Peer::from(unwatch.to));
                Ok(())
            }
        }

        impl Read<Heard> for $kind {
            async fn read(&self, _: Heard, _: &ReadContext) -> Result<Losses, HandlerError> {
                Ok(self.0.heard.clone())
            }
        }

        impl Handle<Leave> for $kind {
            async fn handle(
                &mut self,
                _: Leave,
                ctx: &mut Context<Self>,
            ) -> Result<(), HandlerError> {
                ctx.deactivate();
                Ok(())
            }
        }

        impl Handle<Fail> for $kind {
            async fn handle(
                &mut self,
                fail: Fail,
                _: &mut Context<Self>,
            ) -> Result<(), HandlerError> {
                self.0.fails = fail.times;
                Ok(())
            }
        }
    };
}

thread_local! {
    /// How often the hook was begun, by the key: all of them run on the thread of the test.
    static BEGUN: RefCell<HashMap<String, u64>> = RefCell::default();
}

fn begins(key: &str) -> u64 {
    BEGUN.with_borrow_mut(|begun| {
        let count = begun.entry(key.to_owned()).or_default();
        *count += 1;
        *count
    })
}

writer!(Writer, "writer", Durability::OnSwapOut);
writer!(Clerk, "clerk", Durability::EveryTurn);

/// A player of the same.
#[derive(Serialize, Deserialize)]
pub(crate) struct Ann;

#[derive(Serialize, Deserialize)]
pub(crate) enum Ask {
    Write(To),
    Watch(To),
    Key(String),
    End,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Told {
    Done,
    Paid,
    Lost(String, u64),
}

impl Session for Ann {
    const KIND: &'static str = "ann";
    type In = Ask;
    type Out = Told;

    async fn login(_: Login<'_>) -> Result<Self, Refusal> {
        Ok(Self)
    }

    async fn message(&mut self, ask: Ask, ctx: &mut SessionContext<Self>) -> Outcome {
        match ask {
            Ask::Write(to) => {
                ctx.send_reliable(Peer::from(to), &("pay", Pay { by: 1 }), DAY).await?;
            }
            Ask::Watch(to) => ctx.watch(Peer::from(to)),
            Ask::Key(key) => ctx.register_key(&key),
            Ask::End => ctx.end(),
        }
        ctx.send(Told::Done);
        Ok(())
    }

    async fn queued(&mut self, _: QueuedMessage, ctx: &mut SessionContext<Self>) -> Outcome {
        ctx.send(Told::Paid);
        Ok(())
    }

    async fn peer_lost(&mut self, lost: PeerLost, ctx: &mut SessionContext<Self>) -> Outcome {
        ctx.send(Told::Lost(lost.peer.to_string(), lost.life));
        Ok(())
    }
}
