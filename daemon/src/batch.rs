//! One write in the making: all that waits, applied to what the file holds, in the order in which it came.

use std::sync::Arc;
use std::time::{Duration, Instant};

use argus_presence::clock;
use argus_proto::Answer;
use argus_proto::collection::Collection;
use argus_proto::document::Document;
use argus_proto::engine::{self, Change, Reason};
use argus_proto::error::{Error, Result};
use argus_proto::evidence::Evidence;
use argus_proto::merge::merge;
use argus_proto::reaping::{Suspect, reap};
use argus_store::Transaction;

use crate::pending::{Pending, not_applied};
use crate::registry::context;

/// How long work that nobody waits for may wait for the locks: it can be done later, and those
/// who come meanwhile have deadlines.
pub(crate) const SHORT_LOCK_WAIT: Duration = Duration::from_millis(100);

/// After so long without the locks it is looked at what others have written meanwhile: readers
/// must not be shown the past for as long as somebody keeps a lock.
const LOCK_WAIT_SLICE: Duration = Duration::from_millis(500);

/// What readers are shown, which is ahead of the file by heartbeats.
pub(crate) struct Memory {
    /// The file as memory last knew it.
    pub(crate) base: Document,
    pub(crate) document: Document,
    /// Where records have files of their own: whether the whole file has to show them now.
    pub(crate) is_show_due: bool,
}

/// One write in the making.
pub(crate) struct Batch {
    collection: Arc<Collection>,
    /// What is known of others who change the file.
    pub(crate) foreign: Arc<Evidence>,
    entries: Vec<Entry>,
    pub(crate) memory: Memory,
    /// Those whose process has ended, or that were not heard of for too long.
    pub(crate) suspects: Vec<Suspect>,
    pub(crate) changes: Vec<Change>,
}

struct Entry {
    pending: Pending,
    outcome: Option<Result<Option<Answer>>>,
    /// Whether the document would be another one without it.
    differs: bool,
}

impl Batch {
    pub(crate) fn new(
        collection: Arc<Collection>,
        foreign: Arc<Evidence>,
        pending: Vec<Pending>,
        memory: Memory,
        suspects: Vec<Suspect>,
    ) -> Self {
        let entries = pending
            .into_iter()
            .map(|pending| Entry { pending, outcome: None, differs: false })
            .collect();
        Batch { collection, foreign, entries, memory, suspects, changes: Vec::new() }
    }

    /// At most until the first of them has to be told that it waited in vain.
    pub(crate) fn lock_wait(&self) -> Duration {
        let now = Instant::now();
        self.entries
            .iter()
            .map(|entry| entry.pending.limits.lock_wait_until.saturating_duration_since(now))
            .min()
            .map_or(SHORT_LOCK_WAIT, |wait| wait.min(LOCK_WAIT_SLICE))
    }

    pub(crate) fn waiting(&mut self) -> Vec<Pending> {
        self.entries.drain(..).map(|entry| entry.pending).collect()
    }

    pub(crate) fn finish(&mut self) -> Vec<(Pending, Result<Option<Answer>>)> {
        let unanswered = || Err(not_applied());
        self.entries
            .drain(..)
            .map(|entry| (entry.pending, entry.outcome.unwrap_or_else(unanswered)))
            .collect()
    }

    pub(crate) fn fail(&mut self, error: &Error) -> Vec<(Pending, Result<Option<Answer>>)> {
        self.entries
            .drain(..)
            .map(|entry| match entry.outcome {
                // What was refused by a rule was refused whatever became of the write.
                Some(Err(refused)) => (entry.pending, Err(refused)),
                _ => (entry.pending, Err(error.clone())),
            })
            .collect()
    }

    /// Tells those whose wait has run out, at once: their deadline is near.
    pub(crate) fn give_up_waiting(&mut self, error: &Error) {
        let now = Instant::now();
        let (waited_in_vain, others): (Vec<Entry>, Vec<Entry>) = std::mem::take(&mut self.entries)
            .into_iter()
            .partition(|entry| entry.pending.limits.lock_wait_until <= now);
        self.entries = others;
        for entry in waited_in_vain {
            entry.pending.tell(Err(error.clone()));
        }
    }
}

impl Transaction for Batch {
    fn apply(&mut self, document: &Document) -> Option<Document> {
        let now = clock::wall_ms();
        // What others wrote comes before our own, which is applied to it.
        self.changes = external_changes(&self.memory.base, document, &self.foreign);
        let mut next = merge(&self.memory.base, document, &self.memory.document);
        let (without_suspects, reaped) =
            reap(&next, &self.suspects, context(&self.collection, now, 0));
        next = without_suspects;
        self.changes.extend(reaped);
        let mut differs = !next.is_copy_of(document);
        let collection = self.collection.clone();
        for at in 0..self.entries.len() {
            // It may have been applied before, to what was there then.
            self.entries[at].differs = false;
            let entry = &self.entries[at];
            if let Some(error) = entry.pending.limits.passed() {
                self.entries[at].outcome = Some(Err(error));
                continue;
            }
            let applied = entry.pending.apply(&next, &collection, now);
            let entry = &mut self.entries[at];
            entry.outcome = Some(applied.map(|applied| {
                next = applied.document;
                entry.differs = applied.differs;
                differs |= applied.differs;
                self.changes.extend(applied.changes);
                applied.answer
            }));
        }
        differs.then(|| {
            next.touch(now);
            next
        })
    }

    fn is_wanted(&mut self) -> bool {
        // Looked at again here, behind the fsync: whoever went to the file himself meanwhile
        // must not find this change made on top of his own.
        self.entries.iter().all(|entry| !entry.differs || entry.pending.limits.passed().is_none())
    }

    fn wants_whole_file(&self) -> bool {
        self.memory.is_show_due || self.entries.iter().any(|entry| entry.pending.wants_whole_file())
    }
}

/// What others have made of the document that readers were shown last, in this file. Compared with that
/// and with nothing else, so that no way by which a document gets here is without its events.
pub(crate) fn external_changes(
    base: &Document,
    document: &Document,
    file: &Arc<Evidence>,
) -> Vec<Change> {
    engine::differences(base, document, Reason::External, Some(file))
}
