//! What is shown: a screen, lines, or JSON.

use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

use crate::node::say;

use super::{
    events::{self, Event},
    screen::Screen,
    supervisor::Supervisor,
    table,
};

/// Where it goes.
#[derive(Debug)]
pub(super) struct Output {
    form: Form,
    /// Events that were told.
    told: usize,
    /// Ticks until the next JSON object.
    ticks: u32,
}

#[derive(Debug)]
enum Form {
    Screen(Screen),
    Lines,
    Json,
}

/// A tick is half a second.
const TICKS_PER_OBJECT: u32 = 2;

/// Events that are left on the terminal when the screen is given back.
const EVENTS_LEFT: usize = 10;

/// All of it, for a machine.
#[derive(Debug, Serialize)]
struct Object<'a> {
    /// UTC.
    time: String,
    url: String,
    nodes: Vec<Process<'a>>,
    hub: Option<Process<'a>>,
    balancer: Option<Process<'a>>,
    /// Since the last object.
    events: Vec<&'a Event>,
}

#[derive(Debug, Serialize)]
struct Process<'a> {
    name: String,
    state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    admin: Option<String>,
    #[serde(flatten)]
    figures: Option<Figures>,
}

#[derive(Debug, Serialize)]
struct Figures {
    sessions: u64,
    vactors: u64,
    turns_per_s: f64,
    handovers: u64,
    pause_p99_ms: Option<f64>,
    lost: u64,
}

impl Output {
    /// The screen, if there is one and nothing else was asked for.
    pub(super) fn open(cluster: &Supervisor) -> io::Result<Self> {
        let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
        let can_draw = std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let form = if cluster.options.json {
            Form::Json
        } else if is_terminal && can_draw {
            Form::Screen(Screen::open()?)
        } else {
            say(&table::heading(cluster));
            Form::Lines
        };
        Ok(Self { form, told: 0, ticks: 0 })
    }

    /// Whether keys are read instead of lines.
    pub(super) fn is_screen(&self) -> bool {
        matches!(self.form, Form::Screen(_))
    }

    /// Something has happened.
    pub(super) fn show(&mut self, cluster: &Supervisor) -> io::Result<()> {
        match &mut self.form {
            Form::Screen(screen) => screen.draw(cluster)?,
            Form::Lines => {
                for event in cluster.events.news(&mut self.told) {
                    say(&event.line());
                }
            }
            Form::Json => {}
        }
        Ok(())
    }

    /// Half a second has gone.
    pub(super) fn tick(&mut self, cluster: &Supervisor) -> io::Result<()> {
        self.ticks += 1;
        if self.ticks.is_multiple_of(TICKS_PER_OBJECT) && matches!(self.form, Form::Json) {
            self.object(cluster)?;
        }
        Ok(())
    }

    /// Somebody asks how everything is.
    pub(super) fn status(&mut self, cluster: &Supervisor) -> io::Result<()> {
        match &self.form {
            Form::Screen(_) => {}
            Form::Lines => {
                for line in table::lines(cluster) {
                    say(line.text.trim_end());
                }
            }
            Form::Json => self.object(cluster)?,
        }
        Ok(())
    }

    /// Everything has stopped. What happened last stays on the terminal.
    pub(super) fn close(mut self, cluster: &Supervisor) -> io::Result<()> {
        match self.form {
            Form::Screen(screen) => {
                drop(screen);
                for event in cluster.events.last(EVENTS_LEFT) {
                    say(&event.line());
                }
            }
            Form::Lines => {}
            Form::Json => self.object(cluster)?,
        }
        Ok(())
    }

    fn object(&mut self, cluster: &Supervisor) -> io::Result<()> {
        let mut object = Object {
            time: events::now(),
            url: cluster.url(),
            nodes: Vec::new(),
            hub: None,
            balancer: None,
            events: cluster.events.news(&mut self.told).collect(),
        };
        for member in &cluster.members {
            let figures = member.status.as_ref().map(|status| Figures {
                sessions: status.sessions,
                vactors: status.vactors,
                turns_per_s: (member.turns_per_s * 10.0).round() / 10.0,
                handovers: status.handovers_in,
                pause_p99_ms: status.pause_p99_ms,
                lost: status.lost,
            });
            let process = Process {
                name: member.role.to_string(),
                state: member.state(),
                pid: member.process.as_ref().and_then(|process| process.id),
                admin: cluster.admin(member.role).map(|admin| admin.to_string()),
                figures,
            };
            match member.role {
                super::role::Role::Hub => object.hub = Some(process),
                super::role::Role::Node(_) => object.nodes.push(process),
                super::role::Role::Balancer => object.balancer = Some(process),
            }
        }
        let line = serde_json::to_string(&object).map_err(io::Error::other)?;
        // Whoever reads may have gone: that is no reason to stop.
        let _ = writeln!(io::stdout(), "{line}");
        Ok(())
    }
}
