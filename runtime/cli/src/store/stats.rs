//! `throughline store stats`.

use std::path::PathBuf;

use indicatif::HumanBytes;
use serde_json::{Value, json};
use throughline_queue::Clock;
use throughline_store::Scan;
use throughline_store_postgres::tools::{self as database, Sizes};
use throughline_store_sled::tools;

use crate::{
    Ending,
    census::Census,
    error::Error,
    output::{self, Table},
    pages::Side,
    place::{Place, block_on},
    queue::age,
    spinner,
};

/// What the records take where they are.
#[derive(Debug)]
enum Space {
    Directory(u64),
    Database(Sizes),
    /// Only the hub sees it.
    Lent,
}

pub(super) fn run(place: &Place, is_json: bool) -> Result<Ending, Error> {
    let name = place.to_string();
    let read = place.clone();
    let (census, space) =
        spinner::beside(&format!("reading {name}"), move || block_on(read_all(read)))??;
    if is_json {
        output::document(&document(&name, &census, &space))?;
    } else {
        print(&name, &census, &space)?;
    }
    Ok(Ending::Well)
}

async fn read_all(place: Place) -> Result<(Census, Space), Error> {
    let side = Side { store: place.open().await?, name: place.to_string() };
    let census = count(&side).await;
    side.close().await?;
    let space = match place {
        Place::Sled(path) => Space::Directory(disk_bytes(path)?),
        Place::Postgres { options, .. } => Space::Database(database::look(*options).await?.sizes),
        Place::Hub { .. } => Space::Lent,
    };
    Ok((census?, space))
}

fn disk_bytes(path: PathBuf) -> Result<u64, Error> {
    Ok(tools::disk_bytes(path)?)
}

async fn count(side: &Side) -> Result<Census, Error> {
    let mut census = Census::default();
    let mut pages = side.pages(Scan::all());
    while let Some(page) = pages.next().await? {
        page.iter().for_each(|entry| census.see(&entry.key, &entry.value));
    }
    Ok(census)
}

fn document(name: &str, census: &Census, space: &Space) -> Value {
    let kinds = census.kinds.iter().map(|(kind, tally)| {
        json!({ "what": kind.name(), "records": tally.records, "bytes": tally.bytes })
    });
    let mut document = json!({
        "store": name,
        "records": census.all.records,
        "bytes": census.all.bytes,
        "kinds": kinds.collect::<Vec<_>>(),
        "oldest_due_ms": census.oldest_due_ms,
        "half_copy": census.half_copy.is_some(),
    });
    match space {
        Space::Directory(bytes) => document["disk_bytes"] = (*bytes).into(),
        Space::Database(sizes) => {
            document["database"] = json!({
                "table_bytes": sizes.table_bytes,
                "index_bytes": sizes.index_bytes,
                "total_bytes": sizes.total_bytes,
                "live_rows": sizes.live_rows,
                "dead_rows": sizes.dead_rows,
                "outcome_bytes": sizes.outcome_bytes,
            });
        }
        Space::Lent => {}
    }
    document
}

fn print(name: &str, census: &Census, space: &Space) -> Result<(), Error> {
    let mut table = Table::new(["what", "#records", "#bytes"]);
    let mut row = |what: String, tally: crate::census::Tally| {
        table.row([what, tally.records.to_string(), HumanBytes(tally.bytes).to_string()]);
    };
    for (kind, tally) in &census.kinds {
        row(kind.name(), *tally);
    }
    row("all".to_owned(), census.all);
    table.print()?;
    if let Some(due) = census.oldest_due_ms {
        output::line(&format!("the oldest that is due: {}", when(due, Clock::system().now_ms())))?;
    }
    if let Some(copy) = &census.half_copy {
        let (copied, all, from) = (copy.copied, copy.records, &copy.from);
        output::line(&format!("a copy has not ended: {copied} of the {all} records of {from}"))?;
    }
    output::line(&match space {
        Space::Directory(bytes) => format!("{name} takes {} on disk", HumanBytes(*bytes)),
        Space::Database(sizes) => taken(name, sizes),
        Space::Lent => format!("{name} was read while nodes may write: its hub has the files"),
    })
}

fn taken(name: &str, sizes: &Sizes) -> String {
    let bytes = |bytes: i64| HumanBytes(u64::try_from(bytes).unwrap_or_default());
    format!(
        "{name} takes {} on the server: tables {}, indexes {}; about {} rows, and {} dead ones \
         that autovacuum has not cleaned up",
        bytes(sizes.total_bytes),
        bytes(sizes.table_bytes),
        bytes(sizes.index_bytes),
        sizes.live_rows,
        sizes.dead_rows
    )
}

fn when(due_ms: u64, now_ms: u64) -> String {
    match now_ms.checked_sub(due_ms) {
        Some(late) => format!("for {}", age(late)),
        None => format!("in {}", age(due_ms - now_ms)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_is_said_from_now() {
        assert_eq!(when(1_000, 61_000), "for 60 seconds");
        assert_eq!(when(61_000, 1_000), "in 60 seconds");
    }
}
