//! What shows that long work goes on.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::error::Error;

/// Work that ends sooner needs no sign of life.
const QUIET: Duration = Duration::from_secs(2);

/// How often the sign moves.
const TICK: Duration = Duration::from_millis(120);

/// Does `work` on a thread of its own; once it takes longer than 2 s, a terminal shows `what` and
/// the time so far.
pub(crate) fn beside<T: Send + 'static>(
    what: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    let (done, is_done) = mpsc::channel::<()>();
    let worker = thread::Builder::new().name("work".to_owned()).spawn(move || {
        // Dropped at the end, also of a panic.
        let _done = done;
        work()
    });
    let worker = worker.map_err(Error::System)?;
    if is_done.recv_timeout(QUIET) == Err(RecvTimeoutError::Timeout) {
        // The template is a constant, and names fields that indicatif has.
        let style = ProgressStyle::with_template("{spinner} {msg}, {elapsed}")
            .expect("the template names fields that indicatif has");
        let spinner = ProgressBar::new_spinner().with_style(style).with_message(what.to_owned());
        spinner.set_elapsed(QUIET);
        spinner.enable_steady_tick(TICK);
        let _ = is_done.recv();
        spinner.finish_and_clear();
    }
    worker.join().map_err(|_| Error::Panicked)
}
