//! A process that ends with the one that started it.
//!
//! A local cluster's processes must not outlive it, and it may be killed with no time to stop them.
//! So it keeps the other end of their standard input, which the system closes then.

use std::io::{self, Read as _, Write as _};

/// Set in the environment of a process that is to end when its standard input ends.
pub(crate) const ATTACHED: &str = "THROUGHLINE_ENDS_WITH_STDIN";

/// The exit status of a process whose parent has gone.
const LEFT_ALONE: i32 = 1;

/// Watches standard input, if this process was told to. It ends at once: with its parent the
/// others of its cluster end, too, and there is nobody left to hand anything over to.
pub(crate) fn end_with_parent() {
    if std::env::var_os(ATTACHED).is_none() {
        return;
    }
    let watch = || {
        let (mut input, mut ignored) = (io::stdin().lock(), [0; 64]);
        while input.read(&mut ignored).is_ok_and(|read| read > 0) {}
        let _ = writeln!(io::stderr(), "the process that started this one has gone");
        std::process::exit(LEFT_ALONE);
    };
    let thread = std::thread::Builder::new().name("parent".to_owned()).spawn(watch);
    if let Err(error) = thread {
        // Better not to start than to be left alone unnoticed.
        let _ = writeln!(io::stderr(), "cannot watch the process that started this one: {error}");
        std::process::exit(LEFT_ALONE);
    }
}
