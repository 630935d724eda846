//! A node's process, as its parent sees it.

use std::net::SocketAddr;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::kill_at::{Moment, Order};
use crate::node::Told;
use crate::step::Step;
use crate::world::soon;

/// A node in a process of its own, killed when this is dropped.
#[derive(Debug)]
pub(crate) struct NodeProcess {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    /// What it said when it died, if that came before the answer to an order.
    last: Option<String>,
}

impl NodeProcess {
    /// Starts one; it may not serve yet.
    pub(crate) fn start(told: &Told) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("--child").arg(serde_json::to_string(told).unwrap());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, input, output, last: None }
    }

    /// What it says next; `None` when it has ended.
    async fn line(&mut self) -> Option<String> {
        soon("a line of a node", self.output.next_line()).await.unwrap()
    }

    /// Where it serves.
    pub(crate) async fn ready(&mut self) -> SocketAddr {
        let line = self.line().await.expect("a node has ended at once");
        let address = line.strip_prefix("ready ").unwrap_or_else(|| panic!("a node says {line}"));
        address.parse().unwrap()
    }

    /// Tells it something; it may die of it, or have died before.
    async fn tell(&mut self, words: &str) {
        let written = self.input.write_all(format!("{words}\n").as_bytes()).await;
        let answer = self.line().await;
        match answer {
            Some(line) if line.starts_with("died ") => self.last = Some(line),
            answer => assert_eq!(answer.as_deref(), Some("done"), "{words}: {written:?}"),
        }
    }

    /// False if it has died.
    pub(crate) async fn order(&mut self, step: Step, order: Order) -> bool {
        if self.last.is_none() {
            self.tell(&format!("order {} {}", step.name(), order.name())).await;
        }
        self.last.is_none()
    }

    pub(crate) async fn fail_restored(&mut self) {
        self.tell("fail-restored").await;
    }

    /// It begins to drain; it ends when it is empty.
    pub(crate) async fn drain(&mut self) {
        self.tell("drain").await;
    }

    /// Waits until it has stopped by itself, with nothing left.
    pub(crate) async fn stopped(mut self) {
        let line = self.line().await.unwrap_or_default();
        let status = soon("the end of a node", self.child.wait()).await.unwrap();
        assert!(line.starts_with("stopped ") && status.success(), "{line} {status}");
    }

    /// Waits until it has died at this step.
    pub(crate) async fn died(&mut self, step: Step, moment: Moment) {
        let last = match self.last.clone() {
            Some(last) => last,
            None => self.line().await.unwrap_or_default(),
        };
        assert_eq!(last, format!("died {} {}", step.name(), moment.name()));
        soon("the death of a node", self.child.wait()).await.unwrap();
    }

    /// Waits until it is held up at this step.
    pub(crate) async fn is_at(&mut self, step: Step, moment: Moment) {
        let line = self.line().await.unwrap_or_default();
        assert_eq!(line, format!("at {} {}", step.name(), moment.name()));
    }

    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let id = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).unwrap()));
        kill_process(id.unwrap(), signal).unwrap();
    }

    /// Ends it as a power cut would.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }
}
