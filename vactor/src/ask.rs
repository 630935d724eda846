//! Who may ask and tell: sessions, VActors, and whoever runs a node.

use std::future::Future;
use std::time::Duration;

use throughline::vactor::{Caller, Durability, Payload, Rejection};
use throughline::{HandlerError, RunningNode, SendReliableError, Session};

use crate::{Accepts, Address, AskError, Context, Handle, Message, VActor};

/// An ask waits for its reply so long.
pub const ASK_TIME: Duration = Duration::from_secs(5);

/// Asks VActors.
pub trait Ask {
    /// Asks, and waits for the reply, for 5 s at most. The VActor begins if it has to; while it
    /// moves, the ask waits, or follows it. It is run at most once.
    ///
    /// # Errors
    /// [`AskError`]; all but `Unknown` say for sure that nothing came of it.
    fn ask<V, M>(
        &self,
        to: &Address<V>,
        message: M,
    ) -> impl Future<Output = Result<M::Reply, AskError>>
    where
        V: Accepts<M>,
        M: Message,
    {
        self.ask_within(to, message, ASK_TIME)
    }

    /// The same, for so long at most. An ask that a turn makes while somebody waits
    /// for that turn waits no longer than that one does.
    ///
    /// # Errors
    /// As of [`ask`](Self::ask).
    fn ask_within<V, M>(
        &self,
        to: &Address<V>,
        message: M,
        time: Duration,
    ) -> impl Future<Output = Result<M::Reply, AskError>>
    where
        V: Accepts<M>,
        M: Message;
}

/// Sends VActors messages that last until they are handled.
#[allow(async_fn_in_trait, reason = "a turn stays on its worker's thread, so no Send is needed")]
pub trait TellReliable {
    /// Sends a durable message, whose reply is dropped: it waits in the VActor's inbox for `ttl` at
    /// most, wakes it, and is handled once, in order per sender and receiver. In a turn it is
    /// written with the turn, as `send_reliable` is.
    ///
    /// With `Durability::EveryTurn` it leaves the inbox in the commit of its turn. With `OnSwapOut`
    /// it is taken out before its turn, and is lost if the node is killed in between. One whose
    /// turn fails three times (`session.poison-tries`) becomes a dead letter.
    ///
    /// A read, whose reply nobody would get, does not compile:
    ///
    /// ```compile_fail
    /// # use std::time::Duration;
    /// # use throughline::RunningNode;
    /// # use throughline_vactor::{messages, prelude::*};
    /// # #[derive(Serialize, Deserialize)]
    /// # struct Total {}
    /// # impl Message for Total { type Reply = u64; }
    /// # struct Counter { total: u64 }
    /// # impl VActor for Counter {
    /// #     const KIND: &'static str = "counter";
    /// #     type State = u64;
    /// #     fn new(_: &str, total: u64) -> Self { Self { total } }
    /// #     fn state(&self) -> &u64 { &self.total }
    /// # }
    /// messages! { Counter { "total" => read Total } }
    /// # impl Read<Total> for Counter {
    /// #     async fn read(&self, _: Total, _: &ReadContext) -> Result<u64, HandlerError> {
    /// #         Ok(self.total)
    /// #     }
    /// # }
    ///
    /// async fn report(mut node: &RunningNode) {
    ///     let minute = Duration::from_secs(60);
    ///     let _ = node.tell_reliable(&Counter::at("a"), &Total {}, minute).await;
    /// }
    /// # fn main() { let _ = report; }
    /// ```
    ///
    /// # Errors
    /// [`SendReliableError`]: not sent.
    async fn tell_reliable<V, M>(
        &mut self,
        to: &Address<V>,
        message: &M,
        ttl: Duration,
    ) -> Result<(), SendReliableError>
    where
        V: Accepts<M> + Handle<M>,
        M: Message;
}

impl<S: Session> TellReliable for throughline::Context<S> {
    async fn tell_reliable<V, M>(
        &mut self,
        to: &Address<V>,
        message: &M,
        ttl: Duration,
    ) -> Result<(), SendReliableError>
    where
        V: Accepts<M> + Handle<M>,
        M: Message,
    {
        self.send_reliable(to, &(V::NAME, message), ttl).await
    }
}

impl<A: VActor> TellReliable for Context<A> {
    async fn tell_reliable<V, M>(
        &mut self,
        to: &Address<V>,
        message: &M,
        ttl: Duration,
    ) -> Result<(), SendReliableError>
    where
        V: Accepts<M> + Handle<M>,
        M: Message,
    {
        self.send_reliable(to, &(V::NAME, message), ttl).await
    }
}

impl TellReliable for &RunningNode {
    async fn tell_reliable<V, M>(
        &mut self,
        to: &Address<V>,
        message: &M,
        ttl: Duration,
    ) -> Result<(), SendReliableError>
    where
        V: Accepts<M> + Handle<M>,
        M: Message,
    {
        self.send_reliable(to, &(V::NAME, message), ttl).await
    }
}

/// Sends VActors messages that nobody waits for.
pub trait Tell {
    /// Sends a message, whose reply is dropped, at the end of the turn. Best effort, at most once;
    /// in the order sent, unless the VActor moves meanwhile.
    fn tell<V, M>(&mut self, to: &Address<V>, message: M)
    where
        V: Accepts<M>,
        M: Message;
}

fn ask<V, M>(
    caller: &Caller,
    to: &Address<V>,
    message: M,
    time: Duration,
) -> impl Future<Output = Result<M::Reply, AskError>> + Send + use<V, M>
where
    V: Accepts<M>,
    M: Message,
{
    let asked = to
        .target()
        .map(|target| caller.ask(target, V::NAME, Payload::Here(Box::new(message)), time));
    async move {
        // The reply has been made, so the message was run.
        asked?.await?.take().map_err(|_| AskError::Unknown)
    }
}

/// A turn of a crash-proof one may be run again: it asks only what changes nothing.
fn ask_in_turn<V, M>(
    durability: Durability,
    caller: &Caller,
    to: &Address<V>,
    message: M,
    time: Duration,
) -> impl Future<Output = Result<M::Reply, AskError>> + Send + use<V, M>
where
    V: Accepts<M>,
    M: Message,
{
    let may = durability != Durability::EveryTurn || !V::CHANGES;
    let asked = may.then(|| ask(caller, to, message, time));
    async move {
        match asked {
            Some(asked) => asked.await,
            None => Err(Rejection::ChangesInCrashProofTurn.into()),
        }
    }
}

impl<S: Session> Ask for throughline::Context<S> {
    fn ask_within<V, M>(
        &self,
        to: &Address<V>,
        message: M,
        time: Duration,
    ) -> impl Future<Output = Result<M::Reply, AskError>>
    where
        V: Accepts<M>,
        M: Message,
    {
        ask_in_turn(S::DURABILITY, self.caller(), to, message, time)
    }
}

impl<A: VActor> Ask for Context<A> {
    fn ask_within<V, M>(
        &self,
        to: &Address<V>,
        message: M,
        time: Duration,
    ) -> impl Future<Output = Result<M::Reply, AskError>>
    where
        V: Accepts<M>,
        M: Message,
    {
        ask_in_turn(A::DURABILITY, self.stage.caller(), to, message, time)
    }
}

impl Ask for RunningNode {
    fn ask_within<V, M>(
        &self,
        to: &Address<V>,
        message: M,
        time: Duration,
    ) -> impl Future<Output = Result<M::Reply, AskError>>
    where
        V: Accepts<M>,
        M: Message,
    {
        ask(&self.caller(), to, message, time)
    }
}

impl<S: Session> Tell for throughline::Context<S> {
    fn tell<V, M>(&mut self, to: &Address<V>, message: M)
    where
        V: Accepts<M>,
        M: Message,
    {
        match to.target() {
            Ok(target) => self.tell_vactor(target, V::NAME, Payload::Here(Box::new(message))),
            Err(error) => self.fail_turn(HandlerError::from(error)),
        }
    }
}

impl<A: VActor> Tell for Context<A> {
    fn tell<V, M>(&mut self, to: &Address<V>, message: M)
    where
        V: Accepts<M>,
        M: Message,
    {
        match to.target() {
            Ok(target) => self.stage.tell(target, V::NAME, Payload::Here(Box::new(message))),
            Err(error) => self.stage.fail(HandlerError::from(error)),
        }
    }
}
