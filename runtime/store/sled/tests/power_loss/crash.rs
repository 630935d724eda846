//! Losses of power at points of a record, and what the store makes of them.

use std::fs;
use std::path::Path;
use std::thread;

use crate::disk::{Disk, Image};
use crate::loss::{LOSSES, Loss};
use crate::record::scratch;
use crate::trace::{Record, Step, What};
use crate::verdict::{Said, Verdict, judge};

/// So many calls of one process can overlap at most, far beyond its threads.
const OVERLAP_MAX: usize = 64;

/// The power goes when so many steps have returned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    pub(crate) after: usize,
    pub(crate) loss: Loss,
    pub(crate) seed: u64,
}

/// What came of one point.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) point: Point,
    /// Changes that could be lost.
    pub(crate) unsynced: usize,
    pub(crate) verdict: Verdict,
}

/// Every way to lose power in turn, at these points.
pub(crate) fn points(after: impl Iterator<Item = usize>, seed: u64) -> Vec<Point> {
    let losses = LOSSES.iter().cycle();
    let point = |(after, loss): (usize, &Loss)| {
        let seed = seed ^ (after as u64) << 20;
        Point { after, loss: *loss, seed }
    };
    after.zip(losses).map(point).collect()
}

/// Loses power at each point, on all cores. Before the record this was said.
pub(crate) fn lose(record: &Record, said: Said, points: &[Point]) -> Vec<Outcome> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut outcomes: Vec<_> = thread::scope(|scope| {
        let work =
            |first| move || lose_some(record, said, points.iter().skip(first).step_by(threads));
        let threads: Vec<_> = (0..threads).map(|first| scope.spawn(work(first))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    outcomes.sort_by_key(|outcome: &Outcome| outcome.point.after);
    outcomes
}

fn lose_some<'a>(
    record: &Record,
    said: Said,
    points: impl Iterator<Item = &'a Point>,
) -> Vec<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let dir = scratch();
    let mut walk = Walk::new(record, said);
    let outcome = |point: &Point| {
        let unsynced = walk.leave(point, dir.path());
        let mut verdict = runtime.block_on(judge(&dir.path().join("store"), &walk.said));
        if let (Verdict::Whole, Some(said)) = (&verdict, &walk.copied) {
            verdict = runtime.block_on(judge(&dir.path().join("copy"), said));
        }
        Outcome { point: *point, unsynced, verdict }
    };
    points.map(outcome).collect()
}

/// Makes what one point leaves in a directory; answers what was said before it.
pub(crate) fn leave(record: &Record, point: &Point, dir: &Path) -> Said {
    let mut walk = Walk::new(record, Said::default());
    walk.leave(point, dir);
    walk.said
}

/// Goes through a record, with the disk and what was said up to there.
struct Walk<'a> {
    steps: &'a [Step],
    at: usize,
    /// When the last of them returned.
    now: usize,
    disk: Disk,
    said: Said,
    /// What was said when a copy was complete.
    copied: Option<Said>,
}

impl<'a> Walk<'a> {
    fn new(record: &'a Record, said: Said) -> Self {
        let (steps, disk) = (&record.steps, Disk::new(&record.nodes));
        Self { steps, at: 0, now: 0, disk, said, copied: None }
    }

    /// Makes what a point leaves; how many changes could have been lost.
    fn leave(&mut self, point: &Point, dir: &Path) -> usize {
        self.go_to(point.after);
        let unsynced = self.disk.unsynced();
        write(&self.disk.image(&point.loss.fates(&unsynced, point.seed)), dir);
        unsynced.len()
    }

    fn go_to(&mut self, after: usize) {
        self.disk.unbegin(self.at);
        while self.at < after {
            let step = &self.steps[self.at];
            self.disk.apply(self.at, step);
            match &step.what {
                What::Said(line) if line == "copied" => self.copied = Some(self.said),
                What::Said(line) => self.said.hear(line),
                _ => {}
            }
            (self.at, self.now) = (self.at + 1, step.ended);
        }
        // What has begun and not returned may be there, too.
        for number in after..self.steps.len().min(after + OVERLAP_MAX) {
            if self.steps[number].begun <= self.now {
                self.disk.begin(number, &self.steps[number]);
            }
        }
    }
}

/// Makes the files of an image, and nothing else, in a directory.
fn write(image: &Image<'_>, dir: &Path) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        fs::remove_dir_all(path).expect("removed");
    }
    for (path, content) in image {
        let path = dir.join(path.trim_start_matches('/'));
        match content {
            Some(bytes) => fs::write(path, bytes).expect("a file"),
            None if path == dir => {}
            None => fs::create_dir_all(path).expect("a directory"),
        }
    }
}
