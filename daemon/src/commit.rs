//! The thread that makes changes durable: the only one of the daemon that waits for the disk.
//!
//! It takes one batch at a time. While it is at work the registry collects the next, so the cost
//! of a commit is shared by all who came meanwhile (group commit).

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use argus_presence::clock;
use argus_proto::adoption::{Adoption, Adoptive};
use argus_proto::collection::Collection;
use argus_proto::document::Document;
use argus_proto::engine::{self, Change, Outcome, Reason};
use argus_proto::error::{Code, Error, Result};
use argus_proto::evidence::Evidence;
use argus_proto::merge::merge;
use argus_proto::reaping::{Suspect, reap};
use argus_proto::{Answer, Request};
use argus_store::{Committed, Recovery, RegistryFile, StoreError, Transaction};
use tokio::sync::{mpsc as tokio_mpsc, oneshot};

use crate::registry::{Message, context, path_of};

/// How long work that nobody waits for may wait for the locks: it can be done later, and those
/// who come meanwhile have deadlines.
const SHORT_LOCK_WAIT: Duration = Duration::from_millis(100);

/// After so long without the locks it is looked at what others have written meanwhile: readers
/// must not be shown the past for as long as somebody keeps a lock.
const LOCK_WAIT_SLICE: Duration = Duration::from_millis(500);

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
    fn wants_whole_file(&self) -> bool {
        match &self.work {
            Work::Asked { request, .. } => request.wants_flush(),
            Work::Adopted { .. } => false,
        }
    }

    /// What it makes of a document.
    fn apply(&self, document: &Document, collection: &Collection, now: u64) -> Result<Applied> {
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
struct Applied {
    document: Document,
    changes: Vec<Change>,
    differs: bool,
    answer: Option<Answer>,
}

fn not_applied() -> Error {
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

/// What readers are shown, which is ahead of the file by heartbeats.
pub(crate) struct Memory {
    /// The file as memory last knew it.
    pub(crate) base: Document,
    pub(crate) document: Document,
    /// Where records have files of their own: whether the whole file has to show them now.
    pub(crate) is_show_due: bool,
}

/// Work for the thread.
pub(crate) enum Job {
    /// Make these durable, and what memory is ahead of the file by, as one write.
    Commit(Vec<Pending>, Box<Memory>, Vec<Suspect>),
    /// Look whether somebody else wrote the file, since it was this.
    Look(Document),
    /// Write the file again, which was damaged, since it was this.
    Mend(Document),
    /// Go on with this file, as this describes it, where it was that.
    Describe(Box<RegistryFile>, Arc<Collection>, Document),
}

/// What became of a job.
pub(crate) struct Done {
    /// The document on the disk, if it is another than before.
    pub(crate) document: Option<Document>,
    /// What changed on the way to it, in order.
    pub(crate) changes: Vec<Change>,
    /// The answers, each with whom to send it to.
    pub(crate) answers: Vec<(Pending, Result<Option<Answer>>)>,
    /// Those that were not begun, and can wait longer.
    pub(crate) waiting: Vec<Pending>,
    /// How long the write took, if there was one.
    pub(crate) latency: Option<Duration>,
    /// What is wrong with the file, if that was looked at.
    pub(crate) problem: Option<Option<Error>>,
    /// Why the file could not be written, if that was tried and the disk was reached.
    pub(crate) unwritable: Option<Option<Error>>,
    /// The file is damaged still: it could not be written.
    pub(crate) could_not_mend: bool,
    /// Who was suspected, and whether the file could be written without those that are guilty.
    pub(crate) suspects: Vec<Suspect>,
    pub(crate) could_write: bool,
    /// The damage that the file was mended from.
    pub(crate) recoveries: Vec<Recovery>,
    /// The whole file does not show all records that have files of their own.
    pub(crate) is_behind: bool,
    /// Whether that was to be changed.
    pub(crate) was_show_due: bool,
    /// The file that was gone over to, and its description.
    pub(crate) described: Option<(Arc<str>, Arc<Collection>)>,
}

/// Starts the thread. It ends when the sender is dropped.
pub(crate) fn start(
    mut file: RegistryFile,
    mut collection: Arc<Collection>,
    registry: tokio_mpsc::Sender<Message>,
) -> std::io::Result<mpsc::Sender<Job>> {
    let (jobs, inbox) = mpsc::channel();
    // Linux shows the first 15 bytes of it.
    let name = format!("commit-{}", collection.name);
    std::thread::Builder::new().name(name).spawn(move || {
        // Whoever waits for this thread would wait for ever. Without the daemon all go on.
        let _end = EndOnPanic;
        while let Ok(job) = inbox.recv() {
            let was_show_due = matches!(&job, Job::Commit(_, memory, _) if memory.is_show_due);
            let done = match job {
                Job::Commit(pending, memory, suspects) => {
                    let foreign = written_in(&file);
                    let batch = Batch::new(collection.clone(), foreign, pending, *memory, suspects);
                    commit(&mut file, batch)
                }
                Job::Look(base) => look(&mut file, &base),
                Job::Mend(base) => mend(&mut file, &base),
                Job::Describe(new_file, new_collection, base) => {
                    (file, collection) = (*new_file, new_collection);
                    let described = Some((path_of(&file), collection.clone()));
                    Done { described, ..look(&mut file, &base) }
                }
            };
            let done = Done { is_behind: file.is_behind(), was_show_due, ..done };
            if registry.blocking_send(Message::Done(Box::new(done))).is_err() {
                return;
            }
        }
    })?;
    Ok(jobs)
}

/// Ends the daemon where the thread or task that owns it panics.
pub(crate) struct EndOnPanic;

impl Drop for EndOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("a part without which nothing works panicked; ending");
            std::process::abort();
        }
    }
}

/// What others have made of the document that readers were shown last, in this file. Compared with that
/// and with nothing else, so that no way by which a document gets here is without its events.
fn external_changes(base: &Document, document: &Document, file: &Arc<Evidence>) -> Vec<Change> {
    engine::differences(base, document, Reason::External, Some(file))
}

/// What is known of who changes a file without asking.
fn written_in(file: &RegistryFile) -> Arc<Evidence> {
    Arc::new(Evidence { file: Some(path_of(file).to_string()), ..Evidence::default() })
}

/// What seems to be others' work is what was left of a file that was damaged.
fn note_recoveries(changes: &mut [Change], recoveries: &[Recovery]) {
    let Some(recovery) = recoveries.last() else { return };
    let evidence = Arc::new(recovered(recovery));
    for change in changes.iter_mut().filter(|change| change.reason == Reason::External) {
        (change.reason, change.evidence) = (Reason::Recovered, Some(evidence.clone()));
    }
}

/// What shows that a file was damaged.
pub(crate) fn recovered(recovery: &Recovery) -> Evidence {
    Evidence {
        file: Some(recovery.path.to_string_lossy().into_owned()),
        quarantined: Some(recovery.set_aside.to_string_lossy().into_owned()),
        detail: Some(recovery.problem.clone()),
        ..Evidence::default()
    }
}

fn look(file: &mut RegistryFile, base: &Document) -> Done {
    let mut done = Done::nothing();
    if !file.has_changed() {
        return done;
    }
    match file.reload() {
        Ok(document) => {
            done.changes = external_changes(base, &document, &written_in(file));
            done.document = Some(document);
            done.problem = Some(None);
        }
        Err(error) => done.problem = Some(Some(error.into())),
    }
    done
}

/// Replaces a damaged file by what there is in its place.
fn mend(file: &mut RegistryFile, base: &Document) -> Done {
    let mut done = Done::nothing();
    match file.mend_if_anything_is_left(SHORT_LOCK_WAIT) {
        Ok(_) => {
            done.document = file.known().cloned();
            let document = done.document.as_ref();
            let foreign = written_in(file);
            done.changes =
                document.map_or_else(Vec::new, |now| external_changes(base, now, &foreign));
            done.problem = Some(None);
            done.unwritable = Some(None);
            done.recoveries = file.take_recoveries();
            note_recoveries(&mut done.changes, &done.recoveries);
        }
        Err(error) if error.is_about_content() => done.problem = Some(Some(error.into())),
        Err(StoreError::Locked { .. } | StoreError::InUse { .. }) => done.could_not_mend = true,
        Err(error) => {
            done.could_not_mend = true;
            done.unwritable = Some(Some(error.into()));
        }
    }
    done
}

fn commit(file: &mut RegistryFile, mut batch: Batch) -> Done {
    let mut done = Done { suspects: batch.suspects.clone(), ..Done::nothing() };
    loop {
        let started = Instant::now();
        match file.update(batch.lock_wait(), &mut batch) {
            Ok(Committed::Withdrawn) => continue,
            Ok(committed) => {
                done.could_write = true;
                // One that changes nothing leaves a damaged file as it is.
                if committed == Committed::Written {
                    done.latency = Some(started.elapsed());
                    done.problem = Some(None);
                }
                if committed == Committed::Written || batch.memory.is_show_due {
                    done.unwritable = Some(None);
                }
                done.document = file.known().cloned();
                done.recoveries = file.take_recoveries();
                done.changes = std::mem::take(&mut batch.changes);
                note_recoveries(&mut done.changes, &done.recoveries);
                done.answers.extend(batch.finish());
                return done;
            }
            // Only those whose own wait has run out are told; the others go on waiting.
            Err(error @ StoreError::Locked { .. }) => {
                batch.give_up_waiting(&error.into());
                let (suspects, waiting) = (done.suspects, batch.waiting());
                return Done { suspects, waiting, ..look(file, &batch.memory.base) };
            }
            Err(error) => {
                let is_about_file = error.is_about_content();
                // What another program has open can be written when that is closed: nothing is wrong with the disk.
                // It was waited for already, and whoever asked is told.
                let is_about_disk = !is_about_file && !matches!(error, StoreError::InUse { .. });
                let error = Error::from(error);
                done.problem = is_about_file.then(|| Some(error.clone()));
                done.unwritable = is_about_disk.then(|| Some(error.clone()));
                done.answers.extend(batch.fail(&error));
                return batch.leave_unwritten(done, file);
            }
        }
    }
}

impl Done {
    fn nothing() -> Self {
        Done {
            document: None,
            changes: Vec::new(),
            answers: Vec::new(),
            waiting: Vec::new(),
            latency: None,
            problem: None,
            unwritable: None,
            could_not_mend: false,
            suspects: Vec::new(),
            could_write: false,
            recoveries: Vec::new(),
            is_behind: false,
            was_show_due: false,
            described: None,
        }
    }
}

/// One write in the making.
struct Batch {
    collection: Arc<Collection>,
    /// What is known of others who change the file.
    foreign: Arc<Evidence>,
    entries: Vec<Entry>,
    memory: Memory,
    /// Those whose process has ended, or that were not heard of for too long.
    suspects: Vec<Suspect>,
    changes: Vec<Change>,
}

struct Entry {
    pending: Pending,
    outcome: Option<Result<Option<Answer>>>,
    /// Whether the document would be another one without it.
    differs: bool,
}

impl Batch {
    fn new(
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
    fn lock_wait(&self) -> Duration {
        let now = Instant::now();
        self.entries
            .iter()
            .map(|entry| entry.pending.limits.lock_wait_until.saturating_duration_since(now))
            .min()
            .map_or(SHORT_LOCK_WAIT, |wait| wait.min(LOCK_WAIT_SLICE))
    }

    fn waiting(&mut self) -> Vec<Pending> {
        self.entries.drain(..).map(|entry| entry.pending).collect()
    }

    fn finish(&mut self) -> Vec<(Pending, Result<Option<Answer>>)> {
        let unanswered = || Err(not_applied());
        self.entries
            .drain(..)
            .map(|entry| (entry.pending, entry.outcome.unwrap_or_else(unanswered)))
            .collect()
    }

    fn fail(&mut self, error: &Error) -> Vec<(Pending, Result<Option<Answer>>)> {
        self.entries
            .drain(..)
            .map(|entry| match entry.outcome {
                // What was refused by a rule was refused whatever became of the write.
                Some(Err(refused)) => (entry.pending, Err(refused)),
                _ => (entry.pending, Err(error.clone())),
            })
            .collect()
    }

    /// Nothing was written; what others wrote was read all the same.
    fn leave_unwritten(self, mut done: Done, file: &RegistryFile) -> Done {
        if let Some(document) = file.known() {
            done.changes = external_changes(&self.memory.base, document, &self.foreign);
            done.document = Some(document.clone());
        }
        done
    }

    /// Tells those whose wait has run out, at once: their deadline is near.
    fn give_up_waiting(&mut self, error: &Error) {
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

impl Limits {
    fn passed(&self) -> Option<Error> {
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
