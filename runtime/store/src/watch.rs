//! Hints that something under a prefix may have changed.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

use crate::limits::{KEY_BYTES_MAX, WATCHES_MAX};
use crate::{KeyError, WatchError, Write};

/// Hints about one prefix. Dropping it ends it.
#[derive(Debug)]
pub struct Watch {
    hints: watch::Receiver<()>,
}

impl Watch {
    /// Waits until something under the prefix may have changed since the last call, or since the
    /// watch began. Changes that come together are one hint. Safe to drop and call again.
    ///
    /// # Errors
    /// The store was closed or has failed: no further hint comes from this watch.
    pub async fn changed(&mut self) -> Result<(), WatchEnded> {
        self.hints.changed().await.map_err(|_| WatchEnded)
    }
}

/// No further hint comes: the store was closed or has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the watch has ended with its store")]
pub struct WatchEnded;

/// The watches of one store. For those who write a store.
#[derive(Debug, Default)]
pub struct Watches {
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    closed: bool,
    watches: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    prefix: Bytes,
    hints: watch::Sender<()>,
}

impl Watches {
    /// No watches yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a watch.
    ///
    /// # Errors
    /// Closed, [`WATCHES_MAX`] reached, or a prefix longer than a key may be.
    pub fn watch(&self, prefix: Bytes) -> Result<Watch, WatchError> {
        if prefix.len() > KEY_BYTES_MAX {
            return Err(WatchError::Prefix(KeyError::TooLarge { bytes: prefix.len() }));
        }
        let mut list = self.lock();
        if list.closed {
            return Err(WatchError::Closed);
        }
        list.watches.retain(|watched| !watched.hints.is_closed());
        if list.watches.len() >= WATCHES_MAX {
            return Err(WatchError::TooMany);
        }
        let (hints, receiver) = watch::channel(());
        list.watches.push(Watched { prefix, hints });
        Ok(Watch { hints: receiver })
    }

    /// Tells those who watch one of these keys.
    pub fn tell<'a>(&self, writes: impl Iterator<Item = &'a Write> + Clone) {
        for watched in &self.lock().watches {
            let concerns = |write: &Write| write.key().starts_with(&watched.prefix);
            if writes.clone().any(concerns) {
                watched.hints.send_replace(());
            }
        }
    }

    /// Ends all watches; later ones are refused.
    pub fn close(&self) {
        let mut list = self.lock();
        list.closed = true;
        list.watches.clear();
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
