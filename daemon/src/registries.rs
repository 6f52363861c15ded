//! The registries of all collections, each with a file, locks and an owner of its own: what is wrong
//! with one is nothing to the others. One is opened when it is first asked for.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use argus_proto::collection::Catalog;
use argus_proto::error::{Code, Error, Result};
use argus_proto::method::CommitLatency;
use argus_store::lockfile::StaleAfter;
use argus_store::{Paths, RegistryFile};
use futures_util::future::join_all;

use crate::registry::{Registry, Shared};

/// All collections of one daemon.
pub(crate) struct Registries {
    catalog: Catalog,
    paths: Paths,
    stale_after: StaleAfter,
    shared: Shared,
    /// Nobody waits in here: opening one reads its file, once.
    open: Mutex<BTreeMap<String, Registry>>,
}

impl Registries {
    /// Opens the first of them, the registry itself.
    pub(crate) fn start(
        catalog: Catalog,
        paths: Paths,
        stale_after: StaleAfter,
        shared: Shared,
    ) -> Result<Self> {
        let registries = Registries { catalog, paths, stale_after, shared, open: Mutex::default() };
        registries.registry(None)?;
        Ok(registries)
    }

    /// The registry of a collection; without a name, the watchers'.
    ///
    /// # Errors
    /// `E_USAGE` where there is no such collection.
    pub(crate) fn registry(&self, name: Option<&str>) -> Result<Registry> {
        let collection = self.catalog.named(name)?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(registry) = open.get(&collection.name) {
            return Ok(registry.clone());
        }
        let paths = self.paths.beside_registry(collection.file.as_deref())?;
        let file = RegistryFile::new(paths, collection.clone(), self.stale_after).for_owner();
        let started = Registry::start(file, collection.clone(), self.shared.clone());
        let registry = started.map_err(|error| {
            Error::new(Code::Io, format!("cannot open {}: {error}", collection.name))
        })?;
        open.insert(collection.name.clone(), registry.clone());
        Ok(registry)
    }

    /// How many writes there were, and how long the last of them took.
    pub(crate) fn commits(&self) -> (u64, CommitLatency) {
        self.shared.latencies.summary()
    }

    /// Those that are open.
    pub(crate) fn open(&self) -> Vec<Registry> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Lets each write what it has in memory only. They take nothing afterwards.
    pub(crate) async fn finish(&self) {
        let open = self.open();
        join_all(open.iter().map(Registry::finish)).await;
    }
}
