//! How a turn fails.

use std::error::Error;
use std::fmt;

use crate::codec::DecodeError;

/// What a hook returns. `Err` means: the turn has no effect, and the session ends with
/// `HandlerFailed`, unless its kind keeps copies.
pub type Outcome = Result<(), HandlerError>;

/// Why a turn failed. Made from any error with `?`, or from a text.
pub struct HandlerError(Box<dyn Error>);

impl HandlerError {
    /// A failure in words.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into().into())
    }
}

// `HandlerError` itself is no `Error`: that lets `?` take every error, as `anyhow` does.
impl<E: Error + 'static> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl HandlerError {
    /// Whether the message itself could not be read, before its handler ran.
    pub(crate) fn is_unreadable(&self) -> bool {
        self.0.is::<Unreadable>()
    }
}

/// A message of another type than its name says.
#[derive(Debug, thiserror::Error)]
#[error("the message is {0}")]
#[doc(hidden)]
pub struct Unreadable(#[from] pub DecodeError);

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
