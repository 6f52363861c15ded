//! The way on the file, as the settings describe it at the moment.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use argus_proto::collection::Collection;
use argus_proto::error::Result;
use argus_proto::method::Warning;
use argus_store::Paths;

use crate::description::{Described, Description};
use crate::direct::Direct;
use crate::options::Options;

/// How a client works without a daemon.
pub(crate) struct Fallback {
    registry: Paths,
    state: Mutex<State>,
}

struct State {
    description: Description,
    described: Described,
    direct: Result<Direct>,
}

impl Fallback {
    /// For the collection that the options name.
    pub(crate) fn new(registry: Paths, options: &Options) -> Self {
        let description = Description::new(&registry, options);
        let described = description.described();
        let direct = Direct::new(&registry, &described);
        Fallback { registry, state: Mutex::new(State { description, described, direct }) }
    }

    /// The file, as the settings are now.
    ///
    /// # Errors
    /// `E_USAGE` where they know no such collection.
    pub(crate) fn direct(&self) -> Result<Direct> {
        let mut state = self.state();
        if state.description.look() {
            state.described = state.description.described();
            state.direct = Direct::new(&self.registry, &state.described);
        }
        if let (Some(problem), Ok(direct)) = (state.description.take_problem(), &state.direct) {
            direct.notice(problem);
        }
        state.direct.clone()
    }

    /// The file of one of argus' own collections.
    #[cfg(feature = "config")]
    pub(crate) fn direct_for(&self, collection: &Arc<Collection>) -> Result<Direct> {
        let described = Described {
            collection: collection.clone(),
            paths: Ok(self.registry.beside_registry(collection.file.as_deref())?),
            ..self.described()
        };
        Direct::new(&self.registry, &described)
    }

    /// The settings, as they are now.
    #[cfg(feature = "config")]
    pub(crate) fn config(&self) -> Arc<argus_config::Config> {
        let mut state = self.state();
        state.description.look();
        state.description.config()
    }

    /// Where the files of the registry are.
    #[cfg(feature = "history")]
    pub(crate) fn paths(&self) -> &Paths {
        &self.registry
    }

    /// What is known of the collection.
    pub(crate) fn described(&self) -> Described {
        self.state().described.clone()
    }

    pub(crate) fn collection(&self) -> Arc<Collection> {
        self.described().collection
    }

    /// What happened on the way that is no part of an answer, since this was last asked.
    pub(crate) fn take_notices(&self) -> Vec<Warning> {
        self.state().direct.as_ref().map_or_else(|_| Vec::new(), Direct::take_notices)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What is changed in there is whole at every step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
