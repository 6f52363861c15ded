//! What `config.yaml` says, as far as a client is concerned. Without the feature `config` no file is
//! read, and everything has its default.

use std::time::Duration;

#[cfg(feature = "config")]
use argus_config::Loader;
use argus_proto::collection::Catalog;
use argus_proto::error::Error;
use argus_store::Paths;
use argus_store::lockfile::StaleAfter;

/// The settings of a registry.
#[cfg(feature = "config")]
pub(crate) struct Settings(Loader);

#[cfg(feature = "config")]
impl Settings {
    /// Those of this registry.
    pub(crate) fn of(registry: &Paths) -> Self {
        let registry = registry.registry();
        Settings(Loader::new(argus_config::locate(registry), registry.to_owned()))
    }

    /// Looks whether they have changed, and tells whether they have.
    pub(crate) fn look(&mut self) -> bool {
        self.0.look()
    }

    pub(crate) fn config(&self) -> std::sync::Arc<argus_config::Config> {
        self.0.current().clone()
    }

    pub(crate) fn collections(&self) -> Catalog {
        self.0.current().collections.clone()
    }

    /// How long locks are waited for, and when those of others count as left behind.
    pub(crate) fn lock(&self) -> (Duration, StaleAfter) {
        let lock = &self.0.current().lock;
        (lock.wait, StaleAfter { unnamed: lock.stale_unnamed, named: lock.stale_named })
    }

    /// What is wrong with the file, which then says something else.
    pub(crate) fn problem(&self) -> Option<Error> {
        self.0.problem().map(|problem| Error::new(problem.code, problem.brief()))
    }
}

/// The settings that nobody can change.
#[cfg(not(feature = "config"))]
pub(crate) struct Settings;

#[cfg(not(feature = "config"))]
impl Settings {
    pub(crate) fn of(_registry: &Paths) -> Self {
        Settings
    }

    pub(crate) fn look(&mut self) -> bool {
        false
    }

    pub(crate) fn collections(&self) -> Catalog {
        Catalog::built_in()
    }

    pub(crate) fn lock(&self) -> (Duration, StaleAfter) {
        (argus_store::wait::LOCK_WAIT, StaleAfter::default())
    }

    pub(crate) fn problem(&self) -> Option<Error> {
        None
    }
}
