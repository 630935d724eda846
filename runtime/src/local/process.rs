//! One child process.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use crate::node::ATTACHED;

use super::log_file;

/// A process that has ended has closed its output, unless a child of its own holds it.
const OUTPUT_TIME: Duration = Duration::from_secs(1);

/// Orders that wait: a stop, a kill, and some more of an impatient hand.
const ORDERS_MAX: usize = 8;

/// The handle of a process that runs. Dropping it kills the process.
#[derive(Debug)]
pub(super) struct Process {
    orders: mpsc::Sender<Order>,
    pub(super) id: Option<u32>,
}

#[derive(Debug, Clone, Copy)]
enum Order {
    Stop,
    Kill,
}

/// How a process ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// `None` if the system could not say.
    pub(super) status: Option<ExitStatus>,
    /// The last line of its log, empty if there is none.
    pub(super) last_line: String,
}

impl Process {
    /// Starts `program`, its output going into the log. The future is its end, and must be run.
    pub(super) fn start(
        program: &Path,
        args: &[String],
        log: PathBuf,
    ) -> io::Result<(Self, impl Future<Output = Ended> + Send + use<>)> {
        let (output, input) = io::pipe()?;
        let mut command = Command::new(program);
        command.args(args).env(ATTACHED, "1").kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(input.try_clone()?).stderr(input);
        // Else Ctrl-C at the terminal would reach all of them at once, and the hub would be gone
        // before the nodes have parked their sessions.
        command.process_group(0);
        let (last_line, closed) = log_file::keep(output, log)?;
        let child = command.spawn()?;
        let id = child.id();
        let (orders, received) = mpsc::channel(ORDERS_MAX);
        let end = async move {
            let status = mind(child, received).await;
            // All it wrote is to be in the log when its end is known.
            let _ = tokio::time::timeout(OUTPUT_TIME, closed).await;
            Ended { status, last_line: last_line.text() }
        };
        Ok((Self { orders, id }, end))
    }

    /// Asks it to stop, as SIGTERM does. It may have ended already.
    pub(super) fn stop(&self) {
        let _ = self.orders.try_send(Order::Stop);
    }

    /// Kills it, as `kill -9` does.
    pub(super) fn kill(&self) {
        let _ = self.orders.try_send(Order::Kill);
    }
}

/// Passes orders on until the process has ended. Only who waits for a process may signal it: its
/// number is another's once it was waited for.
async fn mind(mut child: Child, mut orders: mpsc::Receiver<Order>) -> Option<ExitStatus> {
    // Waiting would close it, and the process ends when it is closed.
    let _input = child.stdin.take();
    loop {
        let order = tokio::select! {
            status = child.wait() => return status.ok(),
            order = orders.recv() => order,
        };
        match order {
            Some(Order::Stop) => terminate(&child),
            // The handle was dropped: nobody minds it any more.
            Some(Order::Kill) | None => {
                let _ = child.start_kill();
                return child.wait().await.ok();
            }
        }
    }
}

fn terminate(child: &Child) {
    let id = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    // If it has ended meanwhile, the next look at it says so.
    let _ = id.map(|id| kill_process(id, Signal::TERM));
}
