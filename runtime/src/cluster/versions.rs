//! Which versions of states may be written: those that an operator has called final.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use throughline_cluster::{FinalVersions, FormError, Member, NodeInfo, keys};
use throughline_store::{Batch, CommitError, GetError, Store};

use super::View;
use crate::node::Shared;

/// How often the row is read again, since another changed it in between: another node, once.
const TRIES_MAX: u32 = 8;

/// Why the versions could not be made final. Nothing was changed, unless it says so.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FinalError {
    /// The store did not answer. Retrying helps once it does.
    #[error("the store does not answer: {0}")]
    Get(#[from] GetError),
    /// The same; it may have been changed all the same, and repeating it is harmless.
    #[error("the store: {0}")]
    Commit(#[from] CommitError),
    /// The row is of a newer version of Throughline, or damaged.
    #[error("{0}")]
    Form(#[from] FormError),
    /// Others kept changing it. Retrying helps.
    #[error("others changed the row of final versions {TRIES_MAX} times meanwhile")]
    Busy,
    /// A node is there of which nobody knows what it reads. Retrying helps once it has left, or
    /// once its entry can be read: by a newer build, or mended.
    #[error("the entry of {0} cannot be read: it may not read what would be final")]
    Unread(Member),
}

/// A kind, as an operator is told.
#[derive(Debug, Serialize)]
pub(crate) struct KindVersion {
    kind: String,
    /// What is written at most.
    version: u32,
    /// What all live nodes read that serve it; `None`: none does, or there is a node whose entry
    /// cannot be read.
    read_by_all: Option<u32>,
}

fn row() -> Bytes {
    Bytes::from_static(keys::FINAL_VERSIONS)
}

/// As they stand in the store, with the bytes.
async fn found(store: &dyn Store) -> Result<(FinalVersions, Option<Bytes>), FinalError> {
    let bytes = store.get(row()).await?;
    let versions = bytes.as_deref().map(FinalVersions::decode).transpose()?;
    Ok((versions.unwrap_or_default(), bytes))
}

/// `None`: the row is damaged, or of a newer build. That is no reason not to see who lives.
pub(super) async fn read(store: &dyn Store) -> Result<Option<FinalVersions>, FinalError> {
    match found(store).await {
        Ok((versions, _)) => Ok(Some(versions)),
        Err(error) => {
            log::warn!("cluster: cannot read the final versions: {error}");
            if matches!(error, FinalError::Form(_)) { Ok(None) } else { Err(error) }
        }
    }
}

/// Changes the row, if there is something to change. The versions as they were, and as they are
/// then.
async fn change(
    store: &dyn Store,
    change: impl Fn(&FinalVersions) -> FinalVersions,
) -> Result<[FinalVersions; 2], FinalError> {
    for _ in 0..TRIES_MAX {
        let (old, bytes) = found(store).await?;
        let new = change(&old);
        if new == old {
            return Ok([old, new]);
        }
        let batch = match bytes {
            Some(bytes) => Batch::new().check_equals(row(), bytes),
            None => Batch::new().check_absent(row()),
        };
        match store.commit(batch.put(row(), new.encode())).await {
            Ok(()) => return Ok([old, new]),
            Err(CommitError::Refused(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(FinalError::Busy)
}

fn infos(view: &View) -> impl Iterator<Item = &NodeInfo> {
    view.alive().filter_map(|entry| entry.standing.as_ref()).map(|standing| &*standing.info)
}

/// A kind that no node has served before begins with what all read that serve it.
pub(super) fn note_kinds(node: &Arc<Shared>) {
    let view = node.cluster.view();
    if !view.me.is_alive() || view.finals.with_kinds_of(infos(&view)).is_none() {
        return;
    }
    // It may serve the kind, and read less of it.
    if view.unread().is_some() {
        return;
    }
    let node = Arc::clone(node);
    node.cluster.handle().clone().spawn(async move {
        let view = node.cluster.view();
        let with =
            |old: &FinalVersions| old.with_kinds_of(infos(&view)).unwrap_or_else(|| old.clone());
        if let Err(error) = change(&*node.cluster.store, with).await {
            log::warn!("cluster: the versions of new kinds are not noted yet: {error}");
        }
    });
}

impl Shared {
    /// The operator says that the update stays: what all live nodes read may be written.
    pub(crate) async fn make_final(&self) -> Result<Vec<KindVersion>, FinalError> {
        let view = self.cluster.view();
        if let Some(unread) = view.unread() {
            return Err(FinalError::Unread(unread));
        }
        let [old, made] = change(&*self.cluster.store, |old| old.made_final(infos(&view))).await?;
        for (kind, version) in made.iter() {
            if old.of(kind) != Some(version) {
                log::info!("cluster: version {version} of the state of {kind} is final");
            }
        }
        Ok(told(&made, &view))
    }

    /// What is final, and what could be.
    pub(crate) async fn final_versions(&self) -> Result<Vec<KindVersion>, FinalError> {
        let (versions, _) = found(&*self.cluster.store).await?;
        Ok(told(&versions, &self.cluster.view()))
    }
}

fn told(versions: &FinalVersions, view: &View) -> Vec<KindVersion> {
    let kind = |(kind, version): (&str, u32)| {
        let readable = infos(view).filter_map(|info| info.readable(kind));
        let read_by_all = readable.map(|readable| readable.newest).min();
        let read_by_all = read_by_all.filter(|_| view.unread().is_none());
        KindVersion { kind: kind.to_owned(), version, read_by_all }
    };
    versions.iter().map(kind).collect()
}
