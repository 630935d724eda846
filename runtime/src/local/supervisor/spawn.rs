//! The processes: how each one is started.

use std::io;
use std::path::PathBuf;

use super::super::{ask::Probe, process::Process, role::Role};
use super::{Happening, Supervisor};

/// The balancer reaches the nodes from here, so that they take clients' addresses from it alone,
/// and still serve who opens a node's own page. Not every system has a second loopback address.
const BALANCER_AT: &str = if cfg!(target_os = "linux") { "127.0.0.2" } else { "127.0.0.1" };

impl Supervisor {
    pub(super) fn spawn(&mut self, role: Role, start: u32) -> io::Result<()> {
        let (args, log) = (self.args(role), self.layout.log(role));
        let (process, end) = Process::start(&self.program, &args, log)?;
        let happenings = self.happenings.clone();
        tokio::spawn(async move {
            let ended = end.await;
            let _ = happenings.send(Happening::Ended(role, start, ended)).await;
        });
        let (probe, happenings) = (self.probe(role), self.happenings.clone());
        let probe = tokio::spawn(async move {
            probe.holds().await;
            let _ = happenings.send(Happening::Serves(role, start)).await;
        });
        if let Some(member) = self.member(role) {
            member.begin(process, probe.abort_handle());
        }
        Ok(())
    }

    fn probe(&self, role: Role) -> Probe {
        match role {
            Role::Hub => {
                let (socket, secret) = (self.layout.socket(), self.layout.secret());
                Probe::Hub { socket, secret }
            }
            Role::Node(number) => Probe::Ready(self.options.ports.node(number)[2]),
            Role::Balancer => Probe::Port(self.options.ports.balancer()[0]),
        }
    }

    fn args(&self, role: Role) -> Vec<String> {
        let path = |path: PathBuf| path.display().to_string();
        let (socket, secret) = (path(self.layout.socket()), path(self.layout.secret()));
        let (mut args, flags) = match role {
            Role::Hub => (
                vec!["hub".to_owned()],
                vec![
                    ("path", path(self.layout.store())),
                    ("socket", socket),
                    ("secret-file", secret),
                ],
            ),
            Role::Node(number) => {
                let [http, link, admin] = self.options.ports.node(number).map(|at| at.to_string());
                // A client whose connection was cut comes back to its node, where its match is; not
                // where the balancer's address is every client's, whose header all must then send.
                let is_reached = BALANCER_AT != "127.0.0.1";
                let advertise = is_reached.then(|| format!("{link},ws://{http}/link"));
                (
                    [vec!["node".to_owned()], self.options.settings.clone()].concat(),
                    vec![
                        ("listen.advertise", advertise.unwrap_or_default()),
                        ("cluster.node", number.to_string()),
                        ("store.at", format!("hub:unix:{socket}")),
                        ("cluster.secret-file", secret),
                        ("listen.http", http),
                        ("listen.link", link),
                        ("admin.listen", admin),
                        ("listen.proxy-from", BALANCER_AT.to_owned()),
                    ],
                )
            }
            Role::Balancer => {
                let [http, link] = self.options.ports.balancer().map(|at| at.to_string());
                let nodes = (1..=self.options.nodes).map(|number| {
                    let node = self.options.ports.node(number).map(|at| at.to_string());
                    ("node", node.join(","))
                });
                let places = [("http", http), ("link", link), ("from", BALANCER_AT.to_owned())];
                (vec!["balancer".to_owned()], places.into_iter().chain(nodes).collect())
            }
        };
        args.extend(flags.into_iter().map(|(flag, value)| format!("--{flag}={value}")));
        args
    }
}
