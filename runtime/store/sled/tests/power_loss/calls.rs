//! The system calls in what `strace -f -xx` wrote: one line each, or two where threads overlap.
//!
//! Strings are hexadecimal throughout (`-xx`), so that no comma or quote in a line is content.

use std::collections::HashMap;

/// A call that has returned.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) args: Vec<String>,
    pub(crate) result: i64,
    /// The line on which it began, and the one on which it returned.
    pub(crate) begun: usize,
    pub(crate) ended: usize,
}

impl Call {
    /// An argument that is a number.
    pub(crate) fn number(&self, index: usize) -> i64 {
        let text = self.args.get(index).map_or("", String::as_str);
        number(text).unwrap_or_else(|| panic!("no number in argument {index} of {self:?}"))
    }

    /// The bytes of an argument: of a string, or of all strings of a vector.
    pub(crate) fn bytes(&self, index: usize) -> Vec<u8> {
        let text = self.args.get(index).map_or("", String::as_str);
        assert!(!text.contains("\"..."), "strace has cut a string of {}", self.name);
        text.split('"').skip(1).step_by(2).flat_map(decode).collect()
    }

    /// A path.
    pub(crate) fn path(&self, index: usize) -> String {
        String::from_utf8(self.bytes(index)).expect("paths of this test are text")
    }

    pub(crate) fn has_flag(&self, index: usize, flag: &str) -> bool {
        self.args.get(index).is_some_and(|text| text.split('|').any(|found| found == flag))
    }
}

/// Puts lines together to calls, in the order in which they returned.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    line: usize,
    /// By thread: what has begun and not returned.
    begun: HashMap<u32, (usize, String)>,
    /// What the end of the process cut off.
    cut_off: Vec<(usize, String)>,
}

/// How strace ends a call of which it did not see the result.
const NO_RESULT: &str = " = ?";

impl Lines {
    /// The call that returned on this line. One that failed has changed nothing and is left out.
    pub(crate) fn read(&mut self, line: &str) -> Option<Call> {
        self.line += 1;
        let (thread, rest) = line.split_once(' ')?;
        let thread = thread.parse().expect("strace begins a line with the thread");
        let rest = rest.trim_start();
        if rest.starts_with(['+', '-']) {
            return None;
        }
        if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
            self.begun.insert(thread, (self.line, begun.to_owned()));
            return None;
        }
        let (line, text) = match rest.strip_prefix("<... ") {
            None => (self.line, rest.to_owned()),
            Some(resumed) => {
                let (_, end) = resumed.split_once(" resumed>").expect("how strace resumes a call");
                let (line, begun) = self.begun.remove(&thread).expect("a resumed call has begun");
                (line, begun + end)
            }
        };
        if let Some(text) = text.trim_end().strip_suffix(NO_RESULT) {
            self.cut_off.push((line, text.trim_end().trim_end_matches(')').to_owned()));
            return None;
        }
        call(&text, line, self.line)
    }

    /// Writes at a position and changes of a length that were under way when the process ended, as
    /// if they had returned with all done. How much was, nobody has said.
    pub(crate) fn cut_off(self) -> Vec<Call> {
        let mut begun: Vec<_> = self.begun.into_values().chain(self.cut_off).collect();
        begun.sort_unstable();
        let is_change =
            |text: &str| text.starts_with("pwrite64(") || text.starts_with("ftruncate(");
        let changes = begun.into_iter().filter(|(_, text)| is_change(text));
        let end = self.line;
        changes.filter_map(|(line, text)| call(&format!("{text}) = 0"), line, end)).collect()
    }
}

fn call(text: &str, begun: usize, ended: usize) -> Option<Call> {
    let (left, result) = text.rsplit_once(" = ").unwrap_or_else(|| panic!("no call: {text}"));
    let result = number(result.split(' ').next().unwrap_or_default()).filter(|n| *n >= 0)?;
    let left = left.trim_end();
    let (name, args) = left.split_once('(').unwrap_or_else(|| panic!("no call: {text}"));
    let args = split(args.strip_suffix(')').unwrap_or(args));
    Some(Call { name: name.to_owned(), args, result, begun, ended })
}

/// Splits at the commas between arguments. Strings, which may be long, have none of the characters
/// that are looked for.
fn split(text: &str) -> Vec<String> {
    let (mut args, mut depth, mut start, mut at) = (Vec::new(), 0, 0, 0);
    while let Some(found) = text[at..].find(['[', '{', '(', ']', '}', ')', ',', '"']) {
        at += found;
        match text.as_bytes()[at] {
            b'"' => at += 1 + text[at + 1..].find('"').expect("a string that ends"),
            b'[' | b'{' | b'(' => depth += 1,
            b',' if depth == 0 => {
                args.push(text[start..at].trim().to_owned());
                start = at + 1;
            }
            b',' => {}
            _ => depth -= 1,
        }
        at += 1;
    }
    args.push(text[start..].trim().to_owned());
    args
}

fn number(text: &str) -> Option<i64> {
    match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Each byte is `\xNN`.
fn decode(text: &str) -> Vec<u8> {
    let text = text.as_bytes();
    let mut bytes = Vec::with_capacity(text.len() / 4);
    let mut at = 2;
    while at + 1 < text.len() {
        bytes.push(digit(text[at]) << 4 | digit(text[at + 1]));
        at += 4;
    }
    bytes
}

fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        other => panic!("{other} is no digit of strace"),
    }
}

pub(crate) mod tests {
    use super::*;

    pub(crate) fn a_write_that_a_kill_cut_off_is_found() {
        let mut lines = Lines::default();
        assert_eq!(lines.read(r#"2 pwrite64(4, "\x61\x62", 2, 7 <unfinished ...>"#), None);
        assert_eq!(lines.read("3 fdatasync(4 <unfinished ...>"), None);
        assert_eq!(lines.read(r#"4 pwrite64(4, "\x63", 1, 9 <unfinished ...>"#), None);
        assert_eq!(lines.read("4 <... pwrite64 resumed>)   = ?"), None);
        assert_eq!(lines.read(r#"5 pwrite64(4, "\x64", 1, 3)   = ?"#), None);
        assert_eq!(lines.read("6 ftruncate(4, 512 <unfinished ...>"), None);
        assert_eq!(lines.read("2 +++ killed by SIGABRT +++"), None);
        let mut cut_off = lines.cut_off();
        let length = cut_off.pop().expect("a call");
        assert_eq!((length.name.as_str(), length.number(1)), ("ftruncate", 512));
        let seen = |call: &Call| (call.bytes(1), call.number(3));
        let seen: Vec<_> = cut_off.iter().map(seen).collect();
        assert_eq!(seen, [(b"ab".to_vec(), 7), (b"c".to_vec(), 9), (b"d".to_vec(), 3)]);
    }

    pub(crate) fn lines_become_calls() {
        let mut lines = Lines::default();
        let mut read = |line: &str| lines.read(line);
        let call = read(r#"7 pwrite64(4, "\x61\xff", 2, 96)     = 2"#).expect("a call");
        assert_eq!((call.name.as_str(), call.number(0), call.number(3)), ("pwrite64", 4, 96));
        assert_eq!(call.bytes(1), b"a\xff");
        let call = read(
            r#"7 writev(1, [{iov_base="\x61", iov_len=1}, {iov_base="\x62", iov_len=1}], 2) = 2"#,
        );
        assert_eq!(call.expect("a call").bytes(1), b"ab");
        assert_eq!(read(r#"7 mkdir("\x61", 0777) = -1 EEXIST (File exists)"#), None);
        assert_eq!(read("7 --- SIGCHLD {si_signo=SIGCHLD} ---"), None);
        assert_eq!(read("7 +++ exited with 0 +++"), None);
        let call = read("7 fcntl(4, F_GETFD) = 0x1 (flags FD_CLOEXEC)").expect("a call");
        assert_eq!(call.result, 1);
    }

    pub(crate) fn calls_that_overlap_are_kept_apart() {
        let mut lines = Lines::default();
        assert_eq!(lines.read("1 fdatasync(5 <unfinished ...>"), None);
        assert_eq!(lines.read(r#"2 pwrite64(4, "\x61", 1, 0 <unfinished ...>"#), None);
        let sync = lines.read("1 <... fdatasync resumed>)  = 0").expect("a call");
        assert_eq!((sync.name.as_str(), sync.number(0)), ("fdatasync", 5));
        assert_eq!((sync.begun, sync.ended), (1, 3));
        let write = lines.read("2 <... pwrite64 resumed>)  = 1").expect("a call");
        assert_eq!((write.begun, write.ended, write.bytes(1)), (2, 4, b"a".to_vec()));
    }
}
