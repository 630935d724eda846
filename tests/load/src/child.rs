//! The processes of a run, as their parent sees them.
//!
//! Each is this very executable under another subcommand, so it cannot be stale. It is asked by a
//! line of JSON on its standard input and answers by one on its standard output; its first line
//! says that it is ready. It ends when its standard input closes, also when the parent was killed.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::echo::Slice;
use crate::error::Error;
use crate::options::SLICE;
use crate::parent::Question;

/// How long a child may take to be ready: thousands of clients log in before they say so.
const READY_MAX: Duration = Duration::from_secs(120);

/// How long an answer may take beyond the time that was asked for.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// A running child; it is killed on drop.
#[derive(Debug)]
pub(crate) struct Child {
    role: String,
    process: tokio::process::Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts this executable with that subcommand and its options; returns what it said when
    /// ready.
    pub(crate) async fn start<R: DeserializeOwned>(
        role: &str,
        options: &[String],
    ) -> Result<(Self, R), Error> {
        let failed = |source| Error::Start { role: role.to_owned(), source };
        let executable = std::env::current_exe().map_err(failed)?;
        let mut process = Command::new(executable)
            .arg(role)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let input = process.stdin.take().expect("the standard input was piped above");
        let output = process.stdout.take().expect("the standard output was piped above");
        let lines = BufReader::new(output).lines();
        let mut child = Self { role: role.to_owned(), process, input, lines };
        let ready = child.answer(READY_MAX).await?;
        Ok((child, ready))
    }

    /// Asks; the answer may take so long beyond what every answer may take.
    pub(crate) async fn ask<A: DeserializeOwned>(
        &mut self,
        question: &impl Serialize,
        lasting: Duration,
    ) -> Result<A, Error> {
        let role = &self.role;
        let mut line = serde_json::to_vec(question).map_err(|source| Error::Answer {
            role: role.clone(),
            found: "(the question)".to_owned(),
            source,
        })?;
        line.push(b'\n');
        let written = self.input.write_all(&line).await;
        written.map_err(|_| Error::Gone { role: role.clone() })?;
        self.answer(ANSWER_MAX + lasting).await
    }

    /// The resident memory of the process, in bytes.
    pub(crate) fn resident_bytes(&self) -> Result<u64, Error> {
        let gone = || Error::Gone { role: self.role.clone() };
        crate::resident::bytes(self.process.id().ok_or_else(gone)?)
    }

    /// Gives it a signal, as an operator does.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Error> {
        let gone = || Error::Gone { role: self.role.clone() };
        let id = self.process.id().and_then(|id| i32::try_from(id).ok());
        let id = id.and_then(Pid::from_raw).ok_or_else(gone)?;
        kill_process(id, signal).map_err(|_| gone())
    }

    /// Its process.
    pub(crate) fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Kills it; it is gone when this returns.
    pub(crate) async fn kill(&mut self) -> Result<(), Error> {
        self.signal(Signal::KILL)?;
        self.end(ANSWER_MAX).await.map(|_| ())
    }

    /// What it says last, unasked, and how it ends after that.
    pub(crate) async fn stopped<A: DeserializeOwned>(
        &mut self,
        within: Duration,
    ) -> Result<(A, ExitStatus), Error> {
        let said = self.answer(within).await?;
        Ok((said, self.end(within).await?))
    }

    /// How it ends.
    pub(crate) async fn end(&mut self, within: Duration) -> Result<ExitStatus, Error> {
        let silent = |_| Error::Silent { role: self.role.clone(), seconds: within.as_secs() };
        let ended = timeout(within, self.process.wait()).await.map_err(silent)?;
        ended.map_err(Error::io("waiting for a process to end"))
    }

    async fn answer<A: DeserializeOwned>(&mut self, within: Duration) -> Result<A, Error> {
        let role = || self.role.clone();
        let line = timeout(within, self.lines.next_line())
            .await
            .map_err(|_| Error::Silent { role: role(), seconds: within.as_secs() })?;
        let line = line.ok().flatten().ok_or_else(|| Error::Gone { role: role() })?;
        serde_json::from_str(&line).map_err(|source| Error::Answer {
            role: role(),
            found: line.chars().take(200).collect(),
            source,
        })
    }
}

/// One slice of a side; what it handled per second.
pub(crate) async fn slice(side: &mut Child) -> Result<f64, Error> {
    let millis = u64::try_from(SLICE.as_millis()).unwrap_or(u64::MAX);
    let slice: Slice = side.ask(&Question::Slice { millis }, SLICE).await?;
    Ok(slice.handled as f64 * 1e3 / slice.millis as f64)
}
