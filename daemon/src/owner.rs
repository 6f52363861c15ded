//! The single owner of a collection's state.
//!
//! 1. `base` is what the file holds; nobody is shown anything that a crash could take back, but for
//!    the time of the last heartbeat.
//! 2. One batch is on its way to the disk at most; what comes meanwhile waits for the next.
//! 3. Readers take a snapshot and wait for nobody.

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use argus_presence::clock;
use argus_proto::Answer;
use argus_proto::collection::Collection;
use argus_proto::document::Document;
use argus_proto::engine;
use argus_proto::error::{Code, Error, Result};
use argus_proto::merge::merge;
use argus_proto::method::Heartbeat;
use argus_store::{RegistryFile, Source};
use tokio::sync::{mpsc as tokio_mpsc, oneshot, watch};

use crate::batch::Memory;
use crate::commit::{Done, EndOnPanic, Job};
use crate::departed::Departed;
use crate::pending::Pending;
use crate::registry::{Message, Shared, context, cursor};
use crate::snapshot::Snapshot;
use crate::vigil::Vigil;

/// How often the file is looked at for what others wrote. The promise is 1 s.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a heartbeat stays in memory alone. The promise is 5 s; the write takes the rest.
const WRITE_AFTER: Duration = Duration::from_millis(4000);
/// How long records that have files of their own are durable before the whole file shows them. The promise
/// is 50 ms; the write takes the rest.
const SHOW_AFTER: Duration = Duration::from_millis(40);
/// The same after the whole file could not be written.
const SHOW_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// After how many looks a damaged file is written anew: twice as many after each attempt that the
/// disk has failed, up to the most.
const LOOKS_BEFORE_MENDING: u32 = 2;
const LOOKS_BEFORE_MENDING_MAX: u32 = 64;

/// The task that owns the state.
pub(crate) struct Owner {
    vigil: Vigil,
    collection: Arc<Collection>,
    shared: Shared,
    jobs: mpsc::Sender<Job>,
    publisher: watch::Sender<Arc<Snapshot>>,
    /// What readers see: memory, which is ahead of the file by heartbeats.
    snapshot: Snapshot,
    /// The file as memory last knew it.
    base: Document,
    /// Since when memory is ahead.
    unwritten_since: Option<Instant>,
    /// When the whole file is to show the records' own files, if it is behind them.
    show_at: Option<Instant>,
    waiting: Vec<Pending>,
    departed: Departed,
    job_under_way: bool,
    /// How often in a row the file was found damaged.
    damaged_looks: u32,
    looks_before_mending: u32,
    /// Who waits for a look at the file that has not begun, and for the one under way.
    lookers: Vec<oneshot::Sender<()>>,
    looking: Vec<oneshot::Sender<()>>,
    /// What the collection is to be described as, when no job is under way.
    description: Option<(Box<RegistryFile>, Arc<Collection>)>,
    finish: Option<oneshot::Sender<()>>,
    /// What was done already so that what is in memory only does not end with it.
    ending: Ending,
}

/// How far an owner is on its way to the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The file is to be looked at once more: if it was damaged a moment ago, memory has what was in it.
    ToLook,
    /// It was looked at; damage is to be mended now.
    Looked,
    /// That was tried.
    Mended,
}

impl Owner {
    /// Its first snapshot is what is on the disk, or what there is in its place.
    pub(crate) fn new(
        collection: Arc<Collection>,
        shared: Shared,
        jobs: mpsc::Sender<Job>,
        publisher: watch::Sender<Arc<Snapshot>>,
        mut vigil: Vigil,
    ) -> Self {
        let snapshot = Snapshot::clone(&publisher.borrow());
        vigil.follow(&Document::empty(&collection), &snapshot.document, Instant::now());
        Owner {
            collection,
            shared,
            jobs,
            publisher,
            base: snapshot.document.clone(),
            snapshot,
            unwritten_since: None,
            show_at: None,
            waiting: Vec::new(),
            vigil,
            departed: Departed::default(),
            job_under_way: false,
            damaged_looks: 0,
            looks_before_mending: LOOKS_BEFORE_MENDING,
            lookers: Vec::new(),
            looking: Vec::new(),
            description: None,
            finish: None,
            ending: Ending::ToLook,
        }
    }

    /// Serves messages until the registry is finished.
    pub(crate) async fn run(mut self, mut inbox: tokio_mpsc::Receiver<Message>) {
        // Else the others would be shown the same snapshot for ever.
        let _end = EndOnPanic;
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let first_to_give_up = self.waiting.iter().map(|one| one.limits.lock_wait_until).min();
            tokio::select! {
                () = until(first_to_give_up) => self.give_up_waiting(),
                message = inbox.recv() => match message {
                    Some(message) => self.take(message),
                    None => return,
                },
                () = until(self.vigil.due()), if !self.job_under_way => {
                    self.start_job(Start::Commit);
                }
                () = until(self.show_at), if !self.job_under_way => {
                    self.start_job(Start::Commit);
                }
                _ = look.tick() => {
                    for id in self.vigil.look(Instant::now()) {
                        // It may be gone by now.
                        let _ = self.refresh(Heartbeat { id: id.to_string(), pid: None });
                    }
                    let start = if self.damaged_looks >= self.looks_before_mending {
                        Start::Mend
                    } else if self.is_write_due() {
                        Start::Commit
                    } else {
                        Start::Look
                    };
                    self.start_job(start);
                }
            }
            // Everything else that has arrived belongs into the same batch.
            while let Ok(message) = inbox.try_recv() {
                self.take(message);
            }
            if self.description.is_some() {
                self.start_job(Start::Describe);
            } else if self.finish.is_some() && self.ending != Ending::Mended {
                self.start_to_end();
            } else if !self.waiting.is_empty() || self.finish.is_some() {
                self.start_job(Start::Commit);
            } else if !self.lookers.is_empty() {
                self.start_job(Start::Look);
            }
            if self.has_finished() {
                return;
            }
        }
    }

    /// Tells those who wait behind a commit that takes too long. They were never begun.
    fn give_up_waiting(&mut self) {
        let now = Instant::now();
        let waiting = std::mem::take(&mut self.waiting);
        for pending in waiting {
            if pending.limits.lock_wait_until > now {
                self.waiting.push(pending);
                continue;
            }
            let error = Error::new(
                Code::Locked,
                "the write before this one has been waiting for its lock or its disk for too long",
            );
            pending.tell(Err(error.hint("try again")));
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Change(pending) => self.waiting.push(pending),
            Message::Heartbeat(heartbeat, reply) => {
                let _ = reply.send(self.refresh(heartbeat));
            }
            Message::Done(done) => self.take_done(*done),
            Message::ProcessEnd { id, pid } => self.vigil.note_end(&id, pid, Instant::now()),
            Message::Look(reply) => self.lookers.push(reply),
            Message::Describe(file, collection) => self.description = Some((file, collection)),
            Message::Finish(reply) => {
                self.finish = Some(reply);
                self.show_at = self.show_at.map(|_| Instant::now());
            }
        }
    }

    fn refresh(&mut self, heartbeat: Heartbeat) -> Result<Answer> {
        // It would be acknowledged, and never get into the file.
        if let Some(problem) = self.snapshot.newer_format() {
            return Err(problem.clone());
        }
        let id = heartbeat.id.clone();
        let now = clock::wall_ms();
        let context = context(&self.collection, now, 0);
        let applied = engine::apply(&self.snapshot.document, &heartbeat.into(), context);
        let outcome = applied.map_err(|error| match error.code {
            Code::NotFound if self.departed.contains(&id) => removed_on_purpose(error, &id),
            _ => error,
        })?;
        self.snapshot.document = outcome.document;
        if let Answer::Heartbeat(refreshed) = &outcome.answer {
            self.vigil.hear(&id, refreshed.updated_at, Instant::now());
        }
        self.note_unwritten();
        self.publish();
        self.shared.pulse.heartbeats.send_replace(());
        Ok(outcome.answer)
    }

    /// Sees to it that the file is whole before memory is gone.
    fn start_to_end(&mut self) {
        if self.job_under_way {
            return;
        }
        let is_damaged = |(error, _): &(Error, Source)| error.code == Code::Corrupt;
        let start = match self.ending {
            Ending::ToLook => Start::Look,
            _ if self.snapshot.problem.as_ref().is_some_and(is_damaged) => Start::Mend,
            _ => Start::Commit,
        };
        self.ending = match self.ending {
            Ending::ToLook => Ending::Looked,
            _ => Ending::Mended,
        };
        self.start_job(start);
    }

    /// Notes whether memory is ahead of the file.
    fn note_unwritten(&mut self) {
        if self.snapshot.document.is_copy_of(&self.base) {
            self.unwritten_since = None;
        } else {
            self.unwritten_since.get_or_insert_with(Instant::now);
        }
    }

    /// Notes when the whole file is to show the records' own files.
    fn note_behind(&mut self, is_behind: bool, was_show_due: bool) {
        let now = Instant::now();
        self.show_at = match (is_behind, was_show_due) {
            (false, _) => None,
            // At the end it is tried once.
            (true, true) => self.finish.is_none().then(|| now + SHOW_AGAIN_AFTER),
            (true, false) if self.finish.is_some() => Some(now),
            (true, false) => Some(self.show_at.unwrap_or(now + SHOW_AFTER)),
        };
    }

    fn is_write_due(&self) -> bool {
        self.unwritten_since.is_some_and(|since| since.elapsed() >= WRITE_AFTER)
    }

    fn start_job(&mut self, start: Start) {
        if self.job_under_way {
            return;
        }
        let job = match start {
            Start::Look => Job::Look(self.base.clone()),
            Start::Mend => Job::Mend(self.base.clone()),
            Start::Describe => match self.description.take() {
                Some((file, collection)) => Job::Describe(file, collection, self.base.clone()),
                None => return,
            },
            Start::Commit => {
                let suspects = self.vigil.suspects(Instant::now());
                let is_ahead = self.unwritten_since.is_some();
                let is_show_due = self.show_at.is_some_and(|at| at <= Instant::now());
                if self.waiting.is_empty() && !is_ahead && suspects.is_empty() && !is_show_due {
                    return;
                }
                self.unwritten_since = None;
                let memory = Memory {
                    base: self.base.clone(),
                    document: self.snapshot.document.clone(),
                    is_show_due,
                };
                Job::Commit(std::mem::take(&mut self.waiting), Box::new(memory), suspects)
            }
        };
        // The thread outlives this task: it ends when `jobs` is dropped with it.
        self.job_under_way = self.jobs.send(job).is_ok();
        // Either kind of job looks at the file.
        self.looking = std::mem::take(&mut self.lookers);
    }

    fn take_done(&mut self, done: Done) {
        self.job_under_way = false;
        if let Some(latency) = done.latency {
            self.shared.latencies.note(latency);
        }
        let is_described = done.described.is_some();
        if let Some((path, collection)) = done.described {
            self.vigil = self.vigil.renewed(&collection, Instant::now());
            self.collection = collection.clone();
            (self.snapshot.path, self.snapshot.collection) = (path, collection);
        }
        if let Some(problem) = done.problem {
            self.note_problem(problem);
        }
        if let Some(unwritable) = done.unwritable
            && unwritable != self.snapshot.unwritable
        {
            match &unwritable {
                Some(error) => tracing::error!("cannot write: {}", error.message),
                None => tracing::info!("could write again"),
            }
            self.snapshot.unwritable = unwritable;
        }
        if done.could_not_mend {
            self.damaged_looks = 0;
            self.looks_before_mending =
                (2 * self.looks_before_mending).min(LOOKS_BEFORE_MENDING_MAX);
        }
        for recovery in &done.recoveries {
            tracing::warn!("{recovery}");
            self.snapshot.note_recovery(recovery);
        }
        let is_changed = !done.changes.is_empty();
        let now = clock::wall_ms();
        for change in done.changes {
            self.departed.note(&change);
            self.snapshot.note_change(change, now);
        }
        if let Some(disk) = done.document {
            let memory = &self.snapshot.document;
            let merged = merge(&self.base, &disk, memory);
            if !is_described {
                self.vigil.follow(memory, &merged, Instant::now());
            }
            self.snapshot.document = merged;
            self.base = disk;
        }
        if is_described {
            // Who judges by other rules knows nobody yet.
            let nobody = Document::empty(&self.collection);
            self.vigil.follow(&nobody, &self.snapshot.document, Instant::now());
        }
        self.vigil.note_judgement(&done.suspects, done.could_write, Instant::now());
        // At the end a disk that takes nothing would be asked for ever.
        if self.finish.is_none() {
            self.note_unwritten();
        }
        self.note_behind(done.is_behind, done.was_show_due);
        // They came before those who wait already.
        self.waiting.splice(0..0, done.waiting);
        // Readers first: who has his answer finds his change.
        self.publish();
        match is_changed {
            true => self.shared.pulse.changes.send_replace(()),
            false => self.shared.pulse.heartbeats.send_replace(()),
        };
        for looker in self.looking.drain(..) {
            let _ = looker.send(());
        }
        for (pending, result) in done.answers {
            let cursor = cursor(&self.shared.epoch, self.snapshot.revision);
            pending.tell(result.map(|answer| answer.map(|answer| with_cursor(answer, cursor))));
        }
    }

    /// Damage that stays is mended; once seen could be somebody who is writing in place.
    fn note_problem(&mut self, problem: Option<Error>) {
        self.damaged_looks = match &problem {
            Some(error) if error.code == Code::Corrupt => self.damaged_looks + 1,
            _ => {
                self.looks_before_mending = LOOKS_BEFORE_MENDING;
                0
            }
        };
        // What was shown instead from the start is shown still.
        let instead = self.snapshot.problem.as_ref().map_or(Source::Memory, |(_, source)| *source);
        let problem = problem.map(|error| (error, instead));
        if problem != self.snapshot.problem {
            self.snapshot.problem = problem;
            for warning in self.snapshot.warnings() {
                tracing::warn!("{}", warning.message);
            }
        }
    }

    fn publish(&self) {
        self.publisher.send_replace(Arc::new(self.snapshot.clone()));
    }

    fn has_finished(&mut self) -> bool {
        let is_written = self.unwritten_since.is_none() && self.show_at.is_none();
        let is_whole = self.ending == Ending::Mended;
        let idle = !self.job_under_way && self.waiting.is_empty() && is_written && is_whole;
        if idle && let Some(reply) = self.finish.take() {
            let _ = reply.send(());
            return true;
        }
        false
    }
}

enum Start {
    Commit,
    Look,
    Mend,
    Describe,
}

/// Tells a watcher that it is not to announce itself again.
fn removed_on_purpose(error: Error, id: &str) -> Error {
    Error { message: format!("`{id}` was removed on purpose"), ..error }
        .details(serde_json::json!({ "id": id, "reason": "removed" }))
}

fn with_cursor(mut answer: Answer, cursor: String) -> Answer {
    if let Answer::Announce(announced) = &mut answer {
        announced.cursor = Some(cursor);
    }
    answer
}

/// Returns at a moment; without one, never.
pub(crate) async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}
