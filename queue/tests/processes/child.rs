//! The children: they do as their role says until they are killed, and say what was answered.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};

use crate::{hub, worker};

/// A child's `main`.
pub(crate) fn run(role: &str, rest: &[String]) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match (role, rest) {
        ("hub", [address, path]) => runtime.block_on(hub::lend(address, path)),
        ("produce", [address, who]) => runtime.block_on(worker::produce(address, who)),
        ("consume", [address, who]) => runtime.block_on(worker::consume(address, who)),
        ("repeat", [address, who, token]) => {
            runtime.block_on(worker::repeat(address, who, token.parse().unwrap()));
        }
        _ => panic!("no role {role} {rest:?}"),
    }
    ExitCode::SUCCESS
}

/// Says it in one write, so that a kill leaves whole lines.
pub(crate) fn say(line: &str) {
    let line = format!("{line}\n");
    let mut output = io::stdout().lock();
    output.write_all(line.as_bytes()).and_then(|()| output.flush()).unwrap();
}

/// A child, killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    output: Option<BufReader<ChildStdout>>,
}

impl Process {
    pub(crate) fn start(role: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--child", role]).args(arguments);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap();
        let output = child.stdout.take().map(BufReader::new);
        Self { child, output }
    }

    /// The first line that it says.
    pub(crate) fn line(&mut self) -> Option<String> {
        Lines(self.output.take().unwrap()).next()
    }

    /// All lines that it says, once.
    pub(crate) fn take_lines(&mut self) -> Lines {
        Lines(self.output.take().unwrap())
    }

    /// Kills it: SIGKILL on Unix. What it had said before is still there to read.
    pub(crate) fn kill(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a child says.
pub(crate) struct Lines(BufReader<ChildStdout>);

impl Iterator for Lines {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let mut line = String::new();
        // A kill may cut the last line.
        (self.0.read_line(&mut line).unwrap() > 0 && line.ends_with('\n'))
            .then(|| line.trim_end().to_owned())
    }
}
