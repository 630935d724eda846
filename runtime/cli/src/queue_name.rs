//! How queues are called on the command line.

use throughline_cluster::RecordId;
use throughline_link::SessionId;
use throughline_queue::{NameKind, QueueName};

const EXPECTED: &str =
    "session:ID, key:KEY, vactor:KIND/KEY, name:NAME or dead-letters was expected";
const DEAD_LETTERS: &str = "dead-letters";

/// The queue of this name.
pub(crate) fn parse(text: &str) -> Result<QueueName, String> {
    if text == DEAD_LETTERS {
        return Ok(QueueName::dead_letters());
    }
    let (kind, rest) = text.split_once(':').ok_or(EXPECTED)?;
    let name = match kind {
        "session" => {
            let id: SessionId = rest.parse().map_err(|error| format!("{error}"))?;
            QueueName::record(RecordId::session(id).as_bytes())
        }
        "vactor" => {
            let (kind, key) = rest.split_once('/').ok_or(EXPECTED)?;
            let id = RecordId::vactor(kind, key.as_bytes()).map_err(|error| error.to_string())?;
            QueueName::record(id.as_bytes())
        }
        "key" => QueueName::key(rest),
        "name" => QueueName::named(rest),
        _ => return Err(EXPECTED.to_owned()),
    };
    name.map_err(|error| error.to_string())
}

/// The same as `parse` takes it, as far as it can be typed.
pub(crate) fn shown(name: &QueueName) -> String {
    match name.kind() {
        NameKind::Named => format!("name:{}", name.bare().escape_ascii()),
        NameKind::Operators => DEAD_LETTERS.to_owned(),
        NameKind::Key => format!("key:{}", name.bare().escape_ascii()),
        NameKind::Record => {
            let id = RecordId::from_bytes(name.bare());
            let session = id.as_ref().and_then(RecordId::session_id);
            match (session, vactor(name.bare())) {
                (Some(session), _) => format!("session:{session}"),
                (None, Some((kind, key))) => {
                    format!("vactor:{}/{}", kind.escape_ascii(), key.escape_ascii())
                }
                (None, None) => name.to_string(),
            }
        }
    }
}

/// Kind and key of a VActor's record id.
fn vactor(id: &[u8]) -> Option<(&[u8], &[u8])> {
    match id {
        [b'v', length, rest @ ..] => rest.split_at_checked(usize::from(*length)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_as_they_are_typed() {
        for text in [
            "session:00112233445566778899aabbccddeeff",
            "key:ann",
            "key:a:b",
            "vactor:match/m1/x",
            "name:mail",
            "dead-letters",
        ] {
            assert_eq!(shown(&parse(text).unwrap()), text);
        }
    }
}
