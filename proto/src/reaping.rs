//! Which records leave by themselves: those whose process has ended, and those that were not heard
//! of for too long.
//!
//! Whoever watches them names suspects; here, on the document as it is by then, it is decided. A
//! record that was announced anew, or refreshed, meanwhile stays.

use std::sync::Arc;

use crate::document::Document;
use crate::engine::{Change, Context, Reason, Step, belongs_to};
use crate::evidence::Evidence;
use crate::process::{Process, Verdict};
use crate::record::Record;

/// A record that seems to have outlived its process.
#[derive(Debug, Clone)]
pub struct Suspect {
    /// Which record.
    pub id: Arc<str>,
    /// The process that was watched for it.
    pub pid: u32,
    /// Which of those that had this pid, as the record tells or as it was seen running.
    pub process: Option<Process>,
    /// Why it is suspected.
    pub suspicion: Suspicion,
}

/// Why a record is suspected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspicion {
    /// Its process was seen to end.
    Exited,
    /// Nothing was heard of it for longer than the TTL, since this `updatedAt`.
    Silent {
        /// In milliseconds since the epoch.
        updated_at: u64,
    },
}

/// The document without those suspects that are guilty, and what changed.
pub fn reap(
    document: &Document,
    suspects: &[Suspect],
    context: Context<'_>,
) -> (Document, Vec<Change>) {
    let mut step = Step::new(document, context);
    for suspect in suspects {
        let record = step.document.records.get(&suspect.id);
        let reason = record.and_then(|record| suspect.verdict(record, context));
        if let Some((reason, evidence)) = reason {
            step.remove(&suspect.id, reason);
            step.prove(evidence);
        }
    }
    let (document, changes, _) = step.into_parts();
    (document, changes)
}

impl Suspect {
    /// Why the record has to go, and what shows it; `None` where it stays.
    fn verdict(&self, record: &Record, context: Context<'_>) -> Option<(Reason, Evidence)> {
        let watcher = record.watcher()?;
        // Announced anew by another process: that one is not suspected.
        if !belongs_to(watcher, self.pid, self.process.as_ref()) {
            return None;
        }
        let process = watcher.process.as_ref().or(self.process.as_ref());
        let verdict = context.machine.verdict(self.pid, process);
        let vouched = process.is_some_and(|process| process.vouched == Some(true));
        match (self.suspicion, verdict) {
            // A pid alone may count elsewhere; one that was seen running here does not.
            (_, Verdict::Dead) if process.is_some() => {
                let start_time = process.map(|process| process.start_time);
                let evidence = Evidence { pid: Some(self.pid), start_time, ..Evidence::default() };
                Some((Reason::ProcessExited, evidence))
            }
            (Suspicion::Exited, _) => None,
            (Suspicion::Silent { .. }, Verdict::Alive) if vouched => None,
            (Suspicion::Silent { updated_at }, _) => {
                let evidence = Evidence {
                    pid: Some(self.pid),
                    silent_ms: Some(context.now.saturating_sub(watcher.updated_at)),
                    ttl_ms: context.collection.ttl.map(|ttl| ttl.as_millis() as u64),
                    ..Evidence::default()
                };
                (watcher.updated_at <= updated_at).then_some((Reason::HeartbeatLost, evidence))
            }
        }
    }
}
