//! Several processes on one database, as the nodes of a cluster are.
//!
//! This executable runs itself as the child, so it has its own `main`: `--child ADDRESS NAME` is
//! the child, anything else the tests, with the flags that test runners use.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::env;
use std::io::{Read as _, stdin};
use std::process::{Child, Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Trial};
use throughline_store::{Batch, Store};
use throughline_store_postgres::Options;
use throughline_store_postgres::testing::Server;

const PROCESSES: usize = 8;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    if let [flag, address, name] = &args[..]
        && flag == "--child"
    {
        open(address, name);
        return ExitCode::SUCCESS;
    }
    let name = "an_empty_database_is_set_up_once_by_processes_that_open_it_together";
    let trial = Trial::test(name, || {
        set_up_once();
        Ok(())
    });
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

/// Opens the store when its input ends, and commits.
fn open(address: &str, name: &str) {
    stdin().read_to_end(&mut Vec::new()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Options::new(address, "test").unwrap().open().await.unwrap();
        let batch = Batch::new().check_absent(name.to_owned()).put(name.to_owned(), "1");
        store.commit(batch).await.unwrap();
        store.close().await.unwrap();
    });
}

fn set_up_once() {
    let server = Server::start().unwrap();
    let address = server.address("postgres");
    let start = |number: usize| {
        let mut child = Command::new(env::current_exe().unwrap());
        child.args(["--child", &address, &format!("process/{number}")]);
        child.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut children: Vec<Child> = (0..PROCESSES).map(start).collect();
    // All wait for this.
    children.iter_mut().for_each(|child| drop(child.stdin.take()));
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let sql = |sql: &str| server.sql("postgres", sql).unwrap();
    assert_eq!(sql("select cluster, version from throughline.meta"), "test|1");
    assert_eq!(sql("select count(*) from throughline.record"), PROCESSES.to_string());
    // The number of the transaction that has made a table is the same for all: it was one.
    let makers = "select count(distinct c.xmin::text) from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'throughline' and c.relkind in ('r', 'p')";
    assert_eq!(sql(makers), "1");
}
