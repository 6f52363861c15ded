//! The rules of a change: `document, request, now → document, answer, changes`.
//!
//! 1. Pure: nothing is read but the arguments, nothing is written but the result.
//! 2. A request either changes the document as a whole or returns an error; there is no half.
//! 3. Repeating a request changes nothing more.
//! 4. No collection is known by name; what differs stands in its [`Collection`].

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::call::{Answer, Request};
use crate::collection::Collection;
use crate::document::Document;
use crate::error::{Code, Error, Result};
use crate::evidence::Evidence;
use crate::json::Object;
use crate::limits::{FILE_BYTES_MAX, RECORDS_MAX};
use crate::process::{Machine, Process};
use crate::record::{Record, Watcher};

/// What a rule may know beside the document and the request.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The collection that the document belongs to.
    pub collection: &'a Collection,
    /// Milliseconds since the epoch.
    pub now: u64,
    /// What is known about processes.
    pub machine: &'a dyn Machine,
    /// The process that asks: whose record an announcement without pid is.
    pub caller: u32,
}

/// What became of a request.
#[derive(Debug)]
pub struct Outcome {
    /// The document afterwards.
    pub document: Document,
    /// What the caller is told.
    pub answer: Answer,
    /// What subscribers are told: at most one entry a record.
    pub changes: Vec<Change>,
    /// Whether `document` differs from the one before. A heartbeat differs without a change.
    pub differs: bool,
}

/// One record that became another.
#[derive(Debug, Clone)]
pub struct Change {
    /// Whose record it is.
    pub id: Arc<str>,
    /// Why it changed.
    pub reason: Reason,
    /// What it was; `None` for a new one.
    pub before: Option<Arc<Record>>,
    /// What it is; `None` for one that is gone.
    pub after: Option<Arc<Record>>,
    /// What shows that this is why.
    pub evidence: Option<Arc<Evidence>>,
}

/// Why a record changed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode,
)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Its process announced it.
    Announced,
    /// Somebody asked for its removal.
    Removed,
    /// It was dead or stale and somebody asked to clear up.
    Pruned,
    /// Another program wrote the file.
    External,
    /// Its process ended.
    ProcessExited,
    /// It was not heard of for longer than the TTL.
    HeartbeatLost,
    /// Somebody set it.
    Put,
    /// Somebody changed some of its keys.
    Patched,
    /// The file was damaged, and this is what was left of it.
    Recovered,
    /// The folder of the task was changed.
    Source,
}

impl Reason {
    /// As it is printed, and written in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Announced => "announced",
            Reason::Removed => "removed",
            Reason::Pruned => "pruned",
            Reason::External => "external",
            Reason::ProcessExited => "process-exited",
            Reason::HeartbeatLost => "heartbeat-lost",
            Reason::Put => "put",
            Reason::Patched => "patched",
            Reason::Recovered => "recovered",
            Reason::Source => "source",
        }
    }
}

/// What became another between two documents. New times are no change, as heartbeats are none.
pub fn differences(
    before: &Document,
    after: &Document,
    reason: Reason,
    evidence: Option<&Arc<Evidence>>,
) -> Vec<Change> {
    let evidence = evidence.cloned();
    let change = |id: Arc<str>| {
        let (before, after) = (before.records.get(&id), after.records.get(&id));
        let differs = before.map(|record| record.etag()) != after.map(|record| record.etag());
        let (before, after) = (before.cloned(), after.cloned());
        differs.then_some(Change { id, reason, before, after, evidence: evidence.clone() })
    };
    before.records.differing(&after.records).into_iter().filter_map(change).collect()
}

/// The records that are as they were, at another time: what heartbeats are told of.
pub fn refreshed(before: &Document, after: &Document) -> Vec<(Arc<str>, Arc<Record>)> {
    let is_refreshed = |id: Arc<str>| {
        let (before, after) = (before.records.get(&id)?, after.records.get(&id)?);
        (before.etag() == after.etag()).then(|| (id, after.clone()))
    };
    before.records.differing(&after.records).into_iter().filter_map(is_refreshed).collect()
}

/// Applies a change to a document.
pub fn apply(document: &Document, request: &Request, context: Context<'_>) -> Result<Outcome> {
    let mut step = Step::new(document, context);
    let answer = match request {
        Request::Announce(params) => Answer::Announce(params.apply(&mut step)?),
        Request::Heartbeat(params) => Answer::Heartbeat(params.apply(&mut step)?),
        Request::Remove(params) => Answer::Remove(params.apply(&mut step)?),
        Request::Put(params) => Answer::Put(params.apply(&mut step)?),
        Request::Patch(params) => Answer::Patch(params.apply(&mut step)?),
        Request::PatchDocument(params) => Answer::PatchDocument(params.apply(&mut step)?),
        Request::Prune(params) => Answer::Prune(params.apply(&mut step)?),
        other => {
            return Err(Error::new(
                Code::Protocol,
                format!("`{}` does not change a collection", other.method()),
            ));
        }
    };
    Ok(Outcome { document: step.document, answer, changes: step.changes, differs: step.differs })
}

/// A request being applied: the copy of the document that it works on, and what came of it.
pub(crate) struct Step<'a> {
    pub(crate) document: Document,
    pub(crate) context: Context<'a>,
    changes: Vec<Change>,
    differs: bool,
}

impl<'a> Step<'a> {
    pub(crate) fn new(document: &Document, context: Context<'a>) -> Self {
        Step { document: document.clone(), context, changes: Vec::new(), differs: false }
    }

    /// The document, its changes, and whether it is another one.
    pub(crate) fn into_parts(self) -> (Document, Vec<Change>, bool) {
        (self.document, self.changes, self.differs)
    }

    /// How many changes there are so far.
    pub(crate) fn changes(&self) -> usize {
        self.changes.len()
    }

    /// Puts a record into the document. Only a new content is a change; a new time is not.
    pub(crate) fn insert(&mut self, id: &str, record: Record, reason: Reason) -> Result<()> {
        let before = self.document.records.get(id).cloned();
        if before.as_deref() == Some(&record) {
            return Ok(());
        }
        let after = Arc::new(record);
        self.document.records.insert(id, after.clone());
        self.differs = true;
        self.check_size()?;
        if before.as_ref().map(|record| record.etag()) != Some(after.etag()) {
            self.note(id, reason, before, Some(after));
        }
        Ok(())
    }

    /// Takes a record out of the document; tells whether it was there.
    pub(crate) fn remove(&mut self, id: &str, reason: Reason) -> bool {
        let Some(before) = self.document.records.remove(id) else { return false };
        self.differs = true;
        self.note(id, reason, Some(before), None);
        true
    }

    /// Says of the last change what shows that this is why.
    pub(crate) fn prove(&mut self, evidence: Evidence) {
        if let Some(last) = self.changes.last_mut() {
            last.evidence = Some(Arc::new(evidence));
        }
    }

    fn note(
        &mut self,
        id: &str,
        reason: Reason,
        before: Option<Arc<Record>>,
        after: Option<Arc<Record>>,
    ) {
        self.changes.push(Change { id: id.into(), reason, before, after, evidence: None });
    }

    /// Patches what stands beside the records. That is no change of a record, and nobody is told.
    pub(crate) fn patch_beside_records(&mut self, patch: &Object) -> Result<()> {
        let collection = self.context.collection;
        let before = self.document.clone();
        self.document.patch_beside_records(patch, collection).map_err(|error| {
            Error::new(Code::Invalid, format!("{} cannot be patched: {error}", collection.name))
        })?;
        self.differs |= !self.document.is_copy_of(&before);
        self.check_size()
    }

    fn check_size(&self) -> Result<()> {
        let records = &self.document.records;
        let name = &self.context.collection.name;
        if records.len() > RECORDS_MAX {
            return Err(Error::new(
                Code::TooLarge,
                format!("{name} already has {RECORDS_MAX} records, the most that are allowed"),
            )
            .hint("argus prune"));
        }
        if self.document.file_bytes() > FILE_BYTES_MAX {
            return Err(Error::new(
                Code::TooLarge,
                format!("the file of {name} would have more than {FILE_BYTES_MAX} bytes"),
            )
            .hint("argus prune"));
        }
        Ok(())
    }
}

/// Whether the record belongs to the process with this pid and identity.
pub(crate) fn belongs_to(watcher: &Watcher, pid: u32, process: Option<&Process>) -> bool {
    watcher.pid == pid
        && match (&watcher.process, process) {
            (Some(theirs), Some(ours)) => theirs.is(ours),
            // One of the two is not known: then the pid is all there is to go by.
            _ => true,
        }
}

/// The error for touching a record of another process.
pub(crate) fn belongs_to_another(id: &str, watcher: &Watcher) -> Error {
    let place = match watcher.port {
        0 => String::new(),
        _ => format!(" on {}", watcher.endpoint()),
    };
    let message = format!("`{id}` belongs to process {}{place}", watcher.pid);
    Error::new(Code::Conflict, message).details(serde_json::json!({
        "id": id, "pid": watcher.pid, "host": watcher.host, "port": watcher.port,
    }))
}
