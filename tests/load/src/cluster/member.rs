//! One node of a run: started, stopped as an operator does it, and started again.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use rustix::process::Signal;
use serde_json::Value;

use crate::child::Child;
use crate::cluster::admin;
use crate::error::Error;
use crate::options::pass;
use crate::parent::Question;
use crate::roles::member::{Counted, Ready, Stopped};
use crate::rolling::Game;

/// How long a drain may take before a node counts as hanging: its own deadline is a minute.
const STOP_MAX: Duration = Duration::from_secs(120);

/// How long a node may take to serve again.
const SERVES_MAX: Duration = Duration::from_secs(60);

/// How often its state is asked for meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How it is started, each time.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) number: u32,
    pub(super) link: SocketAddr,
    /// Where it listens for other nodes, and where they find it, if it matters.
    pub(super) peers: Option<(SocketAddr, String)>,
    pub(super) store: String,
    /// Where it writes what it sees accepted.
    pub(super) audit: Option<String>,
    pub(super) secret_file: String,
    pub(super) workers: u64,
    pub(super) drain: Option<(u32, Duration)>,
    pub(super) game: Option<Game>,
}

/// One node.
#[derive(Debug)]
pub(crate) struct Member {
    plan: Plan,
    ready: Ready,
    child: Child,
}

/// What became of a node that was told to stop.
#[derive(Debug)]
pub(crate) struct Ended {
    /// What it said last.
    pub(crate) said: Stopped,
    /// Whether its exit status was 0.
    pub(crate) success: bool,
    /// From the signal to its end.
    pub(crate) took: Duration,
}

impl Member {
    pub(super) async fn start(plan: Plan) -> Result<Self, Error> {
        let (child, ready) = spawn(&plan).await?;
        Ok(Self { plan, ready, child })
    }

    pub(crate) fn link(&self) -> &str {
        &self.ready.link
    }

    pub(crate) fn number(&self) -> u32 {
        self.plan.number
    }

    pub(crate) async fn counted(&mut self) -> Result<Counted, Error> {
        self.child.ask(&Question::Report, LOOK_EVERY).await
    }

    /// What its admin listener says.
    async fn status(&self) -> Result<Value, Error> {
        admin::get(&self.ready.admin, "/status").await
    }

    /// SIGTERM, and what came of it. The process is gone then.
    pub(crate) async fn stop(&mut self) -> Result<Ended, Error> {
        let start = Instant::now();
        self.child.signal(Signal::TERM)?;
        let (said, status) = self.child.stopped(STOP_MAX).await?;
        let (success, took) = (status.success(), start.elapsed());
        Ok(Ended { said, success, took })
    }

    /// Another process in its place; it serves when this returns.
    pub(crate) async fn start_again(&mut self) -> Result<(), Error> {
        (self.child, self.ready) = spawn(&self.plan).await?;
        self.serves().await
    }

    /// Killed, as by a power switch.
    pub(crate) async fn kill(&mut self) -> Result<(), Error> {
        self.child.kill().await
    }

    /// The process that it is now.
    pub(crate) fn process(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// The resident memory of its process, in bytes.
    pub(crate) fn resident_bytes(&self) -> Result<u64, Error> {
        self.child.resident_bytes()
    }

    /// Stands still for so long, with all its threads, and goes on. It has joined again, as
    /// another incarnation, when this returns.
    pub(crate) async fn freeze(&self, lasting: Duration) -> Result<(), Error> {
        let before = self.status().await?;
        self.stand_still(lasting).await?;
        self.serves_unlike(&before["incarnation"]).await
    }

    /// Stands still for so long, with all its threads, and goes on.
    pub(crate) async fn stand_still(&self, lasting: Duration) -> Result<(), Error> {
        self.child.signal(Signal::STOP)?;
        tokio::time::sleep(lasting).await;
        self.child.signal(Signal::CONT)
    }

    /// Waits until it may own sessions.
    pub(crate) async fn serves(&self) -> Result<(), Error> {
        self.serves_unlike(&Value::Null).await
    }

    /// Waits until it may own sessions, as an incarnation other than that.
    async fn serves_unlike(&self, before: &Value) -> Result<(), Error> {
        let serves =
            |status: &Value| status["state"] == "serving" && status["incarnation"] != *before;
        let start = Instant::now();
        let mut last = Value::Null;
        while start.elapsed() < SERVES_MAX {
            last = self.status().await.unwrap_or_else(|error| error.to_string().into());
            if serves(&last) {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let what = format!("does not serve {SERVES_MAX:?} after its start: {last}");
        Err(Error::Member { number: self.plan.number, what })
    }
}

async fn spawn(plan: &Plan) -> Result<(Child, Ready), Error> {
    let secret = &plan.secret_file;
    let mut options = pass(&[
        ("number", &plan.number),
        ("link", &plan.link),
        ("store", &plan.store),
        ("secret-file", secret),
        ("workers", &plan.workers),
    ]);
    if let Some((peers, advertise)) = &plan.peers {
        options.extend(pass(&[("peers", peers), ("advertise", advertise)]));
    }
    if let Some(audit) = &plan.audit {
        options.extend(pass(&[("audit", audit)]));
    }
    if let Some((rate, spread)) = plan.drain {
        options.extend(pass(&[("drain-rate", &rate), ("drain-spread-ms", &spread.as_millis())]));
    }
    if let Some(game) = plan.game.and_then(|game| game.to_possible_value()) {
        options.extend(pass(&[("game", &game.get_name())]));
    }
    Child::start("serve-member", &options).await
}
