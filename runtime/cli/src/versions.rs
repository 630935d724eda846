//! `throughline versions`: which versions of states may be written.

use serde::Deserialize;

use crate::{
    Ending,
    admin::Question,
    arguments::VersionsCommand,
    error::Error,
    nodes::{self, Nodes},
    output::{self, Table},
};

/// `GET /versions`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Listed {
    kinds: Vec<Kind>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Kind {
    kind: String,
    version: u32,
    read_by_all: Option<u32>,
}

/// The versions are the cluster's, so the first node will do.
pub(crate) async fn run(command: VersionsCommand, nodes: &Nodes) -> Result<Ending, Error> {
    let Some(address) = nodes.addresses().first() else { return Ok(Ending::NotWell) };
    let question = match command {
        VersionsCommand::List => Question::get("/versions"),
        VersionsCommand::Final => Question::post("/versions/final"),
    };
    let (listed, value) = nodes::ask::<Listed>(address, &question).await?;
    if nodes.is_json {
        output::document(&value)?;
        return Ok(Ending::Well);
    }
    let mut table = Table::new(["kind", "#written", "#read by all", ""]);
    for kind in &listed.kinds {
        table.row(row(kind));
    }
    table.print()?;
    Ok(Ending::Well)
}

fn row(kind: &Kind) -> [String; 4] {
    let Kind { kind, version, read_by_all } = kind;
    let read = read_by_all.map_or_else(|| "-".to_owned(), |version| version.to_string());
    // A final version is not written either while a node lives that cannot read it.
    let written = read_by_all.map_or(*version, |read| read.min(*version));
    let says = match read_by_all {
        Some(read) if read > version => {
            "throughline versions final, once the update stays".to_owned()
        }
        Some(read) if read < version => format!("{version} is final; an older node lives"),
        Some(_) => String::new(),
        None => "no live node serves it".to_owned(),
    };
    [kind.clone(), written.to_string(), read, says]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_is_left_to_be_done() {
        let kind = |version, read_by_all| Kind { kind: "hero".to_owned(), version, read_by_all };
        assert_eq!(row(&kind(2, Some(2))), ["hero", "2", "2", ""]);
        let [.., says] = row(&kind(1, Some(2)));
        assert!(says.contains("versions final"), "{says}");
        assert_eq!(row(&kind(2, Some(1))), ["hero", "1", "1", "2 is final; an older node lives"]);
        assert_eq!(row(&kind(1, None))[2..], ["-", "no live node serves it"]);
    }
}
