//! Whom one asks.

use std::fmt;
use std::marker::PhantomData;

use throughline::vactor::{Rejection, Target};

use crate::VActor;

/// The name of a VActor: its kind and its key. It need not exist: it begins when it is asked.
pub struct Address<V> {
    key: String,
    /// Made once, for any number of asks.
    target: Result<Target, Rejection>,
    kind: PhantomData<fn() -> V>,
}

impl<V: VActor> Address<V> {
    /// The VActor of this key. Kind and key have 253 bytes together, at most; of a longer one every
    /// ask is rejected as `TooLarge`.
    pub fn new(key: impl Into<String>) -> Self {
        let key = key.into();
        let target = Target::new(V::KIND, &key);
        Self { key, target, kind: PhantomData }
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    pub(crate) fn target(&self) -> Result<Target, Rejection> {
        self.target.clone()
    }
}

impl<V: VActor> From<&Address<V>> for throughline::Address {
    fn from(address: &Address<V>) -> Self {
        Self::VActor { kind: V::KIND.to_owned(), key: address.key.clone() }
    }
}

impl<V> Clone for Address<V> {
    fn clone(&self) -> Self {
        Self { key: self.key.clone(), target: self.target.clone(), kind: PhantomData }
    }
}

impl<V: VActor> fmt::Debug for Address<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", V::KIND, self.key.escape_debug())
    }
}
