//! What a game needs: `use throughline::prelude::*;`.

pub use std::process::ExitCode;
pub use std::time::Duration;

pub use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub use crate::{
    Codec, Context, DecodeError, Durability, EndReason, HandlerError, Login, Node, NotAllowed,
    Outcome, Page, PeerLost, Raw, Recipient, Refusal, ServerMessage, Session, SessionId,
    Undelivered,
};
