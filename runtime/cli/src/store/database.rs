//! `throughline store check` of a database.

use indicatif::HumanBytes;
use serde_json::{Value, json};
use throughline_store_postgres::Options;
use throughline_store_postgres::tools::{self, Report, Server};

use crate::{
    Ending,
    census::{Census, Kind},
    error::Error,
    output,
    place::block_on,
    spinner,
};

/// What a check has seen.
#[derive(Debug, Default)]
struct Found {
    report: Report,
    census: Census,
    server: Server,
}

impl Found {
    /// Records that do not have their checksum, and those that have it and are not what their keys
    /// say.
    fn damaged(&self) -> u64 {
        self.report.damaged + self.census.of(Kind::Damaged).records
    }

    fn named(&self) -> Vec<(&str, String)> {
        let checksums = self.report.named.iter();
        let checksums = checksums.map(|(key, what)| (key.as_str(), format!("{what} is wrong")));
        let others = self.census.named.iter().map(|(key, why)| (key.as_str(), why.clone()));
        checksums.chain(others).collect()
    }

    fn is_well(&self) -> bool {
        self.damaged() == 0 && self.server.health.is_working()
    }
}

pub(super) fn check(name: &str, options: Options, is_json: bool) -> Result<Ending, Error> {
    let found = spinner::beside(&format!("checking {name}"), move || {
        block_on(async {
            let mut census = Census::default();
            let report = tools::check(options.clone(), |key, value| census.see(key, value)).await?;
            Ok(Found { report, census, server: tools::look(options).await? })
        })
    })??;
    if is_json {
        output::document(&document(name, &found))?;
    } else {
        lines(name, &found).iter().try_for_each(|text| output::line(text))?;
    }
    Ok(Ending::of(found.is_well()))
}

fn document(name: &str, found: &Found) -> Value {
    let named = found.named();
    let named = named.iter().map(|(key, wrong)| json!({ "key": key, "wrong": wrong }));
    let server = &found.server;
    json!({
        "store": name,
        "clean": found.damaged() == 0,
        "records": found.report.records,
        "bytes": found.report.bytes,
        "damaged": found.damaged(),
        "named": named.collect::<Vec<_>>(),
        "newer": found.census.of(Kind::Newer).records,
        "half_copy": found.census.half_copy.is_some(),
        "schema": server.schema,
        "server": {
            "version": server.version,
            "works": server.health.is_working(),
            "health": server.health.to_string(),
            "fsync": server.fsync,
            "full_page_writes": server.full_page_writes,
            "data_checksums": server.data_checksums,
            "synchronous_standby_names": server.synchronous_standby_names,
            "standbys": server.standbys,
        },
    })
}

fn lines(name: &str, found: &Found) -> Vec<String> {
    let (records, bytes) = (found.report.records, HumanBytes(found.report.bytes));
    let (schema, named, damaged) = (found.server.schema, found.named(), found.damaged());
    let mut lines = Vec::new();
    if damaged == 0 {
        let sizes = format!("{records} records of {bytes}, schema {schema}");
        lines.push(format!("the store at {name} is clean: {sizes}"));
    } else {
        lines.push(format!(
            "the store at {name} is damaged: {damaged} records; with their checksum: {records} \
             records of {bytes}, schema {schema}"
        ));
        lines.extend(named.iter().map(|(key, wrong)| format!("  {key}: {wrong}")));
        let unnamed = damaged - named.len() as u64;
        if unnamed > 0 {
            lines.push(format!("  and {unnamed} more"));
        }
        lines.push(
            "nothing was changed: put the last backup in its place, or delete these records"
                .to_owned(),
        );
    }
    let newer = found.census.of(Kind::Newer).records;
    if newer > 0 {
        lines.push(format!("{newer} records are of a newer version, which reads them"));
    }
    if let Some(copy) = &found.census.half_copy {
        let (copied, all, from) = (copy.copied, copy.records, &copy.from);
        lines.push(format!(
            "a copy into it has not ended, with {copied} of the {all} records of {from}: no node \
             starts on it; start throughline store copy again"
        ));
    }
    lines.extend(server(&found.server));
    lines
}

/// What the server makes of a commit that it acknowledges.
fn server(server: &Server) -> Vec<String> {
    let Server { version, fsync, full_page_writes, standbys, .. } = server;
    let names = &server.synchronous_standby_names;
    let survives = match names.is_empty() {
        true => "a kill and a loss of power of the server, not the loss of its disk",
        false => "the loss of the server, if the standby that has the most takes over",
    };
    let checksums = match server.data_checksums.as_str() {
        "on" => "",
        _ => "; data_checksums off: it does not notice pages that a disk has changed",
    };
    vec![
        format!(
            "PostgreSQL {version}: fsync {fsync}, full_page_writes {full_page_writes}, \
             synchronous_standby_names \"{names}\", {standbys} standbys connected{checksums}"
        ),
        format!("what it acknowledges survives {survives}"),
        server.health.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use throughline_store_postgres::Health;

    use super::*;

    #[test]
    fn damage_is_named_whichever_way_it_shows() {
        let mut found = Found::default();
        (found.report.damaged, found.server.health) = (2, Health::Working);
        found.report.named = vec![("k1".to_owned(), "the checksum")];
        found.census.see(b"i\0\0\0\x07", b"\x01short");
        let lines = lines("postgres:host=db", &found);
        assert!(lines[0].contains("postgres:host=db") && lines[0].contains("3 records"));
        assert_eq!(lines[1], "  k1: the checksum is wrong");
        assert!(lines[2].contains("i\\x00\\x00\\x00\\x07: a damaged node"), "{lines:?}");
        assert_eq!(lines[3], "  and 1 more");
        assert!(!found.is_well());
        assert_eq!(document("x", &found)["named"][1]["key"], "i\\x00\\x00\\x00\\x07");
    }

    #[test]
    fn what_an_acknowledged_commit_survives_is_said() {
        let mut found = Found::default();
        found.server.health = Health::Working;
        assert!(found.is_well());
        assert!(server(&found.server)[1].contains("not the loss of its disk"));
        found.server.synchronous_standby_names = "ANY 1 (a, b)".to_owned();
        let lines = server(&found.server);
        assert!(lines[0].contains("\"ANY 1 (a, b)\"") && lines[1].contains("takes over"));
    }
}
