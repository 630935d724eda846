//! The log of one process: what it writes goes into a file of a bounded size.

use std::fs::{self, File};
use std::io::{self, PipeReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// A log that is larger becomes `NAME.log.1`, in the place of the one before: two of these are
/// some hours of a busy node.
const LOG_BYTES_MAX: u64 = 4 << 20;

/// Of the last line so much is remembered: a typed error with its way out, or a panic's first line.
const LINE_BYTES_MAX: usize = 400;

/// The last line that a process wrote.
#[derive(Debug, Clone, Default)]
pub(super) struct LastLine(Arc<Mutex<String>>);

impl LastLine {
    pub(super) fn text(&self) -> String {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the log of a process on a thread of its own, so that a process never waits for the one
/// that watches it. The receiver hears when the process has closed its output.
pub(super) fn keep(
    output: PipeReader,
    path: PathBuf,
) -> io::Result<(LastLine, oneshot::Receiver<()>)> {
    let log = LogFile::open(path)?;
    let (last, (ended, end)) = (LastLine::default(), oneshot::channel());
    let lines = Lines { last: last.clone(), line: Vec::new() };
    let keep = move || {
        copy(output, log, lines);
        // Nobody may wait for it any more.
        let _ = ended.send(());
    };
    std::thread::Builder::new().name("log".to_owned()).spawn(keep)?;
    Ok((last, end))
}

fn copy(mut output: PipeReader, mut log: LogFile, mut lines: Lines) {
    let mut chunk = vec![0; 16 << 10];
    loop {
        match output.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => {
                lines.add(&chunk[..read]);
                log.write(&chunk[..read]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
}

struct LogFile {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl LogFile {
    fn open(path: PathBuf) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(&path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { path, file, bytes })
    }

    /// What cannot be written is lost: a full disk must not stop the process.
    fn write(&mut self, text: &[u8]) {
        let _ = self.file.write_all(text);
        self.bytes += text.len() as u64;
        if self.bytes < LOG_BYTES_MAX {
            return;
        }
        let file =
            fs::rename(&self.path, older(&self.path)).and_then(|()| File::create(&self.path));
        // If it cannot be replaced it is emptied instead.
        match file {
            Ok(file) => self.file = file,
            Err(_) => drop(self.file.set_len(0)),
        }
        self.bytes = 0;
    }
}

fn older(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

struct Lines {
    last: LastLine,
    line: Vec<u8>,
}

impl Lines {
    fn add(&mut self, text: &[u8]) {
        for &byte in text {
            if byte == b'\n' {
                let line = printable(&self.line);
                if !line.is_empty() {
                    *self.last.lock() = line;
                }
                self.line.clear();
            } else if self.line.len() < LINE_BYTES_MAX {
                self.line.push(byte);
            }
        }
    }
}

/// Control characters must not reach a terminal.
fn printable(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_stays_within_its_bound_and_the_last_line_is_known() {
        let dir = std::env::temp_dir().join(format!("throughline-log-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("n1.log");
        let (output, mut input) = io::pipe().unwrap();
        let (last, end) = keep(output, path.clone()).unwrap();
        let line = [b'x'; 1023];
        for _ in 0..10 << 10 {
            input.write_all(&line).unwrap();
            input.write_all(b"\n").unwrap();
        }
        input.write_all(b"cannot go on: \x1b[31mno disk\n\n").unwrap();
        drop(input);
        end.blocking_recv().unwrap();
        assert_eq!(last.text(), "cannot go on:  [31mno disk");
        let bytes = |path: &Path| fs::metadata(path).unwrap().len();
        let bound = LOG_BYTES_MAX + (16 << 10);
        assert!(bytes(&path) <= bound && bytes(&older(&path)) <= bound);
        fs::remove_dir_all(&dir).unwrap();
    }
}
