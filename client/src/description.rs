//! What the settings say of the collection that a client works with.

use std::sync::Arc;
use std::time::Duration;

use argus_proto::collection::Collection;
use argus_proto::error::{Error, Result};
use argus_proto::method::Warning;
use argus_store::Paths;
use argus_store::lockfile::StaleAfter;

use crate::options::Options;
use crate::settings::Settings;

/// The description of one collection, as `config.yaml` says it now.
pub(crate) struct Description {
    settings: Settings,
    registry: Paths,
    name: Option<String>,
    lock_wait: Option<Duration>,
    stale_after: Option<StaleAfter>,
    /// What was told about the file already.
    told: Option<Error>,
}

/// How a collection is worked on.
#[derive(Clone)]
pub(crate) struct Described {
    /// Where the settings know none of this name, one with nothing special: the daemon may know it.
    pub(crate) collection: Arc<Collection>,
    /// Where it is; an error where the settings do not know.
    pub(crate) paths: Result<Paths>,
    pub(crate) lock_wait: Duration,
    pub(crate) stale_after: StaleAfter,
}

impl Description {
    /// Of the collection that the options name.
    pub(crate) fn new(registry: &Paths, options: &Options) -> Self {
        Description {
            settings: Settings::of(registry),
            registry: registry.clone(),
            name: options.collection.clone(),
            lock_wait: options.lock_wait,
            stale_after: options.stale_after,
            told: None,
        }
    }

    /// Looks whether the settings have changed, and tells whether they have.
    pub(crate) fn look(&mut self) -> bool {
        self.settings.look()
    }

    /// The settings, as they were when they were last looked at.
    #[cfg(feature = "config")]
    pub(crate) fn config(&self) -> Arc<argus_config::Config> {
        self.settings.config()
    }

    /// What is wrong with the settings, once.
    pub(crate) fn take_problem(&mut self) -> Option<Warning> {
        let problem = self.settings.problem();
        if problem == self.told {
            return None;
        }
        self.told = problem.clone();
        let error = problem?;
        let instead = "going on with the defaults; see: argus config check";
        Some(Warning { code: error.code, message: format!("{}; {instead}", error.message) })
    }

    /// The description, as the settings were when they were last looked at.
    pub(crate) fn described(&self) -> Described {
        let collections = self.settings.collections();
        let known = collections.named(self.name.as_deref());
        let paths = known
            .as_ref()
            .map_err(Error::clone)
            .and_then(|known| Ok(self.registry.beside_registry(known.file.as_deref())?));
        let collection = match known {
            Ok(known) => known.clone(),
            Err(_) => Collection::new(self.name.as_deref().unwrap_or_default()).into(),
        };
        let (lock_wait, stale_after) = self.settings.lock();
        Described {
            collection,
            paths,
            lock_wait: self.lock_wait.unwrap_or(lock_wait),
            stale_after: self.stale_after.unwrap_or(stale_after),
        }
    }
}
