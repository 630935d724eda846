//! The flags of `cluster`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::config::{configuring, passed_on};

use super::{
    ports::{HTTP_PORT, LINK_PORT, NODE_PORTS, NODE_PORTS_MAX, Ports},
    role::NODES_MAX,
};

/// What a local cluster is to be.
#[derive(Debug)]
pub(super) struct LocalOptions {
    pub(super) nodes: u8,
    pub(super) data: PathBuf,
    pub(super) ports: Ports,
    pub(super) json: bool,
    /// Flags for the nodes.
    pub(super) settings: Vec<String>,
    /// Of the nodes: how long one may take to stop.
    pub(super) drain_deadline: Duration,
}

/// What each node is given by the cluster, so that it is none of its flags.
pub(super) const OWN: &[&str] = &[
    "listen.http",
    "listen.link",
    "listen.proxy-from",
    "store.at",
    "cluster.node",
    "cluster.secret-file",
    "admin.listen",
];

/// What to change instead.
pub(super) const INSTEAD: &str =
    "--http-port, --link-port and --node-ports set the ports, --data the store and the secret";

const KEYS: &str = "\
In a terminal: 1 to 9 select a node, h the hub, b the balancer; d drains, k kills (as kill -9),
x stops (as SIGTERM), s starts the selected one; r restarts all nodes, one after the other; q stops
everything. Elsewhere the same are lines on standard input: drain 2, kill 2, stop 2, start 2, roll,
status, quit.

Other subcommands, each with its own --help:
  node      one server process
  hub       lends a store on this machine's disk to the nodes of this machine
  balancer  stands in front of nodes, for development

Settings are those of the nodes, and are passed on to each of them. Each can also be given in the
file (throughline.toml) and in the environment (THROUGHLINE__SECTION__KEY).";

/// The options that a game may have its own default for.
pub(crate) const DEFAULTED: &[&str] = &["nodes", "data", HTTP_PORT, LINK_PORT, NODE_PORTS];

/// The command line, with the game's own defaults for what is in [`DEFAULTED`].
pub(super) fn command(program: &str, defaults: &[(&'static str, String)]) -> Command {
    defaults.iter().fold(plain(program), |command, (name, value)| {
        command.mut_arg(name, |option| option.default_value(value.clone()))
    })
}

fn plain(program: &str) -> Command {
    Command::new(program.to_owned())
        .bin_name(format!("{program} [cluster]"))
        .version(concat!("throughline ", env!("CARGO_PKG_VERSION")))
        .about("Starts a cluster on this machine: a hub, nodes that serve this game, a balancer")
        .after_help(KEYS)
        .next_line_help(true)
        .args_override_self(true)
        .arg(
            Arg::new("nodes")
                .long("nodes")
                .value_name("COUNT")
                .default_value("3")
                .value_parser(value_parser!(u8).range(1..=i64::from(NODES_MAX)))
                .help("Nodes to start"),
        )
        .arg(
            Arg::new("data")
                .long("data")
                .value_name("DIR")
                .default_value("./data/local")
                .help("Where the store, the cluster's secret and the logs are kept"),
        )
        .args([
            port(HTTP_PORT, "7777", "The balancer's port for pages and WebSocket links", 65_535),
            port(LINK_PORT, "7778", "The balancer's port for TCP links", 65_535),
            port(
                NODE_PORTS,
                "7700",
                "Node n has the ports from this + 10 n on: HTTP, TCP link, admin",
                NODE_PORTS_MAX,
            ),
        ])
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Prints one JSON object per second instead of the table"),
        )
        .arg(
            Arg::new("print-config")
                .long("print-config")
                .action(ArgAction::SetTrue)
                .help("Prints the nodes' configuration as a file with comments, and exits"),
        )
        .args(configuring(OWN))
}

fn port(name: &'static str, default: &'static str, help: &'static str, most: i64) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name("PORT")
        .default_value(default)
        .value_parser(value_parser!(u16).range(0..=most))
        .help(format!("{help}; 0: any that is free"))
}

impl LocalOptions {
    pub(super) fn of(flags: &ArgMatches) -> Self {
        let port = |name| flags.get_one::<u16>(name).copied().unwrap_or_default();
        let mut settings = passed_on(flags);
        if flags.get_flag("print-config") {
            settings.push("--print-config".to_owned());
        }
        Self {
            nodes: flags.get_one::<u8>("nodes").copied().unwrap_or(1),
            data: flags.get_one::<String>("data").map(PathBuf::from).unwrap_or_default(),
            ports: Ports { http: port(HTTP_PORT), link: port(LINK_PORT), nodes: port(NODE_PORTS) },
            json: flags.get_flag("json"),
            settings,
            drain_deadline: Duration::ZERO,
        }
    }
}
