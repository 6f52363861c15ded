//! What readers see: a whole and durable state, but for the time of the last heartbeat.

use std::sync::Arc;

use argus_presence::clock;
use argus_proto::collection::Collection;
use argus_proto::document::Document;
use argus_proto::engine::{Change, Context};
use argus_proto::error::{Code, Error};
use argus_proto::evidence::Evidence;
use argus_proto::method::Warning;
use argus_store::{Recovery, Source};
use imbl::Vector;

use crate::commit::recovered;
use crate::registry::context;

/// How many changes are kept for those who come back with a cursor.
const CHANGES_KEPT_MAX: usize = 4096;
/// How many mended damages `status` tells of.
const INCIDENTS_MAX: usize = 16;

/// A change that is kept for a while.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) revision: u64,
    /// Milliseconds since the epoch.
    pub(crate) at: u64,
    pub(crate) change: Change,
}

/// A state of the collection. A copy shares everything with the original.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    /// What the document is one of.
    pub(crate) collection: Arc<Collection>,
    /// The file that it is kept in.
    pub(crate) path: Arc<str>,
    pub(crate) document: Document,
    /// How many changes this life of the daemon has seen.
    pub(crate) revision: u64,
    /// The last of them.
    changes: Vector<Kept>,
    /// Why the file cannot be used now, and what is shown instead.
    pub(crate) problem: Option<(Error, Source)>,
    /// Why the file could not be written, the last time that was tried.
    pub(crate) unwritable: Option<Error>,
    /// What was wrong with it and has been mended: the last of them.
    pub(crate) incidents: Vec<Warning>,
    /// What shows the last of those.
    pub(crate) recovered: Option<Arc<Evidence>>,
}

impl Snapshot {
    /// The first of a daemon's life.
    pub(crate) fn new(
        collection: Arc<Collection>,
        path: Arc<str>,
        document: Document,
        problem: Option<(Error, Source)>,
    ) -> Self {
        Snapshot {
            collection,
            path,
            document,
            revision: 0,
            changes: Vector::new(),
            problem,
            unwritable: None,
            incidents: Vec::new(),
            recovered: None,
        }
    }

    /// What a rule may know, at this moment.
    pub(crate) fn context(&self, caller: u32) -> Context<'_> {
        context(&self.collection, clock::wall_ms(), caller)
    }

    /// Counts and keeps a change.
    pub(crate) fn note_change(&mut self, change: Change, at: u64) {
        self.revision += 1;
        if self.changes.len() == CHANGES_KEPT_MAX {
            self.changes.pop_front();
        }
        self.changes.push_back(Kept { revision: self.revision, at, change });
    }

    /// Keeps what a mended damage was.
    pub(crate) fn note_recovery(&mut self, recovery: &Recovery) {
        if self.incidents.len() == INCIDENTS_MAX {
            self.incidents.remove(0);
        }
        self.recovered = Some(Arc::new(recovered(recovery)));
        self.incidents.push(Warning { code: Code::Corrupt, message: recovery.to_string() });
    }

    /// What is wrong with the file now.
    pub(crate) fn warnings(&self) -> Vec<Warning> {
        let unreadable = self.problem.iter().map(|(error, instead)| warning(error, *instead));
        let unwritable = self.unwritable.iter().map(|error| Warning {
            code: error.code,
            message: format!("the last write failed: {}", error.message),
        });
        unreadable.chain(unwritable).collect()
    }

    /// The revision after which all changes are kept.
    pub(crate) fn kept_from(&self) -> u64 {
        self.revision - self.changes.len() as u64
    }

    /// The changes after a revision that is not before [`Snapshot::kept_from`]. Costs what there is
    /// of them: everyone who follows asks after each change.
    pub(crate) fn changes_after(&self, revision: u64) -> impl Iterator<Item = &Kept> {
        let told = revision.saturating_sub(self.kept_from()) as usize;
        let changes = self.changes.focus();
        let first = told.min(changes.len());
        changes.narrow(first..).into_iter()
    }

    /// The error for a file of which nothing is known beside the records: what is shown instead
    /// would be taken for what stands there.
    pub(crate) fn unknown_document(&self) -> Option<&Error> {
        let (error, instead) = self.problem.as_ref()?;
        (error.code == Code::UnsupportedVersion || *instead == Source::Empty).then_some(error)
    }

    /// The error for a file that this program is too old for.
    pub(crate) fn newer_format(&self) -> Option<&Error> {
        let (error, _) = self.problem.as_ref()?;
        (error.code == Code::UnsupportedVersion).then_some(error)
    }
}

fn warning(error: &Error, instead: Source) -> Warning {
    let message = match error.code {
        Code::Corrupt => format!("{}; going on with {}", error.message, instead.name()),
        _ => error.message.clone(),
    };
    Warning { code: error.code, message }
}
