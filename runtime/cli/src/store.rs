//! The commands for stores. `database`: checking one in PostgreSQL; `stats`: what a store holds.

mod database;
mod stats;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use indicatif::HumanBytes;
use serde_json::{Value, json};
use throughline_store_sled::tools::{self, Report, ToolError};

use crate::{
    Ending,
    arguments::{StoreArgument, StoreCommand},
    copy,
    error::Error,
    output,
    place::Place,
    spinner,
};

/// What there is for a database in place of the commands for files.
const COPY_FIRST: &str = "throughline store copy, into a directory that this is then done to";
const VACUUM: &str = "its own autovacuum; throughline store stats shows what waits for it";
const BASEBACKUP: &str = "pg_basebackup, or throughline store copy while no node runs";

pub(crate) fn run(command: StoreCommand, is_json: bool) -> Result<Ending, Error> {
    match command {
        StoreCommand::Check { store: StoreArgument { address, access } } => {
            address.is_at_rest()?;
            match Place::find(address, &access)? {
                Place::Sled(path) => check(path, is_json),
                Place::Postgres { name, options } => database::check(&name, *options, is_json),
                Place::Hub { .. } => Err(Error::HubHasIt),
            }
        }
        StoreCommand::Stats { store: StoreArgument { address, access } } => {
            stats::run(&Place::find(address, &access)?, is_json)
        }
        StoreCommand::Copy { from, to, access } => {
            from.is_at_rest()?;
            to.is_at_rest()?;
            let (from, to) = (Place::find(from, &access)?, Place::find(to, &access)?);
            copy::run(&from, &to, is_json)
        }
        StoreCommand::Dump { path, to } => dump(Place::directory(path, COPY_FIRST)?, to, is_json),
        StoreCommand::Compact { path } => compact(Place::directory(path, VACUUM)?, is_json),
        StoreCommand::Backup { path, to } => {
            backup(Place::directory(path, BASEBACKUP)?, to, is_json)
        }
    }
}

fn check(path: PathBuf, is_json: bool) -> Result<Ending, Error> {
    let what = format!("checking {}", path.display());
    let target = path.clone();
    let report = spinner::beside(&what, move || tools::check(target))??;
    if is_json {
        output::document(&document(&path, &report))?;
    } else {
        lines(&path, &report).iter().try_for_each(|text| output::line(text))?;
    }
    Ok(Ending::of(report.is_clean()))
}

fn document(path: &Path, report: &Report) -> Value {
    let named = report.named.iter().map(|(key, what)| json!({ "key": key, "wrong": what }));
    json!({
        "path": path.display().to_string(),
        "clean": report.is_clean(),
        "records": report.records,
        "bytes": report.bytes,
        "disk_bytes": report.disk_bytes,
        "groups": report.generation,
        "damaged": report.damaged,
        "stray_chunks": report.stray_chunks,
        "named": named.collect::<Vec<_>>(),
    })
}

fn lines(path: &Path, report: &Report) -> Vec<String> {
    let path = path.display();
    let sizes = format!(
        "{} records of {}, {} on disk, {} groups written",
        report.records,
        HumanBytes(report.bytes),
        HumanBytes(report.disk_bytes),
        report.generation
    );
    if report.is_clean() {
        return vec![format!("the store at {path} is clean: {sizes}")];
    }
    let mut lines = vec![format!(
        "the store at {path} is damaged: {} records, {} stray chunks; read well: {sizes}",
        report.damaged, report.stray_chunks
    )];
    lines.extend(report.named.iter().map(|(key, what)| format!("  {key}: {what} is wrong")));
    let unnamed = report.damaged - report.named.len() as u64;
    if unnamed > 0 {
        lines.push(format!("  and {unnamed} more"));
    }
    lines.push(format!(
        "nothing was changed: put the last backup in its place; what reads well comes out with \
         throughline store dump {path}"
    ));
    lines
}

fn dump(path: PathBuf, to: Option<PathBuf>, is_json: bool) -> Result<Ending, Error> {
    let mut file: Box<dyn Write + Send> = match &to {
        // Never over something that is there: it may be the last dump.
        Some(to) => Box::new(File::create_new(to).map_err(|source| {
            let path = to.clone();
            Error::NewFile { path, source }
        })?),
        None => Box::new(io::stdout()),
    };
    let what = format!("dumping {}", path.display());
    let target = path.clone();
    let report = spinner::beside(&what, move || {
        let mut output = BufWriter::new(&mut *file);
        let report = tools::dump(target, &mut output)?;
        output.flush().map_err(ToolError::Output)?;
        Ok::<_, ToolError>(report)
    })??;
    let found = if is_json {
        json!({
            "path": path.display().to_string(),
            "records": report.records,
            "bytes": report.bytes,
            "damaged": report.damaged,
        })
        .to_string()
    } else {
        let (records, damaged) = (report.records, report.damaged);
        format!("{records} records written, {damaged} damaged ones named")
    };
    if to.is_some() {
        output::line(&found)?;
    } else {
        // The records have standard output for themselves.
        writeln!(io::stderr(), "{found}").map_err(Error::Output)?;
    }
    Ok(Ending::of(report.damaged == 0))
}

fn compact(path: PathBuf, is_json: bool) -> Result<Ending, Error> {
    let what = format!("compacting {}", path.display());
    let target = path.clone();
    let (before, after) = spinner::beside(&what, move || tools::compact(target))??;
    if is_json {
        let path = path.display().to_string();
        output::document(&json!({ "path": path, "before_bytes": before, "after_bytes": after }))?;
    } else {
        let (path, before, after) = (path.display(), HumanBytes(before), HumanBytes(after));
        output::line(&format!("the store at {path} took {before} on disk, and takes {after} now"))?;
    }
    Ok(Ending::Well)
}

fn backup(path: PathBuf, to: PathBuf, is_json: bool) -> Result<Ending, Error> {
    let what = format!("copying {} to {}", path.display(), to.display());
    let (source, target) = (path.clone(), to.clone());
    spinner::beside(&what, move || tools::backup(source, target))??;
    let (path, to) = (path.display().to_string(), to.display().to_string());
    if is_json {
        output::document(&json!({ "path": path, "to": to }))?;
    } else {
        output::line(&format!("{to} is a copy of the store at {path}, and opens as a store"))?;
    }
    Ok(Ending::Well)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(damaged: u64) -> Report {
        let mut report = Report::default();
        report.records = 3;
        report.damaged = damaged;
        report.named = (0..damaged.min(100)).map(|n| (format!("k{n}"), "the checksum")).collect();
        report
    }

    #[test]
    fn every_damaged_record_is_named_or_counted() {
        let lines = lines(Path::new("data"), &report(103));
        assert!(lines[0].contains("data") && lines[0].contains("103"), "{}", lines[0]);
        assert_eq!(lines.iter().filter(|line| line.contains("the checksum is wrong")).count(), 100);
        assert!(lines.contains(&"  and 3 more".to_owned()));
        assert!(lines.last().is_some_and(|line| line.contains("store dump data")));
        assert_eq!(document(Path::new("data"), &report(103))["clean"], false);
    }

    #[test]
    fn a_clean_store_has_one_line() {
        let lines = lines(Path::new("data"), &report(0));
        assert!(lines.len() == 1 && lines[0].contains("is clean: 3 records"), "{lines:?}");
    }
}
