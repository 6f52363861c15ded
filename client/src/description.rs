//! What the settings say of the collection that a client works with.

use std::sync::Arc;
use std::time::Duration;

use argus_config::{Config, ConfigError, Loader};
use argus_proto::collection::Collection;
use argus_proto::error::{Error, Result};
use argus_proto::method::Warning;
use argus_store::Paths;
use argus_store::lockfile::StaleAfter;

use crate::options::Options;

/// The description of one collection, as `config.yaml` says it now.
pub(crate) struct Description {
    loader: Loader,
    registry: Paths,
    name: Option<String>,
    lock_wait: Option<Duration>,
    stale_after: Option<StaleAfter>,
    described: Described,
    /// What was told about the file already.
    told: Option<ConfigError>,
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
        let path = argus_config::locate(registry.registry());
        let loader = Loader::new(path, registry.registry().to_owned());
        let name = options.collection.clone();
        let (lock_wait, stale_after) = (options.lock_wait, options.stale_after);
        let described = describe(loader.current(), registry, name.as_deref());
        let registry = registry.clone();
        let told = None;
        let new = Description { loader, registry, name, lock_wait, stale_after, described, told };
        Description { described: new.described(), ..new }
    }

    /// The description, as it was last read.
    pub(crate) fn known(&self) -> &Described {
        &self.described
    }

    /// Looks whether the settings have changed, and tells whether the description has.
    pub(crate) fn look(&mut self) -> bool {
        if !self.loader.look() {
            return false;
        }
        self.described = self.described();
        true
    }

    /// What is wrong with the settings, once.
    pub(crate) fn take_problem(&mut self) -> Option<Warning> {
        let problem = self.loader.problem();
        if problem == self.told.as_ref() {
            return None;
        }
        self.told = problem.cloned();
        let error = Error::from(problem?.clone());
        let first = error.message.lines().next().unwrap_or_default();
        let instead = "going on with the defaults; see: argus config check";
        Some(Warning { code: error.code, message: format!("{first}; {instead}") })
    }

    fn described(&self) -> Described {
        let config = self.loader.current();
        let described = describe(config, &self.registry, self.name.as_deref());
        Described {
            lock_wait: self.lock_wait.unwrap_or(described.lock_wait),
            stale_after: self.stale_after.unwrap_or(described.stale_after),
            ..described
        }
    }
}

fn describe(config: &Config, registry: &Paths, name: Option<&str>) -> Described {
    let lock = &config.lock;
    let known = config.collections.named(name);
    let paths = known
        .as_ref()
        .map_err(Error::clone)
        .and_then(|known| Ok(registry.beside_registry(known.file.as_deref())?));
    let collection = match known {
        Ok(known) => known.clone(),
        Err(_) => Collection::new(name.unwrap_or_default()).into(),
    };
    let stale_after = StaleAfter { unnamed: lock.stale_unnamed, named: lock.stale_named };
    Described { collection, paths, lock_wait: lock.wait, stale_after }
}
