//! A live copy of a collection, for readers that wait for nothing.
//!
//! 1. Reading takes the pointer to the present [`Snapshot`] and nothing else: no lock, no disk, no
//!    daemon, and no other reader or writer is waited for (`arc-swap`).
//! 2. A snapshot is never changed. The next one shares with it what is the same, so a change costs
//!    what it changes, however large the collection is.
//! 3. What may be behind says so: [`Mirror::is_current`].

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use argus_proto::collection::Collection as Description;
use argus_proto::error::{Code, Error, Result};
use argus_proto::event::{Event, EventKind};
use argus_proto::json::JsonText;
use argus_proto::record::Record;
use imbl::OrdMap;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use crate::subscription::Subscription;
use crate::typed::{self, Entry, Invalid};

/// A copy of a collection in memory, which follows it from a task of its own.
///
/// Cheap to clone; when the last one is dropped the task ends. It follows as a [`Subscription`] does:
/// by the daemon, or by looking at the file twice a second where none can be had. So it shows a change
/// a moment after it was made, one's own too: [`Mirror::wait_for`] waits until it does. Heartbeats are
/// no changes: `updatedAt` of a watcher is that of its last change.
pub struct Mirror<T> {
    present: Arc<ArcSwap<Snapshot<T>>>,
    changes: watch::Receiver<()>,
    following: Arc<Following>,
}

/// All records of a collection at one moment, by id.
pub struct Snapshot<T> {
    entries: OrdMap<Arc<str>, Arc<Entry<T>>>,
    invalid: OrdMap<Arc<str>, Arc<Invalid>>,
    /// Why there may be later ones by now.
    problem: Option<Error>,
}

/// The task that follows, for as long as this lives.
struct Following(AbortHandle);

impl<T> Mirror<T> {
    /// One record. Never waits.
    pub fn get(&self, id: &str) -> Option<Arc<Entry<T>>> {
        self.present.load().entries.get(id).cloned()
    }

    /// All records, in the order of their ids. Never waits.
    pub fn list(&self) -> Vec<Arc<Entry<T>>> {
        self.present.load().entries.values().cloned().collect()
    }

    /// How many there are. Never waits.
    pub fn len(&self) -> usize {
        self.present.load().len()
    }

    /// Whether there are none. Never waits.
    pub fn is_empty(&self) -> bool {
        self.present.load().is_empty()
    }

    /// All of one moment, to look into several times. Never waits.
    pub fn snapshot(&self) -> Arc<Snapshot<T>> {
        self.present.load_full()
    }

    /// Whether nothing is known that makes this older than the collection by more than a moment. A
    /// connection that ends is known at once, a daemon that hangs after 40 s.
    pub fn is_current(&self) -> bool {
        self.last_error().is_none()
    }

    /// Why this may be behind; `None` while it [is current](Mirror::is_current). It catches up by
    /// itself.
    pub fn last_error(&self) -> Option<Error> {
        let ended = self.changes.has_changed().is_err().then(ended);
        ended.or_else(|| self.present.load().problem.clone())
    }

    /// Waits until a record has changed since this was last called, or [`Mirror::is_current`] has.
    /// Changes that come close together are told once.
    ///
    /// # Errors
    /// `E_IO` where nothing more will follow: the runtime of the client is gone.
    pub async fn changed(&mut self) -> Result<()> {
        self.changes.changed().await.map_err(|_| ended())
    }

    /// Waits until the copy is as is wanted, and gives it as it is then.
    ///
    /// ```no_run
    /// # async fn example(machines: argus_client::Collection<serde_json::Value>) -> argus_client::Result<()> {
    /// # let machine = serde_json::json!({ "type": "local" });
    /// let mirror = machines.mirror().await?;
    /// let etag = machines.put("box", &machine).await?.etag;
    /// let patience = std::time::Duration::from_secs(5);
    /// mirror.wait_for(patience, |all| all.get("box").is_some_and(|it| it.etag == etag)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `E_TIMEOUT` where it has not become so; as [`Mirror::changed`].
    pub async fn wait_for(
        &self,
        patience: Duration,
        mut is_wanted: impl FnMut(&Snapshot<T>) -> bool + Send,
    ) -> Result<Arc<Snapshot<T>>> {
        let deadline = Instant::now() + patience;
        let mut changes = self.changes.clone();
        loop {
            changes.mark_unchanged();
            let snapshot = self.snapshot();
            if is_wanted(&snapshot) {
                return Ok(snapshot);
            }
            match timeout_at(deadline, changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(ended()),
                Err(_) => {
                    let after = patience.as_secs_f32();
                    let message = format!("the mirror has not become so within {after:.1} s");
                    return Err(snapshot
                        .problem
                        .iter()
                        .fold(Error::new(Code::Timeout, message), |error, problem| {
                            error.hint(format!("it is behind: {problem}"))
                        }));
                }
            }
        }
    }
}

impl<T: DeserializeOwned + Send + Sync + 'static> Mirror<T> {
    /// Begins to follow, and returns when what is there has arrived.
    pub(crate) async fn follow(mut subscription: Subscription) -> Result<Self> {
        let arrived = loop {
            subscription.advance().await?;
            let arrived = subscription.take_arrived();
            if !arrived.is_empty() {
                break arrived;
            }
            if let Some(problem) = subscription.problem() {
                return Err(problem.clone());
            }
        };
        let mut snapshot = Snapshot::empty();
        let description = subscription.description();
        arrived.into_iter().for_each(|event| snapshot.take(event, &description));
        snapshot.problem = subscription.problem().cloned();
        let present = Arc::new(ArcSwap::from_pointee(snapshot));
        let (change, changes) = watch::channel(());
        let task = tokio::spawn(keep_up(subscription, present.clone(), change));
        Ok(Mirror { present, changes, following: Arc::new(Following(task.abort_handle())) })
    }
}

/// Publishes a new snapshot whenever something has happened.
async fn keep_up<T: DeserializeOwned>(
    mut subscription: Subscription,
    present: Arc<ArcSwap<Snapshot<T>>>,
    change: watch::Sender<()>,
) {
    loop {
        // What went wrong is its problem until it is overcome; it paces itself.
        let _ = subscription.advance().await;
        let arrived = subscription.take_arrived();
        let mut next = Snapshot::clone(&present.load());
        next.problem = subscription.problem().cloned();
        let is_news = arrived.iter().any(|event| event.kind != EventKind::Bookmark);
        if is_news || next.problem != present.load().problem {
            let description = subscription.description();
            arrived.into_iter().for_each(|event| next.take(event, &description));
            present.store(Arc::new(next));
            change.send_replace(());
        }
    }
}

impl<T> Snapshot<T> {
    fn empty() -> Self {
        Snapshot { entries: OrdMap::new(), invalid: OrdMap::new(), problem: None }
    }

    /// One record.
    pub fn get(&self, id: &str) -> Option<&Entry<T>> {
        self.entries.get(id).map(|entry| &**entry)
    }

    /// All records, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Entry<T>> {
        self.entries.values().map(|entry| &**entry)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The records that are no values of the type, in the order of their ids.
    pub fn invalid(&self) -> impl Iterator<Item = &Invalid> {
        self.invalid.values().map(|invalid| &**invalid)
    }
}

impl<T: DeserializeOwned> Snapshot<T> {
    fn take(&mut self, event: Event, description: &Description) {
        match (event.kind, event.records, event.id, event.record) {
            (EventKind::Resync, Some(records), _, _) => {
                (self.entries, self.invalid) = (OrdMap::new(), OrdMap::new());
                for listed in records {
                    self.set(listed.id, &listed.record, listed.etag);
                }
            }
            (EventKind::Removed, _, Some(id), _) => {
                self.entries.remove(&*id);
                self.invalid.remove(&*id);
            }
            (EventKind::Added | EventKind::Updated, _, Some(id), Some(record)) => {
                let etag = Record::read(&id, record.as_str(), description).etag().to_owned();
                self.set(id, &record, etag);
            }
            _ => {}
        }
    }

    fn set(&mut self, id: String, record: &JsonText, etag: String) {
        let key: Arc<str> = id.as_str().into();
        match typed::read(&id, record) {
            Ok(value) => {
                self.invalid.remove(&key);
                self.entries.insert(key, Arc::new(Entry { id, value, etag }));
            }
            Err(error) => {
                self.entries.remove(&key);
                self.invalid.insert(key, Arc::new(Invalid { id, error, etag }));
            }
        }
    }
}

impl<T> Clone for Mirror<T> {
    fn clone(&self) -> Self {
        Mirror {
            present: self.present.clone(),
            changes: self.changes.clone(),
            following: self.following.clone(),
        }
    }
}

impl<T> Clone for Snapshot<T> {
    fn clone(&self) -> Self {
        Snapshot {
            entries: self.entries.clone(),
            invalid: self.invalid.clone(),
            problem: self.problem.clone(),
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn ended() -> Error {
    Error::new(Code::Io, "the mirror does not follow any more: its runtime has ended")
}
