//! A live copy of a collection, for programs without an asynchronous runtime.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use argus_proto::error::{Code, Error, Result};
use argus_proto::method::Subscribe;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use super::{Client, runtime};
use crate::mirror::Snapshot;
use crate::options::Options;
use crate::typed::Entry;

/// See [`Mirror`](crate::Mirror). It follows from a thread of its own, by a connection of its own, until
/// it is dropped.
pub struct Mirror<'a, T> {
    client: &'a Client,
    mirror: crate::Mirror<T>,
    /// Dropping it ends the thread.
    _stop: oneshot::Sender<()>,
}

impl<'a, T: DeserializeOwned + Send + Sync + 'static> Mirror<'a, T> {
    pub(super) fn start(client: &'a Client, options: Options) -> Result<Self> {
        let (report, started) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let runtime = runtime()?;
        let follow = async move {
            let subscription =
                crate::Client::new(options).map(|client| client.subscribe(Subscribe::default()));
            let mirror = match subscription {
                Ok(subscription) => crate::Mirror::follow(subscription).await,
                Err(error) => Err(error),
            };
            let follows = mirror.is_ok();
            if report.send(mirror).is_ok() && follows {
                // Until the sender is dropped.
                let _: std::result::Result<(), _> = stopped.await;
            }
        };
        std::thread::Builder::new()
            .name("argus-mirror".into())
            .spawn(move || {
                runtime.block_on(follow);
                runtime.shutdown_background();
            })
            .map_err(|error| Error::new(Code::Io, format!("cannot start a thread: {error}")))?;
        let mirror = started
            .recv()
            .unwrap_or_else(|_| Err(Error::new(Code::Io, "the mirror's thread ended")))?;
        Ok(Mirror { client, mirror, _stop: stop })
    }
}

impl<T: Send + Sync> Mirror<'_, T> {
    /// One record. Never waits.
    pub fn get(&self, id: &str) -> Option<Arc<Entry<T>>> {
        self.mirror.get(id)
    }

    /// All records, in the order of their ids. Never waits.
    pub fn list(&self) -> Vec<Arc<Entry<T>>> {
        self.mirror.list()
    }

    /// How many there are. Never waits.
    pub fn len(&self) -> usize {
        self.mirror.len()
    }

    /// Whether there are none. Never waits.
    pub fn is_empty(&self) -> bool {
        self.mirror.is_empty()
    }

    /// All of one moment, to look into several times. Never waits.
    pub fn snapshot(&self) -> Arc<Snapshot<T>> {
        self.mirror.snapshot()
    }

    /// See [`Mirror::is_current`](crate::Mirror::is_current).
    pub fn is_current(&self) -> bool {
        self.mirror.is_current()
    }

    /// See [`Mirror::last_error`](crate::Mirror::last_error).
    pub fn last_error(&self) -> Option<Error> {
        self.mirror.last_error()
    }

    /// Waits until something has changed since this was last called, or for so long; tells whether it
    /// has. See [`Mirror::changed`](crate::Mirror::changed).
    ///
    /// # Errors
    /// As there.
    pub fn changed_within(&mut self, patience: Duration) -> Result<bool> {
        let changed = self.mirror.changed();
        self.client.wait(async {
            tokio::time::timeout(patience, changed).await.ok().transpose().map(|it| it.is_some())
        })
    }

    /// See [`Mirror::wait_for`](crate::Mirror::wait_for).
    ///
    /// # Errors
    /// As there.
    pub fn wait_for(
        &self,
        patience: Duration,
        is_wanted: impl FnMut(&Snapshot<T>) -> bool + Send,
    ) -> Result<Arc<Snapshot<T>>> {
        self.client.wait(self.mirror.wait_for(patience, is_wanted))
    }
}
