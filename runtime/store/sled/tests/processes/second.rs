//! Two processes on one path.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use throughline_store_sled::{OpenError, SledStore, tools};

use crate::command;

pub(crate) fn a_second_process_is_refused_by_name() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = command("hold", dir.path());
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.expect("a child");
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    output.read_line(&mut line).expect("a line");
    assert_eq!(line, "open\n");

    let pid = child.id().to_string();
    let refused = SledStore::open(dir.path());
    let is_named = matches!(&refused, Err(OpenError::Locked { holder, .. }) if *holder == pid);
    assert!(is_named, "{refused:?}");
    let refused = tools::check(dir.path());
    assert!(matches!(refused, Err(OpenError::Locked { .. })), "{refused:?}");

    drop(child.stdin.take());
    assert!(child.wait().expect("a status").success());
    SledStore::open(dir.path()).expect("free again");
}
