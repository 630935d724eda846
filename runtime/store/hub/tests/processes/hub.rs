//! The child: a hub that lends a store on disk until it is killed.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use throughline_store_hub::{Address, Hub, Options, Secret};
use throughline_store_sled::SledStore;

pub(crate) const LONG: Duration = Duration::from_secs(100);

pub(crate) fn secret() -> Secret {
    Secret::new(*b"the secret of these processes").unwrap()
}

/// The child's `main`. It ends with its parent: when its standard input does.
pub(crate) fn run(address: &str, path: &str) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outcome: Result<(), Box<dyn std::error::Error>> = runtime.block_on(async {
        let store = Arc::new(SledStore::open(path)?);
        let _hub = Hub::serve(store, secret(), &[address.parse()?]).await?;
        say("serving");
        tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await??;
        Ok(())
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn say(line: &str) {
    let mut output = io::stdout().lock();
    output.write_all(format!("{line}\n").as_bytes()).and_then(|()| output.flush()).unwrap();
}

/// A hub in a process of its own, killed when this is dropped.
pub(crate) struct HubProcess {
    child: Child,
}

impl HubProcess {
    /// Starts one; it may not serve yet.
    pub(crate) fn start(address: &Address, path: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("--child").arg(address.to_string()).arg(path);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        Self { child: command.spawn().unwrap() }
    }

    /// The first line that it says: `serving`, or why not.
    pub(crate) fn first_line(&mut self) -> String {
        let mut line = String::new();
        let output = self.child.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Stops (or continues) the process as a whole, as an overloaded or suspended machine does.
    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }
}

impl Drop for HubProcess {
    fn drop(&mut self) {
        // SIGKILL on Unix. Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A loopback address that was free a moment ago, so that a hub can come back on it.
pub(crate) fn free_loopback() -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    Address::Tcp(listener.local_addr().unwrap())
}

/// Waits that no slow machine exceeds: these tests are about outcomes, not about times.
pub(crate) fn options(address: &Address) -> Options {
    let mut options = Options::new(address.clone(), secret());
    options.call_wait(LONG).read_deadline(LONG).commit_deadline(LONG);
    options
}
