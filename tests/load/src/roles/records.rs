//! The limit of beginnings: the records that they make, put straight into the engine.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;
use throughline_cluster::{
    Creation, Entry, Identity, Law, Member, NodeId, NodeInfo, NodeState, RecordId, Standing, Write,
};
use throughline_link::Secret;
use throughline_vactor::VActor as _;

use crate::echo::{Slice, Totals};
use crate::error::Error;
use crate::parent::{self, Question, json};
use crate::roles::asks::Answer;
use crate::roles::counter::Counter;
use crate::roles::raw::{self, Raw};
use crate::roles::vactors::key;

/// What the engine is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// The folder of sled's database.
    #[arg(long)]
    path: PathBuf,
    /// The address of a PostgreSQL, if the engine is not sled.
    #[arg(long)]
    postgres: Option<String>,
    /// Records of each batch.
    #[arg(long)]
    window: u64,
}

/// The engine, and whose records it takes.
struct Engine {
    raw: Box<dyn Raw>,
    me: Entry,
    identity: Arc<Identity>,
    records: u64,
}

/// Puts records until the parent is gone.
pub(crate) fn drive(options: &Options) -> Result<(), Error> {
    let mut engine = Engine::open(options)?;
    parent::answer(&(), |question| {
        Ok(json(&match question {
            Question::Slice { millis } => Answer::Slice(engine.slice(millis, options.window)?),
            _ => Answer::Totals(Totals::default()),
        }))
    })
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Store(error.to_string())
}

impl Engine {
    fn open(options: &Options) -> Result<Self, Error> {
        let member = Member { node: NodeId(1), incarnation: 1 };
        let info = Arc::new(NodeInfo::new("", Vec::new()).map_err(failed)?);
        let standing = Some(Standing { state: NodeState::Alive, info });
        let identity = Identity::new(Counter::<false>::KIND, &[], Secret([0; 32]));
        Ok(Self {
            raw: raw::open(options.postgres.as_deref(), &options.path)?,
            me: Entry { member, standing },
            identity: Arc::new(identity.map_err(failed)?),
            records: 0,
        })
    }

    fn slice(&mut self, millis: u64, window: u64) -> Result<Slice, Error> {
        let until = Instant::now() + Duration::from_millis(millis);
        let mut handled = 0;
        loop {
            let mut rows = Vec::new();
            for _ in 0..window {
                self.records += 1;
                self.put(&mut rows)?;
            }
            let (records, mut rows) = (rows.len() as u64, rows.into_iter());
            let none = || Error::Store("fewer rows than were made".to_owned());
            self.raw.write(records, &mut || rows.next().ok_or_else(none))?;
            if Instant::now() >= until {
                return Ok(Slice { millis, handled });
            }
            handled += window;
        }
    }

    /// What a VActor's beginning writes: its record's header, and the mark of its owner.
    fn put(&self, rows: &mut Vec<(Bytes, Bytes)>) -> Result<(), Error> {
        let creation = Creation {
            id: RecordId::vactor(Counter::<false>::KIND, key(self.records).as_bytes())
                .map_err(failed)?,
            identity: Arc::clone(&self.identity),
            life: self.records,
            state_version: 1,
            attempt: 0,
        };
        let step = Law::default().create_running(&creation, &self.me).map_err(failed)?;
        for write in step.commit.batch().writes {
            if let Write::Put { key, value } = write {
                rows.push((key, value));
            }
        }
        Ok(())
    }
}
