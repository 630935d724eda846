//! The resident memory of a process.

use crate::error::Error;

/// Resident memory of the process of that id, in bytes (`VmRSS`).
pub(crate) fn bytes(process: u32) -> Result<u64, Error> {
    let path = format!("/proc/{process}/status");
    let text = std::fs::read_to_string(&path)
        .map_err(|source| Error::Proc { path: path.clone(), source })?;
    parse(&text).ok_or(Error::ProcLine { path, wanted: "VmRSS" })
}

fn parse(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_in_bytes() {
        assert_eq!(parse("VmPeak:\t  9 kB\nVmRSS:\t    1234 kB\n"), Some(1_234 * 1_024));
        assert_eq!(parse("VmPeak:\t  9 kB\n"), None);
        assert!(bytes(std::process::id()).unwrap() > 0);
    }
}
