//! The sessions of a node, page by page.

use serde::Serialize;
use throughline_link::SessionId;

use crate::node::Shared;

/// One session of a page.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct SessionRow {
    id: SessionId,
    /// The key that the game registered for it.
    key: Option<String>,
}

/// Sessions by id.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct SessionPage {
    sessions: Vec<SessionRow>,
    /// Behind which id the next page begins; `None` if this is the last one.
    next: Option<SessionId>,
}

impl Shared {
    /// Up to `limit` living sessions whose ids come after `after`, in the order of their ids. Of
    /// those that come and go meanwhile, some may be missing.
    pub(crate) fn sessions(&self, after: Option<SessionId>, limit: usize) -> SessionPage {
        let (ids, is_last) = first(self.directory.live_ids(), after, limit);
        let mut keys = self.directory.keys_of(&ids);
        let next = ids.last().copied().filter(|_| !is_last);
        let sessions = ids.into_iter().map(|id| SessionRow { id, key: keys.remove(&id) });
        SessionPage { sessions: sessions.collect(), next }
    }
}

/// The first ids behind `after`, sorted, and whether there are no more.
fn first(
    mut ids: Vec<SessionId>,
    after: Option<SessionId>,
    limit: usize,
) -> (Vec<SessionId>, bool) {
    ids.retain(|id| after.is_none_or(|after| *id > after));
    let is_last = ids.len() <= limit;
    if !is_last {
        // The smallest ones, without sorting all.
        ids.select_nth_unstable(limit);
        ids.truncate(limit);
    }
    ids.sort_unstable();
    (ids, is_last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_hold_every_id_once_and_in_order() {
        let id = |n: u8| SessionId([n; 16]);
        let all: Vec<_> = [7, 3, 9, 1, 5].map(id).to_vec();
        let (mut found, mut after) = (Vec::<SessionId>::new(), None);
        loop {
            let (page, is_last) = first(all.clone(), after, 2);
            assert!(page.len() <= 2);
            found.extend(&page);
            after = page.last().copied();
            if is_last {
                break;
            }
        }
        assert_eq!(found, [1, 3, 5, 7, 9].map(id));
        assert_eq!(first(all.clone(), None, 5), ([1, 3, 5, 7, 9].map(id).to_vec(), true));
        assert_eq!(first(all, Some(id(9)), 5), (Vec::new(), true));
    }
}
