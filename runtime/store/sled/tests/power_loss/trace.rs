//! What a recorded process did to the files below one directory.
//!
//! Files and directories are nodes, known by a number for good, whatever they are called. The
//! descriptors of the process and the live files are followed, since a call names a descriptor or
//! a path, and copies name no bytes at all.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::calls::{Call, Lines};

/// A file or directory. The directory that everything is below is [`ROOT`].
pub(crate) type Node = usize;
pub(crate) const ROOT: Node = 0;

/// One change, sync, or word of the process.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) what: What,
    /// When its call began and returned.
    pub(crate) begun: usize,
    pub(crate) ended: usize,
}

#[derive(Debug)]
pub(crate) enum What {
    /// A line that the process said.
    Said(String),
    Change(Node, Change),
    /// `fsync`, or `fdatasync` if it is of the contents alone.
    Sync {
        node: Node,
        is_data: bool,
    },
}

/// A change of one node, in its contents or its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Write { at: usize, bytes: Arc<[u8]> },
    Length(usize),
    Name { name: String, node: Node },
    Unname { name: String },
    Rename { from: String, to: String, node: Node },
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    File(Vec<u8>),
    Dir(BTreeMap<String, Node>),
}

impl Content {
    pub(crate) fn empty(is_dir: bool) -> Self {
        if is_dir { Self::Dir(BTreeMap::new()) } else { Self::File(Vec::new()) }
    }

    pub(crate) fn apply(&mut self, change: &Change) {
        match (self, change) {
            (Self::File(file), Change::Write { at, bytes }) => {
                file.resize(file.len().max(at + bytes.len()), 0);
                file[*at..at + bytes.len()].copy_from_slice(bytes);
            }
            (Self::File(file), Change::Length(length)) => file.resize(*length, 0),
            (Self::Dir(names), Change::Name { name, node }) => {
                names.insert(name.clone(), *node);
            }
            (Self::Dir(names), Change::Unname { name }) => {
                names.remove(name);
            }
            (Self::Dir(names), Change::Rename { from, to, node }) => {
                names.remove(from);
                names.insert(to.clone(), *node);
            }
            (content, change) => panic!("{change:?} of {content:?}"),
        }
    }
}

#[derive(Debug)]
struct Open {
    node: Node,
    at: usize,
    appends: bool,
}

/// All that happened, and to what.
#[derive(Debug)]
pub(crate) struct Record {
    /// What each node held before, durable. One that came later held nothing.
    pub(crate) nodes: Vec<Content>,
    pub(crate) steps: Vec<Step>,
}

/// Files by their paths below the root, which is the empty path; `None` is a directory.
pub(crate) type Files = BTreeMap<String, Option<Vec<u8>>>;

/// Reads what was recorded of one process after the other.
#[derive(Debug)]
pub(crate) struct Trace {
    root: String,
    record: Record,
    live: Vec<Content>,
    lines: usize,
    opens: Vec<Open>,
    descriptors: HashMap<i64, usize>,
}

/// Standard output.
const OUTPUT: i64 = 1;

impl Trace {
    /// Of what happens below `root`, to files that are there and durable.
    pub(crate) fn new(root: &str, files: &Files) -> Self {
        let mut live = vec![Content::empty(true)];
        let mut nodes = HashMap::from([("", ROOT)]);
        // A directory comes before what is in it.
        for (path, content) in files.iter().filter(|(path, _)| !path.is_empty()) {
            let (dir, name) = path.rsplit_once('/').expect("a path below the root");
            let (name, node) = (name.to_owned(), live.len());
            live.push(content.clone().map_or_else(|| Content::empty(true), Content::File));
            live[nodes[dir]].apply(&Change::Name { name, node });
            nodes.insert(path.as_str(), node);
        }
        let record = Record { nodes: live.clone(), steps: Vec::new() };
        let (opens, descriptors) = (Vec::new(), HashMap::new());
        Self { root: root.to_owned(), record, live, lines: 0, opens, descriptors }
    }

    pub(crate) fn into_record(self) -> Record {
        self.record
    }

    /// Reads the lines of one process that has ended, and left these files.
    pub(crate) fn read<'a>(&mut self, text: impl Iterator<Item = &'a str>, found: &Files) {
        let mut lines = Lines::default();
        self.descriptors.clear();
        let (mut count, before) = (0, self.lines);
        for line in text {
            count += 1;
            if let Some(mut call) = lines.read(line) {
                (call.begun, call.ended) = (call.begun + before, call.ended + before);
                self.call(&call);
            }
        }
        for mut call in lines.cut_off() {
            (call.begun, call.ended) = (call.begun + before, call.ended + before);
            self.cut_off(&call, found);
        }
        self.lines += count;
    }

    /// A write that a kill cut off has written what is there of it, from its beginning on; a length
    /// was changed or not.
    fn cut_off(&mut self, call: &Call, found: &Files) {
        let Some(node) = self.node(call, 0) else { return };
        let path = self.nodes().into_iter().find(|(_, other)| *other == node);
        let file = path.and_then(|(path, _)| found.get(&path)).and_then(Option::as_ref);
        if call.name == "ftruncate" {
            let length = amount(call.number(1));
            if file.is_some_and(|file| file.len() == length) {
                self.change(call, node, Change::Length(length));
            }
            return;
        }
        let (at, mut bytes) = (amount(call.number(3)), call.bytes(1));
        let there = file.and_then(|file| file.get(at..)).unwrap_or_default();
        let written = bytes.iter().zip(there).take_while(|(one, other)| one == other).count();
        bytes.truncate(written);
        if !bytes.is_empty() {
            self.change(call, node, Change::Write { at, bytes: bytes.into() });
        }
    }

    /// Every file by its path, as it is now.
    pub(crate) fn files(&self) -> Files {
        let content = |node: Node| match &self.live[node] {
            Content::File(bytes) => Some(bytes.clone()),
            Content::Dir(_) => None,
        };
        self.nodes().into_iter().map(|(path, node)| (path, content(node))).collect()
    }

    fn nodes(&self) -> Vec<(String, Node)> {
        let mut nodes = vec![(String::new(), ROOT)];
        let mut at = 0;
        while let Some((path, node)) = nodes.get(at) {
            if let Content::Dir(names) = &self.live[*node] {
                let child = |(name, node): (&String, &Node)| (format!("{path}/{name}"), *node);
                let children: Vec<_> = names.iter().map(child).collect();
                nodes.extend(children);
            }
            at += 1;
        }
        nodes
    }

    fn call(&mut self, call: &Call) {
        match call.name.as_str() {
            "open" => self.open(call, None, 0),
            "openat" => self.open(call, Some(0), 1),
            "write" | "writev" if call.number(0) == OUTPUT => {
                let text = String::from_utf8(call.bytes(1)).expect("it says text");
                let said = text.lines().map(|line| What::Said(line.to_owned()));
                said.for_each(|said| self.push(call, said));
            }
            "write" | "writev" => self.write(call, None),
            "pwrite64" | "pwritev" => self.write(call, Some(call.number(3))),
            "read" | "readv" => {
                if let Some(open) = self.opened(call, 0) {
                    open.at += amount(call.result);
                }
            }
            "lseek" => {
                if let Some(open) = self.opened(call, 0) {
                    open.at = amount(call.result);
                }
            }
            "copy_file_range" => self.copy(call, 0, 2),
            "sendfile" => self.copy(call, 1, 0),
            "ftruncate" => {
                if let Some(node) = self.node(call, 0) {
                    self.change(call, node, Change::Length(amount(call.number(1))));
                }
            }
            "mkdir" => self.make_dir(call, None, 0),
            "mkdirat" => self.make_dir(call, Some(0), 1),
            "rename" => self.rename(call, (None, 0), (None, 1)),
            "renameat" | "renameat2" => self.rename(call, (Some(0), 1), (Some(2), 3)),
            "unlink" | "rmdir" => self.unname(call, None, 0),
            "unlinkat" => self.unname(call, Some(0), 1),
            "fsync" | "fdatasync" => {
                if let Some(node) = self.node(call, 0) {
                    self.push(call, What::Sync { node, is_data: call.name == "fdatasync" });
                }
            }
            "dup" | "dup2" | "dup3" => self.duplicate(call),
            "fcntl" if call.args[1].starts_with("F_DUPFD") => self.duplicate(call),
            "close" => drop(self.descriptors.remove(&call.number(0))),
            // It starts the writing, and promises nothing.
            "sync_file_range" | "fcntl" => {}
            "mmap" => {
                let is_read = !call.has_flag(3, "MAP_SHARED") || !call.has_flag(2, "PROT_WRITE");
                assert!(is_read || self.node(call, 4).is_none(), "writes through memory: {call:?}");
            }
            _ => assert!(!self.touches(call), "the model does not know {call:?}"),
        }
    }

    /// Whether a call is about anything below the root.
    fn touches(&self, call: &Call) -> bool {
        call.args.iter().enumerate().any(|(index, arg)| match arg.parse() {
            Ok(descriptor) => self.descriptors.contains_key(&descriptor),
            Err(_) => call.bytes(index).starts_with(self.root.as_bytes()),
        })
    }

    fn push(&mut self, call: &Call, what: What) {
        self.record.steps.push(Step { what, begun: call.begun, ended: call.ended });
    }

    fn change(&mut self, call: &Call, node: Node, change: Change) {
        self.live[node].apply(&change);
        self.push(call, What::Change(node, change));
    }

    fn begin(&mut self, is_dir: bool) -> Node {
        self.record.nodes.push(Content::empty(is_dir));
        self.live.push(Content::empty(is_dir));
        self.live.len() - 1
    }

    fn opened(&mut self, call: &Call, arg: usize) -> Option<&mut Open> {
        let open = *self.descriptors.get(&call.number(arg))?;
        self.opens.get_mut(open)
    }

    fn node(&mut self, call: &Call, arg: usize) -> Option<Node> {
        self.opened(call, arg).map(|open| open.node)
    }

    fn names(&self, dir: Node) -> &BTreeMap<String, Node> {
        match &self.live[dir] {
            Content::Dir(names) => names,
            Content::File(_) => panic!("node {dir} is a file"),
        }
    }

    /// The directory and the name in it that a call means; the name is empty for the root. `None`
    /// outside of the root.
    fn place(&self, call: &Call, dir: Option<usize>, path: usize) -> Option<(Node, String)> {
        let path = call.path(path);
        let (mut at, rest) = if path.starts_with('/') {
            let rest = path.strip_prefix(&self.root)?;
            (ROOT, if rest.is_empty() { rest } else { rest.strip_prefix('/')? })
        } else {
            let fd = call.args[dir?].parse().ok()?;
            (self.opens[*self.descriptors.get(&fd)?].node, path.as_str())
        };
        let mut parts: Vec<_> = rest.split('/').filter(|part| !part.is_empty()).collect();
        let name = parts.pop().unwrap_or_default();
        for part in parts {
            at = *self.names(at).get(part)?;
        }
        Some((at, name.to_owned()))
    }

    fn open(&mut self, call: &Call, dir: Option<usize>, path: usize) {
        self.descriptors.remove(&call.result);
        let Some((dir, name)) = self.place(call, dir, path) else { return };
        let found = if name.is_empty() { Some(dir) } else { self.names(dir).get(&name).copied() };
        let node = found.unwrap_or_else(|| {
            let node = self.begin(false);
            self.change(call, dir, Change::Name { name, node });
            node
        });
        let is_filled = matches!(&self.live[node], Content::File(bytes) if !bytes.is_empty());
        if call.has_flag(path + 1, "O_TRUNC") && is_filled {
            self.change(call, node, Change::Length(0));
        }
        let appends = call.has_flag(path + 1, "O_APPEND");
        self.opens.push(Open { node, at: 0, appends });
        self.descriptors.insert(call.result, self.opens.len() - 1);
    }

    fn write(&mut self, call: &Call, at: Option<i64>) {
        let mut bytes = call.bytes(1);
        bytes.truncate(amount(call.result));
        let Some(open) = self.opened(call, 0) else { return };
        let (node, here, appends) = (open.node, open.at, open.appends);
        let at = match at {
            Some(at) => amount(at),
            None if appends => self.length(node),
            None => here,
        };
        if let (None, Some(open)) = (call.args.get(3), self.opened(call, 0)) {
            open.at = at + bytes.len();
        }
        self.change(call, node, Change::Write { at, bytes: bytes.into() });
    }

    fn length(&self, node: Node) -> usize {
        if let Content::File(bytes) = &self.live[node] { bytes.len() } else { 0 }
    }

    /// A copy inside of the system, whose bytes are those of the live source.
    fn copy(&mut self, call: &Call, from: usize, to: usize) {
        let Some(target) = self.node(call, to) else { return };
        let length = amount(call.result);
        let source = self.opened(call, from).expect("a copy from outside of the root");
        let (node, at) = (source.node, source.at);
        source.at += length;
        let Content::File(bytes) = &self.live[node] else { panic!("a copy of a directory") };
        // A change of the length that is under way and has not returned shows as zeros.
        let mut copied = bytes.get(at..).unwrap_or_default().to_vec();
        copied.resize(length, 0);
        let bytes = copied.into();
        let open = self.opened(call, to).expect("it was there");
        let at = open.at;
        open.at += length;
        if length > 0 {
            self.change(call, target, Change::Write { at, bytes });
        }
    }

    fn make_dir(&mut self, call: &Call, dir: Option<usize>, path: usize) {
        let Some((dir, name)) = self.place(call, dir, path) else { return };
        let node = self.begin(true);
        self.change(call, dir, Change::Name { name, node });
    }

    fn rename(&mut self, call: &Call, from: (Option<usize>, usize), to: (Option<usize>, usize)) {
        let (from, to) = (self.place(call, from.0, from.1), self.place(call, to.0, to.1));
        let (Some((dir, from)), Some((to_dir, to))) = (from, to) else { return };
        assert_eq!(dir, to_dir, "the model knows no rename into another directory: {call:?}");
        let node = self.names(dir)[&from];
        self.change(call, dir, Change::Rename { from, to, node });
    }

    fn unname(&mut self, call: &Call, dir: Option<usize>, path: usize) {
        let Some((dir, name)) = self.place(call, dir, path) else { return };
        self.change(call, dir, Change::Unname { name });
    }

    fn duplicate(&mut self, call: &Call) {
        match self.descriptors.get(&call.number(0)) {
            Some(open) => drop(self.descriptors.insert(call.result, *open)),
            None => drop(self.descriptors.remove(&call.result)),
        }
    }
}

fn amount(number: i64) -> usize {
    usize::try_from(number).expect("a size or an offset")
}

pub(crate) mod tests {
    use super::*;

    const LINES: &str = r#"
7 mkdirat(AT_FDCWD, "\x2f\x72\x2f\x64", 0777) = 0
7 openat(AT_FDCWD, "\x2f\x72\x2f\x64\x2f\x61", O_RDWR|O_CREAT|O_CLOEXEC, 0666) = 3
7 openat(AT_FDCWD, "\x2f\x72\x78\x2f\x61", O_RDWR|O_CREAT|O_CLOEXEC, 0666) = 4
7 write(3, "\x61\x62\x63", 3) = 2
7 write(4, "\x61\x62\x63", 3) = 3
7 fcntl(3, F_DUPFD_CLOEXEC, 3) = 5
7 write(5, "\x63", 1) = 1
7 lseek(3, 1, SEEK_SET) = 1
7 openat(AT_FDCWD, "\x2f\x72\x2f\x64", O_RDONLY|O_DIRECTORY) = 6
7 openat(6, "\x62", O_WRONLY|O_CREAT|O_APPEND, 0666) = 7
7 copy_file_range(3, NULL, 7, NULL, 100, 0) = 2
7 write(7, "\x64", 1) = 1
7 renameat(AT_FDCWD, "\x2f\x72\x2f\x64\x2f\x62", 6, "\x63") = 0
7 fsync(6) = 0
7 write(1, "\x68\x69\x0a", 3) = 3
"#;

    pub(crate) fn descriptors_positions_and_copies_are_followed() {
        let mut trace = Trace::new("/r", &Files::new());
        trace.read(LINES.trim_start().lines(), &Files::new());
        let file = |bytes: &[u8]| Some(bytes.to_vec());
        let expected = [("", None), ("/d", None), ("/d/a", file(b"abc")), ("/d/c", file(b"bcd"))];
        let expected = expected.map(|(path, content)| (path.to_owned(), content));
        assert_eq!(trace.files(), Files::from(expected));
        let steps = trace.into_record().steps;
        let last: Vec<_> = steps.iter().rev().take(2).map(|step| &step.what).collect();
        let [What::Said(said), What::Sync { node: 1, is_data: false }] = &last[..] else {
            panic!("{last:?}");
        };
        assert_eq!(said, "hi");
    }
}
