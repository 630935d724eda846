//! What a game's own tools do with dead letters.

use std::sync::Arc;

use throughline_queue::{DeadLetterError, DeadLetterPage, DeadLetters, ReadError};

use super::RunningNode;

impl RunningNode {
    /// Messages of the cluster that nobody could handle, the oldest first: up to `limit`, behind
    /// that of the id `after`.
    ///
    /// # Errors
    /// [`ReadError`]; retrying helps where the store says so.
    pub async fn dead_letters(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<DeadLetterPage, ReadError> {
        let (node, after) = (Arc::clone(&self.shared), after.map(str::to_owned));
        let page = self.on_cluster(async move {
            let (store, now_ms) = (&*node.cluster.store, node.cluster.wall_ms());
            DeadLetters::page(store, after.as_deref(), limit, now_ms).await
        });
        page.await
    }

    /// Puts the message of a dead letter back into the queue that it came from, once.
    ///
    /// # Errors
    /// [`DeadLetterError`].
    pub async fn retry_dead_letter(&self, id: &str) -> Result<(), DeadLetterError> {
        let (node, id) = (Arc::clone(&self.shared), id.to_owned());
        self.on_cluster(async move { node.retry_dead_letter(&id).await.map(drop) }).await
    }

    /// Drops a dead letter, and its message with it.
    ///
    /// # Errors
    /// [`DeadLetterError`].
    pub async fn drop_dead_letter(&self, id: &str) -> Result<(), DeadLetterError> {
        let (node, id) = (Arc::clone(&self.shared), id.to_owned());
        self.on_cluster(async move { node.drop_dead_letter(&id).await }).await
    }
}
