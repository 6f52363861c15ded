//! The thread that makes changes durable: the only one of the daemon that waits for the disk.
//!
//! It takes one batch at a time. While it is at work the registry collects the next, so the cost
//! of a commit is shared by all who came meanwhile (group commit).

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use argus_proto::Answer;
use argus_proto::collection::Collection;
use argus_proto::document::Document;
use argus_proto::engine::{Change, Reason};
use argus_proto::error::{Error, Result};
use argus_proto::evidence::Evidence;
use argus_proto::reaping::Suspect;
use argus_store::{Committed, Recovery, RegistryFile, StoreError};
use tokio::sync::mpsc as tokio_mpsc;

use crate::batch::{Batch, Memory, SHORT_LOCK_WAIT, external_changes};
use crate::pending::Pending;
use crate::registry::{Message, path_of};

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
                // Nothing was written; what others wrote was read all the same.
                if let Some(document) = file.known() {
                    done.changes = external_changes(&batch.memory.base, document, &batch.foreign);
                    done.document = Some(document.clone());
                }
                return done;
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
