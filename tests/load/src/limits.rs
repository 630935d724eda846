//! The limit of open files, checked before anything starts.

use crate::error::Error;

/// Open files a process needs beside its sockets: libraries, epoll, pipes, listeners, and those
/// that a thousandth of its connections have twice for a moment.
const SPARE: u64 = 200;

const LIMITS: &str = "/proc/self/limits";

/// Refuses a run in which a process would need more open files than it may have. Children inherit
/// the limit of this process.
pub(crate) fn check(
    process: &'static str,
    sockets: u64,
    option: &'static str,
) -> Result<(), Error> {
    let limit = open_files()?;
    let needed = sockets + SPARE;
    if needed > limit {
        return Err(Error::OpenFiles { process, needed, limit, option });
    }
    Ok(())
}

fn open_files() -> Result<u64, Error> {
    let text = std::fs::read_to_string(LIMITS)
        .map_err(|source| Error::Proc { path: LIMITS.to_owned(), source })?;
    soft_limit(&text)
        .ok_or_else(|| Error::ProcLine { path: LIMITS.to_owned(), wanted: "Max open files" })
}

/// The soft limit: the first number of the line; `unlimited` is no limit.
fn soft_limit(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_read_from_its_line() {
        let text = "Limit  Soft Limit  Hard Limit  Units\n\
                    Max processes    94000    94000    processes\n\
                    Max open files   20000    40000    files\n";
        assert_eq!(soft_limit(text), Some(20_000));
        assert_eq!(soft_limit("Max open files  unlimited unlimited files"), Some(u64::MAX));
        assert_eq!(soft_limit("Max processes 1 1 processes"), None);
    }

    #[test]
    fn a_run_that_needs_too_many_files_is_refused_by_name() {
        let error = check("the node", u64::MAX / 2, "--sessions").unwrap_err().to_string();
        assert!(error.contains("the node needs") && error.contains("--sessions"), "{error}");
        assert!(check("the node", 0, "--sessions").is_ok());
    }
}
