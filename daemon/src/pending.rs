//! A change on its way to the disk: what it is, how long it may wait, and who is told what became of it.

use std::sync::Arc;
use std::time::Instant;

use argus_presence::clock;
use argus_proto::adoption::{Adoption, Adoptive};
use argus_proto::collection::Collection;
use argus_proto::document::Document;
use argus_proto::engine::{self, Change, Outcome};
use argus_proto::error::{Code, Error, Result};
use argus_proto::evidence::Evidence;
use argus_proto::{Answer, Request};
use tokio::sync::oneshot;

use crate::registry::context;

/// A change that waits to become durable.
pub(crate) struct Pending {
    pub(crate) work: Work,
    pub(crate) limits: Limits,
}

/// What is to be changed, and who is told.
pub(crate) enum Work {
    /// What somebody asks for.
    Asked { request: Request, caller: Caller, reply: oneshot::Sender<Result<Answer>> },
    /// What the folders of a source say.
    Adopted { adoption: Adoption, reply: oneshot::Sender<Result<()>> },
}

/// Who asks.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) pid: u32,
    /// What is kept of that with the changes.
    pub(crate) evidence: Option<Arc<Evidence>>,
}

impl Pending {
    /// Tells whoever waits for it. What was asked for is answered, if it was carried out.
    pub(crate) fn tell(self, outcome: Result<Option<Answer>>) {
        // Whoever has gone away needs no answer.
        match self.work {
            Work::Asked { reply, .. } => {
                let answer = outcome.and_then(|answer| answer.ok_or_else(not_applied));
                let _ = reply.send(answer);
            }
            Work::Adopted { reply, .. } => drop(reply.send(outcome.map(drop))),
        }
    }

    /// Whether the file has to show it before it is answered.
    pub(crate) fn wants_whole_file(&self) -> bool {
        match &self.work {
            Work::Asked { request, .. } => request.wants_flush(),
            Work::Adopted { .. } => false,
        }
    }

    /// What it makes of a document.
    pub(crate) fn apply(
        &self,
        document: &Document,
        collection: &Collection,
        now: u64,
    ) -> Result<Applied> {
        match &self.work {
            Work::Asked { request, caller, .. } => {
                let context = context(collection, now, caller.pid);
                let mut outcome = engine::apply(document, request, context)?;
                for change in &mut outcome.changes {
                    change.evidence.clone_from(&caller.evidence);
                }
                let Outcome { document, answer, changes, differs } = outcome;
                Ok(Applied { document, changes, differs, answer: Some(answer) })
            }
            Work::Adopted { adoption, .. } => {
                let adopted = adoption.apply(document, context(collection, now, 0))?;
                let Adoptive { document, changes, differs } = adopted;
                Ok(Applied { document, changes, differs, answer: None })
            }
        }
    }
}

/// What became of a document by one change.
pub(crate) struct Applied {
    pub(crate) document: Document,
    pub(crate) changes: Vec<Change>,
    pub(crate) differs: bool,
    pub(crate) answer: Option<Answer>,
}

pub(crate) fn not_applied() -> Error {
    Error::new(Code::Io, "the change was not applied")
}

/// Until when, and for whom, a change may still be applied.
pub(crate) struct Limits {
    /// On the machine's monotonic clock, in milliseconds.
    pub(crate) deadline: Option<u64>,
    /// When the wait for the locks runs out.
    pub(crate) lock_wait_until: Instant,
    /// Whether the caller has gone away.
    pub(crate) is_gone: Box<dyn Fn() -> bool + Send>,
}

impl Limits {
    pub(crate) fn passed(&self) -> Option<Error> {
        if self.deadline.is_some_and(|deadline| clock::monotonic_ms() >= deadline) {
            return Some(Error::new(
                Code::Timeout,
                "the deadline passed before the change could be written; nothing was changed",
            ));
        }
        (self.is_gone)().then(|| {
            Error::new(Code::Timeout, "the caller went away before the change could be written")
        })
    }
}
