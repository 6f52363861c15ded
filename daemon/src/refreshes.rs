//! The heartbeats that are in memory and in no file.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use argus_presence::ThisMachine;
use argus_proto::collection::Collection;
use argus_proto::document::Document;
use argus_proto::engine::{self, Context};
use argus_proto::method::Heartbeat;

/// How long a heartbeat stays in memory alone. The promise is 5 s; the write takes the rest.
const WRITE_AFTER: Duration = Duration::from_millis(4000);

/// A heartbeat that goes into the file with the next commit.
#[derive(Debug, Clone)]
pub(crate) struct Refresh {
    pub(crate) heartbeat: Heartbeat,
    /// In milliseconds since the epoch.
    pub(crate) at: u64,
}

impl Refresh {
    /// The document with this heartbeat in it; `None` where that makes no difference. It revives
    /// no record, touches none of another process, and never makes one older.
    pub(crate) fn apply(&self, document: &Document, collection: &Collection) -> Option<Document> {
        let known = document.records.get(&self.heartbeat.id)?.watcher()?;
        if known.updated_at >= self.at {
            return None;
        }
        let context = Context { collection, now: self.at, machine: &ThisMachine, caller: 0 };
        let request = self.heartbeat.clone().into();
        let outcome = engine::apply(document, &request, context).ok()?;
        outcome.differs.then_some(outcome.document)
    }
}

/// The last heartbeat of each record that no file shows yet.
#[derive(Default)]
pub(crate) struct Refreshes {
    by_id: HashMap<String, Refresh>,
    since: Option<Instant>,
}

impl Refreshes {
    pub(crate) fn add(&mut self, refresh: Refresh) {
        self.since.get_or_insert_with(Instant::now);
        self.by_id.insert(refresh.heartbeat.id.clone(), refresh);
    }

    /// A later heartbeat of the same record has come meanwhile, or not.
    pub(crate) fn put_back(&mut self, refresh: Refresh) {
        self.since.get_or_insert_with(Instant::now);
        self.by_id.entry(refresh.heartbeat.id.clone()).or_insert(refresh);
    }

    pub(crate) fn are_due(&self) -> bool {
        self.since.is_some_and(|since| since.elapsed() >= WRITE_AFTER)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(crate) fn to_vec(&self) -> Vec<Refresh> {
        self.by_id.values().cloned().collect()
    }

    pub(crate) fn take(&mut self) -> Vec<Refresh> {
        self.since = None;
        std::mem::take(&mut self.by_id).into_values().collect()
    }
}
