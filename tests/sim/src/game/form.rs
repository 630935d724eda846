//! The two forms of a session's state: the second has a field more, and neither is readable as the
//! other.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use throughline::HandlerError;

/// What both have.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Core {
    pub(crate) name: String,
    pub(crate) up: u64,
    pub(crate) sum: u64,
    pub(crate) said: u64,
    pub(crate) passed: BTreeMap<String, u64>,
    pub(crate) got: BTreeMap<String, u64>,
    pub(crate) asked: BTreeMap<String, u64>,
    pub(crate) notes: String,
    pub(crate) babbles: bool,
    /// What a turn found wrong. In the state, since a turn that is not committed was none: one may
    /// be given a queued message that an earlier commit, not answered yet, has used up.
    pub(crate) wrong: Vec<String>,
}

/// The state, in form `V`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Form<const V: u32> {
    pub(crate) core: Core,
    /// Of the second form only: how often the state went from one form to the other.
    pub(crate) changes: u64,
}

impl<const V: u32> Serialize for Form<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match V {
            1 => (1, &self.core).serialize(serializer),
            _ => (2, &self.core, self.changes).serialize(serializer),
        }
    }
}

impl<'de, const V: u32> Deserialize<'de> for Form<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (form, core, changes) = match V {
            1 => {
                let (form, core) = <(u32, Core)>::deserialize(deserializer)?;
                (form, core, 0)
            }
            _ => <(u32, Core, u64)>::deserialize(deserializer)?,
        };
        match form == V {
            true => Ok(Self { core, changes }),
            false => Err(D::Error::custom(format!("form {form} where {V} was expected"))),
        }
    }
}

impl<const V: u32> Form<V> {
    /// Reads the other form, in CBOR.
    pub(crate) fn migrated(state: &[u8]) -> Result<Self, HandlerError> {
        let Form::<1> { core, .. } = ciborium::from_reader(state)?;
        Ok(Self { core, changes: 1 })
    }

    /// Writes the first form, in CBOR.
    pub(crate) fn downgraded(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let first = Form::<1> { core: self.core.clone(), changes: 0 };
        ciborium::into_writer(&first, &mut bytes).ok()?;
        Some(bytes)
    }
}
