//! `throughline vactors`.

use serde::Deserialize;

use crate::{
    Ending,
    admin::{Question, encoded},
    arguments::{VActorName, VActorsCommand},
    error::Error,
    nodes::{self, Nodes},
    output,
};

/// Where a VActor is: `active` at a node, `parked`, `lost` or `unknown`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Whereabouts {
    state: String,
    node: u32,
    arriving: bool,
}

/// VActors are the cluster's, so the first node will do.
pub(crate) async fn run(command: VActorsCommand, nodes: &Nodes) -> Result<Ending, Error> {
    let Some(address) = nodes.addresses().first() else { return Ok(Ending::NotWell) };
    let (name, question) = match &command {
        VActorsCommand::Locate { name } => (name, Question::get(path(name))),
        VActorsCommand::Move { name, node } => {
            (name, Question::post(format!("{}/move?node={node}", path(name))))
        }
    };
    let (at, value) = nodes::ask::<Whereabouts>(address, &question).await?;
    if nodes.is_json {
        output::document(&value)?;
    } else {
        output::line(&said(name, &at))?;
    }
    Ok(Ending::of(at.state != "unknown"))
}

fn path(VActorName { kind, key }: &VActorName) -> String {
    format!("/vactors/{}/{}", encoded(kind), encoded(key))
}

fn said(VActorName { kind, key }: &VActorName, at: &Whereabouts) -> String {
    let (kind, key) = (kind.escape_debug(), key.escape_debug());
    match at.state.as_str() {
        "active" if at.arriving => format!("{kind}/{key} is on its way to node {}", at.node),
        "active" => format!("{kind}/{key} is at node {}", at.node),
        "parked" => format!("{kind}/{key} is parked: it begins somewhere when it is asked next"),
        "lost" => {
            format!("{kind}/{key} is lost with its node: it begins anew when it is asked next")
        }
        _ => format!("{kind}/{key} is unknown: it was never asked, or its state is forgotten"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_changes_the_path_and_no_key_the_terminal() {
        let name = VActorName { kind: "match".to_owned(), key: "../x?a=b \u{1b}".to_owned() };
        assert_eq!(path(&name), "/vactors/match/..%2Fx%3Fa%3Db%20%1B");
        let at = Whereabouts { state: "active".to_owned(), node: 3, arriving: false };
        let said = said(&name, &at);
        assert!(said.ends_with("is at node 3") && !said.contains('\u{1b}'), "{said}");
    }
}
