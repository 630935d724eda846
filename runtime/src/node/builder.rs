//! What a node is made of.

use std::sync::Arc;

use throughline_store::Store;

use crate::{
    config::Config,
    environment::Environment,
    kinds::{Kind, Of},
    listen::{Page, Site},
    node::{Admit, BuildError, NodeHere, RunningNode, StartError, here, joining, running, shared},
    session::{Arrival, Refusal, Session},
};

/// Puts a node together from a configuration and the game's parts.
pub struct NodeBuilder {
    config: Config,
    kinds: Vec<Box<dyn Kind>>,
    pages: Vec<Page>,
    admit: Option<Box<Admit>>,
    store: Option<Arc<dyn Store>>,
}

impl NodeBuilder {
    pub(super) fn new(config: Config) -> Self {
        Self { config, kinds: Vec::new(), pages: Vec::new(), admit: None, store: None }
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
        let pages = Site::pages(&self.pages);
        running::start(joining::prepare(self.config, self.kinds, pages, self.admit, self.store)?)
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
        here::start(self.config, self.kinds, self.admit, environment)
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
        let names: Vec<_> = self.kinds.iter().map(|kind| kind.name()).collect();
        match self.config.listen.kinds.iter().find(|kind| !names.contains(&kind.as_str())) {
            Some(found) => {
                Err(BuildError::UnknownKind { found: found.clone(), known: names.join(", ") })
            }
            None => Ok(()),
        }
    }
}

impl std::fmt::Debug for NodeBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}
