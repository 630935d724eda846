//! All of a range of a store, page by page.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use throughline_store::{Entry, GetError, Scan, ScanError, Store};
use tokio::time::sleep;

use crate::error::Error;

/// How often a store that is down is asked, [`TRY_EVERY`] apart, besides what it waits itself: long
/// enough for a failover, short enough for who waits at a terminal.
pub(crate) const TRIES_MAX: u32 = 30;
pub(crate) const TRY_EVERY: Duration = Duration::from_millis(500);

/// A store that is open, and what it is called.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) name: String,
}

impl Side {
    /// The pages of this range.
    pub(crate) fn pages(&self, scan: Scan) -> Pages<'_> {
        Pages { side: self, scan: Some(scan) }
    }

    /// The value of a key.
    pub(crate) async fn get(&self, key: Bytes) -> Result<Option<Bytes>, Error> {
        let mut tries = 1;
        loop {
            match self.store.get(key.clone()).await {
                Ok(value) => return Ok(value),
                Err(GetError::Down(_)) if tries < TRIES_MAX => sleep(TRY_EVERY).await,
                Err(source) => return Err(Error::Get { at: self.name.clone(), source }),
            }
            tries += 1;
        }
    }

    pub(crate) async fn close(&self) -> Result<(), Error> {
        Ok(self.store.close().await?)
    }
}

/// What is left of a range.
#[derive(Debug)]
pub(crate) struct Pages<'a> {
    side: &'a Side,
    scan: Option<Scan>,
}

impl Pages<'_> {
    /// The next page; `None` behind the last. A page may be empty.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Entry>>, Error> {
        let Some(scan) = self.scan.take() else { return Ok(None) };
        let mut tries = 1;
        let page = loop {
            match self.side.store.scan(scan.clone()).await {
                Ok(page) => break page,
                Err(ScanError::Down(_)) if tries < TRIES_MAX => sleep(TRY_EVERY).await,
                Err(source) => return Err(Error::Scan { at: self.side.name.clone(), source }),
            }
            tries += 1;
        };
        self.scan = page.next().map(|next| scan.resume(next.clone()));
        Ok(Some(page.into_entries()))
    }
}
