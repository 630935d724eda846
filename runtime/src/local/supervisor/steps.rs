//! The plan: what is to be done next, and what if it fails.

use std::time::Duration;

use tokio::time::Instant;

use super::super::{
    member::Life,
    plan::{Plan, Purpose, Step},
    process::Process,
    role::Role,
};
use super::Supervisor;

/// Time for a process to serve. A hub reads its whole store at its start.
const START_TIME: Duration = Duration::from_secs(60);

/// A node that was told to stop has its drain's deadline, and this for all else; then it is killed.
const STOP_MARGIN: Duration = Duration::from_secs(15);

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Pending,
    Done,
    Failed,
}

impl Supervisor {
    /// Goes on with the plan as far as it goes now.
    pub(super) fn go_on(&mut self) {
        while let Some(plan) = &mut self.plan {
            let (purpose, begun) = (plan.purpose, std::mem::replace(&mut plan.begun, true));
            let Some(&step) = plan.steps.front() else {
                self.plan = None;
                return self.finish(purpose);
            };
            if !begun {
                self.begin(step);
            }
            match self.outcome(step) {
                Outcome::Pending => return,
                Outcome::Done => {
                    let _ = self.plan.as_mut().map(Plan::advance);
                }
                Outcome::Failed => self.fail(step, purpose),
            }
        }
    }

    fn finish(&mut self, purpose: Purpose) {
        match purpose {
            Purpose::Begin => {
                let url = self.url();
                self.events.add("", format!("everything serves: {url}"));
            }
            Purpose::Roll => self.events.add("", "every node was restarted"),
            Purpose::End => {
                let how =
                    if self.all_well { "nothing was left behind" } else { "not all went well" };
                self.events.add("", format!("stopped: {how}"));
                self.done = true;
            }
        }
    }

    fn begin(&mut self, step: Step) {
        let limit = match step {
            Step::Start(_) => START_TIME,
            Step::Stop(_) | Step::StopNodes => self.options.drain_deadline + STOP_MARGIN,
        };
        self.step_ends = Instant::now() + limit;
        let runs = |role| self.members.iter().any(|member| member.role == role && member.runs());
        match step {
            Step::Start(role) if !runs(role) => self.start(role),
            Step::Stop(role) if runs(role) => self.stop(role),
            Step::Start(_) | Step::Stop(_) => {}
            Step::StopNodes => {
                let nodes = (1..=self.options.nodes).map(Role::Node);
                for node in nodes.filter(|&node| runs(node)).collect::<Vec<_>>() {
                    self.stop(node);
                }
            }
        }
    }

    fn outcome(&mut self, step: Step) -> Outcome {
        let is_late = Instant::now() >= self.step_ends;
        if let Step::Start(role) = step {
            return match self.member(role).map(|member| &member.life) {
                Some(Life::Serving) => Outcome::Done,
                Some(Life::Starting) if !is_late => Outcome::Pending,
                _ => Outcome::Failed,
            };
        }
        let concerns = |role| match step {
            Step::StopNodes => matches!(role, Role::Node(_)),
            Step::Start(of) | Step::Stop(of) => role == of,
        };
        let left = self.members.iter_mut().filter(|member| concerns(member.role) && member.runs());
        let mut any_left = false;
        for member in left {
            any_left = true;
            if is_late && !member.killed {
                member.killed = true;
                self.all_well = false;
                self.events.add(member.role, "does not stop: it is killed");
                let _ = member.process.as_ref().map(Process::kill);
            }
        }
        if any_left { Outcome::Pending } else { Outcome::Done }
    }

    fn fail(&mut self, step: Step, purpose: Purpose) {
        let what = match step {
            Step::Start(role) => format!("{role} does not serve"),
            // Who does not stop is killed, which does not fail.
            Step::Stop(_) | Step::StopNodes => return,
        };
        match purpose {
            Purpose::Begin => {
                self.all_well = false;
                self.events.add("", format!("{what}: the cluster did not start"));
                self.quit();
                self.all_well = false;
            }
            Purpose::Roll => {
                self.events.add("", format!("{what}: the other nodes are not restarted"));
                self.plan = None;
            }
            Purpose::End => {
                self.events.add("", what);
                let _ = self.plan.as_mut().map(Plan::advance);
            }
        }
    }
}
