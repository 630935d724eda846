//! Private servers for tests: started in a temporary directory, killed, started again, copied.
//!
//! A [`Server`] needs the programs of PostgreSQL 15 or newer. Run by root they are started as the
//! user `postgres`, since they refuse root. Everything blocks; whatever goes wrong is an error that
//! says what to install, never a server that is silently left out.

mod namespace;

use std::fs;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, getuid, kill_process, test_kill_process};
use tempfile::TempDir;

pub use namespace::Namespace;

/// What is needed of them.
const PROGRAMS: &[&str] = &["initdb", "pg_basebackup", "pg_ctl", "psql"];

/// Where Debian and others put the programs; the path is looked at first.
const FOLDERS: &[&str] = &[
    "/usr/lib/postgresql/18/bin",
    "/usr/lib/postgresql/17/bin",
    "/usr/lib/postgresql/16/bin",
    "/usr/lib/postgresql/15/bin",
    "/usr/pgsql-15/bin",
    "/opt/homebrew/opt/postgresql@15/bin",
];

/// Looks for what another process does, so often at most, [`LOOK_EVERY`] apart: 20 s in all.
const LOOKS_MAX: u32 = 2_000;
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What a keeper does: `$0` is the folder of a server. Its data may be a disk of their own, which
/// is taken away though a process has not ended yet.
const KEEPER: &str = "cat; kill -9 $(head -n 1 \"$0/data/postmaster.pid\")
    umount -l \"$0/data\"; rm -rf \"$0\"";

/// What fills a small disk.
const BALLAST: &str = "data/ballast";

/// The name of the user, who may do everything, and needs no password.
pub const USER: &str = "throughline";

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// There is none on this machine.
    #[error("no PostgreSQL on this machine: install it (apt-get install postgresql)")]
    NotInstalled,
    /// A program failed.
    #[error("{program} failed: {output}")]
    Failed {
        /// Which.
        program: String,
        /// What it wrote.
        output: String,
    },
    /// It does not do in time what it was told.
    #[error("the server at {} does not {what} in time", path.display())]
    Late {
        /// Its directory.
        path: PathBuf,
        /// What it was told.
        what: &'static str,
    },
    /// The system refused something.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// A server of its own, with its files in a temporary directory. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
    /// The namespace that it is in, and its address there.
    host: Option<(String, Ipv4Addr)>,
    /// Kills the server when this process ends without doing so: it waits for the end of its input.
    keeper: Child,
}

impl Server {
    /// Creates a server and starts it. It syncs what it writes, and takes connections from this
    /// machine, of anyone.
    ///
    /// # Errors
    /// No programs, or they fail.
    pub fn start() -> Result<Self, ServerError> {
        Self::start_at(&std::env::temp_dir(), free_port()?)
    }

    /// The same, with its files in a new folder in this one, which the user `postgres` must be able
    /// to enter, and at this port.
    ///
    /// # Errors
    /// No programs, or they fail.
    pub fn start_at(folder: &Path, port: u16) -> Result<Self, ServerError> {
        let server = Self::new(folder, port)?;
        server.create(&[])?;
        Ok(server)
    }

    /// The same, with its data on a disk of this size, in memory. Of its log, this says whether
    /// it is there, too, or on the disk of this machine. It takes root.
    ///
    /// # Errors
    /// No programs, or they fail, or this is not root.
    pub fn on_small_disk(mebibytes: u32, has_log: bool) -> Result<Self, ServerError> {
        let server = Self::new(&std::env::temp_dir(), free_port()?)?;
        let (data, log) = (server.data(), server.folder.path().join("wal").display().to_string());
        fs::create_dir(&data)?;
        let size = format!("size={mebibytes}m,mode=0700,uid=postgres,gid=postgres");
        output(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&data))?;
        let elsewhere = ["-X", &log];
        server.create(if has_log { &[] } else { &elsewhere })?;
        Ok(server)
    }

    /// The same on another host, where it takes connections from this one.
    ///
    /// # Errors
    /// No programs, or they fail.
    pub fn on_host(host: &Namespace) -> Result<Self, ServerError> {
        let mut server = Self::new(&std::env::temp_dir(), free_port()?)?;
        server.host = Some((host.name().to_owned(), host.address()));
        server.create(&[])?;
        Ok(server)
    }

    fn create(&self, options: &[&str]) -> Result<(), ServerError> {
        let data = self.data().display().to_string();
        let args = ["-D", &data, "-U", USER, "-A", "trust", "-N", "-E", "UTF8", "-k"];
        self.program("initdb", &[&args, options].concat())?;
        // Answers come sooner than a deadlock's usual second, and no test fills the machine.
        self.configure("max_connections = 60\nshared_buffers = 64MB\nwal_level = replica\n")?;
        self.configure("deadlock_timeout = 100ms\n")?;
        if self.host.is_some() {
            let access = self.data().join("pg_hba.conf");
            let lines = fs::read_to_string(&access)?;
            fs::write(access, format!("{lines}\nhost all all samenet trust\n"))?;
        }
        self.run()
    }

    /// Fills its small disk, but for so many bytes.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn fill_disk(&self, left: u64) -> Result<(), ServerError> {
        let ballast = fs::File::create(self.folder.path().join(BALLAST))?;
        // As much as there is: it ends with an error, that there is no more.
        drop(io::copy(&mut io::repeat(0), &mut &ballast));
        let length = ballast.metadata()?.len();
        Ok(ballast.set_len(length.saturating_sub(left))?)
    }

    /// Makes room again.
    ///
    /// # Errors
    /// The disk was not filled.
    pub fn empty_disk(&self) -> Result<(), ServerError> {
        Ok(fs::remove_file(self.folder.path().join(BALLAST))?)
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        self.main_process().is_ok_and(|pid| !has_ended(pid))
    }

    /// Writes a file beside its data that it alone may read, such as a key; where it is.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add_file(&self, name: &str, contents: &str) -> Result<PathBuf, ServerError> {
        let path = self.folder.path().join(name);
        let mut file = fs::File::options().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(contents.as_bytes())?;
        if getuid().is_root() {
            output(Command::new("chown").arg("postgres:").arg(&path))?;
        }
        Ok(path)
    }

    /// Copies a running server as its standby of this name, and starts it.
    ///
    /// # Errors
    /// The copy fails, or its start.
    pub fn standby(&self, name: &str) -> Result<Self, ServerError> {
        self.standby_at(&std::env::temp_dir(), free_port()?, name)
    }

    /// The same, with its files in a new folder in this one, and at this port.
    ///
    /// # Errors
    /// The copy fails, or its start.
    pub fn standby_at(&self, folder: &Path, port: u16, name: &str) -> Result<Self, ServerError> {
        let standby = Self::new(folder, port)?;
        standby.copy_of(self, name)?;
        Ok(standby)
    }

    /// One that was killed comes back at its place as the standby of another, with nothing of what
    /// it had.
    ///
    /// # Errors
    /// The copy fails, or its start.
    pub fn rejoin(&self, primary: &Self, name: &str) -> Result<(), ServerError> {
        fs::remove_dir_all(self.data())?;
        self.copy_of(primary, name)
    }

    fn copy_of(&self, primary: &Self, name: &str) -> Result<(), ServerError> {
        let data = self.data().display().to_string();
        let port = primary.port;
        let from = format!("host=127.0.0.1 port={port} user={USER} application_name={name}");
        self.program(
            "pg_basebackup",
            &["-D", &data, "-d", &from, "-R", "-X", "stream", "-c", "fast", "-N"],
        )?;
        self.run()
    }

    fn new(folder: &Path, port: u16) -> Result<Self, ServerError> {
        let folder = tempfile::Builder::new().prefix("throughline-postgres").tempdir_in(folder)?;
        if getuid().is_root() {
            let path = folder.path().display().to_string();
            output(Command::new("chown").args(["postgres:", &path]))?;
        }
        let programs = programs()?;
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER]).arg(folder.path()).process_group(0);
        keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { folder, programs, port, host: None, keeper: keeper.spawn()? })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The connection string of one of its databases; `postgres` is always there.
    pub fn address(&self, database: &str) -> String {
        let host = self.host.as_ref().map_or(Ipv4Addr::LOCALHOST, |(_, address)| *address);
        format!("host={host} port={} user={USER} dbname={database}", self.port)
    }

    /// Adds lines to its configuration, which it reads when it starts or is told to.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn configure(&self, lines: &str) -> Result<(), ServerError> {
        let path = self.data().join("postgresql.auto.conf");
        let old = fs::read_to_string(&path)?;
        Ok(fs::write(path, format!("{old}{lines}"))?)
    }

    /// Runs statements in one of its databases, as one transaction if there are several; what they
    /// answer, a line for each row.
    ///
    /// # Errors
    /// The server refuses them.
    pub fn sql(&self, database: &str, sql: &str) -> Result<String, ServerError> {
        let port = self.port.to_string();
        let args = ["-h", "127.0.0.1", "-p", &port, "-U", USER, "-d", database, "-XAtqc", sql];
        self.program("psql", &args)
    }

    /// Starts it again.
    ///
    /// # Errors
    /// It does not start; the end of its log is told.
    pub fn run(&self) -> Result<(), ServerError> {
        let (data, log) = (self.data().display().to_string(), self.log().display().to_string());
        let (port, own) = (self.port, self.host.as_ref());
        let address = own.map_or(String::new(), |(_, address)| format!(",{address}"));
        let options =
            format!("-p {port} -c listen_addresses=127.0.0.1{address} -c unix_socket_directories=");
        // Its output goes to the log: it would hold this process's open.
        let args = ["-D", &data, "-l", &log, "-o", &options, "-w", "-t", "30", "start"];
        self.program("pg_ctl", &args).map_err(|error| self.with_log(error))?;
        Ok(())
    }

    /// Kills it and all its processes, as a loss of power would, and waits until they are gone.
    ///
    /// # Errors
    /// It does not run, or does not end.
    pub fn kill(&self) -> Result<(), ServerError> {
        let main = self.main_process()?;
        let mut all = children(main)?;
        // The first one first: it would start others.
        all.insert(0, main);
        self.signal(&all, Signal::KILL)?;
        for _ in 0..LOOKS_MAX {
            if all.iter().all(|pid| has_ended(*pid)) {
                // Or the next start takes it for running.
                drop(fs::remove_file(self.pid_file()));
                return Ok(());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Err(ServerError::Late { path: self.data(), what: "end" })
    }

    /// Stops it in order.
    ///
    /// # Errors
    /// It does not run, or does not end.
    pub fn stop(&self) -> Result<(), ServerError> {
        let data = self.data().display().to_string();
        self.program("pg_ctl", &["-D", &data, "-m", "fast", "-w", "stop"])?;
        Ok(())
    }

    /// Makes every one of its processes stand still, or go on.
    ///
    /// # Errors
    /// It does not run.
    pub fn freeze(&self, is_frozen: bool) -> Result<(), ServerError> {
        let main = self.main_process()?;
        let mut all = children(main)?;
        all.insert(0, main);
        self.signal(&all, if is_frozen { Signal::STOP } else { Signal::CONT })
    }

    /// Makes a standby the primary, and waits until it is.
    ///
    /// # Errors
    /// It is none, or does not become one.
    pub fn promote(&self) -> Result<(), ServerError> {
        let data = self.data().display().to_string();
        self.program("pg_ctl", &["-D", &data, "-w", "-t", "30", "promote"])?;
        Ok(())
    }

    /// Makes it read its configuration again.
    ///
    /// # Errors
    /// It does not run.
    pub fn reload(&self) -> Result<(), ServerError> {
        let data = self.data().display().to_string();
        self.program("pg_ctl", &["-D", &data, "reload"])?;
        Ok(())
    }

    fn signal(&self, all: &[Pid], signal: Signal) -> Result<(), ServerError> {
        let mut signalled = all.iter().map(|pid| kill_process(*pid, signal));
        // The first is the server; others may have ended meanwhile.
        let first = signalled.next().unwrap_or(Ok(()));
        for _ in signalled {}
        Ok(first.map_err(io::Error::from)?)
    }

    fn main_process(&self) -> Result<Pid, ServerError> {
        let text = fs::read_to_string(self.pid_file())?;
        let number = text.lines().next().and_then(|line| line.trim().parse().ok());
        let pid = number.and_then(Pid::from_raw);
        pid.ok_or_else(|| ServerError::Late { path: self.data(), what: "write its number" })
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn pid_file(&self) -> PathBuf {
        self.data().join("postmaster.pid")
    }

    /// Runs one of the programs, as a user whom they accept.
    fn program(&self, name: &str, args: &[&str]) -> Result<String, ServerError> {
        let path = self.programs.join(name);
        let mut words = Vec::new();
        if let Some((namespace, _)) = &self.host {
            words.extend(["ip", "netns", "exec", namespace]);
        }
        if getuid().is_root() {
            words.extend(["runuser", "-u", "postgres", "--"]);
        }
        let mut command = match words.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(path);
                command
            }
            None => Command::new(path),
        };
        // A folder that this user may enter, whoever started this process where.
        output(command.args(args).current_dir(std::env::temp_dir()))
    }

    fn with_log(&self, error: ServerError) -> ServerError {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let end: Vec<_> = log.lines().rev().take(10).collect();
        let end: Vec<_> = end.into_iter().rev().collect();
        match error {
            ServerError::Failed { program, output } => {
                ServerError::Failed { program, output: format!("{output}\n{}", end.join("\n")) }
            }
            error => error,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that does not run is gone already.
        drop(self.kill());
        drop(self.keeper.stdin.take());
        drop(self.keeper.wait());
    }
}

/// A port that nobody listens on now.
fn free_port() -> Result<u16, ServerError> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Whether a process is gone, or waits for nothing but that somebody takes note of it.
fn has_ended(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    let is_zombie =
        stat.is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|s| s.starts_with('Z')));
    is_zombie || test_kill_process(pid).is_err()
}

/// The processes that this one has started.
fn children(parent: Pid) -> Result<Vec<Pid>, ServerError> {
    let parent = parent.as_raw_nonzero().to_string();
    let listed = output(Command::new("ps").args(["-o", "pid=", "--ppid", &parent]));
    // Without any it fails, and says nothing.
    let listed = listed.unwrap_or_default();
    Ok(listed.lines().filter_map(|line| Pid::from_raw(line.trim().parse().ok()?)).collect())
}

/// The folder of the programs.
///
/// # Errors
/// They are not on this machine.
pub fn programs() -> Result<PathBuf, ServerError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).collect::<Vec<_>>();
    let known = FOLDERS.iter().map(PathBuf::from);
    let mut folders = on_path.into_iter().chain(known);
    let has_programs =
        |folder: &PathBuf| PROGRAMS.iter().all(|program| folder.join(program).is_file());
    folders.find(has_programs).ok_or(ServerError::NotInstalled)
}

fn output(command: &mut Command) -> Result<String, ServerError> {
    let program = format!("{command:?}");
    let failed = |output: String| ServerError::Failed { program: program.clone(), output };
    let output =
        command.stdin(Stdio::null()).output().map_err(|error| failed(error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    match output.status.success() {
        true => Ok(text),
        false => Err(failed(format!("{text}{}", String::from_utf8_lossy(&output.stderr)))),
    }
}
