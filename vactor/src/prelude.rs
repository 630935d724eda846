//! What a game's VActors need: `use throughline_vactor::prelude::*;`.

pub use std::time::Duration;

pub use serde::{Deserialize, Serialize};
pub use throughline::{HandlerError, Outcome, PeerLost, Recipient, SendReliableError, SessionId};

pub use crate::{
    Activation, Address, Ask, AskError, CatchUp, Context, Deactivation, Durability, Handle,
    Message, Placement, Read, ReadContext, Rejection, Tell, TellReliable, VActor, Vactors,
    messages,
};
