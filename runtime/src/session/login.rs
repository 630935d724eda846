//! The login of a client.

use std::net::SocketAddr;
use std::time::Duration;

use serde::de::DeserializeOwned;
use throughline_link::CloseCode;

use crate::{
    SessionId,
    codec::{self, Codec, DecodeError},
};

/// What a client presents to get a session.
#[derive(Debug, Clone, Copy)]
pub struct Login<'a> {
    joining: Joining<'a>,
    payload: &'a [u8],
}

/// Who comes: for logins and for the game's ban hook.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Joining<'a> {
    pub(crate) session_id: SessionId,
    pub(crate) peer: SocketAddr,
    pub(crate) game_version: Option<&'a str>,
}

impl<'a> Login<'a> {
    pub(crate) const fn new(joining: Joining<'a>, payload: &'a [u8]) -> Self {
        Self { joining, payload }
    }

    /// The login payload, at most `limits.login-payload` bytes (16 KiB).
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.payload
    }

    /// The login payload as text.
    ///
    /// # Errors
    /// A refusal if it is not UTF-8.
    pub fn text(&self) -> Result<&'a str, Refusal> {
        core::str::from_utf8(self.payload)
            .map_err(|_| Refusal::new(0, "the login payload is not UTF-8 text"))
    }

    /// The login payload as a value.
    ///
    /// # Errors
    /// A refusal that says what was expected and what came.
    pub fn decode<T: DeserializeOwned>(&self, codec: Codec) -> Result<T, Refusal> {
        codec::decode(codec, self.payload)
            // The client may read what is wrong with its own bytes in every detail.
            .map_err(|error| match error {
                DecodeError::Unexpected(detail) => {
                    Refusal::new(0, format!("the login payload is {detail}"))
                }
                error => Refusal::new(0, format!("the login payload is {error}")),
            })
    }

    /// Where the client comes from.
    #[must_use]
    pub const fn peer(&self) -> SocketAddr {
        self.joining.peer
    }

    /// The version that the game's client told, if it did.
    #[must_use]
    pub const fn game_version(&self) -> Option<&'a str> {
        self.joining.game_version
    }

    /// The id that the session will have.
    #[must_use]
    pub const fn session_id(&self) -> SessionId {
        self.joining.session_id
    }
}

/// A no to a login, with what the client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub(crate) code: CloseCode,
    pub(crate) game_code: Option<u16>,
    pub(crate) text: String,
    pub(crate) retry_after: Duration,
    /// Addresses of nodes to try instead.
    pub(crate) elsewhere: Vec<String>,
    /// Whether the text is the game's.
    pub(crate) is_of_game: bool,
}

impl Refusal {
    /// The login is refused, for a reason with a number of the game's own. Final for the client.
    pub fn new(game_code: u16, text: impl Into<String>) -> Self {
        Self {
            code: CloseCode::LoginRefused,
            game_code: Some(game_code),
            text: text.into(),
            retry_after: Duration::ZERO,
            elsewhere: Vec::new(),
            is_of_game: true,
        }
    }

    /// The game's client is too old. Final for the client.
    pub fn upgrade_needed(text: impl Into<String>) -> Self {
        Self { code: CloseCode::UpgradeNeeded, game_code: None, ..Self::new(0, text) }
    }

    /// The player is banned. Final for the client.
    pub fn banned(text: impl Into<String>) -> Self {
        Self { code: CloseCode::Banned, game_code: None, ..Self::new(0, text) }
    }

    /// Not now: the client tries again after this time, without a word to its player.
    pub fn retry_after(text: impl Into<String>, after: Duration) -> Self {
        let game_code = None;
        Self { code: CloseCode::NotYet, game_code, retry_after: after, ..Self::new(0, text) }
    }
}

/// Who wants in, by a login or a resume: what the node's admission hook decides on.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// Where the client comes from.
    pub peer: SocketAddr,
    /// The session, new or resumed.
    pub session_id: SessionId,
    /// The session's registered key, at a resume.
    pub key: Option<&'a str>,
    /// The version that the game's client told, if it did.
    pub game_version: Option<&'a str>,
    /// Whether it resumes a session.
    pub resumes: bool,
}
