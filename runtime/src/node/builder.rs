//! What a node is made of.

use std::sync::Arc;

use throughline_store::Store;

use crate::{
    config::Config,
    environment::Environment,
    kinds::{Kind, Of},
    listen::{Page, Site},
    node::{
        Admit, BuildError, NodeHere, Parts, RunningNode, StartError, here, joining, running, shared,
    },
    session::{Arrival, Refusal, Session},
    vactor::{self, VActors},
};

/// Puts a node together from a configuration and the game's parts.
pub struct NodeBuilder {
    config: Config,
    kinds: Vec<Box<dyn Kind>>,
    vactors: Vec<Box<dyn vactor::Kind>>,
    pages: Vec<Page>,
    admit: Option<Box<Admit>>,
    store: Option<Arc<dyn Store>>,
}

impl NodeBuilder {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            kinds: Vec::new(),
            vactors: Vec::new(),
            pages: Vec::new(),
            admit: None,
            store: None,
        }
    }

    pub(super) fn configure(&mut self, config: Config) {
        self.config = config;
    }

    /// Serves sessions of this kind.
    #[must_use]
    pub fn sessions<S: Session>(mut self) -> Self {
        self.kinds.push(Box::new(Of::<S>::new()));
        self
    }

    /// Hosts VActors of this kind: `throughline-vactor` has the typed call.
    #[doc(hidden)]
    #[must_use]
    pub fn vactor_kind(mut self, kind: Box<dyn vactor::Kind>) -> Self {
        self.vactors.push(kind);
        self
    }

    /// Serves these files on the HTTP listener.
    #[must_use]
    pub fn pages(mut self, pages: &[Page]) -> Self {
        self.pages.extend_from_slice(pages);
        self
    }

    /// Asks `admit` before every login and every resume: the place for bans. It must answer at
    /// once, since it runs on a worker.
    #[must_use]
    pub fn admit(
        mut self,
        admit: impl Fn(&Arrival<'_>) -> Result<(), Refusal> + Send + Sync + 'static,
    ) -> Self {
        self.admit = Some(Box::new(admit));
        self
    }

    /// Keeps sessions in this store, whatever `store.at` says. The node closes it when it stops.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Starts the node: its listeners are open when this returns.
    ///
    /// # Errors
    /// A [`StartError`] that names what was wrong and what to change.
    pub fn start(self) -> Result<RunningNode, StartError> {
        self.check()?;
        self.config.validate()?;
        shared::check_random()?;
        let (config, store, parts) = self.parts();
        running::start(joining::prepare(config, parts, store)?)
    }

    /// Starts the node on the current thread, for tests and simulations: no thread, no socket and
    /// no file; its clocks are those of the tokio runtime in whose context this is called, its
    /// chance, network and store come from `environment`. It is one worker, takes links at
    /// `listen.link`, and has neither an HTTP listener nor one for operators. It runs while what
    /// is returned is polled; see [`NodeHere`]. The crate `throughline-testing` stands on this.
    ///
    /// # Errors
    /// A [`StartError`] that names what was wrong and what to change.
    pub fn start_here(self, environment: Environment) -> Result<NodeHere, StartError> {
        self.check()?;
        self.config.validate()?;
        let (config, _, parts) = self.parts();
        here::start(config, parts, environment)
    }

    fn parts(self) -> (Config, Option<Arc<dyn Store>>, Parts) {
        let parts = Parts {
            kinds: self.kinds,
            vactors: VActors::new(self.vactors),
            pages: Site::pages(&self.pages),
            admit: self.admit,
        };
        (self.config, self.store, parts)
    }

    fn check(&self) -> Result<(), BuildError> {
        if self.kinds.is_empty() {
            return Err(BuildError::NoKinds);
        }
        for (index, kind) in self.kinds.iter().enumerate() {
            let name = kind.name();
            if !(1..=throughline_link::wire::KIND_MAX).contains(&name.len()) {
                return Err(BuildError::BadName(name));
            }
            if self.kinds[..index].iter().any(|other| other.name() == name) {
                return Err(BuildError::Duplicate(name));
            }
        }
        self.check_vactors()?;
        let names: Vec<_> = self.kinds.iter().map(|kind| kind.name()).collect();
        match self.config.listen.kinds.iter().find(|kind| !names.contains(&kind.as_str())) {
            Some(found) => {
                Err(BuildError::UnknownKind { found: found.clone(), known: names.join(", ") })
            }
            None => Ok(()),
        }
    }

    fn check_vactors(&self) -> Result<(), BuildError> {
        for (index, kind) in self.vactors.iter().enumerate() {
            let name = kind.settings().kind;
            if !(1..=throughline_link::wire::KIND_MAX).contains(&name.len()) {
                return Err(BuildError::BadName(name));
            }
            // One name is one form of state in the store, whatever it is of.
            let mut before = self.vactors[..index].iter().map(|other| other.settings().kind);
            if before.any(|other| other == name) || self.kinds.iter().any(|k| k.name() == name) {
                return Err(BuildError::Duplicate(name));
            }
            let messages = kind.messages();
            if messages.is_empty() {
                return Err(BuildError::NoMessages(name));
            }
            for (index, (message, _)) in messages.iter().enumerate() {
                if !(1..=MESSAGE_NAME_MAX).contains(&message.len()) {
                    return Err(BuildError::BadMessageName { kind: name, message });
                }
                if messages[..index].iter().any(|(other, _)| other == message) {
                    return Err(BuildError::DuplicateMessage { kind: name, message });
                }
            }
        }
        Ok(())
    }
}

/// Longest name of a message of a VActor: it goes with every ask to another node.
const MESSAGE_NAME_MAX: usize = 64;

impl std::fmt::Debug for NodeBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}
