//! One member: Patroni, and the server that it starts.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::getuid;
use throughline_store_postgres::testing::{self, USER};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_postgres::{NoTls, SimpleQueryMessage};

use crate::config::{self, Place};
use crate::patience::ASK_WITHIN;
use crate::ports;
use crate::processes::{self, Which};

pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) port: u16,
    folder: PathBuf,
    api: u16,
    patroni: Option<Child>,
}

impl Member {
    /// A member in a folder of its own below this one, not yet started.
    pub(crate) fn new(cluster: &Path, name: &str, etcd: u16) -> Self {
        let folder = cluster.join(name);
        fs::create_dir(&folder).unwrap();
        give_away(&folder);
        let (port, api) = (ports::free(), ports::free());
        let programs = testing::programs().unwrap();
        let place = Place { name, folder: &folder, port, api, etcd, programs: &programs };
        fs::write(folder.join("patroni.yml"), config::member(&place).to_string()).unwrap();
        Self { name: name.to_owned(), port, folder, api, patroni: None }
    }

    /// Starts Patroni, as the system would do after the machine is back.
    pub(crate) fn run(&mut self) {
        assert!(self.patroni.is_none(), "{} runs", self.name);
        let log = File::options().create(true).append(true).open(self.folder.join("log")).unwrap();
        let mut command = as_server_user(&installed("patroni", "patroni"));
        command.arg(self.folder.join("patroni.yml")).current_dir(&self.folder);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.patroni = Some(command.spawn().unwrap());
    }

    pub(crate) async fn kill(&mut self, which: Which) {
        processes::kill(&self.folder, which).await;
        self.end();
    }

    /// Ends what has started Patroni. It works elsewhere, and stands still since Patroni did.
    fn end(&mut self) {
        if let Some(mut patroni) = self.patroni.take() {
            drop(patroni.kill());
            drop(patroni.wait());
        }
    }

    pub(crate) async fn freeze(&self) {
        processes::freeze(&self.folder).await;
    }

    pub(crate) fn thaw(&self) {
        processes::thaw(&self.folder);
    }

    /// Whether Patroni says so of this member: `leader`, `replica`, `sync`.
    pub(crate) async fn is(&self, role: &str) -> bool {
        let answer = timeout(ASK_WITHIN, self.get(role)).await;
        answer.is_ok_and(|answer| answer.is_ok_and(|answer| answer.starts_with("HTTP/1.0 200 ")))
    }

    async fn get(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.api)).await?;
        stream.write_all(format!("GET /{path} HTTP/1.0\r\n\r\n").as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    /// The first value of what the server answers, if it does.
    pub(crate) async fn sql(&self, sql: &str) -> Option<String> {
        timeout(ASK_WITHIN, self.query(sql)).await.ok()?.ok()?
    }

    async fn query(&self, sql: &str) -> Result<Option<String>, tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::connect(&self.address(), NoTls).await?;
        let connection = tokio::spawn(connection);
        let answer = client.simple_query(sql).await;
        connection.abort();
        Ok(answer?.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        }))
    }

    /// The connection string of this member alone.
    pub(crate) fn address(&self) -> String {
        format!("host=127.0.0.1 port={} user={USER} dbname=postgres sslmode=disable", self.port)
    }

    /// The last lines that Patroni and the server have written.
    pub(crate) fn log(&self) -> String {
        const LINES: usize = 30;
        let log = fs::read(self.folder.join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log).into_owned();
        let last: Vec<_> = log.lines().rev().take(LINES).collect();
        let last: Vec<_> = last.into_iter().rev().collect();
        format!("--- {}\n{}\n", self.name, last.join("\n"))
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.end();
    }
}

/// Where a program is that a package brings.
pub(crate) fn installed(program: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/bin")]);
    let found = folders.find(|folder| folder.join(program).is_file());
    let missing = || panic!("{program} is missing (Debian: {package}); tests/run installs it");
    found.unwrap_or_else(missing).join(program)
}

/// The server refuses root, and so Patroni is started as the same user.
fn as_server_user(program: &Path) -> Command {
    if !getuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(program);
    command
}

/// Gives a folder to the user whom the server runs as.
pub(crate) fn give_away(folder: &Path) {
    if getuid().is_root() {
        let status = Command::new("chown").arg("postgres:").arg(folder).status().unwrap();
        assert!(status.success(), "there is no user postgres");
    }
}
