//! What a disk may hold after a loss of power.
//!
//! A sync of a file or directory makes durable what had returned on that node before the sync
//! began, and nothing else: no name of a file that is synced, and nothing for `sync_file_range`.
//! Of the rest each change may be there or not, in any order; a write also in part, by sectors, or
//! as its length alone. Only a rename is one change.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use crate::trace::{Change, Content, Node, ROOT, Step, What};
use fastrand::Rng;

const SECTOR_BYTES: usize = 512;

/// What becomes of a change that was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Kept,
    Lost,
    /// Some sectors of a write are there, chosen by the seed. The length is that of the write.
    Torn(u64),
}

/// A change that no sync has covered.
#[derive(Debug)]
struct Pending {
    /// The number of its step.
    step: usize,
    ended: usize,
    change: Change,
}

/// What can be said of a change that no sync has covered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unsynced {
    pub(crate) step: usize,
    pub(crate) node: Node,
    pub(crate) is_write: bool,
}

#[derive(Debug)]
struct Kept {
    durable: Content,
    pending: Vec<Pending>,
}

/// The disk after some steps.
#[derive(Debug)]
pub(crate) struct Disk {
    nodes: Vec<Kept>,
}

/// Every directory and file by its path; `None` is a directory.
pub(crate) type Image<'a> = BTreeMap<String, Option<Cow<'a, [u8]>>>;

impl Disk {
    /// Nodes with what they hold, durable.
    pub(crate) fn new(nodes: &[Content]) -> Self {
        let kept = |content: &Content| Kept { durable: content.clone(), pending: Vec::new() };
        Self { nodes: nodes.iter().map(kept).collect() }
    }

    /// The step of this number has begun: a change may be there from now on.
    pub(crate) fn begin(&mut self, number: usize, step: &Step) {
        if let What::Change(node, change) = &step.what {
            let (change, ended) = (change.clone(), step.ended);
            self.nodes[*node].pending.push(Pending { step: number, ended, change });
        }
    }

    /// Takes back those that have begun, from this number on.
    pub(crate) fn unbegin(&mut self, from: usize) {
        self.nodes.iter_mut().for_each(|kept| kept.pending.retain(|p| p.step < from));
    }

    /// The step of this number has returned: a sync counts from now on.
    pub(crate) fn apply(&mut self, number: usize, step: &Step) {
        match &step.what {
            What::Said(_) => {}
            What::Change(..) => self.begin(number, step),
            What::Sync { node, .. } => {
                let kept = &mut self.nodes[*node];
                for pending in kept.pending.extract_if(.., |p| p.ended < step.begun) {
                    kept.durable.apply(&pending.change);
                }
            }
        }
    }

    /// The changes that may be lost, in the order of their steps.
    pub(crate) fn unsynced(&self) -> Vec<Unsynced> {
        let all = self.nodes.iter().enumerate().flat_map(|(node, kept)| {
            kept.pending.iter().map(move |pending| {
                let is_write = matches!(pending.change, Change::Write { .. });
                Unsynced { step: pending.step, node, is_write }
            })
        });
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|unsynced| unsynced.step);
        all
    }

    /// What is there after the loss: what has no fate is lost.
    pub(crate) fn image(&self, fates: &HashMap<usize, Fate>) -> Image<'_> {
        let mut image = Image::new();
        let mut open = vec![(String::new(), ROOT)];
        while let Some((path, node)) = open.pop() {
            let content = match self.content(node, fates) {
                Cow::Borrowed(Content::File(bytes)) => Some(Cow::Borrowed(&bytes[..])),
                Cow::Owned(Content::File(bytes)) => Some(Cow::Owned(bytes)),
                Cow::Borrowed(Content::Dir(names)) => {
                    open.extend(names.iter().map(|(name, node)| (format!("{path}/{name}"), *node)));
                    None
                }
                Cow::Owned(Content::Dir(names)) => {
                    let names = names.into_iter();
                    open.extend(names.map(|(name, node)| (format!("{path}/{name}"), node)));
                    None
                }
            };
            image.insert(path, content);
        }
        image
    }

    fn content(&self, node: Node, fates: &HashMap<usize, Fate>) -> Cow<'_, Content> {
        let kept = &self.nodes[node];
        let mut content = Cow::Borrowed(&kept.durable);
        for pending in &kept.pending {
            match (fates.get(&pending.step), &pending.change) {
                (None | Some(Fate::Lost), _) => {}
                (Some(Fate::Torn(seed)), Change::Write { at, bytes }) => {
                    tear(content.to_mut(), *at, bytes, *seed);
                }
                (Some(Fate::Kept | Fate::Torn(_)), change) => content.to_mut().apply(change),
            }
        }
        content
    }
}

/// Writes some of the sectors. Where none of the rest is there, a grown file has zeros.
fn tear(content: &mut Content, at: usize, bytes: &[u8], seed: u64) {
    let Content::File(file) = content else { return };
    let end = at + bytes.len();
    file.resize(file.len().max(end), 0);
    let mut random = Rng::with_seed(seed);
    for sector in at / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES) {
        if random.bool() {
            let from = (sector * SECTOR_BYTES).max(at);
            let to = ((sector + 1) * SECTOR_BYTES).min(end);
            file[from..to].copy_from_slice(&bytes[from - at..to - at]);
        }
    }
}

pub(crate) mod tests {
    use super::*;

    const FILE: Node = 1;
    const KEPT: Fate = Fate::Kept;

    /// A root with one empty file that has no name yet.
    fn disk(steps: Vec<(usize, usize, What)>) -> Disk {
        let mut disk = Disk::new(&[Content::empty(true), Content::empty(false)]);
        for (number, (begun, ended, what)) in steps.into_iter().enumerate() {
            disk.apply(number, &Step { what, begun, ended });
        }
        disk
    }

    fn write(at: usize, bytes: &[u8]) -> What {
        What::Change(FILE, Change::Write { at, bytes: bytes.into() })
    }

    fn name(name: &str) -> What {
        What::Change(ROOT, Change::Name { name: name.to_owned(), node: FILE })
    }

    fn sync(node: Node) -> What {
        What::Sync { node, is_data: true }
    }

    fn bytes(disk: &Disk, fates: &[(usize, Fate)]) -> Option<Vec<u8>> {
        let image = disk.image(&fates.iter().copied().collect());
        image.get("/a").map(|bytes| bytes.as_deref().expect("a file").to_vec())
    }

    pub(crate) fn a_sync_covers_what_had_returned_before_it_began() {
        let disk = disk(vec![
            (1, 2, name("a")),
            (3, 4, sync(ROOT)),
            (5, 6, write(0, b"one")),
            (7, 10, write(3, b"two")),
            (8, 11, sync(FILE)),
        ]);
        assert_eq!(bytes(&disk, &[]), Some(b"one".to_vec()));
        assert_eq!(bytes(&disk, &[(3, KEPT)]), Some(b"onetwo".to_vec()));
    }

    pub(crate) fn a_name_is_lost_unless_its_directory_was_synced() {
        let steps = || vec![(1, 2, name("a")), (3, 4, write(0, b"one")), (5, 6, sync(FILE))];
        assert_eq!(bytes(&disk(steps()), &[]), None);
        assert_eq!(bytes(&disk(steps()), &[(0, KEPT)]), Some(b"one".to_vec()));
        let mut synced = steps();
        synced.push((7, 8, sync(ROOT)));
        let rename = Change::Rename { from: "a".to_owned(), to: "b".to_owned(), node: FILE };
        synced.push((9, 10, What::Change(ROOT, rename)));
        assert_eq!(bytes(&disk(synced), &[]), Some(b"one".to_vec()), "a rename that is lost");
    }

    pub(crate) fn a_write_is_lost_kept_late_or_torn_at_sectors() {
        let disk = disk(vec![
            (1, 2, name("a")),
            (3, 4, sync(ROOT)),
            (5, 6, write(0, &[1; 2_000])),
            (7, 8, write(100, &[2; 2_000])),
        ]);
        assert_eq!(bytes(&disk, &[]), Some(vec![]));
        let late = bytes(&disk, &[(3, KEPT)]).expect("a file");
        assert!(late.len() == 2_100 && late[..100] == [0; 100] && late[100..] == [2; 2_000]);
        let mut is_torn = false;
        for seed in 0..20 {
            let torn = bytes(&disk, &[(2, KEPT), (3, Fate::Torn(seed))]).expect("a file");
            assert_eq!(torn.len(), 2_100);
            let sectors = torn[512..1_536].chunks(SECTOR_BYTES);
            let kinds: Vec<_> = sectors.map(|sector| sector[0]).collect();
            assert!(torn[512..1_536].chunks(SECTOR_BYTES).all(|s| s.iter().all(|b| *b == s[0])));
            is_torn |= kinds.contains(&1) && kinds.contains(&2);
        }
        assert!(is_torn);
    }
}
