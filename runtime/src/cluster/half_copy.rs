//! A store that is being copied into is not acted on.

use std::time::Duration;

use bytes::Bytes;
use throughline_cluster::{HalfCopy, keys};
use throughline_store::{Corruption, GetError, Store};
use tokio::time::sleep;

/// How often a store that is down is asked, [`ASK_EVERY`] apart: 10 s, about as long as a failover
/// or the restart of a hub.
const ASKS_MAX: u32 = 40;
const ASK_EVERY: Duration = Duration::from_millis(250);

/// Why a node must not act on a store. The text says the way out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HalfCopyError {
    /// The copy was ended, or goes on. Nothing is lost: the other store is as it was.
    #[error(
        "store.at ({at}) has {copied} of the {records} records of {from}: throughline store copy \
         has not ended; let it end, or start it again, and it goes on where it was"
    )]
    Half { at: String, from: String, copied: u64, records: u64 },
    /// The same, by a newer version, or the row is damaged.
    #[error(
        "store.at ({at}) is being copied into, and {why}: start throughline store copy again, of \
         the version that began it, and let it end"
    )]
    Unreadable { at: String, why: String },
    /// Who made the store: an operator, for a store that is not whole.
    #[error("store.at ({at}): {source}")]
    Corrupt { at: String, source: Corruption },
    /// It did not answer. Retrying helps once it does.
    #[error("store.at ({at}) does not answer whether it is whole: {why}")]
    Silent { at: String, why: String },
}

/// Refuses a store into which another one is being copied.
pub(crate) async fn refuse_half_copy(store: &dyn Store, at: &str) -> Result<(), HalfCopyError> {
    let at = || at.to_owned();
    let mut asked = 0;
    let found = loop {
        asked += 1;
        match store.get(Bytes::from_static(keys::HALF_COPY)).await {
            Ok(found) => break found,
            Err(GetError::Corrupt(source)) => {
                return Err(HalfCopyError::Corrupt { at: at(), source });
            }
            Err(GetError::Down(_)) if asked < ASKS_MAX => sleep(ASK_EVERY).await,
            Err(error) => return Err(HalfCopyError::Silent { at: at(), why: error.to_string() }),
        }
    };
    match found.map(|row| HalfCopy::decode(&row)) {
        None => Ok(()),
        Some(Ok(HalfCopy { from, copied, records, .. })) => {
            Err(HalfCopyError::Half { at: at(), from, copied, records })
        }
        Some(Err(error)) => Err(HalfCopyError::Unreadable { at: at(), why: error.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use throughline_store::{Batch, MemoryStore};

    use super::*;

    #[tokio::test]
    async fn a_half_copied_store_is_refused_with_what_it_is_half_of() {
        let store = MemoryStore::new();
        assert!(refuse_half_copy(&store, "sled:new").await.is_ok());
        let row = HalfCopy {
            from: "sled:old".to_owned(),
            records: 30,
            bytes: 300,
            digest: [1; 32],
            copied: 12,
            last: Bytes::from_static(b"h"),
        };
        store.commit(Batch::new().put(keys::HALF_COPY, row.encode())).await.unwrap();
        let error = refuse_half_copy(&store, "sled:new").await.unwrap_err().to_string();
        assert!(error.contains("sled:new") && error.contains("12 of the 30 records of sled:old"));
        assert!(error.contains("throughline store copy"), "{error}");
        store.commit(Batch::new().put(keys::HALF_COPY, "?")).await.unwrap();
        let error = refuse_half_copy(&store, "sled:new").await.unwrap_err();
        assert!(matches!(error, HalfCopyError::Unreadable { .. }), "{error}");
    }
}
