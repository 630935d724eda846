//! Messages, and which of them a kind takes.

use serde::{Serialize, de::DeserializeOwned};
use throughline::{HandlerError, vactor::Mode};

use crate::{Context, ReadContext, VActor, kind::Entry};

/// A message to a VActor, with what it replies.
pub trait Message: Serialize + DeserializeOwned + Send + 'static {
    /// What who asks gets. What a game may refuse belongs in here, as a `Result` of the game's own:
    /// an error of the handler itself undoes the turn.
    type Reply: Serialize + DeserializeOwned + Send + 'static;
}

/// Handles a message in a turn of its own.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle `{M}`",
    label = "needs `impl Handle<{M}> for {Self}`"
)]
#[allow(async_fn_in_trait, reason = "a VActor stays on its worker's thread, so no Send is needed")]
pub trait Handle<M: Message>: VActor {
    /// # Errors
    /// The turn has no effect, and who asked is told `HandlerFailed`.
    async fn handle(
        &mut self,
        message: M,
        ctx: &mut Context<Self>,
    ) -> Result<M::Reply, HandlerError>;
}

/// Answers a message that changes nothing: it may run beside others of its kind.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not answer `{M}`",
    label = "needs `impl Read<{M}> for {Self}`"
)]
#[allow(async_fn_in_trait, reason = "a VActor stays on its worker's thread, so no Send is needed")]
pub trait Read<M: Message>: VActor {
    /// # Errors
    /// Who asked is told `HandlerFailed`.
    async fn read(&self, message: M, ctx: &ReadContext) -> Result<M::Reply, HandlerError>;
}

/// That a kind takes a message, and under which name: made by [`messages!`](crate::messages).
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not take `{M}`",
    label = "not in the list of `messages! {{ {Self} {{ .. }} }}`"
)]
pub trait Accepts<M: Message>: VActor {
    /// Its name between nodes. It stays the same when the type is renamed.
    const NAME: &'static str;

    /// Whether it may change the state.
    const CHANGES: bool;
}

/// The messages that a kind takes: made by [`messages!`](crate::messages).
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no list of messages",
    label = "needs `messages! {{ {Self} {{ \"name\" => Message, .. }} }}`"
)]
pub trait Messages {
    /// Fills the list.
    fn list(list: &mut MessageList<Self>)
    where
        Self: VActor;
}

/// The list of a kind's messages, by name.
pub struct MessageList<V: VActor> {
    pub(crate) names: Vec<(&'static str, Mode)>,
    pub(crate) entries: Vec<Entry<V>>,
}

impl<V: VActor> MessageList<V> {
    pub(crate) fn of_kind() -> Self {
        let mut list = Self { names: Vec::new(), entries: Vec::new() };
        V::list(&mut list);
        list
    }

    /// A message that has a turn of its own.
    pub fn turn<M: Message>(&mut self)
    where
        V: Handle<M> + Accepts<M>,
    {
        self.names.push((V::NAME, Mode::Turn));
        self.entries.push(Entry::turn::<M>());
    }

    /// A message that changes nothing.
    pub fn read<M: Message>(&mut self)
    where
        V: Read<M> + Accepts<M>,
    {
        self.names.push((V::NAME, Mode::Read));
        self.entries.push(Entry::read::<M>());
    }

    /// The same, which may be answered in the middle of a turn that waits for it.
    pub fn reentrant<M: Message>(&mut self)
    where
        V: Read<M> + Accepts<M>,
    {
        self.names.push((V::NAME, Mode::ReadReentrant));
        self.entries.push(Entry::read::<M>());
    }
}

impl<V: VActor> std::fmt::Debug for MessageList<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MessageList").field("names", &self.names).finish_non_exhaustive()
    }
}

/// Lists the messages that a kind takes, each with its name between nodes:
///
/// ```text
/// messages! { Match { "place" => Place, "look" => read Look, "score" => reentrant Score } }
/// ```
///
/// A plain one has a turn of its own ([`Handle`]). A `read` changes nothing ([`Read`]), and may run
/// beside other reads. A `reentrant` one is a read, too; if a turn of the VActor asks somebody who
/// in turn asks this of it, it is answered from the state before that turn, where others are told
/// `Deadlock`.
///
/// A message that is listed and has no handler does not compile:
///
/// ```compile_fail,E0277
/// use throughline_vactor::prelude::*;
///
/// #[derive(Serialize, Deserialize)]
/// struct Place { x: u8 }
/// impl Message for Place { type Reply = bool; }
///
/// struct Match;
/// impl VActor for Match {
///     const KIND: &'static str = "match";
///     type State = ();
///     fn new(_: &str, (): ()) -> Self { Self }
///     fn state(&self) -> &() { &() }
/// }
///
/// messages! { Match { "place" => Place } }
/// ```
///
/// With it, it does:
///
/// ```
/// # use throughline_vactor::prelude::*;
/// # #[derive(Serialize, Deserialize)]
/// # struct Place { x: u8 }
/// # impl Message for Place { type Reply = bool; }
/// # struct Match;
/// # impl VActor for Match {
/// #     const KIND: &'static str = "match";
/// #     type State = ();
/// #     fn new(_: &str, (): ()) -> Self { Self }
/// #     fn state(&self) -> &() { &() }
/// # }
/// # messages! { Match { "place" => Place } }
/// impl Handle<Place> for Match {
///     async fn handle(&mut self, at: Place, _: &mut Context<Self>) -> Result<bool, HandlerError> {
///         Ok(at.x < 15)
///     }
/// }
/// ```
#[macro_export]
macro_rules! messages {
    ($actor:ty { $($entries:tt)* }) => {
        impl $crate::Messages for $actor {
            fn list(list: &mut $crate::MessageList<Self>) {
                $crate::messages!(@list list, $($entries)*);
            }
        }
        $crate::messages!(@accept $actor, $($entries)*);
    };
    (@list $list:ident,) => {};
    (@list $list:ident, $name:literal => read $message:ty $(, $($rest:tt)*)?) => {
        $list.read::<$message>();
        $crate::messages!(@list $list, $($($rest)*)?);
    };
    (@list $list:ident, $name:literal => reentrant $message:ty $(, $($rest:tt)*)?) => {
        $list.reentrant::<$message>();
        $crate::messages!(@list $list, $($($rest)*)?);
    };
    (@list $list:ident, $name:literal => $message:ty $(, $($rest:tt)*)?) => {
        $list.turn::<$message>();
        $crate::messages!(@list $list, $($($rest)*)?);
    };
    (@accept $actor:ty,) => {};
    (@accept $actor:ty, $name:literal => read $message:ty $(, $($rest:tt)*)?) => {
        $crate::messages!(@one $actor, $message, $name, false);
        $crate::messages!(@accept $actor, $($($rest)*)?);
    };
    (@accept $actor:ty, $name:literal => reentrant $message:ty $(, $($rest:tt)*)?) => {
        $crate::messages!(@one $actor, $message, $name, false);
        $crate::messages!(@accept $actor, $($($rest)*)?);
    };
    (@accept $actor:ty, $name:literal => $message:ty $(, $($rest:tt)*)?) => {
        $crate::messages!(@one $actor, $message, $name, true);
        $crate::messages!(@accept $actor, $($($rest)*)?);
    };
    (@one $actor:ty, $message:ty, $name:literal, $changes:literal) => {
        impl $crate::Accepts<$message> for $actor {
            const NAME: &'static str = $name;
            const CHANGES: bool = $changes;
        }
    };
}
