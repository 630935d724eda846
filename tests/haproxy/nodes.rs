//! A hub and three nodes, with the command lines of `samples/haproxy/README.md`.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use throughline_tests::{
    program::{self, omok},
    watch,
};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::{http, ports};

/// Nodes of the sample, with the numbers from 1.
pub(crate) const NODES: u32 = 3;

/// Where a node is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) http: SocketAddr,
    pub(crate) link: SocketAddr,
    pub(crate) admin: SocketAddr,
}

/// The processes, killed when this is dropped.
pub(crate) struct Nodes {
    places: Vec<Place>,
    limits: Vec<String>,
    children: Vec<Option<Child>>,
    _hub: Child,
    /// Last, since the others have files in it.
    dir: TempDir,
}

impl Nodes {
    /// With these flags beside the sample's.
    pub(crate) async fn start(limits: &[&str]) -> Self {
        let dir = TempDir::new().unwrap();
        std::fs::write(dir.path().join("secret"), "no secret at all, but long").unwrap();
        let mut hub = omok("hub");
        hub.args(["--path", "store", "--socket", "hub.sock", "--secret-file", "secret"]);
        let hub = serving(hub.current_dir(dir.path()).stderr(log(dir.path(), "hub.log"))).await;
        let place = |_| Place { http: ports::free(), link: ports::free(), admin: ports::free() };
        let places = (0..NODES).map(place).collect();
        let children = (0..NODES).map(|_| None).collect();
        let limits = limits.iter().map(ToString::to_string).collect();
        let mut nodes = Self { places, limits, children, _hub: hub, dir };
        for number in 1..=NODES {
            nodes.start_node(number).await;
        }
        nodes
    }

    /// Starts a node, again if it ran before; it is ready when this returns.
    pub(crate) async fn start_node(&mut self, number: u32) {
        let Place { http, link, admin } = *self.place(number);
        let mut node = omok("node");
        node.args(["--cluster.node", &number.to_string()]);
        node.args(["--store.at", "hub:unix:hub.sock", "--cluster.secret-file", "secret"]);
        node.args(["--listen.http", &http.to_string(), "--listen.link", &link.to_string()]);
        node.args(["--admin.listen", &admin.to_string(), "--listen.proxy-from", "127.0.0.1"]);
        node.args(&self.limits);
        node.current_dir(self.dir()).stderr(log(self.dir(), &format!("{number}.log")));
        self.children[number as usize - 1] = Some(serving(&mut node).await);
        watch::soon("a node that is ready", async {
            while !http::get(admin, "/readyz").await.starts_with("HTTP/1.1 200 ") {
                tokio::time::sleep(watch::LOOK_EVERY).await;
            }
        })
        .await;
    }

    pub(crate) fn place(&self, number: u32) -> &Place {
        &self.places[number as usize - 1]
    }

    /// Where all files of this cluster are.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// All that all nodes have logged.
    pub(crate) fn logs(&self) -> String {
        let log = |number| std::fs::read_to_string(self.dir().join(format!("{number}.log")));
        (1..=NODES).map(|number| log(number).unwrap()).collect()
    }

    /// Has an operator order this of a node.
    pub(crate) async fn order(&self, number: u32, path: &str) {
        let answer = http::ask(self.place(number).admin, "POST", path).await;
        assert!(answer.starts_with("HTTP/1.1 20"), "{path}: {answer}");
    }

    /// How far a drain is that is paused, once nobody is on the way.
    pub(crate) async fn settled_drain(&self, number: u32) -> Value {
        watch::soon("a drain that is paused", async {
            loop {
                let answer = http::get(self.place(number).admin, "/drain").await;
                let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
                let drain: Value = serde_json::from_str(body).unwrap_or_default();
                assert_ne!(drain, Value::Null, "node {number} has gone, or says {answer:?}");
                if drain["state"] == "paused" && drain["leaving"] == 0 {
                    return drain;
                }
                tokio::time::sleep(watch::LOOK_EVERY).await;
            }
        })
        .await
    }

    /// SIGTERM.
    pub(crate) async fn terminate(&self, number: u32) {
        program::signal(self.children[number as usize - 1].as_ref().unwrap(), &["TERM"]).await;
    }

    /// With which status a node ends that was told to.
    pub(crate) async fn exit_status(&mut self, number: u32) -> Option<i32> {
        program::status(self.children[number as usize - 1].take().unwrap()).await
    }
}

/// A process that has said where it serves.
async fn serving(command: &mut Command) -> Child {
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let greeting = watch::soon("a greeting", lines.next_line()).await.unwrap();
    assert!(greeting.is_some(), "{command:?} did not start");
    child
}

/// Where a process logs to, behind what one before it has.
fn log(dir: &Path, name: &str) -> File {
    File::options().create(true).append(true).open(dir.join(name)).unwrap()
}
