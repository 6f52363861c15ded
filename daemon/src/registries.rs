//! The registries of all collections, each with a file, locks and an owner of its own: what is wrong
//! with one is nothing to the others. One is opened when it is first asked for, or when there is something
//! to be done about it that nobody asks for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use argus_config::Config;
use argus_proto::collection::{Catalog, Collection, Layout, WATCHERS};
use argus_proto::error::{Code, Error, Result};
use argus_proto::method::CommitLatency;
use argus_store::lockfile::StaleAfter;
use argus_store::{Paths, RegistryFile};
use futures_util::future::join_all;

use crate::registry::{Registry, Shared};
use crate::serve::beside_the_others;

/// All collections of one daemon.
pub(crate) struct Registries {
    paths: Paths,
    shared: Shared,
    /// Whoever opens one holds this, and reads its file meanwhile. Before `state`.
    opening: Mutex<()>,
    /// Nobody waits in here.
    state: Mutex<State>,
}

/// What there is of a registry.
enum Found {
    Open(Registry),
    /// Only its description.
    Closed(Arc<Collection>),
}

struct State {
    described: Described,
    open: BTreeMap<String, Registry>,
    /// How far those that have ended had come: what comes after them has to be told from it.
    revisions: BTreeMap<String, u64>,
}

/// What the settings say about files.
struct Described {
    catalog: Catalog,
    stale_after: StaleAfter,
}

/// What other settings mean for the registries that are open.
#[derive(Default)]
struct Differences {
    otherwise: Vec<Otherwise>,
    /// Their collection is not there any more.
    ended: Vec<Registry>,
}

/// A registry that is described otherwise.
struct Otherwise {
    registry: Registry,
    file: RegistryFile,
    collection: Arc<Collection>,
}

impl Described {
    fn by(config: &Config) -> Self {
        let stale_after =
            StaleAfter { unnamed: config.lock.stale_unnamed, named: config.lock.stale_named };
        Described { catalog: config.collections.clone(), stale_after }
    }

    fn file(&self, paths: &Paths, collection: &Arc<Collection>) -> Result<RegistryFile> {
        let paths = paths.beside_registry(collection.file.as_deref())?;
        Ok(RegistryFile::new(paths, collection.clone(), self.stale_after).for_owner())
    }

    /// Those that have to be looked after though nobody asks for them.
    fn unasked(&self) -> Vec<String> {
        let first = self.catalog.iter().take(1);
        let is_unasked = |collection: &&Arc<Collection>| {
            collection.ttl.is_some() || collection.layout == Layout::Directory
        };
        let others = self.catalog.iter().skip(1).filter(is_unasked);
        first.chain(others).map(|collection| collection.name.clone()).collect()
    }
}

impl Registries {
    /// Opens the first of them, the registry itself, and those that have to be looked after.
    pub(crate) fn start(config: &Config, paths: Paths, shared: Shared) -> Result<Self> {
        let described = Described::by(config);
        let (open, revisions) = (BTreeMap::new(), BTreeMap::new());
        let state = State { described, open, revisions };
        let (opening, state) = (Mutex::default(), Mutex::new(state));
        let registries = Registries { paths, shared, opening, state };
        registries.open_now(&WATCHERS.name)?;
        registries.open_unasked();
        Ok(registries)
    }

    /// The registry of a collection; without a name, the watchers'. One that is not open yet is opened on a
    /// thread: it may be large, and its disk slow.
    ///
    /// # Errors
    /// `E_USAGE` where there is no such collection.
    pub(crate) async fn registry(self: &Arc<Self>, name: Option<&str>) -> Result<Registry> {
        let collection = match self.find(name)? {
            Found::Open(registry) => return Ok(registry),
            Found::Closed(collection) => collection,
        };
        let registries = self.clone();
        beside_the_others(true, move || registries.open_now(&collection.name)).await?
    }

    /// The same for a subscription, which begins before anything else of its connection is looked at: the
    /// first one of a collection that nobody has asked for yet reads its file here.
    pub(crate) fn at_once(&self, name: Option<&str>) -> Result<Registry> {
        match self.find(name)? {
            Found::Open(registry) => Ok(registry),
            Found::Closed(collection) => self.open_now(&collection.name),
        }
    }

    /// Opens one that is not open.
    fn open_now(&self, name: &str) -> Result<Registry> {
        let _opening = self.opening();
        // Somebody may have been faster.
        let collection = match self.find(Some(name))? {
            Found::Open(registry) => return Ok(registry),
            Found::Closed(collection) => collection,
        };
        let (file, first) = {
            let state = self.state();
            // One more than was ever told: who knows an older one gets everything anew.
            let first = state.revisions.get(name).map_or(0, |last| last + 1);
            (state.described.file(&self.paths, &collection)?, first)
        };
        let started = Registry::start(file, collection, self.shared.clone(), first);
        let registry = started
            .map_err(|error| Error::new(Code::Io, format!("cannot open {name}: {error}")))?;
        self.state().open.insert(name.to_owned(), registry.clone());
        Ok(registry)
    }

    fn find(&self, name: Option<&str>) -> Result<Found> {
        let state = self.state();
        let collection = state.described.catalog.named(name)?;
        Ok(match state.open.get(&collection.name) {
            Some(registry) => Found::Open(registry.clone()),
            None => Found::Closed(collection.clone()),
        })
    }

    /// Goes on with other settings. Who follows a collection that there is no more is told so.
    pub(crate) async fn follow(self: &Arc<Self>, config: &Config) {
        let (registries, described) = (self.clone(), Described::by(config));
        let noted = beside_the_others(true, move || registries.note(described)).await;
        let Ok(Differences { otherwise, ended }) = noted else { return };
        for Otherwise { registry, file, collection } in otherwise {
            registry.describe(file, collection).await;
        }
        join_all(ended.iter().map(Registry::finish)).await;
        for registry in &ended {
            let revision = registry.snapshot().revision;
            self.state().revisions.insert(registry.name.to_string(), revision);
        }
        // Those who follow one of these look when anything changes.
        self.shared.pulse.changes.send_replace(());
        let registries = self.clone();
        let _ = beside_the_others(true, move || registries.open_unasked()).await;
    }

    fn note(&self, now: Described) -> Differences {
        // One that is being opened is opened as it was described, and described anew then.
        let _opening = self.opening();
        let mut state = self.state();
        let before = std::mem::replace(&mut state.described, now);
        let State { described, open, .. } = &mut *state;
        let mut differences = Differences::default();
        open.retain(|name, registry| {
            let Ok(collection) = described.catalog.named(Some(name)) else {
                differences.ended.push(registry.clone());
                return false;
            };
            let is_same = before.catalog.named(Some(name)).is_ok_and(|was| was == collection)
                && before.stale_after == described.stale_after;
            match described.file(&self.paths, collection) {
                Ok(_) if is_same => {}
                Ok(file) => differences.otherwise.push(Otherwise {
                    registry: registry.clone(),
                    file,
                    collection: collection.clone(),
                }),
                Err(error) => tracing::error!("cannot go on with {name}: {}", error.message),
            }
            true
        });
        differences
    }

    fn open_unasked(&self) {
        let names = self.state().described.unasked();
        for name in names {
            if let Err(error) = self.open_now(&name) {
                tracing::error!("{}", error.message);
            }
        }
    }

    /// The registry of a collection, if it is open.
    pub(crate) fn opened(&self, name: &str) -> Option<Registry> {
        self.state().open.get(name).cloned()
    }

    /// Whether a collection has a file.
    pub(crate) fn has_file(&self, collection: &Collection) -> bool {
        let paths = self.paths.beside_registry(collection.file.as_deref());
        paths.is_ok_and(|paths| paths.registry().exists())
    }

    /// How many writes there were, and how long the last of them took.
    pub(crate) fn commits(&self) -> (u64, CommitLatency) {
        self.shared.latencies.summary()
    }

    /// Those that are open.
    pub(crate) fn open(&self) -> Vec<Registry> {
        self.state().open.values().cloned().collect()
    }

    /// Lets each write what it has in memory only. They take nothing afterwards.
    pub(crate) async fn finish(&self) {
        let open = self.open();
        join_all(open.iter().map(Registry::finish)).await;
    }

    fn opening(&self) -> MutexGuard<'_, ()> {
        self.opening.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What is changed in there is changed by single steps that cannot panic in between.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
