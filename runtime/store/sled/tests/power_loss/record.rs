//! Running a process under `strace`, and comparing what was read in its record with its files.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::trace::{Files, Trace};

/// All that changes files, and what is needed to follow descriptors. A call with `?` may be unknown
/// on this machine.
const CALLS: &str = "?open,openat,?openat2,?creat,write,pwrite64,writev,pwritev,?pwritev2,\
    read,readv,lseek,?truncate,ftruncate,fallocate,copy_file_range,?sendfile,splice,\
    ?rename,renameat,renameat2,?unlink,unlinkat,?rmdir,?mkdir,mkdirat,?link,linkat,?symlink,\
    symlinkat,fsync,fdatasync,sync_file_range,sync,syncfs,msync,mmap,dup,?dup2,dup3,fcntl,close,\
    ?close_range";

/// What is kept in memory is far below this.
const ROOM_BYTES: u64 = 1 << 30;

/// Runs this executable in a role and adds what it did to the trace, which must lead to the files
/// that are there.
pub(crate) fn record(role: &str, base: &Path, trace: &mut Trace, is_killed: bool) {
    let dir = tempfile::tempdir().expect("a directory");
    let output = dir.path().join("calls");
    let mut command = Command::new("strace");
    // `-s`: longer than any write.
    command.args(["-f", "-xx", "-s", "33554432", "-e", &format!("trace={CALLS}"), "-o"]);
    command.arg(&output).arg(std::env::current_exe().expect("the path of this executable"));
    command.args(["--child", role]).arg(base).stdout(Stdio::null());
    let ended = command.output().unwrap_or_else(|error| {
        panic!("strace does not start ({error}): install it (Debian: strace); this test needs it")
    });
    let said = String::from_utf8_lossy(&ended.stderr);
    let calls = fs::read_to_string(&output).unwrap_or_default();
    let last = calls.lines().last().unwrap_or_default();
    let end = if is_killed { "+++ killed by SIGABRT" } else { "+++ exited with 0 +++" };
    assert!(last.contains(end), "strace may not trace here, or {role} failed: {last}\n{said}");
    let found = files(base);
    trace.read(calls.lines(), &found);
    let read = trace.files();
    let is_same = |path: &&String| read.get(*path) == found.get(*path);
    let all: Vec<_> = read.keys().chain(found.keys()).filter(|path| !is_same(path)).collect();
    assert!(all.is_empty(), "the calls of {role} do not lead to what is there: {all:?}");
}

/// Every file below a directory.
pub(crate) fn files(base: &Path) -> Files {
    let mut files = Files::from([(String::new(), None)]);
    let mut open = vec![(String::new(), base.to_owned())];
    while let Some((name, path)) = open.pop() {
        for entry in fs::read_dir(path).expect("a directory") {
            let entry = entry.expect("an entry");
            let name = format!("{name}/{}", entry.file_name().to_string_lossy());
            if entry.file_type().expect("a type").is_dir() {
                open.push((name.clone(), entry.path()));
                files.insert(name, None);
            } else {
                files.insert(name, Some(fs::read(entry.path()).expect("a file")));
            }
        }
    }
    files
}

/// A directory in memory if there is room, since nothing here depends on a real disk.
pub(crate) fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let room = rustix::fs::statvfs(memory).map_or(0, |stat| stat.f_bavail * stat.f_bsize);
    let made = match room {
        ..ROOM_BYTES => tempfile::tempdir(),
        _ => tempfile::tempdir_in(memory),
    };
    made.expect("a directory")
}
