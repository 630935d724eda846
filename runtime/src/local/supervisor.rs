//! All processes of a local cluster, and what is done with them.

mod spawn;
mod steps;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use crate::node::Signals;

use super::{
    ask,
    command::{Command, USAGE},
    events::Events,
    input,
    layout::Layout,
    member::{Life, Member},
    options::LocalOptions,
    output::Output,
    plan::{Plan, Purpose},
    process::{Ended, Process},
    role::Role,
    status::Status,
};

/// Nodes are asked, and the table is drawn, so often: numbers that change faster cannot be read.
const TICK: Duration = Duration::from_millis(500);

/// Happenings that wait: a tick's answers, and what a script writes at once.
const HAPPENINGS_MAX: usize = 256;

/// What the supervisor hears.
#[derive(Debug)]
pub(super) enum Happening {
    /// An order.
    Do(Command),
    /// The same for the selected process.
    DoSelected(fn(Role) -> Command),
    Select(Role),
    /// The next process, or the one before.
    SelectNext(bool),
    /// A line that is no order.
    Misread(String),
    /// A process serves; with the count of its starts, as in the next two.
    Serves(Role, u32),
    Ended(Role, u32, Ended),
    /// An answer, or none.
    Said(Role, u32, Option<Status>),
    /// A node did not take an order.
    Refused(Role, String),
    /// The terminal has another size.
    Resized,
}

/// The cluster.
#[derive(Debug)]
pub(super) struct Supervisor {
    pub(super) options: LocalOptions,
    pub(super) layout: Layout,
    /// The hub, the nodes, the balancer.
    pub(super) members: Vec<Member>,
    pub(super) events: Events,
    pub(super) selected: Role,
    program: PathBuf,
    plan: Option<Plan>,
    /// When the step under way is late.
    step_ends: Instant,
    happenings: mpsc::Sender<Happening>,
    all_well: bool,
    done: bool,
}

impl Supervisor {
    pub(super) fn new(
        program: PathBuf,
        options: LocalOptions,
        layout: Layout,
    ) -> (Self, mpsc::Receiver<Happening>) {
        let (happenings, heard) = mpsc::channel(HAPPENINGS_MAX);
        let nodes = (1..=options.nodes).map(Role::Node);
        let roles = [Role::Hub].into_iter().chain(nodes).chain([Role::Balancer]);
        let supervisor = Self {
            members: roles.map(Member::new).collect(),
            events: Events::default(),
            selected: Role::Node(1),
            program,
            plan: Some(Plan::begin(options.nodes)),
            step_ends: Instant::now(),
            happenings,
            all_well: true,
            done: false,
            options,
            layout,
        };
        (supervisor, heard)
    }

    /// Runs until everything has stopped. True if all that stopped at the end stopped well.
    pub(super) async fn run(mut self, mut heard: mpsc::Receiver<Happening>) -> io::Result<bool> {
        let mut signals = Signals::new()?;
        let mut output = Output::open(&self)?;
        input::listen(output.is_screen(), &self.happenings)?;
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.go_on();
            output.show(&self)?;
            if self.done {
                output.close(&self)?;
                return Ok(self.all_well);
            }
            tokio::select! {
                happening = heard.recv() => match happening {
                    Some(Happening::Do(Command::Status)) => output.status(&self)?,
                    Some(happening) => self.handle(happening),
                    // The other end is in `self`.
                    None => {}
                },
                _ = ticks.tick() => {
                    self.ask_all();
                    output.tick(&self)?;
                }
                () = signals.next() => self.quit(),
            }
        }
    }

    /// Where players come in.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.options.ports.balancer()[0])
    }

    /// The admin listener of a node.
    pub(super) fn admin(&self, role: Role) -> Option<SocketAddr> {
        match role {
            Role::Node(number) => Some(self.options.ports.node(number)[2]),
            Role::Hub | Role::Balancer => None,
        }
    }

    fn member(&mut self, role: Role) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.role == role)
    }

    fn handle(&mut self, happening: Happening) {
        match happening {
            Happening::Do(command) => self.obey(command),
            Happening::DoSelected(command) => self.obey(command(self.selected)),
            Happening::Select(role) => {
                if self.member(role).is_some() {
                    self.selected = role;
                }
            }
            Happening::SelectNext(forward) => self.select_next(forward),
            Happening::Misread(line) => {
                self.events.add("", format!("`{line}` is no command: {USAGE}"));
            }
            Happening::Serves(role, start) => self.serves(role, start),
            Happening::Ended(role, start, ended) => {
                let stopping = self.is_stopping();
                let Some(member) = self.member(role).filter(|member| member.start == start) else {
                    return;
                };
                let (event, well) = member.end(&ended);
                self.all_well &= well || !stopping;
                self.events.add(role, event);
            }
            Happening::Said(role, start, status) => {
                let Some(member) = self.member(role).filter(|member| member.start == start) else {
                    return;
                };
                member.asked = false;
                let learnt = status.filter(|_| member.runs()).map(|status| member.learn(status));
                for change in learnt.unwrap_or_default() {
                    self.events.add(role, change);
                }
            }
            Happening::Refused(role, why) => self.events.add(role, why),
            Happening::Resized => {}
        }
    }

    fn select_next(&mut self, forward: bool) {
        let count = self.members.len();
        let at = self.members.iter().position(|member| member.role == self.selected);
        let step = if forward { 1 } else { count - 1 };
        self.selected = self.members[(at.unwrap_or_default() + step) % count].role;
    }

    fn serves(&mut self, role: Role, start: u32) {
        let at = match role {
            Role::Node(number) => format!(" at http://{}", self.options.ports.node(number)[0]),
            Role::Hub => String::new(),
            Role::Balancer => format!(" at {}", self.url()),
        };
        let Some(member) = self.member(role).filter(|member| member.start == start) else { return };
        if member.life != Life::Starting {
            return;
        }
        member.life = Life::Serving;
        let took = member.started_at.elapsed().as_secs_f64();
        self.events.add(role, format!("serving{at} after {took:.1} s"));
    }

    fn is_stopping(&self) -> bool {
        self.plan.as_ref().is_some_and(|plan| plan.purpose == Purpose::End)
    }

    fn obey(&mut self, command: Command) {
        if command == Command::Quit {
            return self.quit();
        }
        if self.is_stopping() {
            return self.events.add("", "everything is being stopped");
        }
        match command {
            Command::Drain(role) => self.drain(role),
            Command::Kill(role) => self.kill(role),
            Command::Stop(role) => self.stop(role),
            Command::Start(role) => self.start(role),
            Command::Roll if self.plan.is_some() => self.events.add("", "not now: wait"),
            Command::Roll => {
                self.events.add("", "restarting the nodes, one after the other");
                self.plan = Some(Plan::roll(self.options.nodes));
            }
            // Its output's, and everything's.
            Command::Status | Command::Quit => {}
        }
    }

    /// The first time in good order, the second time at once.
    fn quit(&mut self) {
        if self.is_stopping() {
            self.events.add("", "killing what is left");
            self.all_well = false;
            for member in &mut self.members {
                member.killed = member.runs();
                let _ = member.process.as_ref().map(Process::kill);
            }
            return;
        }
        let is_hub = |member: &&Member| member.role == Role::Hub;
        let hub_runs = self.members.iter().find(is_hub).is_some_and(Member::runs);
        let is_node = |member: &Member| matches!(member.role, Role::Node(_)) && member.runs();
        let nodes = self.members.iter().filter(|member| is_node(member)).count();
        self.events.add("", format!("stopping: {nodes} nodes drain; once more kills them"));
        self.plan = Some(Plan::end(nodes > 0 && !hub_runs));
    }

    fn drain(&mut self, role: Role) {
        let admin = self.admin(role);
        let serves = self.member(role).is_some_and(|member| member.life == Life::Serving);
        let (Some(admin), true) = (admin, serves) else {
            return self.events.add(role, "only a node that serves can be drained");
        };
        let happenings = self.happenings.clone();
        tokio::spawn(async move {
            if let Err(error) = ask::drain(admin).await {
                let why = format!("does not drain: {error}");
                let _ = happenings.send(Happening::Refused(role, why)).await;
            }
        });
    }

    fn kill(&mut self, role: Role) {
        match self.member(role).filter(|member| member.runs()) {
            Some(member) => {
                member.killed = true;
                let _ = member.process.as_ref().map(Process::kill);
            }
            None => self.events.add(role, "does not run"),
        }
    }

    fn stop(&mut self, role: Role) {
        match self.member(role).filter(|member| member.runs()) {
            Some(member) => {
                member.life = Life::Stopping;
                let _ = member.process.as_ref().map(Process::stop);
            }
            None => self.events.add(role, "does not run"),
        }
    }

    fn start(&mut self, role: Role) {
        match self.member(role).map(|member| (member.runs(), member.start + 1)) {
            None => self.events.add(role, "is not part of this cluster"),
            Some((true, _)) => self.events.add(role, "runs already"),
            Some((false, start)) => {
                if let Err(error) = self.spawn(role, start) {
                    self.events.add(role, format!("cannot be started: {error}"));
                    let _ = self.member(role).map(|member| {
                        member.life = Life::Ended("not started".to_owned());
                    });
                }
            }
        }
    }

    /// Asks every node how it is, unless its last answer is still to come.
    fn ask_all(&mut self) {
        let ports = self.options.ports;
        for member in &mut self.members {
            let Role::Node(number) = member.role else { continue };
            let asks = matches!(member.life, Life::Serving | Life::Stopping) && !member.asked;
            if !asks {
                continue;
            }
            member.asked = true;
            let (role, start, happenings) = (member.role, member.start, self.happenings.clone());
            let admin = ports.node(number)[2];
            tokio::spawn(async move {
                let status = ask::status(admin).await.ok();
                let _ = happenings.send(Happening::Said(role, start, status)).await;
            });
        }
    }
}
