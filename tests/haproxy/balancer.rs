//! Debian's HAProxy, with the configuration of the sample at the ports of a test.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use throughline_tests::watch;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

use crate::{
    nodes::{NODES, Nodes},
    player::Door,
    ports,
};

/// What HAProxy asks whether a node is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checks {
    /// The admin listener, as the sample has it.
    Admin,
    /// The HTTP listener, as README.md says it for nodes on other machines.
    Http,
}

/// HAProxy, killed when this is dropped.
pub(crate) struct Balancer {
    _child: Child,
    http: SocketAddr,
    link: SocketAddr,
    stats: PathBuf,
}

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples/haproxy/haproxy.cfg")
}

/// Where the program is: for those who are not root, not in `PATH`.
fn haproxy() -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found = folders.map(|folder| folder.join("haproxy")).find(|file| file.is_file());
    let program = found.expect("haproxy is installed (Debian: haproxy); tests/run installs it");
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// That HAProxy takes this configuration without a word against it.
async fn is_well(file: &Path) {
    let mut command = haproxy();
    let checked = watch::soon("what HAProxy says", command.arg("-c").arg("-f").arg(file).output());
    let checked = checked.await.unwrap();
    let says = String::from_utf8_lossy(&checked.stderr);
    let is_silent = !says.contains("[WARNING]") && !says.contains("[ALERT]");
    assert!(checked.status.success() && is_silent, "{}: {says}", file.display());
}

/// The same of the sample as it is.
pub(crate) async fn sample_is_well() {
    is_well(&sample()).await;
}

impl Balancer {
    /// In front of these nodes, which it has found ready.
    pub(crate) async fn start(nodes: &Nodes, checks: Checks) -> Self {
        let (http, link) = (ports::free(), ports::free());
        let text = std::fs::read_to_string(sample()).unwrap();
        let mut moves = vec![(7777, http), (7778, link)];
        for number in 1..=NODES {
            let (place, base) = (nodes.place(number), 7700 + 10 * u16::try_from(number).unwrap());
            moves.extend([(base, place.http), (base + 1, place.link), (base + 2, place.admin)]);
        }
        let text = moved(&asking(&text, checks), &moves);
        let file = |name: &str| nodes.dir().join(name);
        std::fs::write(file("haproxy.cfg"), text).unwrap();
        is_well(&file("haproxy.cfg")).await;
        // A second file, so that the first one is the sample's.
        let stats = file("haproxy.sock");
        let watched = format!("global\n    stats socket {}\n", stats.display());
        std::fs::write(file("stats.cfg"), watched).unwrap();
        let mut command = haproxy();
        command.arg("-f").arg(file("haproxy.cfg")).arg("-f").arg(file("stats.cfg"));
        let child = command.stderr(File::create(file("haproxy.log")).unwrap()).spawn().unwrap();
        let balancer = Self { _child: child, http, link, stats };
        for number in 1..=NODES {
            balancer.sees("UP", number).await;
        }
        balancer
    }

    /// Where players come in.
    pub(crate) const fn door(&self, door: Door) -> SocketAddr {
        match door {
            Door::Http => self.http,
            Door::Link => self.link,
        }
    }

    /// Waits until both doors say that of this node, and because they have asked it.
    pub(crate) async fn sees(&self, status: &str, node: u32) {
        let doors_that_say_so = async || {
            let table = self.servers().await.unwrap_or_default();
            let mut lines = table.lines().map(|line| line.split(',').collect::<Vec<_>>());
            let names = lines.next().unwrap_or_default();
            let column = |name| names.iter().position(|found| *found == name);
            let (Some(server), Some(state), Some(check)) =
                (column("svname"), column("status"), column("check_status"))
            else {
                return 0;
            };
            let name = format!("n{node}");
            let says_so = |line: &Vec<&str>| {
                line.get(server) == Some(&&*name)
                    && line.get(state) == Some(&status)
                    && line.get(check).is_some_and(|check| check.starts_with("L7"))
            };
            lines.filter(says_so).count()
        };
        watch::soon(&format!("HAProxy says that node {node} is {status}"), async {
            while doors_that_say_so().await < Door::BOTH.len() {
                tokio::time::sleep(watch::LOOK_EVERY).await;
            }
        })
        .await;
    }

    /// What HAProxy says of its servers: a line of names, and a line for each.
    async fn servers(&self) -> std::io::Result<String> {
        let mut stream = UnixStream::connect(&self.stats).await?;
        stream.write_all(b"show stat\n").await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok(text)
    }
}

/// The configuration with what README.md says for health checks from other machines.
fn asking(text: &str, checks: Checks) -> String {
    if checks == Checks::Admin {
        return text.to_owned();
    }
    assert!(text.contains(" uri /readyz "), "the sample asks for something else");
    let text = text.replace(" uri /readyz ", " uri /throughline/readyz ");
    (1..=NODES).fold(text, |text, number| {
        text.replace(&format!(" port 77{number}2"), &format!(" port 77{number}0 check-send-proxy"))
    })
}

/// The configuration with these ports in place of its own, where it names addresses and ports.
fn moved(text: &str, moves: &[(u16, SocketAddr)]) -> String {
    let to = |port: &str| {
        let port: u16 = port.parse().unwrap();
        let found = moves.iter().find(|(from, _)| *from == port);
        found.unwrap_or_else(|| panic!("port {port} is new in the sample")).1.port().to_string()
    };
    let line = |line: &str| {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        for index in 0..words.len() {
            let port = words[index].strip_prefix("127.0.0.1:").map(to);
            if let Some(port) = port {
                words[index] = format!("127.0.0.1:{port}");
            } else if index > 0 && words[index - 1] == "port" && !line.contains('#') {
                words[index] = to(&words[index]);
            }
        }
        words.join(" ") + "\n"
    };
    text.lines().map(line).collect()
}
